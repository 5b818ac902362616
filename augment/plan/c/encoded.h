/* Encoded images: requests from Python to decode them, read and checked. */

#ifndef CAUDAL_ENCODED_H
#define CAUDAL_ENCODED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "arguments.h"
#include "decode.h"

enum { JPEG, PNG };

/* The bytes of one image, what to decode of them, and what became of them. */
typedef struct {
    int format;
    Encoded encoded;
    int rows, columns; /* of the decoded pixels */
    Py_buffer buffer;  /* of the bytes; `obj` is NULL until they are read */
    Outcome outcome;
} Request;

/* Read a tuple (format, bytes, (rows, columns), channels, ratio, (top, left) or None, is_accurate); returns 0 with a
   Python exception if it is rejected. Release the request in any case. */
int read_request(const Position *at, PyObject *given, Request *request);

void release_request(Request *request);

/* Decode into pixels [rows, columns, channels], without the GIL; tells whether they were decoded. */
int decode_request(Request *request, uint8_t *pixels);

/* Whether a request was decoded without a warning. */
static inline int is_clean(const Request *request)
{
    return request->outcome.is_decoded && !request->outcome.message[0];
}

/* Return what became of a request: None, or (is_decoded, message). */
PyObject *report_request(const Request *request);

PyObject *decode(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
