/* The module: reads from Python what is to be done to some images, and does it without Python's lock. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "steps.h"

/* Those from RESIZE on make an image of the source; the others change it. */
enum { TABLE, TABLE_PER_CHANNEL, CONTRAST, SATURATION, SHIFT_HSV, COVER, RESIZE, WARP };

typedef struct {
    int kind;
    union {
        uint8_t table[CHANNELS * LEVELS]; /* TABLE: only the first 256 */
        double factor;                    /* CONTRAST, SATURATION */
        Shift shift;
        Resize resize;
        Warp warp;
        struct {
            int64_t left, top, right, bottom;
            uint8_t fill[CHANNELS];
        } cover;
    };
} Step;

/* One image: where its pixels come from, where they go, and the steps between. */
typedef struct {
    Py_buffer source, image; /* `obj` is NULL where there is none */
    Step *steps;
    Py_ssize_t count;
} Work;

/* Whether the first step makes the image of the source. */
static int begins_anew(const Work *work) { return work->count && work->steps[0].kind >= RESIZE; }

static void cover(const Step *step, uint8_t *pixels, int64_t rows, int64_t columns)
{
    int64_t top = step->cover.top, left = step->cover.left;
    int64_t bottom = step->cover.bottom < rows ? step->cover.bottom : rows;
    int64_t right = step->cover.right < columns ? step->cover.right : columns;
    for (int64_t row = top < 0 ? 0 : top; row < bottom; row++)
        for (int64_t column = left < 0 ? 0 : left; column < right; column++)
            memcpy(pixels + CHANNELS * (row * columns + column), step->cover.fill, CHANNELS);
}

static void take(const Step *step, const Source *source, uint8_t *pixels, int rows, int columns)
{
    size_t count = (size_t)rows * (size_t)columns;
    switch (step->kind) {
    case TABLE: look_up(pixels, count, step->table); break;
    case TABLE_PER_CHANNEL: look_up_channels(pixels, count, step->table); break;
    case CONTRAST: adjust_contrast(pixels, count, step->factor); break;
    case SATURATION: adjust_saturation(pixels, count, step->factor); break;
    case SHIFT_HSV: shift_hsv(pixels, (size_t)rows, (size_t)columns, &step->shift); break;
    case COVER: cover(step, pixels, rows, columns); break;
    case RESIZE: resize(&step->resize, source, pixels, rows, columns); break;
    case WARP: warp(&step->warp, source, pixels, rows, columns); break;
    }
}

static void do_work(const Work *work)
{
    const Py_buffer *from = &work->source;
    uint8_t *pixels = work->image.buf;
    int rows = (int)work->image.shape[0], columns = (int)work->image.shape[1];
    Source source = {from->buf, from->strides[0], (int)from->shape[0], (int)from->shape[1]};
    if (work->image.len == 0)
        return;
    if (source.pixels != pixels && !begins_anew(work))
        for (int row = 0; row < rows; row++)
            memcpy(pixels + (ptrdiff_t)CHANNELS * columns * row, source.pixels + source.stride * row,
                   (size_t)CHANNELS * (size_t)columns);
    for (Py_ssize_t at = 0; at < work->count; at++)
        take(&work->steps[at], &source, pixels, rows, columns);
}

/* Read a step: a table as a buffer, or a tuple that begins with its kind. */
static int read_step(PyObject *given, Step *step)
{
    Py_buffer data = {0};
    const char *fill = NULL;
    Py_ssize_t length = 0;
    if (!PyTuple_Check(given)) {
        if (PyObject_GetBuffer(given, &data, PyBUF_C_CONTIGUOUS) < 0)
            return 0;
        step->kind = data.len == LEVELS ? TABLE : TABLE_PER_CHANNEL;
        if (data.len == LEVELS || data.len == CHANNELS * LEVELS)
            memcpy(step->table, data.buf, (size_t)data.len);
        else
            PyErr_SetString(PyExc_ValueError, "a table has 256 bytes, or 256 for each channel");
        PyBuffer_Release(&data);
        return !PyErr_Occurred();
    }
    long kind = PyTuple_GET_SIZE(given) ? PyLong_AsLong(PyTuple_GET_ITEM(given, 0)) : -1;
    if (kind == -1 && PyErr_Occurred())
        return 0;
    step->kind = (int)kind;
    switch (kind) {
    case CONTRAST:
    case SATURATION: return PyArg_ParseTuple(given, "id:factor", &step->kind, &step->factor);
    case SHIFT_HSV:
        if (!PyArg_ParseTuple(given, "iiiii:shift", &step->kind, &step->shift.hue, &step->shift.saturation,
                              &step->shift.value, &step->shift.together))
            return 0;
        if (step->shift.hue >= 0 && step->shift.hue < 180 && step->shift.together > 0 &&
            BLOCK % step->shift.together == 0) /* see `shift_hsv` */
            return 1;
        break;
    case COVER:
        if (!PyArg_ParseTuple(given, "iLLLLy#:cover", &step->kind, &step->cover.left, &step->cover.top,
                              &step->cover.right, &step->cover.bottom, &fill, &length))
            return 0;
        if (length != CHANNELS)
            break;
        memcpy(step->cover.fill, fill, CHANNELS);
        return 1;
    case RESIZE:
        return PyArg_ParseTuple(given, "ipp:resize", &step->kind, &step->resize.is_mirrored,
                                &step->resize.is_upside_down);
    case WARP:
        if (!PyArg_ParseTuple(given, "iy*iy#:warp", &step->kind, &data, &step->warp.border, &fill, &length))
            return 0;
        if (data.len == sizeof step->warp.to_input && length == CHANNELS) {
            memcpy(step->warp.to_input, data.buf, sizeof step->warp.to_input);
            memcpy(step->warp.fill, fill, CHANNELS);
        } else
            PyErr_SetString(PyExc_ValueError, "a warp has 6 float64 and 3 bytes");
        PyBuffer_Release(&data);
        return !PyErr_Occurred();
    }
    PyErr_SetString(PyExc_ValueError, "no such step");
    return 0;
}

static int is_image(const Py_buffer *buffer)
{
    return buffer->format && strcmp(buffer->format, "B") == 0 && buffer->ndim == 3 && buffer->itemsize == 1 &&
           buffer->shape[2] == CHANNELS && buffer->strides[2] == 1 && buffer->strides[1] == CHANNELS &&
           buffer->strides[0] >= 0 && buffer->shape[0] <= INT16_MAX && buffer->shape[1] <= INT16_MAX &&
           buffer->shape[0] * buffer->strides[0] < INT32_MAX;
}

/* Where the bytes of an image end. */
static const char *end(const Py_buffer *image)
{
    return (const char *)image->buf + (image->shape[0] - 1) * image->strides[0] + CHANNELS * image->shape[1];
}

/* Whether two images, which are not empty, share bytes and are not the same. */
static int overlap(const Py_buffer *one, const Py_buffer *other)
{
    const char *first = one->buf, *second = other->buf;
    int are_same = first == second && one->strides[0] == other->strides[0];
    return !are_same && first < end(other) && second < end(one);
}

/* Read a tuple of a source, an image, which may be the same, and a list of steps. */
static int read_work(PyObject *given, Work *work)
{
    PyObject *source, *image, *steps;
    if (!PyArg_ParseTuple(given, "OOO!:work", &source, &image, &PyList_Type, &steps))
        return 0;
    if (PyObject_GetBuffer(source, &work->source, PyBUF_STRIDES | PyBUF_FORMAT) < 0)
        return 0;
    if (PyObject_GetBuffer(image, &work->image, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE | PyBUF_FORMAT) < 0)
        return 0;
    work->count = PyList_GET_SIZE(steps);
    work->steps = PyMem_Calloc((size_t)work->count + 1, sizeof(Step));
    if (work->steps == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    Py_ssize_t anew = 0;
    for (Py_ssize_t at = 0; at < work->count; at++) {
        if (!read_step(PyList_GET_ITEM(steps, at), &work->steps[at]))
            return 0;
        anew += work->steps[at].kind >= RESIZE;
    }
    int are_images = is_image(&work->source) && is_image(&work->image) && work->source.len;
    const Py_ssize_t *from = work->source.shape, *to = work->image.shape;
    if (are_images && !(work->image.len && overlap(&work->source, &work->image)) && anew == begins_anew(work) &&
        (work->steps[0].kind != RESIZE || !anew || (PICKS_BYTES && from[1] > 1 && 2 * from[1] <= 5 * to[1])) &&
        (anew ? work->source.buf != work->image.buf : from[0] == to[0] && from[1] == to[1]))
        return 1;
    PyErr_SetString(PyExc_ValueError, "images are uint8 [H, W, 3], of one size where the first step is no warp or "
                                      "resize, which the others cannot be");
    return 0;
}

static void release(Work *work)
{
    if (work->source.obj)
        PyBuffer_Release(&work->source);
    if (work->image.obj)
        PyBuffer_Release(&work->image);
    PyMem_Free(work->steps);
}

PyDoc_STRVAR(run_doc, "run(works)\n--\n\n"
                      "Take the steps of each (source, image, [step, ...]) in order; other threads run meanwhile.");

static PyObject *run(PyObject *module, PyObject *given)
{
    (void)module;
    if (!PyList_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "run takes a list");
        return NULL;
    }
    Py_ssize_t count = PyList_GET_SIZE(given), read = 0;
    Work *works = PyMem_Calloc((size_t)count + 1, sizeof(Work));
    if (works == NULL)
        return PyErr_NoMemory();
    while (read < count && read_work(PyList_GET_ITEM(given, read), &works[read]))
        read++;
    if (read == count) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < count; at++)
            do_work(&works[at]);
        Py_END_ALLOW_THREADS
    }
    for (Py_ssize_t at = 0; at < count; at++)
        release(&works[at]);
    PyMem_Free(works);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *picks_bytes(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    return PyBool_FromLong(PICKS_BYTES);
}

static PyMethodDef methods[] = {
    {"run", run, METH_O, run_doc},
    {"picks_bytes", picks_bytes, METH_NOARGS, "Tell whether the processor can pick bytes out of two vectors."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "What is done to images, compiled.", 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void)
{
    const struct {
        const char *name;
        int kind;
    } kinds[] = {{"CONTRAST", CONTRAST}, {"SATURATION", SATURATION}, {"SHIFT_HSV", SHIFT_HSV},
                 {"COVER", COVER},       {"RESIZE", RESIZE},         {"WARP", WARP}};
    PyObject *module = PyModule_Create(&definition);
    for (size_t at = 0; module && at < sizeof kinds / sizeof kinds[0]; at++)
        if (PyModule_AddIntConstant(module, kinds[at].name, kinds[at].kind) < 0)
            Py_CLEAR(module);
    return module;
}
