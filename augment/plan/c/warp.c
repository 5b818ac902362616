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

CLONES static void mix(const Points *restrict points, uint8_t *restrict pixels, int count)
{
    Planes planes;
    const uint32_t outer = 0x00FF00FF; /* red and blue are computed together: the results have 13 bits each */
    for (int i = 0; i < count; i++) {
        uint32_t right = (uint32_t)points->right[i], down = (uint32_t)points->down[i];
        uint32_t a = points->found[i][0], b = a >> 24 | points->found[i][1] << 8;
        uint32_t c = points->found[i][2], d = c >> 24 | points->found[i][3] << 8;
        uint32_t above = POINTS * (a & outer) + right * ((b & outer) - (a & outer));
        uint32_t below = POINTS * (c & outer) + right * ((d & outer) - (c & outer));
        uint32_t above_red = above & 0xFFFF, below_red = below & 0xFFFF;
        uint32_t above_green = POINTS * (a >> 8 & 255) + right * ((b >> 8 & 255) - (a >> 8 & 255));
        uint32_t below_green = POINTS * (c >> 8 & 255) + right * ((d >> 8 & 255) - (c >> 8 & 255));
        uint32_t above_blue = above >> 16, below_blue = below >> 16;
        const uint32_t half = POINTS * POINTS / 2;
        planes.channel[0][i] =
            (uint8_t)((POINTS * above_red + down * (below_red - above_red) + half) >> (2 * POINT_BITS));
        planes.channel[1][i] =
            (uint8_t)((POINTS * above_green + down * (below_green - above_green) + half) >> (2 * POINT_BITS));
        planes.channel[2][i] =
            (uint8_t)((POINTS * above_blue + down * (below_blue - above_blue) + half) >> (2 * POINT_BITS));
    }
    merge(&planes, pixels, count);
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
