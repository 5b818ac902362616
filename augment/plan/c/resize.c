/* Resizes: along the rows first, and then down the columns.

   As `cv2.resize` of OpenCV 4 with INTER_LINEAR: weights are multiples of 1/2048, and a few bits are
   truncated between the two passes, so that integers are enough. It averages four pixels if both sides are halved.

   Between the passes a pixel has four levels, the last of them unused: a vector then holds whole pixels. */

#include "steps.h"

#include <math.h>
#include <string.h>

enum {
    ONE = 1 << 11, /* the weights of two neighbors together */
    CUT_BITS = 4,  /* truncated from a level after the first pass, which leaves 15 */
    LEVELS_PER_PIXEL = CHANNELS + 1,
    NEIGHBORS = 2
};

/* The sources of the pixels of a block of columns, along a row. */
typedef struct {
    int32_t offset[BLOCK];                              /* of the bytes of the first neighbor */
    int16_t weight[BLOCK][LEVELS_PER_PIXEL][NEIGHBORS]; /* of both, once per level */
} Along;

/* A row of the source, resized: its levels times 128. */
typedef struct {
    int32_t row; /* of the source; -1 for none */
    int16_t level[BLOCK][LEVELS_PER_PIXEL];
} ResizedRow;

/* Locate the source of a pixel: return the first of its two neighbors, and write their weights. */
static int32_t locate_neighbors(int32_t at, int32_t size, int32_t source, int16_t weight[NEIGHBORS])
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
        int16_t weight[NEIGHBORS];
        int32_t first = locate_neighbors(at, columns, source, weight);
        if (first < 0 || first >= source - 1) { /* only the outermost pixel */
            int is_first = first < 0 || source == 1;
            weight[0] = is_first ? ONE : 0;
            weight[1] = is_first ? 0 : ONE;
            first = is_first ? 0 : source - 2;
        }
        along->offset[i] = CHANNELS * first;
        for (int level = 0; level < LEVELS_PER_PIXEL; level++)
            memcpy(along->weight[i][level], weight, sizeof weight);
    }
}

static void resize_row(const Along *along, const uint8_t *bytes, ResizedRow *resized, int count)
{
    for (int i = 0; i < count; i++) {
        const uint8_t *neighbors = bytes + along->offset[i];
        for (int c = 0; c < CHANNELS; c++) {
            int32_t sum = neighbors[c] * along->weight[i][c][0] + neighbors[c + CHANNELS] * along->weight[i][c][1];
            resized->level[i][c] = (int16_t)(sum >> CUT_BITS);
        }
    }
}

/* The bytes of two neighbors at each of two addresses, channel by channel: eight bytes are read, six are of pixels. */
NEEDS_AVX2 static inline __m128i pair_channels(const uint8_t *first, const uint8_t *second)
{
    __m128i found =
        _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)first), _mm_loadl_epi64((const __m128i *)second));
    return _mm_shuffle_epi8(found, _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 8, 11, 9, 12, 10, 13, -1, -1));
}

/* Two pixels at a time; `count` is rounded up to an even number. */
NEEDS_AVX2 static void resize_row_with_avx2(const Along *along, const uint8_t *bytes, ResizedRow *resized, int count)
{
    for (int i = 0; i < count; i += 2) {
        __m256i found = _mm256_cvtepu8_epi16(pair_channels(bytes + along->offset[i], bytes + along->offset[i + 1]));
        __m256i weights = _mm256_loadu_si256((const __m256i *)along->weight[i]);
        __m256i sums = _mm256_srai_epi32(_mm256_madd_epi16(found, weights), CUT_BITS);
        __m128i levels = _mm_packs_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        _mm_storeu_si128((__m128i *)resized->level[i], levels);
    }
}

static void blend_pixels(const ResizedRow *above, const ResizedRow *below, const int16_t weight[NEIGHBORS],
                         uint8_t *pixels, int first, int count)
{
    for (int i = first; i < count; i++)
        for (int c = 0; c < CHANNELS; c++) {
            int32_t upper = above->level[i][c] * weight[0] >> 16, lower = below->level[i][c] * weight[1] >> 16;
            pixels[CHANNELS * i + c] = (uint8_t)((upper + lower + 2) >> 2);
        }
}

NEEDS_AVX2 static int blend_with_avx2(const ResizedRow *above, const ResizedRow *below, const int16_t weight[NEIGHBORS],
                                      uint8_t *pixels, int count)
{
    /* Eight pixels at a time: the three levels of each, four pixels per half of a vector. */
    const __m256i three = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, 0, 1, 2, 4, 5, 6, 8,
                                           9, 10, 12, 13, 14, -1, -1, -1, -1);
    __m256i upper_weight = _mm256_set1_epi16(weight[0]), lower_weight = _mm256_set1_epi16(weight[1]);
    int i = 0;
    for (; CHANNELS * (i + 8) + 4 <= CHANNELS * count; i += 8) { /* the last store writes four bytes more */
        __m256i sums[2];
        for (int half = 0; half < 2; half++) {
            __m256i upper = _mm256_loadu_si256((const __m256i *)above->level[i + 4 * half]);
            __m256i lower = _mm256_loadu_si256((const __m256i *)below->level[i + 4 * half]);
            __m256i sum =
                _mm256_add_epi16(_mm256_mulhi_epi16(upper, upper_weight), _mm256_mulhi_epi16(lower, lower_weight));
            sums[half] = _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
        }
        __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(sums[0], sums[1]), 0xD8);
        packed = _mm256_shuffle_epi8(packed, three);
        _mm_storeu_si128((__m128i *)(pixels + CHANNELS * i), _mm256_castsi256_si128(packed));
        _mm_storeu_si128((__m128i *)(pixels + CHANNELS * (i + 4)), _mm256_extracti128_si256(packed, 1));
    }
    return i;
}

static void blend(const ResizedRow *above, const ResizedRow *below, const int16_t weight[NEIGHBORS], uint8_t *pixels,
                  int count)
{
    blend_pixels(above, below, weight, pixels, HAS_AVX2 ? blend_with_avx2(above, below, weight, pixels, count) : 0,
                 count);
}

/* The address of two neighbors of a row that is halved. */
static inline const uint8_t *locate_halves(const uint8_t *row, int at, int columns, int is_mirrored)
{
    return row + 2 * CHANNELS * (ptrdiff_t)(is_mirrored ? columns - 1 - at : at);
}

NEEDS_AVX2 static int average_with_avx2(const uint8_t *above, const uint8_t *below, uint8_t *pixels, int columns,
                                        int is_mirrored)
{
    const __m128i three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m128i ones = _mm_set1_epi8(1), two = _mm_set1_epi16(2);
    int i = is_mirrored;                   /* the last pixel of the source is read without the two bytes behind it */
    for (; i + 4 + 2 <= columns; i += 4) { /* the store writes four bytes more */
        __m128i averages[2];
        for (int half = 0; half < 2; half++) {
            int at = i + 2 * half;
            __m128i upper = pair_channels(locate_halves(above, at, columns, is_mirrored),
                                          locate_halves(above, at + 1, columns, is_mirrored));
            __m128i lower = pair_channels(locate_halves(below, at, columns, is_mirrored),
                                          locate_halves(below, at + 1, columns, is_mirrored));
            __m128i sum = _mm_add_epi16(_mm_maddubs_epi16(upper, ones), _mm_maddubs_epi16(lower, ones));
            averages[half] = _mm_srli_epi16(_mm_add_epi16(sum, two), 2);
        }
        __m128i packed = _mm_shuffle_epi8(_mm_packus_epi16(averages[0], averages[1]), three);
        _mm_storeu_si128((__m128i *)(pixels + CHANNELS * i), packed);
    }
    return i;
}

/* Average squares of four pixels. */
static void average_pixels(const uint8_t *above, const uint8_t *below, uint8_t *pixels, int first, int last,
                           int columns, int is_mirrored)
{
    for (int i = first; i < last; i++) {
        const uint8_t *upper = locate_halves(above, i, columns, is_mirrored);
        const uint8_t *lower = locate_halves(below, i, columns, is_mirrored);
        for (int c = 0; c < CHANNELS; c++)
            pixels[CHANNELS * i + c] =
                (uint8_t)((upper[c] + upper[c + CHANNELS] + lower[c] + lower[c + CHANNELS] + 2) >> 2);
    }
}

static void halve(const Resize *resize, const Source *source, uint8_t *pixels, int rows, int columns)
{
    int is_mirrored = resize->is_mirrored;
    for (int row = 0; row < rows; row++) {
        const uint8_t *above = source->pixels + 2 * row * source->stride, *below = above + source->stride;
        uint8_t *to = pixels + CHANNELS * (ptrdiff_t)(resize->is_upside_down ? rows - 1 - row : row) * columns;
        int done = HAS_AVX2 ? average_with_avx2(above, below, to, columns, is_mirrored) : is_mirrored;
        average_pixels(above, below, to, 0, is_mirrored, columns, is_mirrored);
        average_pixels(above, below, to, done, columns, columns, is_mirrored);
    }
}

void resize(const Resize *resize, const Source *source, uint8_t *pixels, int rows, int columns, uint8_t *row_bytes)
{
    if (source->rows == 2 * rows && source->columns == 2 * columns) {
        halve(resize, source, pixels, rows, columns);
        return;
    }
    size_t bytes = CHANNELS * (size_t)source->columns;
    Along along = {{0}, {{{0}}}};
    memset(row_bytes + bytes, 0, RESIZE_ROW_SLACK);
    for (int left = 0; left < columns; left += BLOCK) {
        int count = columns - left < BLOCK ? columns - left : BLOCK;
        ResizedRow resized_rows[NEIGHBORS] = {{.row = -1}, {.row = -1}};
        locate(&along, left, count, columns, source->columns, resize->is_mirrored);
        for (int row = 0; row < rows; row++) {
            int16_t weight[NEIGHBORS];
            int32_t first = locate_neighbors(row, rows, source->rows, weight);
            const ResizedRow *neighbors[NEIGHBORS];
            for (int second = 0; second < 2; second++) {
                int32_t at = first + second < 0 ? 0 : first + second < source->rows ? first + second : source->rows - 1;
                ResizedRow *resized = &resized_rows[at % 2]; /* neighbors never share an entry */
                if (resized->row != at) {
                    memcpy(row_bytes, source->pixels + at * source->stride, bytes);
                    (HAS_AVX2 ? resize_row_with_avx2 : resize_row)(&along, row_bytes, resized, count);
                    resized->row = at;
                }
                neighbors[second] = resized;
            }
            int to = resize->is_upside_down ? rows - 1 - row : row;
            blend(neighbors[0], neighbors[1], weight, pixels + CHANNELS * ((ptrdiff_t)to * columns + left), count);
        }
    }
}
