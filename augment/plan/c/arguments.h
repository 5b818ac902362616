/* Single arguments: numbers and buffers from Python, checked.

   Each function that reads one returns 1, or returns 0 and raises a Python exception that names the argument. Each can
   run Python code of the caller. */

#ifndef CAUDAL_ARGUMENTS_H
#define CAUDAL_ARGUMENTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "steps.h"

/* The work and the step that are being read, for messages; a step of -1 means none. */
typedef struct {
    Py_ssize_t work, step;
} Position;

/* Raise an exception that says where the fault is; returns 0. */
int refuse(const Position *at, PyObject *error, const char *format, ...);

/* Read an integer from `lowest` to `highest`. */
int read_integer(const Position *at, PyObject *given, const char *name, int lowest, int highest, int *number);

/* Read whether an object is true. */
int read_flag(PyObject *given, int *flag);

/* Read a factor from 0 to MAX_FACTOR. */
int read_factor(const Position *at, PyObject *given, double *factor);

/* Read a fill: bytes, one for each channel. */
int read_fill(const Position *at, PyObject *given, uint8_t fill[CHANNELS]);

/* Get a buffer, which the caller releases; its `obj` is NULL on failure. */
int get_buffer(const Position *at, PyObject *given, const char *name, int flags, Py_buffer *buffer);

/* Whether the elements of a buffer are of a format of Python's `struct`, in native order. */
int has_format(const Py_buffer *buffer, const char *format, Py_ssize_t itemsize);

/* Whether a buffer is [first, second], or [second] if `first` is 0. */
int has_shape(const Py_buffer *buffer, Py_ssize_t first, Py_ssize_t second);

#endif
