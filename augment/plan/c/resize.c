/* Resizes: along the rows first, and then down the columns.

   As `cv2.resize` of OpenCV 4 with INTER_LINEAR: weights are whole numbers of 1/2048, and a few bits are cut off
   between the two, so that all is done in whole numbers. */

#include "steps.h"

#include <math.h>
#include <string.h>

enum {
    ONE = 1 << 11, /* the weights of two neighbours together */
    CUT_BITS = 4,  /* of a level along the rows, which then has 15 */
    PADDING = 128, /* bytes that can be read behind a row */
    GROUP = 16     /* pixels that are worked on at once by vectors */
};

/* Where the pixels of a block of columns come from, along a row. */
typedef struct {
    int32_t offset[BLOCK];                           /* of the bytes of the first of two neighbours */
    int16_t weight[BLOCK][2];                        /* of both */
    int32_t start[BLOCK / GROUP];                    /* of the 128 bytes among which those of a group stand */
    uint8_t pick[BLOCK / GROUP][CHANNELS][GROUP][2]; /* of them, for each channel, those of both neighbours */
} Along;

/* A row of the source, resized: its levels times 128. */
typedef struct {
    int32_t row; /* -1 for none */
    int16_t level[CHANNELS][BLOCK];
} Level;

/* Find where a pixel of `size` comes from: gives the first of two neighbours of `source`, and their weights. */
static int32_t neighbours_of(int32_t at, int32_t size, int32_t source, int16_t weight[2])
{
    double scale = 1.0 / ((double)size / source);
    float place = (float)((at + 0.5) * scale - 0.5);
    int32_t first = (int32_t)floorf(place);
    place -= (float)first;
    weight[0] = (int16_t)rintf((1.0f - place) * ONE);
    weight[1] = (int16_t)rintf(place * ONE);
    return first;
}

static void find_along(Along *along, int32_t left, int32_t count, int32_t columns, int32_t source, int is_mirrored)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t at = is_mirrored ? columns - 1 - left - i : left + i;
        int32_t first = neighbours_of(at, columns, source, along->weight[i]);
        if (first < 0 || first >= source - 1) { /* the outermost pixel by itself */
            along->weight[i][0] = first < 0 ? ONE : 0;
            along->weight[i][1] = first < 0 ? 0 : ONE;
            first = first < 0 ? 0 : source - 2;
        }
        along->offset[i] = CHANNELS * first;
    }
    for (int32_t i = count; i % GROUP; i++) { /* the last group is a whole one */
        along->offset[i] = along->offset[count - 1];
        along->weight[i][0] = along->weight[i][1] = 0;
    }
    for (int32_t group = 0; group * GROUP < count; group++) {
        const int32_t *offset = along->offset + group * GROUP;
        int32_t start = offset[0] < offset[GROUP - 1] ? offset[0] : offset[GROUP - 1];
        along->start[group] = start;
        for (int i = 0; i < GROUP; i++)
            for (int c = 0; c < CHANNELS; c++) {
                along->pick[group][c][i][0] = (uint8_t)(offset[i] - start + c);
                along->pick[group][c][i][1] = (uint8_t)(offset[i] - start + c + CHANNELS);
            }
    }
}

PICKING_BYTES static void resize_row(const Along *along, const uint8_t *bytes, Level *level, int count)
{
    for (int group = 0; group * GROUP < count; group++) {
        __m512i first = _mm512_loadu_si512(bytes + along->start[group]);
        __m512i second = _mm512_loadu_si512(bytes + along->start[group] + 64);
        __m512i weights = _mm512_loadu_si512(along->weight[group * GROUP]);
        for (int c = 0; c < CHANNELS; c++) {
            __m512i pick = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)along->pick[group][c]));
            __m256i found = _mm512_castsi512_si256(_mm512_permutex2var_epi8(first, pick, second));
            __m512i sums = _mm512_madd_epi16(_mm512_cvtepu8_epi16(found), weights);
            __m256i levels = _mm512_cvtepi32_epi16(_mm512_srai_epi32(sums, CUT_BITS));
            _mm256_storeu_si256((__m256i *)(level->level[c] + group * GROUP), levels);
        }
    }
}

CLONES static void blend(const Level *restrict above, const Level *restrict below, const int16_t weight[2],
                         uint8_t *restrict pixels, int count)
{
    Planes planes;
    for (int c = 0; c < CHANNELS; c++)
        for (int i = 0; i < count; i++) {
            int32_t first = above->level[c][i] * weight[0] >> 16, second = below->level[c][i] * weight[1] >> 16;
            planes.channel[c][i] = (uint8_t)((first + second + 2) >> 2);
        }
    join(&planes, pixels, count);
}

void resize(const Resize *resize, const Source *source, uint8_t *pixels, int rows, int columns)
{
    size_t bytes = CHANNELS * (size_t)source->columns;
    uint8_t padded[CHANNELS * INT16_MAX + PADDING]; /* a row, with bytes behind it that can be read */
    Along along;
    memset(padded + bytes, 0, PADDING);
    for (int left = 0; left < columns; left += BLOCK) {
        int count = columns - left < BLOCK ? columns - left : BLOCK;
        Level levels[2] = {{.row = -1}, {.row = -1}};
        find_along(&along, left, count, columns, source->columns, resize->is_mirrored);
        for (int row = 0; row < rows; row++) {
            int16_t weight[2];
            int32_t first = neighbours_of(row, rows, source->rows, weight);
            const Level *neighbours[2];
            for (int second = 0; second < 2; second++) {
                int32_t at = first + second < 0 ? 0 : first + second < source->rows ? first + second : source->rows - 1;
                Level *level = &levels[at % 2]; /* neighbours never stand at the same place */
                if (level->row != at) {
                    memcpy(padded, source->pixels + at * source->stride, bytes);
                    resize_row(&along, padded, level, count);
                    level->row = at;
                }
                neighbours[second] = level;
            }
            int to = resize->is_upside_down ? rows - 1 - row : row;
            blend(neighbours[0], neighbours[1], weight, pixels + CHANNELS * ((ptrdiff_t)to * columns + left), count);
        }
    }
}
