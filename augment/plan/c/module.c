/* The native module: reads works from Python and runs them without the GIL. */

#include "encoded.h"
#include "files.h"
#include "works.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

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

static void run_work(Work *work, const Works *all)
{
    const Source *source = &work->source;
    if (work->is_encoded) {
        uint8_t *decoded = makes_image(work) ? all->decoded : work->pixels;
        if (!decode_request(&work->request, decoded))
            return;
        work->source.pixels = decoded;
    }
    size_t bytes = CHANNELS * (size_t)source->columns;
    if (source->pixels != work->pixels && !makes_image(work))
        for (int at = 0; at < source->rows; at++)
            memcpy(work->pixels + bytes * (size_t)at, source->pixels + source->stride * at, bytes);
    for (Py_ssize_t at = 0; at < work->count; at++)
        run_step(&work->steps[at], work, all->row);
}

/* Return what became of each work whose source was encoded: a list, or None if there is nothing to report. */
static PyObject *report_works(const Works *all)
{
    int is_silent = 1;
    for (Py_ssize_t at = 0; at < all->count && is_silent; at++)
        is_silent = !all->works[at].is_encoded || is_clean(&all->works[at].request);
    if (is_silent)
        Py_RETURN_NONE;
    PyObject *reports = PyList_New(all->count);
    for (Py_ssize_t at = 0; reports && at < all->count; at++) {
        const Work *work = &all->works[at];
        PyObject *report = work->is_encoded ? report_request(&work->request) : Py_NewRef(Py_None);
        if (report == NULL)
            Py_CLEAR(reports);
        else
            PyList_SET_ITEM(reports, at, report);
    }
    return reports;
}

PyDoc_STRVAR(run_doc,
             "run(works)\n--\n\n"
             "Run the steps of each (source, target, [step, ...]), in order and without the GIL. A source is an "
             "image, or an encoded one as `decode` takes it.\n\n"
             "Returns:\n"
             "    None, or a list of what `decode` returns for each source.\n\n"
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
            run_work(&all.works[at], &all);
        Py_END_ALLOW_THREADS
    }
    PyObject *reports = are_read ? report_works(&all) : NULL;
    release_works(&all);
    return reports;
}

PyDoc_STRVAR(decode_doc,
             "decode(encoded, target)\n--\n\n"
             "Decode (format, bytes, (rows, columns), channels, ratio, (top, left) or None, is_accurate), without the "
             "GIL.\n\n"
             "Returns:\n"
             "    None, or (is_decoded, message) with the library's error or first warning.\n\n"
             "Raises:\n"
             "    TypeError, ValueError, BufferError: an argument is rejected; nothing was written.");

PyDoc_STRVAR(sleep_doc,
             "sleep(nanoseconds)\n--\n\n"
             "Sleep without the GIL: the benchmarks' stand-in for a call that would take as long. On Linux, the timers "
             "of the calling thread become exact to 1 ns, once and for all; by default 20 us last 70.\n\n"
             "Raises:\n"
             "    ValueError: the number is negative.");

static PyObject *sleep_without_gil(PyObject *module, PyObject *nanoseconds)
{
    (void)module;
    const long long billion = 1000000000, given = PyLong_AsLongLong(nanoseconds);
    if (given == -1 && PyErr_Occurred())
        return NULL;
    if (given < 0)
        return PyErr_Format(PyExc_ValueError, "nanoseconds must be at least 0, got %lld", given);
    struct timespec rest = {.tv_sec = (time_t)(given / billion), .tv_nsec = (long)(given % billion)};
    Py_BEGIN_ALLOW_THREADS
#ifdef __linux__
    static _Thread_local int has_exact_timers;
    if (!has_exact_timers)
        has_exact_timers = prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) == 0;
#endif
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
#ifndef WITHOUT_CODECS
    {"decode", (PyCFunction)(void (*)(void))decode, METH_FASTCALL, decode_doc},
#endif
    {"run", run, METH_O, run_doc},
    {"read_files", read_files, METH_O, read_files_doc},
    {"sleep", sleep_without_gil, METH_O, sleep_doc},
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
    } kinds[] = {{"CONTRAST", CONTRAST},   {"SATURATION", SATURATION},
                 {"SHIFT_HSV", SHIFT_HSV}, {"FILL", FILL},
                 {"RESIZE", RESIZE},       {"WARP", WARP},
                 {"JPEG", JPEG},           {"PNG", PNG}};
    PyObject *module = PyModule_Create(&definition);
    for (size_t at = 0; module && at < sizeof kinds / sizeof kinds[0]; at++)
        if (PyModule_AddIntConstant(module, kinds[at].name, kinds[at].kind) < 0)
            Py_CLEAR(module);
    return module;
}
