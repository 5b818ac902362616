/* Separates the channels of pixels, and interleaves them again. */

#include "steps.h"

enum { VECTOR = 16 }; /* pixels at once: three vectors of bytes of an image, one vector per channel */

/* The byte of each vector of an image that goes to each byte of a channel; 128 for a zero. */
static const uint8_t SPLIT[CHANNELS][CHANNELS][VECTOR] = {
    {{0, 3, 6, 9, 12, 15, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128},
     {128, 128, 128, 128, 128, 128, 2, 5, 8, 11, 14, 128, 128, 128, 128, 128},
     {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1, 4, 7, 10, 13}},
    {{1, 4, 7, 10, 13, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128},
     {128, 128, 128, 128, 128, 0, 3, 6, 9, 12, 15, 128, 128, 128, 128, 128},
     {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 2, 5, 8, 11, 14}},
    {{2, 5, 8, 11, 14, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128},
     {128, 128, 128, 128, 128, 1, 4, 7, 10, 13, 128, 128, 128, 128, 128, 128},
     {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0, 3, 6, 9, 12, 15}},
};

/* The byte of each channel that goes to each byte of a vector of an image; 128 for a zero. */
static const uint8_t MERGE[CHANNELS][CHANNELS][VECTOR] = {
    {{0, 128, 128, 1, 128, 128, 2, 128, 128, 3, 128, 128, 4, 128, 128, 5},
     {128, 0, 128, 128, 1, 128, 128, 2, 128, 128, 3, 128, 128, 4, 128, 128},
     {128, 128, 0, 128, 128, 1, 128, 128, 2, 128, 128, 3, 128, 128, 4, 128}},
    {{128, 128, 6, 128, 128, 7, 128, 128, 8, 128, 128, 9, 128, 128, 10, 128},
     {5, 128, 128, 6, 128, 128, 7, 128, 128, 8, 128, 128, 9, 128, 128, 10},
     {128, 5, 128, 128, 6, 128, 128, 7, 128, 128, 8, 128, 128, 9, 128, 128}},
    {{128, 11, 128, 128, 12, 128, 128, 13, 128, 128, 14, 128, 128, 15, 128, 128},
     {128, 128, 11, 128, 128, 12, 128, 128, 13, 128, 128, 14, 128, 128, 15, 128},
     {10, 128, 128, 11, 128, 128, 12, 128, 128, 13, 128, 128, 14, 128, 128, 15}},
};

NEEDS_AVX2 static __m128i pick(const uint8_t index[CHANNELS][VECTOR], const __m128i from[CHANNELS])
{
    __m128i picked[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        picked[i] = _mm_shuffle_epi8(from[i], _mm_loadu_si128((const __m128i *)index[i]));
    return _mm_or_si128(_mm_or_si128(picked[0], picked[1]), picked[2]);
}

NEEDS_AVX2 static int split_with_avx2(const uint8_t *pixels, Planes *planes, int count)
{
    int at = 0;
    for (; at + VECTOR <= count; at += VECTOR) {
        __m128i vectors[CHANNELS];
        for (int i = 0; i < CHANNELS; i++)
            vectors[i] = _mm_loadu_si128((const __m128i *)(pixels + CHANNELS * at + VECTOR * i));
        for (int c = 0; c < CHANNELS; c++)
            _mm_storeu_si128((__m128i *)(planes->channel[c] + at), pick(SPLIT[c], vectors));
    }
    return at;
}

NEEDS_AVX2 static int merge_with_avx2(const Planes *planes, uint8_t *pixels, int count)
{
    int at = 0;
    for (; at + VECTOR <= count; at += VECTOR) {
        __m128i channels[CHANNELS];
        for (int c = 0; c < CHANNELS; c++)
            channels[c] = _mm_loadu_si128((const __m128i *)(planes->channel[c] + at));
        for (int i = 0; i < CHANNELS; i++)
            _mm_storeu_si128((__m128i *)(pixels + CHANNELS * at + VECTOR * i), pick(MERGE[i], channels));
    }
    return at;
}

void split(const uint8_t *pixels, Planes *planes, int count)
{
    for (int i = HAS_AVX2 ? split_with_avx2(pixels, planes, count) : 0; i < count; i++)
        for (int c = 0; c < CHANNELS; c++)
            planes->channel[c][i] = pixels[CHANNELS * i + c];
}

void merge(const Planes *planes, uint8_t *pixels, int count)
{
    for (int i = HAS_AVX2 ? merge_with_avx2(planes, pixels, count) : 0; i < count; i++)
        for (int c = 0; c < CHANNELS; c++)
            pixels[CHANNELS * i + c] = planes->channel[c][i];
}
