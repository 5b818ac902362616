/* Warps: every pixel is a mixture of the four around its point in the source.

   As `cv2.warpAffine` of OpenCV 4 with INTER_LINEAR: points are multiples of 1/32 of a pixel, so that integers are
   enough. */

#include "steps.h"

#include <math.h>
#include <string.h>

enum {
    POINT_BITS = 5,           /* fractional bits of a point */
    POINTS = 1 << POINT_BITS, /* per pixel */
    STEP_BITS = 10,           /* fractional bits of a step from pixel to pixel */
    HALF_POINT = 1 << (STEP_BITS - POINT_BITS - 1)
};

/* The points of some pixels of a row in the source, and the bytes there. */
typedef struct {
    int32_t column[BLOCK], row[BLOCK]; /* of the upper left of the four pixels */
    int32_t right[BLOCK], down[BLOCK]; /* 1/32 of a pixel from there, 0 to 31 */
    int32_t offset[BLOCK];             /* of that pixel's bytes in the source */
    int32_t inside[BLOCK];             /* whether 8 bytes can be read there and 8 in the next row */
    uint32_t found[BLOCK][4];          /* those bytes: 6 of two pixels, above and below */
} Points;

/* Round to steps, as OpenCV does. */
static int32_t steps(double pixels) { return (int32_t)rint(pixels * (1 << STEP_BITS)); }

CLONES static void locate(Points *restrict points, const int32_t *restrict across, const int32_t *restrict along,
                          int32_t x, int32_t y, const Source *source, int count)
{
    int32_t columns = source->columns, rows = source->rows, stride = (int32_t)source->stride;
    for (int i = 0; i < count; i++) {
        int32_t point_x = (x + across[i]) >> (STEP_BITS - POINT_BITS),
                point_y = (y + along[i]) >> (STEP_BITS - POINT_BITS);
        int32_t column = point_x >> POINT_BITS, row = point_y >> POINT_BITS, offset = row * stride + CHANNELS * column;
        points->column[i] = column;
        points->row[i] = row;
        points->right[i] = point_x & (POINTS - 1);
        points->down[i] = point_y & (POINTS - 1);
        points->offset[i] = offset;
        points->inside[i] = (column >= 0) & (column < columns - 2) & (row >= 0) & (row < rows - 1);
    }
}

/* As `cv2.borderInterpolate`: the row or column that replaces one outside; -1 for none. */
static int32_t border_interpolate(int32_t at, int32_t size, int border)
{
    if (border == CONSTANT_BORDER)
        return at >= 0 && at < size ? at : -1;
    if (border == REPLICATE_BORDER || size == 1)
        return at < 0 ? 0 : at < size ? at : size - 1;
    int32_t shared = border == REFLECT_101_BORDER ? 1 : 0; /* the edge pixel is not repeated */
    int32_t period = 2 * (size - shared);                  /* of the reflections */
    if (at < 0)
        at = shared - 1 - at;
    if (at >= period) /* far away; nearby pixels need no division */
        at %= period;
    return at < size ? at : period - 1 + shared - at;
}

/* Gather the four pixels of each point from `first` to `last`, at or beyond the edges of the source. */
static void gather_border(Points *points, int first, int last, const Source *source, const Warp *warp)
{
    const uint8_t *fill = warp->fill;
    const uint8_t all_outside[2][8] = {{fill[0], fill[1], fill[2], fill[0], fill[1], fill[2]},
                                       {fill[0], fill[1], fill[2], fill[0], fill[1], fill[2]}};
    for (int i = first; i < last; i++) {
        uint8_t bytes[2][8] = {{0}};
        if (warp->border == CONSTANT_BORDER && (points->row[i] < -1 || points->row[i] >= source->rows ||
                                                points->column[i] < -1 || points->column[i] >= source->columns)) {
            memcpy(points->found[i], all_outside, sizeof all_outside);
            continue;
        }
        for (int four = 0; four < 4; four++) {
            int32_t row = border_interpolate(points->row[i] + four / 2, source->rows, warp->border);
            int32_t column = border_interpolate(points->column[i] + four % 2, source->columns, warp->border);
            const uint8_t *found =
                row < 0 || column < 0 ? warp->fill : source->pixels + row * source->stride + CHANNELS * column;
            memcpy(bytes[four / 2] + CHANNELS * (four % 2), found, CHANNELS);
        }
        memcpy(points->found[i], bytes, sizeof bytes);
    }
}

/* Gather the four pixels of each point. Those that are inside are neighbors, since a row is straight. */
static void gather(Points *points, int count, const Source *source, const Warp *warp)
{
    int first = 0, last = count;
    while (first < last && !points->inside[first])
        first++;
    while (last > first && !points->inside[last - 1])
        last--;
    gather_border(points, 0, first, source, warp);
    for (int i = first; i < last; i++) {
        const uint8_t *from = source->pixels + points->offset[i];
        memcpy(points->found[i], from, 8);
        memcpy(points->found[i] + 2, from + source->stride, 8);
    }
    gather_border(points, last, count, source, warp);
}

/* Mix the four pixels of each point, 4 points at a time; return the number of pixels that were written. */
NEEDS_AVX2 static int mix_with_avx2(const Points *points, uint8_t *pixels, int count)
{
    /* The channels of two neighbors side by side, above and below; and of four pixels three levels each. */
    const __m128i pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 8, 11, 9, 12, 10, 13, -1, -1);
    const __m128i three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m128i half = _mm_set1_epi32(POINTS * POINTS / 2);
    int i = 0;
    for (; CHANNELS * (i + 4) + 4 <= CHANNELS * count; i += 4) { /* the store writes four bytes more */
        __m128i mixed[4];
        for (int at = 0; at < 4; at++) {
            int right = points->right[i + at], down = points->down[i + at];
            __m128i found = _mm_loadu_si128((const __m128i *)points->found[i + at]);
            __m128i across = _mm_set1_epi16((int16_t)(right << 8 | (POINTS - right)));
            __m128i along = _mm_set1_epi32(down << 16 | (POINTS - down));
            __m128i rows = _mm_maddubs_epi16(_mm_shuffle_epi8(found, pairs), across);
            __m128i sums = _mm_madd_epi16(_mm_unpacklo_epi16(rows, _mm_unpackhi_epi64(rows, rows)), along);
            mixed[at] = _mm_srli_epi32(_mm_add_epi32(sums, half), 2 * POINT_BITS);
        }
        __m128i packed = _mm_packus_epi16(_mm_packs_epi32(mixed[0], mixed[1]), _mm_packs_epi32(mixed[2], mixed[3]));
        _mm_storeu_si128((__m128i *)(pixels + CHANNELS * i), _mm_shuffle_epi8(packed, three));
    }
    return i;
}

static void mix_pixels(const Points *points, uint8_t *pixels, int first, int count)
{
    for (int i = first; i < count; i++) {
        const uint8_t *above = (const uint8_t *)points->found[i], *below = above + 8;
        int32_t right = points->right[i], down = points->down[i];
        for (int c = 0; c < CHANNELS; c++) {
            int32_t upper = (POINTS - right) * above[c] + right * above[c + CHANNELS];
            int32_t lower = (POINTS - right) * below[c] + right * below[c + CHANNELS];
            pixels[CHANNELS * i + c] =
                (uint8_t)(((POINTS - down) * upper + down * lower + POINTS * POINTS / 2) >> (2 * POINT_BITS));
        }
    }
}

static void mix(const Points *points, uint8_t *pixels, int count)
{
    mix_pixels(points, pixels, HAS_AVX2 ? mix_with_avx2(points, pixels, count) : 0, count);
}

/* Bring a source into the processor's cache, row by row: a warp that reads across rows waits for memory at each. */
static void fetch(const Source *source)
{
    for (int row = 0; row < source->rows; row++)
        for (int byte = 0; byte < CHANNELS * source->columns; byte += 64)
            (void)*(const volatile uint8_t *)(source->pixels + row * source->stride + byte);
}

void warp(const Warp *warp, const Source *source, uint8_t *pixels, int rows, int columns)
{
    const double *to_x = warp->to_input[0], *to_y = warp->to_input[1];
    Points points;
    int32_t across[BLOCK], along[BLOCK];
    fetch(source);
    for (int left = 0; left < columns; left += BLOCK) {
        int count = columns - left < BLOCK ? columns - left : BLOCK;
        for (int i = 0; i < count; i++) {
            across[i] = steps(to_x[0] * (left + i));
            along[i] = steps(to_y[0] * (left + i));
        }
        for (int row = 0; row < rows; row++) {
            int32_t x = steps(to_x[1] * row + to_x[2]) + HALF_POINT, y = steps(to_y[1] * row + to_y[2]) + HALF_POINT;
            locate(&points, across, along, x, y, source, count);
            gather(&points, count, source, warp);
            mix(&points, pixels + CHANNELS * ((ptrdiff_t)row * columns + left), count);
        }
    }
}
