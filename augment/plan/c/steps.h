/* The compiled kernels: the steps that change an image, uint8 [H, W, 3].

   OpenCV takes one to six calls per step, and each call releases the GIL and waits for it again. Here one call runs all
   steps of a batch, without the GIL. The results equal those of OpenCV's functions, bit for bit;
   `augment/plan/compiled.py` compares them before it uses the kernels.

   The kernels check nothing: `works.c` checks every number that comes from Python.

   Most loops have no branches and run over short arrays of one quantity each: the compiler vectorizes them for each of
   the processors named in CLONES. */

#ifndef CAUDAL_STEPS_H
#define CAUDAL_STEPS_H

#include <stddef.h>
#include <stdint.h>

/* Compilers that support copies for several processors, chosen at run time. */
#if defined(__x86_64__) && defined(__GLIBC__) && (defined(__clang__) ? __clang_major__ >= 18 : __GNUC__ >= 12)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#error "the kernels need GCC 12 or clang 18, glibc and x86-64; without them OpenCV replaces them"
#endif

/* Loops that the compiler does not vectorize well are written by hand, for processors with AVX2, and with VBMI, which
   picks bytes out of two vectors of 64 at once. */
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#define NEEDS_AVX2 __attribute__((target("avx2")))
#define HAS_VBMI __builtin_cpu_supports("avx512vbmi")
#define NEEDS_VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    LEVELS = 256,
    CHANNELS = 3,
    BLOCK = 512,          /* pixels per pass: their data fits in the L1 cache */
    MAX_SIDE = INT16_MAX, /* pixels per side: OpenCV's warps count them in 16 bits */
    MAX_FACTOR = 1000000, /* of contrast and saturation: their levels fit into 32 bits */
    RESIZE_ROW_SLACK = 8  /* bytes that a resize reads after a row, at most */
};

/* The channels of a block of pixels. */
typedef struct {
    uint8_t channel[CHANNELS][BLOCK];
} Planes;

/* Separate the channels of pixels, at most BLOCK; and interleave them again. */
void split(const uint8_t *pixels, Planes *planes, int count);
void merge(const Planes *planes, uint8_t *pixels, int count);

/* An image [rows, columns, 3] that is only read. Sides are 1 to MAX_SIDE; all bytes lie within 2 GB, so that offsets of
   pixels fit into 32 bits. */
typedef struct {
    const uint8_t *pixels;
    ptrdiff_t stride; /* bytes from row to row */
    int rows, columns;
} Source;

/* A warp, as in `cv2.warpAffine` with WARP_INVERSE_MAP and INTER_LINEAR. The source of every pixel is less than
   MAX_SIDE from the first pixel of the source. */
typedef struct {
    double to_input[2][3];
    int border; /* OpenCV's number of a border mode */
    uint8_t fill[CHANNELS];
} Warp;

enum { CONSTANT_BORDER, REPLICATE_BORDER, REFLECT_BORDER, REFLECT_101_BORDER = 4 };

/* Warp a source into an image [rows, columns, 3]. */
void warp(const Warp *warp, const Source *source, uint8_t *pixels, int rows, int columns);

/* A resize as in `cv2.resize` with INTER_LINEAR, and whether the result is flipped along its rows or columns. */
typedef struct {
    int is_mirrored, is_upside_down;
} Resize;

/* Resize a source into an image [rows, columns, 3].

   `row` has room for a row of the source and RESIZE_ROW_SLACK bytes. The caller allocates it: the longest row takes
   98 KB, more than the stack of a small thread, and without the GIL a lack of memory cannot be reported. */
void resize(const Resize *resize, const Source *source, uint8_t *pixels, int rows, int columns, uint8_t *row);

/* Replace every level of `count` pixels by its entry in a lookup table, or in the table of its channel. */
void apply_lut(uint8_t *pixels, size_t count, const uint8_t table[LEVELS]);
void apply_lut_per_channel(uint8_t *pixels, size_t count, const uint8_t tables[CHANNELS * LEVELS]);

/* Stretch levels around the mean of the gray image, and blend with it; a factor of 1 changes nothing, MAX_FACTOR is the
   largest. */
void adjust_contrast(uint8_t *pixels, size_t count, double factor);
void adjust_saturation(uint8_t *pixels, size_t count, double factor);

/* Shifts of hue (0 to 179), saturation and value (-255 to 255 each). */
typedef struct {
    int hue, saturation, value;
    int vector_pixels; /* pixels that OpenCV converts from HSV at once: it rounds the rest of a row differently.
                          BLOCK is a multiple of it. */
} Shift;

void shift_hsv(uint8_t *pixels, size_t rows, size_t columns, const Shift *shift);

#endif
