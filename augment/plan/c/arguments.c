/* Single arguments: numbers and buffers from Python, checked. */

#include "arguments.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

int refuse(const Position *at, PyObject *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    PyObject *fault = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    if (fault == NULL)
        return 0;
    if (at->step < 0)
        PyErr_Format(error, "works[%zd]: %U", at->work, fault);
    else
        PyErr_Format(error, "works[%zd]: steps[%zd]: %U", at->work, at->step, fault);
    Py_DECREF(fault);
    return 0;
}

int read_integer(const Position *at, PyObject *given, const char *name, int lowest, int highest, int *number)
{
    if (!PyIndex_Check(given))
        return refuse(at, PyExc_TypeError, "%s must be an integer, not %.100s", name, Py_TYPE(given)->tp_name);
    PyObject *index = PyNumber_Index(given);
    if (index == NULL)
        return 0;
    int is_beyond;
    long long value = PyLong_AsLongLongAndOverflow(index, &is_beyond);
    Py_DECREF(index);
    if (is_beyond)
        return refuse(at, PyExc_ValueError, "%s must be from %d to %d, not a number beyond 64 bits", name, lowest,
                      highest);
    if (value < lowest || value > highest)
        return refuse(at, PyExc_ValueError, "%s must be from %d to %d, not %lld", name, lowest, highest, value);
    *number = (int)value;
    return 1;
}

int read_flag(PyObject *given, int *flag)
{
    *flag = PyObject_IsTrue(given);
    return *flag >= 0;
}

int read_factor(const Position *at, PyObject *given, double *factor)
{
    if (!PyNumber_Check(given))
        return refuse(at, PyExc_TypeError, "factor must be a number, not %.100s", Py_TYPE(given)->tp_name);
    *factor = PyFloat_AsDouble(given);
    if (*factor == -1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return 0;
        PyErr_Clear();
        *factor = HUGE_VAL;
    }
    if (*factor >= 0 && *factor <= MAX_FACTOR) /* which NaN is not */
        return 1;
    char *text = PyOS_double_to_string(*factor, 'r', 0, 0, NULL);
    if (text != NULL)
        refuse(at, PyExc_ValueError, "factor must be from 0 to %d, not %s", MAX_FACTOR, text);
    PyMem_Free(text);
    return 0;
}

int read_fill(const Position *at, PyObject *given, uint8_t fill[CHANNELS])
{
    if (!PyBytes_Check(given) || PyBytes_GET_SIZE(given) != CHANNELS)
        return refuse(at, PyExc_ValueError, "fill must be 3 bytes");
    memcpy(fill, PyBytes_AS_STRING(given), CHANNELS);
    return 1;
}

int get_buffer(const Position *at, PyObject *given, const char *name, int flags, Py_buffer *buffer)
{
    if (!PyObject_CheckBuffer(given))
        return refuse(at, PyExc_TypeError, "%s must be an array, not %.100s", name, Py_TYPE(given)->tp_name);
    if (PyObject_GetBuffer(given, buffer, flags) == 0)
        return 1;
    buffer->obj = NULL;
    if (!PyErr_ExceptionMatches(PyExc_BufferError) && !PyErr_ExceptionMatches(PyExc_ValueError) &&
        !PyErr_ExceptionMatches(PyExc_TypeError))
        return 0;
    PyObject *type, *error, *trace; /* the exporter's own, which does not name the argument */
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    refuse(at, PyExc_BufferError, "%s cannot be read: %S", name, error);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    return 0;
}

int has_format(const Py_buffer *buffer, const char *format, Py_ssize_t itemsize)
{
    return strcmp(buffer->format ? buffer->format : "B", format) == 0 && buffer->itemsize == itemsize;
}

int has_shape(const Py_buffer *buffer, Py_ssize_t first, Py_ssize_t second)
{
    return buffer->shape && buffer->ndim == (first ? 2 : 1) && (!first || buffer->shape[0] == first) &&
           buffer->shape[buffer->ndim - 1] == second;
}
