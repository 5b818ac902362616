/* The native module: reads works from Python and runs them without the GIL. */

#include "works.h"

#include <string.h>

static void fill_rectangle(const Rectangle *rectangle, uint8_t *pixels, int rows, int columns)
{
    int top = rectangle->top > 0 ? rectangle->top : 0, left = rectangle->left > 0 ? rectangle->left : 0;
    int bottom = rectangle->bottom < rows ? rectangle->bottom : rows;
    int right = rectangle->right < columns ? rectangle->right : columns;
    for (int row = top; row < bottom; row++)
        for (int column = left; column < right; column++)
            memcpy(pixels + CHANNELS * ((ptrdiff_t)row * columns + column), rectangle->fill, CHANNELS);
}

static void run_step(const Step *step, const Work *work, uint8_t *row)
{
    uint8_t *pixels = work->pixels;
    int rows = work->rows, columns = work->columns;
    size_t count = (size_t)rows * (size_t)columns;
    switch (step->kind) {
    case LUT: apply_lut(pixels, count, step->table); break;
    case LUT_PER_CHANNEL: apply_lut_per_channel(pixels, count, step->table); break;
    case CONTRAST: adjust_contrast(pixels, count, step->factor); break;
    case SATURATION: adjust_saturation(pixels, count, step->factor); break;
    case SHIFT_HSV: shift_hsv(pixels, (size_t)rows, (size_t)columns, &step->shift); break;
    case FILL: fill_rectangle(&step->rectangle, pixels, rows, columns); break;
    case RESIZE: resize(&step->resize, &work->source, pixels, rows, columns, row); break;
    case WARP: warp(&step->warp, &work->source, pixels, rows, columns); break;
    }
}

static void run_work(const Work *work, uint8_t *row)
{
    const Source *source = &work->source;
    size_t bytes = CHANNELS * (size_t)source->columns;
    if (source->pixels != work->pixels && !makes_image(work))
        for (int at = 0; at < source->rows; at++)
            memcpy(work->pixels + bytes * (size_t)at, source->pixels + source->stride * at, bytes);
    for (Py_ssize_t at = 0; at < work->count; at++)
        run_step(&work->steps[at], work, row);
}

PyDoc_STRVAR(run_doc, "run(works)\n--\n\n"
                      "Run the steps of each (source, target, [step, ...]), in order and without the GIL.\n\n"
                      "Raises:\n"
                      "    TypeError, ValueError, BufferError: an argument is rejected; nothing was written.");

static PyObject *run(PyObject *module, PyObject *given)
{
    (void)module;
    Works all;
    int are_read = read_works(given, &all);
    if (are_read) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < all.count; at++)
            run_work(&all.works[at], all.row);
        Py_END_ALLOW_THREADS
    }
    release_works(&all);
    if (!are_read)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *has_vbmi(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    return PyBool_FromLong(HAS_VBMI);
}

static PyMethodDef methods[] = {
    {"run", run, METH_O, run_doc},
    {"has_vbmi", has_vbmi, METH_NOARGS, "Tell whether the processor has AVX-512 VBMI, which resizes need."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Steps that change images, compiled.", 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void)
{
    const struct {
        const char *name;
        int kind;
    } kinds[] = {{"CONTRAST", CONTRAST}, {"SATURATION", SATURATION}, {"SHIFT_HSV", SHIFT_HSV},
                 {"FILL", FILL},         {"RESIZE", RESIZE},         {"WARP", WARP}};
    PyObject *module = PyModule_Create(&definition);
    for (size_t at = 0; module && at < sizeof kinds / sizeof kinds[0]; at++)
        if (PyModule_AddIntConstant(module, kinds[at].name, kinds[at].kind) < 0)
            Py_CLEAR(module);
    return module;
}
