/* Reading requests to decode; like works, each is checked completely before anything runs. */

#include "encoded.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { MAX_ENCODED_SIDE = 1000000 }; /* libpng's; libjpeg's is 65,500 */

static int read_pair(const Position *at, PyObject *given, const char *name, int lowest, int *first, int *second)
{
    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != 2)
        return refuse(at, PyExc_TypeError, "%s must be a tuple of two integers", name);
    return read_integer(at, PyTuple_GET_ITEM(given, 0), name, lowest, MAX_ENCODED_SIDE, first) &&
           read_integer(at, PyTuple_GET_ITEM(given, 1), name, lowest, MAX_ENCODED_SIDE, second);
}

int read_request(const Position *at, PyObject *given, Request *request)
{
    *request = (Request){0};
    Encoded *encoded = &request->encoded;
    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != 7)
        return refuse(at, PyExc_TypeError, "an encoded image must be a tuple of 7 items");
    PyObject *window = PyTuple_GET_ITEM(given, 5);
    if (!read_integer(at, PyTuple_GET_ITEM(given, 0), "format", JPEG, PNG, &request->format) ||
        !read_pair(at, PyTuple_GET_ITEM(given, 2), "size", 1, &request->rows, &request->columns) ||
        !read_integer(at, PyTuple_GET_ITEM(given, 3), "channels", 1, 4, &encoded->channels) ||
        !read_integer(at, PyTuple_GET_ITEM(given, 4), "ratio", 1, 8, &encoded->ratio) ||
        !read_flag(PyTuple_GET_ITEM(given, 6), &encoded->is_accurate))
        return 0;
    encoded->has_window = window != Py_None;
    if (encoded->has_window && !read_pair(at, window, "window", 0, &encoded->top, &encoded->left))
        return 0;
    if (encoded->ratio & (encoded->ratio - 1))
        return refuse(at, PyExc_ValueError, "ratio must be 1, 2, 4 or 8, not %d", encoded->ratio);
    if (request->format == PNG && (encoded->ratio > 1 || encoded->has_window))
        return refuse(at, PyExc_ValueError, "a PNG is decoded whole and at its own size");
    if (request->format == JPEG && encoded->channels % 2 == 0)
        return refuse(at, PyExc_ValueError, "a JPEG gives 1 or 3 channels, not %d", encoded->channels);
    if (!get_buffer(at, PyTuple_GET_ITEM(given, 1), "bytes", PyBUF_SIMPLE, &request->buffer))
        return 0;
    encoded->bytes = request->buffer.buf;
    encoded->count = (size_t)request->buffer.len;
    return 1;
}

void release_request(Request *request)
{
    if (request->buffer.obj)
        PyBuffer_Release(&request->buffer);
}

int decode_request(Request *request, uint8_t *pixels)
{
#ifdef WITHOUT_CODECS
    (void)pixels;
    snprintf(request->outcome.message, MESSAGE_BYTES, "the module was built without libjpeg-turbo and libpng");
#else
    (request->format == PNG ? decode_png : decode_jpeg)(&request->encoded, pixels, request->rows, request->columns,
                                                        &request->outcome);
#endif
    return request->outcome.is_decoded;
}

PyObject *report_request(const Request *request)
{
    const Outcome *outcome = &request->outcome;
    if (is_clean(request))
        Py_RETURN_NONE;
    PyObject *message = PyUnicode_DecodeLatin1(outcome->message, (Py_ssize_t)strlen(outcome->message), NULL);
    return message ? Py_BuildValue("(NN)", PyBool_FromLong(outcome->is_decoded), message) : NULL;
}

/* Get the target of a request, uint8 [rows, columns, channels], contiguous and writable. */
static int get_target(const Position *at, PyObject *given, const Request *request, Py_buffer *target)
{
    if (!get_buffer(at, given, "target", PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | PyBUF_WRITABLE, target))
        return 0;
    const Py_ssize_t *shape = target->shape;
    return (has_format(target, "B", 1) && target->ndim == 3 && shape[0] == request->rows &&
            shape[1] == request->columns && shape[2] == request->encoded.channels) ||
           refuse(at, PyExc_ValueError, "target must be uint8 [%d, %d, %d]", request->rows, request->columns,
                  request->encoded.channels);
}

PyObject *decode(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    const Position at = {0, -1};
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "decode takes an encoded image and a target, not %zd arguments", count);
    Request request;
    Py_buffer target = {0};
    int is_read = read_request(&at, given[0], &request) && get_target(&at, given[1], &request, &target);
    if (is_read) {
        Py_BEGIN_ALLOW_THREADS
        decode_request(&request, target.buf);
        Py_END_ALLOW_THREADS
    }
    PyObject *report = is_read ? report_request(&request) : NULL;
    if (target.obj)
        PyBuffer_Release(&target);
    release_request(&request);
    return report;
}
