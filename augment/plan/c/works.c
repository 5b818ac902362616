/* Reading works: every number, size and address that reaches the kernels is checked here.

   An argument can run Python code while it is read (`__index__`, `__float__`, `__bool__`, `__buffer__`), and that code
   can change the caller's lists. So lists are copied to tuples first, which also hold references to what is in them;
   each number is read once; and nothing that was checked is read again. */

#include "works.h"
#include "arguments.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int read_lut(const Position *at, PyObject *given, Step *step)
{
    Py_buffer data;
    if (!get_buffer(at, given, "a step that is not a tuple", PyBUF_C_CONTIGUOUS | PyBUF_FORMAT, &data))
        return 0;
    int is_one = has_shape(&data, 0, LEVELS);
    int is_lut = has_format(&data, "B", 1) && (is_one || has_shape(&data, CHANNELS, LEVELS));
    if (is_lut) {
        step->kind = is_one ? LUT : LUT_PER_CHANNEL;
        memcpy(step->table, data.buf, is_one ? LEVELS : CHANNELS * LEVELS);
    }
    PyBuffer_Release(&data);
    return is_lut || refuse(at, PyExc_ValueError, "a lookup table must be uint8 [256] or [3, 256]");
}

static int read_matrix(const Position *at, PyObject *given, double matrix[2][3])
{
    Py_buffer data;
    if (!get_buffer(at, given, "matrix", PyBUF_C_CONTIGUOUS | PyBUF_FORMAT, &data))
        return 0;
    int is_matrix = has_format(&data, "d", sizeof(double)) && has_shape(&data, 2, 3);
    if (is_matrix)
        memcpy(matrix, data.buf, 6 * sizeof(double));
    PyBuffer_Release(&data);
    if (!is_matrix)
        return refuse(at, PyExc_ValueError, "matrix must be float64 [2, 3]");
    for (int i = 0; i < 6; i++)
        if (!isfinite(matrix[i / 3][i % 3]))
            return refuse(at, PyExc_ValueError, "matrix must be finite");
    return 1;
}

static int read_shift(const Position *at, PyObject *const *items, Shift *shift)
{
    if (!read_integer(at, items[1], "hue", 0, 179, &shift->hue) ||
        !read_integer(at, items[2], "saturation", -255, 255, &shift->saturation) ||
        !read_integer(at, items[3], "value", -255, 255, &shift->value) ||
        !read_integer(at, items[4], "vector_pixels", 1, BLOCK, &shift->vector_pixels))
        return 0;
    return BLOCK % shift->vector_pixels == 0 ||
           refuse(at, PyExc_ValueError, "vector_pixels must divide %d, not %d", BLOCK, shift->vector_pixels);
}

static int read_rectangle(const Position *at, PyObject *const *items, Rectangle *rectangle)
{
    if (!read_integer(at, items[1], "left", INT_MIN, INT_MAX, &rectangle->left) ||
        !read_integer(at, items[2], "top", INT_MIN, INT_MAX, &rectangle->top) ||
        !read_integer(at, items[3], "right", INT_MIN, INT_MAX, &rectangle->right) ||
        !read_integer(at, items[4], "bottom", INT_MIN, INT_MAX, &rectangle->bottom) ||
        !read_fill(at, items[5], rectangle->fill))
        return 0;
    if (rectangle->left > rectangle->right)
        return refuse(at, PyExc_ValueError, "left=%d must not exceed right=%d", rectangle->left, rectangle->right);
    if (rectangle->top > rectangle->bottom)
        return refuse(at, PyExc_ValueError, "top=%d must not exceed bottom=%d", rectangle->top, rectangle->bottom);
    return 1;
}

static int read_warp(const Position *at, PyObject *const *items, Warp *warp)
{
    if (!read_integer(at, items[2], "border", CONSTANT_BORDER, REFLECT_101_BORDER, &warp->border) ||
        !read_fill(at, items[3], warp->fill) || !read_matrix(at, items[1], warp->to_input))
        return 0;
    return warp->border != REFLECT_101_BORDER - 1 ||
           refuse(at, PyExc_ValueError, "border must be constant, replicate, reflect or reflect_101, not %d",
                  warp->border);
}

/* Read a step: a lookup table as an array, or a tuple that begins with its kind. */
static int read_step(const Position *at, PyObject *given, Step *step)
{
    static const Py_ssize_t lengths[] = {[CONTRAST] = 2, [SATURATION] = 2, [SHIFT_HSV] = 5,
                                         [FILL] = 6,     [RESIZE] = 3,     [WARP] = 4};
    if (!PyTuple_Check(given))
        return read_lut(at, given, step);
    if (PyTuple_GET_SIZE(given) == 0)
        return refuse(at, PyExc_ValueError, "a step must not be an empty tuple");
    PyObject *const *items = &PyTuple_GET_ITEM(given, 0);
    if (!read_integer(at, items[0], "kind", CONTRAST, WARP, &step->kind))
        return 0;
    if (PyTuple_GET_SIZE(given) != lengths[step->kind])
        return refuse(at, PyExc_ValueError, "a step of kind %d must have %zd items, not %zd", step->kind,
                      lengths[step->kind], PyTuple_GET_SIZE(given));
    switch (step->kind) {
    case CONTRAST:
    case SATURATION: return read_factor(at, items[1], &step->factor);
    case SHIFT_HSV: return read_shift(at, items, &step->shift);
    case FILL: return read_rectangle(at, items, &step->rectangle);
    case RESIZE:
        return read_flag(items[1], &step->resize.is_mirrored) && read_flag(items[2], &step->resize.is_upside_down);
    default: return read_warp(at, items, &step->warp);
    }
}

static int read_steps(Position *at, PyObject *given, Work *work)
{
    if (!PyList_Check(given))
        return refuse(at, PyExc_TypeError, "steps must be a list, not %.100s", Py_TYPE(given)->tp_name);
    PyObject *steps = PyList_AsTuple(given);
    if (steps == NULL)
        return 0;
    Py_ssize_t count = PyTuple_GET_SIZE(steps);
    work->steps = PyMem_Calloc((size_t)count + 1, sizeof(Step));
    int is_read = work->steps != NULL;
    if (!is_read)
        PyErr_NoMemory();
    for (at->step = 0; is_read && at->step < count; at->step++) {
        Step *step = &work->steps[at->step];
        is_read = read_step(at, PyTuple_GET_ITEM(steps, at->step), step);
        if (is_read && at->step && step->kind >= RESIZE)
            is_read = refuse(at, PyExc_ValueError, "only the first step may be a warp or resize");
    }
    at->step = -1;
    work->count = is_read ? count : 0;
    Py_DECREF(steps);
    return is_read;
}

/* Read an image, uint8 [H, W, 3] with contiguous rows. */
static int read_image(const Position *at, PyObject *given, const char *name, Py_buffer *buffer, Source *image)
{
    if (!get_buffer(at, given, name, PyBUF_STRIDES | PyBUF_FORMAT, buffer))
        return 0;
    const Py_ssize_t *shape = buffer->shape, *strides = buffer->strides;
    if (!has_format(buffer, "B", 1))
        return refuse(at, PyExc_ValueError, "%s must be uint8, not of format '%.20s'", name,
                      buffer->format ? buffer->format : "B");
    if (buffer->ndim != 3 || shape == NULL || strides == NULL)
        return refuse(at, PyExc_ValueError, "%s must be [H, W, 3], not of %d dimensions", name, buffer->ndim);
    if (shape[0] < 1 || shape[0] > MAX_SIDE || shape[1] < 1 || shape[1] > MAX_SIDE || shape[2] != CHANNELS)
        return refuse(at, PyExc_ValueError, "%s must be [H, W, 3] with sides from 1 to %d, not [%zd, %zd, %zd]", name,
                      MAX_SIDE, shape[0], shape[1], shape[2]);
    if ((strides[1] != CHANNELS && shape[1] > 1) || strides[2] != 1)
        return refuse(at, PyExc_ValueError, "%s must have contiguous rows, not strides (%zd, %zd, %zd)", name,
                      strides[0], strides[1], strides[2]);
    Py_ssize_t stride = shape[0] > 1 ? strides[0] : 0; /* a single row has no stride */
    if (stride < 0 || stride > (INT32_MAX - CHANNELS * MAX_SIDE) / shape[0])
        return refuse(at, PyExc_ValueError, "%s must have rows that follow each other within 2 GB, not stride %zd",
                      name, stride);
    *image = (Source){buffer->buf, stride, (int)shape[0], (int)shape[1]};
    return 1;
}

/* The end of the bytes of an image. */
static const uint8_t *end(const Source *image)
{
    return image->pixels + (image->rows - 1) * image->stride + CHANNELS * image->columns;
}

/* Read the target image. */
static int read_target(const Position *at, PyObject *given, Work *work)
{
    Source target;
    const Source *source = &work->source;
    if (!read_image(at, given, "target", &work->target_buffer, &target))
        return 0;
    if (work->target_buffer.readonly)
        return refuse(at, PyExc_ValueError, "target must not be read-only");
    if (target.rows > 1 && target.stride != CHANNELS * target.columns)
        return refuse(at, PyExc_ValueError, "target must be contiguous, not of stride %zd", target.stride);
    int has_size_of_source = target.rows == source->rows && target.columns == source->columns;
    if (!makes_image(work) && !has_size_of_source)
        return refuse(at, PyExc_ValueError, "target must have the source's size, [%d, %d, 3], not [%d, %d, 3]",
                      source->rows, source->columns, target.rows, target.columns);
    int is_in_place = !makes_image(work) && target.pixels == source->pixels && target.stride == source->stride;
    if (!work->is_encoded && !is_in_place && source->pixels < end(&target) && target.pixels < end(source))
        return refuse(at, PyExc_ValueError, "target must not overlap the source");
    work->pixels = work->target_buffer.buf;
    work->rows = target.rows;
    work->columns = target.columns;
    return 1;
}

/* Check the first step of a work against the sizes of its images. */
static int check_first_step(const Work *work, Py_ssize_t number)
{
    const Position at = {number, 0};
    const Step *step = work->steps;
    if (!makes_image(work))
        return 1;
    if (step->kind == WARP)
        for (int axis = 0; axis < 2; axis++) {
            const double *row = step->warp.to_input[axis];
            double farthest = fabs(row[0]) * work->columns + fabs(row[1]) * work->rows + fabs(row[2]);
            if (!(farthest < MAX_SIDE)) /* beyond, OpenCV saturates at 16 bits, and points overflow 32 */
                return refuse(&at, PyExc_ValueError, "row %d of matrix must reach less than %d pixels", axis, MAX_SIDE);
        }
    return 1;
}

/* Read the source: an image, or a request to decode one. */
static int read_source(const Position *at, PyObject *given, Work *work)
{
    work->is_encoded = PyTuple_Check(given);
    if (!work->is_encoded)
        return read_image(at, given, "source", &work->source_buffer, &work->source);
    const Request *request = &work->request;
    if (!read_request(at, given, &work->request))
        return 0;
    if (request->encoded.channels != CHANNELS || request->rows > MAX_SIDE || request->columns > MAX_SIDE ||
        (ptrdiff_t)CHANNELS * request->rows * request->columns > INT32_MAX - CHANNELS * MAX_SIDE)
        return refuse(at, PyExc_ValueError, "source must have 3 channels, sides of at most %d, and fit into 2 GB",
                      MAX_SIDE);
    work->source = (Source){NULL, (ptrdiff_t)CHANNELS * request->columns, request->rows, request->columns};
    return 1;
}

/* Read a tuple of a source, a target, which may be the same, and a list of steps. */
static int read_work(PyObject *given, Py_ssize_t number, Work *work)
{
    Position at = {number, -1};
    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != 3)
        return refuse(&at, PyExc_TypeError, "a work must be a tuple (source, target, steps)");
    return read_steps(&at, PyTuple_GET_ITEM(given, 2), work) && read_source(&at, PyTuple_GET_ITEM(given, 0), work) &&
           read_target(&at, PyTuple_GET_ITEM(given, 1), work) && check_first_step(work, number);
}

static int compare_targets(const void *one, const void *other)
{
    const uint8_t *first = (*(const Work *const *)one)->pixels, *second = (*(const Work *const *)other)->pixels;
    return (first > second) - (first < second);
}

/* Check that no two works write to the same bytes. */
static int check_targets(const Works *all)
{
    const Work **sorted = PyMem_Calloc((size_t)all->count + 1, sizeof *sorted);
    if (sorted == NULL)
        return PyErr_NoMemory() != NULL;
    for (Py_ssize_t at = 0; at < all->count; at++)
        sorted[at] = &all->works[at];
    qsort(sorted, (size_t)all->count, sizeof *sorted, compare_targets);
    int are_apart = 1;
    for (Py_ssize_t at = 1; are_apart && at < all->count; at++) {
        const Work *before = sorted[at - 1], *after = sorted[at];
        are_apart = before->pixels + (ptrdiff_t)CHANNELS * before->columns * before->rows <= after->pixels;
        if (!are_apart) {
            const Position position = {(before > after ? before : after) - all->works, -1};
            refuse(&position, PyExc_ValueError, "target must not overlap that of works[%zd]",
                   (before > after ? after : before) - all->works);
        }
    }
    PyMem_Free(sorted);
    return are_apart;
}

/* Allocate the longest row that a resize reads, and the largest image that is decoded before it is warped or resized.
 */
static int allocate_memory(Works *all)
{
    size_t longest = 0, largest = 0;
    for (Py_ssize_t at = 0; at < all->count; at++) {
        const Work *work = &all->works[at];
        size_t row = CHANNELS * (size_t)work->source.columns, image = row * (size_t)work->source.rows;
        if (makes_image(work) && work->steps[0].kind == RESIZE && row + RESIZE_ROW_SLACK > longest)
            longest = row + RESIZE_ROW_SLACK;
        if (makes_image(work) && work->is_encoded && image > largest)
            largest = image;
    }
    all->row = longest ? PyMem_Malloc(longest) : NULL;
    all->decoded = largest ? PyMem_Malloc(largest) : NULL;
    return ((!longest || all->row) && (!largest || all->decoded)) || PyErr_NoMemory() != NULL;
}

int read_works(PyObject *given, Works *all)
{
    *all = (Works){NULL, 0, NULL, NULL};
    if (!PyList_Check(given)) {
        PyErr_Format(PyExc_TypeError, "works must be a list, not %.100s", Py_TYPE(given)->tp_name);
        return 0;
    }
    PyObject *works = PyList_AsTuple(given);
    if (works == NULL)
        return 0;
    Py_ssize_t count = PyTuple_GET_SIZE(works);
    all->works = PyMem_Calloc((size_t)count + 1, sizeof(Work));
    int is_read = all->works != NULL || PyErr_NoMemory() != NULL;
    while (is_read && all->count < count) {
        is_read = read_work(PyTuple_GET_ITEM(works, all->count), all->count, &all->works[all->count]);
        all->count++;
    }
    Py_DECREF(works);
    return is_read && check_targets(all) && allocate_memory(all);
}

void release_works(Works *all)
{
    for (Py_ssize_t at = 0; at < all->count; at++) {
        Work *work = &all->works[at];
        if (work->source_buffer.obj)
            PyBuffer_Release(&work->source_buffer);
        if (work->target_buffer.obj)
            PyBuffer_Release(&work->target_buffer);
        if (work->is_encoded)
            release_request(&work->request);
        PyMem_Free(work->steps);
    }
    PyMem_Free(all->works);
    PyMem_Free(all->decoded);
    PyMem_Free(all->row);
}
