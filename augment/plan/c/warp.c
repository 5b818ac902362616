/* Warps: every pixel is mixed of the four around its place in the source.

   As `cv2.warpAffine` of OpenCV 4 with INTER_LINEAR: places are whole numbers of 1/32 of a pixel, so that all is done in
   whole numbers. */

#include "steps.h"

#include <math.h>
#include <string.h>

enum {
    PLACE_BITS = 5,                      /* of the fraction of a place */
    PLACES = 1 << PLACE_BITS,            /* in a pixel */
    STEP_BITS = 10,                      /* of the fraction of a step from pixel to pixel */
    HALF_PLACE = 1 << (STEP_BITS - PLACE_BITS - 1)
};

/* Of the source: eight bytes can be read there, and eight in the next row; some of the four are outside; all are. */
enum { INSIDE, EDGE, OUTSIDE };

/* Where some pixels of a row lie in the source, and what is found there. */
typedef struct {
    int32_t column[BLOCK], row[BLOCK];     /* of the upper left of the four */
    int32_t right[BLOCK], down[BLOCK];     /* places from there, 0 to 31 */
    int32_t offset[BLOCK];                 /* of its bytes in the source */
    int32_t side[BLOCK];                   /* INSIDE, EDGE or OUTSIDE */
    uint32_t found[BLOCK][4];              /* those bytes: the six of two pixels, above and below */
} Places;

/* Round as OpenCV does, to steps. */
static int32_t steps(double pixels)
{
    return (int32_t)rint(pixels * (1 << STEP_BITS));
}

CLONES static void find(Places *restrict places, const int32_t *restrict across, const int32_t *restrict along, int32_t x, int32_t y,
                        const Source *source, int count)
{
    int32_t columns = source->columns, rows = source->rows, stride = (int32_t)source->stride;
    int32_t last = (rows - 2) * stride + CHANNELS * columns - 8;
    for (int i = 0; i < count; i++) {
        int32_t place_x = (x + across[i]) >> (STEP_BITS - PLACE_BITS), place_y = (y + along[i]) >> (STEP_BITS - PLACE_BITS);
        int32_t column = place_x >> PLACE_BITS, row = place_y >> PLACE_BITS, offset = row * stride + CHANNELS * column;
        places->column[i] = column;
        places->row[i] = row;
        places->right[i] = place_x & (PLACES - 1);
        places->down[i] = place_y & (PLACES - 1);
        places->offset[i] = offset;
        int32_t inside = (column >= 0) & (column < columns - 1) & (row >= 0) & (row < rows - 1) & (offset <= last);
        int32_t outside = (column < -1) | (column >= columns) | (row < -1) | (row >= rows);
        places->side[i] = inside ? INSIDE : outside ? OUTSIDE : EDGE;
    }
}

/* As `cv2.borderInterpolate`: the row or column that stands for one outside; -1 for none. */
static int32_t standing_in(int32_t at, int32_t size, int border)
{
    int32_t shared = border == REFLECT_101_BORDER ? 1 : 0; /* the outermost pixel stands on both sides of the edge */
    if (border == CONSTANT_BORDER)
        return at >= 0 && at < size ? at : -1;
    if (border == REPLICATE_BORDER || size == 1)
        return at < 0 ? 0 : at < size ? at : size - 1;
    while (at < 0 || at >= size)
        at = at < 0 ? shared - 1 - at : 2 * size - 1 - shared - at;
    return at;
}

/* Collect the four pixels of a place at or beyond the edge of the source. */
static void collect(uint32_t found[4], int32_t column, int32_t row, const Source *source, const Warp *warp)
{
    uint8_t bytes[2][8] = {{0}};
    for (int below = 0; below < 2; below++)
        for (int beside = 0; beside < 2; beside++) {
            int32_t at_row = standing_in(row + below, source->rows, warp->border);
            int32_t at_column = standing_in(column + beside, source->columns, warp->border);
            int is_outside = at_row < 0 || at_column < 0;
            memcpy(bytes[below] + CHANNELS * beside,
                   is_outside ? warp->fill : source->pixels + at_row * source->stride + CHANNELS * at_column, CHANNELS);
        }
    memcpy(found, bytes, sizeof bytes);
}

CLONES static void mix(const Places *restrict places, uint8_t *restrict pixels, int count)
{
    Planes planes;
    const uint32_t outer = 0x00FF00FF; /* red and blue, which are worked on together: the results have 13 bits each */
    for (int i = 0; i < count; i++) {
        uint32_t right = (uint32_t)places->right[i], down = (uint32_t)places->down[i];
        uint32_t a = places->found[i][0], b = a >> 24 | places->found[i][1] << 8;
        uint32_t c = places->found[i][2], d = c >> 24 | places->found[i][3] << 8;
        uint32_t above = PLACES * (a & outer) + right * ((b & outer) - (a & outer));
        uint32_t below = PLACES * (c & outer) + right * ((d & outer) - (c & outer));
        uint32_t above_red = above & 0xFFFF, below_red = below & 0xFFFF;
        uint32_t above_green = PLACES * (a >> 8 & 255) + right * ((b >> 8 & 255) - (a >> 8 & 255));
        uint32_t below_green = PLACES * (c >> 8 & 255) + right * ((d >> 8 & 255) - (c >> 8 & 255));
        uint32_t above_blue = above >> 16, below_blue = below >> 16;
        const uint32_t half = PLACES * PLACES / 2;
        planes.channel[0][i] = (uint8_t)((PLACES * above_red + down * (below_red - above_red) + half) >> (2 * PLACE_BITS));
        planes.channel[1][i] = (uint8_t)((PLACES * above_green + down * (below_green - above_green) + half) >> (2 * PLACE_BITS));
        planes.channel[2][i] = (uint8_t)((PLACES * above_blue + down * (below_blue - above_blue) + half) >> (2 * PLACE_BITS));
    }
    join(&planes, pixels, count);
}

/* Bring a source into the processor's cache, row by row: a warp that reads across them waits for memory at each. */
static void fetch(const Source *source)
{
    for (int row = 0; row < source->rows; row++)
        for (int byte = 0; byte < CHANNELS * source->columns; byte += 64)
            (void)*(const volatile uint8_t *)(source->pixels + row * source->stride + byte);
}

void warp(const Warp *warp, const Source *source, uint8_t *pixels, int rows, int columns)
{
    const double *matrix = warp->to_input;
    Places places;
    int32_t across[BLOCK], along[BLOCK];
    uint32_t filled[4];
    collect(filled, -2, -2, source, warp); /* what stands outside a constant border */
    fetch(source);
    for (int left = 0; left < columns; left += BLOCK) {
        int count = columns - left < BLOCK ? columns - left : BLOCK;
        for (int i = 0; i < count; i++) {
            across[i] = steps(matrix[0] * (left + i));
            along[i] = steps(matrix[3] * (left + i));
        }
        for (int row = 0; row < rows; row++) {
            int32_t x = steps(matrix[1] * row + matrix[2]) + HALF_PLACE, y = steps(matrix[4] * row + matrix[5]) + HALF_PLACE;
            find(&places, across, along, x, y, source, count);
            for (int i = 0; i < count; i++) {
                const uint8_t *from = source->pixels + places.offset[i];
                if (places.side[i] == INSIDE) {
                    memcpy(places.found[i], from, 8);
                    memcpy(places.found[i] + 2, from + source->stride, 8);
                } else if (places.side[i] == OUTSIDE && warp->border == CONSTANT_BORDER)
                    memcpy(places.found[i], filled, sizeof filled);
                else
                    collect(places.found[i], places.column[i], places.row[i], source, warp);
            }
            mix(&places, pixels + CHANNELS * ((ptrdiff_t)row * columns + left), count);
        }
    }
}
