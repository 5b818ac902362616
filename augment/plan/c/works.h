/* Works: requests from Python, read and checked. */

#ifndef CAUDAL_WORKS_H
#define CAUDAL_WORKS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "encoded.h"
#include "steps.h"

/* Kinds of steps. RESIZE and WARP compute an image from the source; the others change it in place. */
enum { LUT, LUT_PER_CHANNEL, CONTRAST, SATURATION, SHIFT_HSV, FILL, RESIZE, WARP };

/* A rectangle, in pixels; right and bottom are excluded. It may reach outside the image. */
typedef struct {
    int left, top, right, bottom;
    uint8_t fill[CHANNELS];
} Rectangle;

typedef struct {
    int kind;
    union {
        uint8_t table[CHANNELS * LEVELS]; /* LUT: only the first 256 */
        double factor;                    /* CONTRAST, SATURATION */
        Shift shift;
        Rectangle rectangle; /* FILL */
        Resize resize;
        Warp warp;
    };
} Step;

/* One image: its source, its target, and the steps between. The source may be encoded: it is decoded into the target,
   or into `Works.decoded` if a warp or resize follows. */
typedef struct {
    Py_buffer source_buffer, target_buffer; /* `obj` is NULL until they are read */
    Source source;
    int is_encoded;
    Request request;
    uint8_t *pixels; /* of the target, contiguous; the source's own if it is changed in place */
    int rows, columns;
    Step *steps;
    Py_ssize_t count;
} Work;

typedef struct {
    Work *works;
    Py_ssize_t count;
    uint8_t *row;     /* for resizes; NULL if there are none */
    uint8_t *decoded; /* for the pixels of one image; NULL if no encoded one is warped or resized */
} Works;

/* Whether the first step computes the target from the source. */
static inline int makes_image(const Work *work) { return work->count && work->steps[0].kind >= RESIZE; }

/* Read a list of works. Returns 0, with a Python exception, if one is rejected; release them in any case. */
int read_works(PyObject *given, Works *works);

void release_works(Works *works);

#endif
