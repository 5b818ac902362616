/* A libFuzzer target: bytes become the argument of `_kernels.run`, whose images end where their memory ends.

   `python -m tests.fuzz.run` compiles it with the kernels and the sanitizers; an interpreter runs within it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>

PyMODINIT_FUNC PyInit__kernels(void);

typedef struct {
    const uint8_t *data;
    size_t size;
} Bytes;

static void take(Bytes *bytes, void *into, size_t size)
{
    size_t present = size < bytes->size ? size : bytes->size;
    memset(into, 0, size);
    memcpy(into, bytes->data, present);
    bytes->data += present;
    bytes->size -= present;
}

static unsigned take_byte(Bytes *bytes)
{
    uint8_t value;
    take(bytes, &value, 1);
    return value;
}

static PyObject *take_number(Bytes *bytes)
{
    double real;
    int64_t integer;
    int16_t small;
    switch (take_byte(bytes) % 8) {
    case 0: take(bytes, &real, sizeof real); return PyFloat_FromDouble(real);
    case 1: take(bytes, &integer, sizeof integer); return PyLong_FromLongLong(integer);
    case 2: return Py_NewRef(Py_None);
    case 3: return PyFloat_FromDouble(take_byte(bytes) / 64.0);
    default: take(bytes, &small, sizeof small); return PyLong_FromLong(small % 1024);
    }
}

/* An object over memory of its exact size, so that a sanitizer sees each access beside it. */
static PyObject *new_array(Bytes *bytes, char *format, Py_ssize_t itemsize, int dimensions, Py_ssize_t *shape)
{
    PyObject *owner = PyByteArray_FromStringAndSize(NULL, itemsize * shape[0] * (dimensions > 1 ? shape[1] : 1) *
                                                              (dimensions > 2 ? shape[2] : 1));
    if (owner == NULL)
        return NULL;
    take(bytes, PyByteArray_AS_STRING(owner), (size_t)(PyByteArray_GET_SIZE(owner) < 64 ? PyByteArray_GET_SIZE(owner) : 64));
    PyObject *sides = PyTuple_New(dimensions), *view = PyMemoryView_FromObject(owner);
    for (int at = 0; at < dimensions; at++)
        PyTuple_SET_ITEM(sides, at, PyLong_FromSsize_t(shape[at]));
    PyObject *array = PyObject_CallMethod(view, "cast", "sO", format, sides);
    Py_DECREF(owner);
    Py_DECREF(view);
    Py_DECREF(sides);
    return array;
}

static PyObject *new_image(Bytes *bytes)
{
    Py_ssize_t shape[] = {1 + take_byte(bytes) % 40, 1 + take_byte(bytes) % 140, 3};
    if (take_byte(bytes) % 16 == 0)
        shape[2] = 1 + take_byte(bytes) % 4;
    return new_array(bytes, "B", 1, 3, shape);
}

static PyObject *new_table(Bytes *bytes)
{
    Py_ssize_t one[] = {256 - (take_byte(bytes) % 16 == 0)}, three[] = {3, 256};
    return take_byte(bytes) % 2 ? new_array(bytes, "B", 1, 1, one) : new_array(bytes, "B", 1, 2, three);
}

static PyObject *new_matrix(Bytes *bytes)
{
    Py_ssize_t shape[] = {2, 3};
    PyObject *matrix = new_array(bytes, "d", sizeof(double), 2, shape);
    if (matrix != NULL && take_byte(bytes) % 4) { /* numbers of any size are rarely those of a warp */
        double *numbers = PyMemoryView_GET_BUFFER(matrix)->buf;
        for (int at = 0; at < 6; at++) {
            int16_t value;
            take(bytes, &value, sizeof value);
            numbers[at] = value / (at % 3 == 2 ? 1.0 : 1024.0);
        }
    }
    return matrix;
}

static PyObject *new_step(Bytes *bytes)
{
    static const int lengths[] = {1, 1, 2, 2, 5, 6, 3, 4};
    int kind = (int)(take_byte(bytes) % 10);
    if (kind < 2)
        return new_table(bytes);
    Py_ssize_t length = kind < 8 ? lengths[kind] : 1 + (Py_ssize_t)(take_byte(bytes) % 6);
    PyObject *step = PyTuple_New(length);
    for (Py_ssize_t at = 0; at < length; at++) {
        PyObject *item = NULL;
        if (at == 0)
            item = PyLong_FromLong(kind);
        else if ((kind == 5 && at == 5) || (kind == 7 && at == 3))
            item = PyBytes_FromStringAndSize("abcd", 3 + (take_byte(bytes) % 16 == 0));
        else if (kind == 7 && at == 1)
            item = new_matrix(bytes);
        else
            item = take_number(bytes);
        PyTuple_SET_ITEM(step, at, item ? item : Py_NewRef(Py_None));
    }
    PyErr_Clear();
    return step;
}

static PyObject *new_work(Bytes *bytes)
{
    PyObject *source = new_image(bytes);
    unsigned way = take_byte(bytes) % 4;
    PyObject *target = way == 0 ? Py_NewRef(source) : NULL;
    if (way == 1 || way == 2) { /* of the source's size, as most works need it */
        Py_ssize_t *sides = PyMemoryView_GET_BUFFER(source)->shape;
        Py_ssize_t shape[] = {sides[0], sides[1], sides[2]};
        target = new_array(bytes, "B", 1, 3, shape);
    }
    if (target == NULL)
        target = new_image(bytes);
    PyObject *steps = PyList_New(0);
    for (unsigned count = take_byte(bytes) % 4; count; count--) {
        PyObject *step = new_step(bytes);
        PyList_Append(steps, step ? step : Py_None);
        Py_XDECREF(step);
    }
    return Py_BuildValue("(NNN)", source, target, steps);
}

static PyObject *run;

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count, (void)arguments;
    PyImport_AppendInittab("_kernels", PyInit__kernels);
    Py_InitializeEx(0);
    PyObject *module = PyImport_ImportModule("_kernels");
    run = module ? PyObject_GetAttrString(module, "run") : NULL;
    if (run == NULL)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes bytes = {data, size};
    PyObject *works = PyList_New(0);
    for (unsigned count = 1 + take_byte(&bytes) % 3; count; count--) {
        PyObject *work = new_work(&bytes);
        PyList_Append(works, work ? work : Py_None);
        Py_XDECREF(work);
    }
    PyObject *result = PyObject_CallOneArg(run, works);
    if (result == NULL && !PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_ValueError) &&
        !PyErr_ExceptionMatches(PyExc_BufferError))
        abort();
    PyErr_Clear();
    Py_XDECREF(result);
    Py_DECREF(works);
    return 0;
}
