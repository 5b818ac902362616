/* Resizes: along the rows first, and then down the columns.

   As `cv2.resize` of OpenCV 4 with INTER_LINEAR: weights are multiples of 1/2048, and a few bits are
   truncated between the two passes, so that integers are enough. */

#include "steps.h"

#include <math.h>
#include <string.h>

enum {
    ONE = 1 << 11, /* the weights of two neighbors together */
    CUT_BITS = 4,  /* truncated from a level after the first pass, which leaves 15 */
    GROUP = 16     /* pixels per vector */
};

/* The sources of the pixels of a block of columns, along a row. */
typedef struct {
    int32_t offset[BLOCK];                           /* of the bytes of the first neighbor */
    int16_t weight[BLOCK][2];                        /* of both */
    int32_t start[BLOCK / GROUP];                    /* of the 128 bytes that contain a group's neighbors */
    uint8_t pick[BLOCK / GROUP][CHANNELS][GROUP][2]; /* the bytes of both neighbors, per channel */
} Along;

/* A row of the source, resized: its levels times 128. */
typedef struct {
    int32_t row; /* of the source; -1 for none */
    int16_t level[CHANNELS][BLOCK];
} ResizedRow;

/* Locate the source of a pixel: return the first of its two neighbors, and write their weights. */
static int32_t locate_neighbors(int32_t at, int32_t size, int32_t source, int16_t weight[2])
{
    double scale = 1.0 / ((double)size / source);
    float point = (float)((at + 0.5) * scale - 0.5);
    int32_t first = (int32_t)floorf(point);
    point -= (float)first;
    weight[0] = (int16_t)rintf((1.0f - point) * ONE);
    weight[1] = (int16_t)rintf(point * ONE);
    return first;
}

static void locate(Along *along, int32_t left, int32_t count, int32_t columns, int32_t source, int is_mirrored)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t at = is_mirrored ? columns - 1 - left - i : left + i;
        int32_t first = locate_neighbors(at, columns, source, along->weight[i]);
        if (first < 0 || first >= source - 1) { /* only the outermost pixel */
            along->weight[i][0] = first < 0 ? ONE : 0;
            along->weight[i][1] = first < 0 ? 0 : ONE;
            first = first < 0 ? 0 : source - 2;
        }
        along->offset[i] = CHANNELS * first;
    }
    for (int32_t i = count; i % GROUP; i++) { /* fill the last group */
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

NEEDS_VBMI static void resize_row(const Along *along, const uint8_t *bytes, ResizedRow *resized, int count)
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
            _mm256_storeu_si256((__m256i *)(resized->level[c] + group * GROUP), levels);
        }
    }
}

CLONES static void blend(const ResizedRow *restrict above, const ResizedRow *restrict below, const int16_t weight[2],
                         uint8_t *restrict pixels, int count)
{
    Planes planes;
    for (int c = 0; c < CHANNELS; c++)
        for (int i = 0; i < count; i++) {
            int32_t first = above->level[c][i] * weight[0] >> 16, second = below->level[c][i] * weight[1] >> 16;
            planes.channel[c][i] = (uint8_t)((first + second + 2) >> 2);
        }
    merge(&planes, pixels, count);
}

void resize(const Resize *resize, const Source *source, uint8_t *pixels, int rows, int columns, uint8_t *row_bytes)
{
    size_t bytes = CHANNELS * (size_t)source->columns;
    Along along;
    memset(row_bytes + bytes, 0, RESIZE_ROW_SLACK);
    for (int left = 0; left < columns; left += BLOCK) {
        int count = columns - left < BLOCK ? columns - left : BLOCK;
        ResizedRow resized_rows[2] = {{.row = -1}, {.row = -1}};
        locate(&along, left, count, columns, source->columns, resize->is_mirrored);
        for (int row = 0; row < rows; row++) {
            int16_t weight[2];
            int32_t first = locate_neighbors(row, rows, source->rows, weight);
            const ResizedRow *neighbors[2];
            for (int second = 0; second < 2; second++) {
                int32_t at = first + second < 0 ? 0 : first + second < source->rows ? first + second : source->rows - 1;
                ResizedRow *resized = &resized_rows[at % 2]; /* neighbors never share an entry */
                if (resized->row != at) {
                    memcpy(row_bytes, source->pixels + at * source->stride, bytes);
                    resize_row(&along, row_bytes, resized, count);
                    resized->row = at;
                }
                neighbors[second] = resized;
            }
            int to = resize->is_upside_down ? rows - 1 - row : row;
            blend(neighbors[0], neighbors[1], weight, pixels + CHANNELS * ((ptrdiff_t)to * columns + left), count);
        }
    }
}
