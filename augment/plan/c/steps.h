/* The compiled kernels: what is done to an image, uint8 [H, W, 3], and what does it.

   OpenCV does each of these in one to six calls, and Python's lock is let go of, and waited for again, at each. Here
   all that is to be done to the images of a batch is one call, without the lock. What comes out is what OpenCV's
   functions give, bit for bit; `augment/plan/compiled.py` tries that out before it uses them.

   Most loops are plain, without branches, over short arrays of one quantity each: the compiler makes vector
   instructions of them, for each of the processors named in CLONES. Tables and resizes are written for processors that
   can pick bytes out of two vectors (PICKING_BYTES); tables once more without. */

#ifndef CAUDAL_STEPS_H
#define CAUDAL_STEPS_H

#include <stddef.h>
#include <stdint.h>

/* Compilers that can do so, and choose among the copies when they are called. */
#if defined(__x86_64__) && defined(__GLIBC__) && (defined(__clang__) ? __clang_major__ >= 18 : __GNUC__ >= 12)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#error "the kernels need GCC 12 or clang 18, glibc and x86-64; without them OpenCV does their work"
#endif

/* Where a processor can pick bytes out of two vectors of 64 at once: loops that need this say how themselves. */
#define PICKS_BYTES __builtin_cpu_supports("avx512vbmi")
#define PICKING_BYTES __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    LEVELS = 256,
    CHANNELS = 3,
    BLOCK = 512 /* pixels that are worked on at once: what is known of them stays in the first cache */
};

/* The channels of a block of pixels. */
typedef struct {
    uint8_t channel[CHANNELS][BLOCK];
} Planes;

INLINE void part(const uint8_t *restrict pixels, Planes *restrict planes, int count)
{
    for (int i = 0; i < count; i++)
        for (int c = 0; c < CHANNELS; c++)
            planes->channel[c][i] = pixels[CHANNELS * i + c];
}

INLINE void join(const Planes *restrict planes, uint8_t *restrict pixels, int count)
{
    for (int i = 0; i < count; i++)
        for (int c = 0; c < CHANNELS; c++)
            pixels[CHANNELS * i + c] = planes->channel[c][i];
}

typedef struct {
    const uint8_t *pixels;
    ptrdiff_t stride; /* bytes from row to row */
    int rows, columns;
} Source;

/* Where the pixels of a warp come from, as `cv2.warpAffine` takes it with WARP_INVERSE_MAP and INTER_LINEAR. */
typedef struct {
    double to_input[6];
    int border; /* OpenCV's number of a border mode */
    uint8_t fill[CHANNELS];
} Warp;

enum { CONSTANT_BORDER, REPLICATE_BORDER, REFLECT_BORDER, REFLECT_101_BORDER = 4 };

/* Warp a source into an image [rows, columns, 3]. */
void warp(const Warp *warp, const Source *source, uint8_t *pixels, int rows, int columns);

/* A resize as `cv2.resize` does it with INTER_LINEAR, and whether the result is flipped along its rows or columns. */
typedef struct {
    int is_mirrored, is_upside_down;
} Resize;

/* Resize a source of at least two columns into an image [rows, columns, 3], on a processor that picks bytes, and to no
   less than 2/5 of its columns: sixteen pixels then come from 128 bytes. Where both sides become half as long, OpenCV
   does something else. */
void resize(const Resize *resize, const Source *source, uint8_t *pixels, int rows, int columns);

/* Replace every level of `count` pixels by what a table says, or the table of each channel. */
void look_up(uint8_t *pixels, size_t count, const uint8_t table[LEVELS]);
void look_up_channels(uint8_t *pixels, size_t count, const uint8_t tables[CHANNELS * LEVELS]);

/* Stretch levels about the mean of the grey image, and blend with it; a factor of 1 changes nothing. */
void adjust_contrast(uint8_t *pixels, size_t count, double factor);
void adjust_saturation(uint8_t *pixels, size_t count, double factor);

/* Shifts of hue (0 to 179), saturation and value (-255 to 255 each). */
typedef struct {
    int hue, saturation, value;
    int together; /* how many pixels OpenCV converts from HSV at once: it treats the others of a row in another way.
                     BLOCK is a multiple of it. */
} Shift;

void shift_hsv(uint8_t *pixels, size_t rows, size_t columns, const Shift *shift);

#endif
