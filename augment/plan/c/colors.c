/* Colors: lookup tables, contrast, saturation, and shifts in HSV. */

#include "steps.h"

#include <math.h>

/* The gray of `cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)`. */
INLINE int gray_of(int red, int green, int blue)
{
    return (9798 * red + 19235 * green + 3735 * blue + (1 << 14)) >> 15;
}

INLINE int clip(int level)
{
    level = level < 0 ? 0 : level;
    return level > 255 ? 255 : level;
}

CLONES static uint64_t sum_gray(const uint8_t *pixels, size_t count)
{
    Planes planes;
    uint64_t total = 0;
    for (size_t at = 0; at < count; at += BLOCK) {
        int size = count - at < BLOCK ? (int)(count - at) : BLOCK;
        uint32_t sum = 0;
        split(pixels + CHANNELS * at, &planes, size);
        for (int i = 0; i < size; i++)
            sum += (uint32_t)gray_of(planes.channel[0][i], planes.channel[1][i], planes.channel[2][i]);
        total += sum;
    }
    return total;
}

/* As `cv2.addWeighted(image, factor, gray, 1 - factor, 0)`. */
CLONES void adjust_saturation(uint8_t *pixels, size_t count, double factor)
{
    Planes planes;
    float own = (float)factor, others = (float)(1 - factor);
    for (size_t at = 0; at < count; at += BLOCK) {
        int size = count - at < BLOCK ? (int)(count - at) : BLOCK;
        split(pixels + CHANNELS * at, &planes, size);
        for (int i = 0; i < size; i++) {
            int red = planes.channel[0][i], green = planes.channel[1][i], blue = planes.channel[2][i];
            float gray = (float)gray_of(red, green, blue) * others;
            planes.channel[0][i] = (uint8_t)clip((int)rintf(fmaf((float)red, own, gray)));
            planes.channel[1][i] = (uint8_t)clip((int)rintf(fmaf((float)green, own, gray)));
            planes.channel[2][i] = (uint8_t)clip((int)rintf(fmaf((float)blue, own, gray)));
        }
        merge(&planes, pixels + CHANNELS * at, size);
    }
}

/* All bits where a hue is in one of some sectors, or none. */
INLINE int mask_between(int sector, int first, int last) { return -((sector >= first) & (sector <= last)); }

/* Shift the hue, saturation and value of some pixels, at most BLOCK.

   As `cv2.cvtColor` with COLOR_RGB2HSV, and back with COLOR_HSV2RGB, which truncates the
   levels of pixels that it converts in vectors, and rounds those of the remaining pixels at the end of a row, from
   `first_rounded` on. */
CLONES static void shift_block(uint8_t *restrict pixels, int count, const Shift *restrict shift, int first_rounded)
{
    Planes rgb, hsv;
    split(pixels, &rgb, count);
    for (int i = 0; i < count; i++) {
        int red = rgb.channel[0][i], green = rgb.channel[1][i], blue = rgb.channel[2][i];
        int highest = red > green ? red : green, lowest = red < green ? red : green;
        highest = highest > blue ? highest : blue;
        lowest = lowest < blue ? lowest : blue;
        int range = highest - lowest;
        /* OpenCV has a table of each: (255 << 12) / value, and (180 << 12) / (6 * range). */
        int by_value = (int)rintf(1044480.0f / (float)(highest > 1 ? highest : 1));
        int by_range = (int)rintf(122880.0f / (float)(range > 1 ? range : 1));
        int saturation = (range * by_value + (1 << 11)) >> 12;
        int shifted = clip(saturation + shift->saturation);
        int hue = red - green + 4 * range;
        hue = highest == green ? blue - red + 2 * range : hue;
        hue = highest == red ? green - blue : hue;
        hue = (hue * by_range + (1 << 11)) >> 12;
        hue += hue < 0 ? 180 : 0;
        hue += shift->hue;
        hue -= hue >= 180 ? 180 : 0;
        hsv.channel[0][i] = (uint8_t)hue;
        hsv.channel[1][i] = (uint8_t)(saturation == 0 ? 0 : shifted); /* gray stays gray */
        hsv.channel[2][i] = (uint8_t)clip(highest + shift->value);
    }
    for (int i = 0; i < count; i++) {
        float hue = (float)hsv.channel[0][i] * (6.0f / 180.0f);
        float saturation = (float)hsv.channel[1][i] * (1.0f / 255.0f);
        float value = (float)hsv.channel[2][i] * (1.0f / 255.0f);
        int sector = (int)hue;
        float fraction = hue - (float)sector;
        float levels[4] = {
            value * 255.0f,
            value * (1.0f - saturation) * 255.0f,
            value * fmaf(-saturation, fraction, 1.0f) * 255.0f,
            value * fmaf(-saturation, 1.0f - fraction, 1.0f) * 255.0f,
        };
        int high = (int)(i < first_rounded ? levels[0] : rintf(levels[0]));
        int low = (int)(i < first_rounded ? levels[1] : rintf(levels[1]));
        int falling = (int)(i < first_rounded ? levels[2] : rintf(levels[2]));
        int rising = (int)(i < first_rounded ? levels[3] : rintf(levels[3]));
        int red = (high & ~mask_between(sector, 1, 4)) | (falling & mask_between(sector, 1, 1)) |
                  (low & mask_between(sector, 2, 3)) | (rising & mask_between(sector, 4, 4));
        int green = (rising & mask_between(sector, 0, 0)) | (high & mask_between(sector, 1, 2)) |
                    (falling & mask_between(sector, 3, 3)) | (low & mask_between(sector, 4, 5));
        int blue = (low & mask_between(sector, 0, 1)) | (rising & mask_between(sector, 2, 2)) |
                   (high & mask_between(sector, 3, 4)) | (falling & mask_between(sector, 5, 5));
        rgb.channel[0][i] = (uint8_t)red;
        rgb.channel[1][i] = (uint8_t)green;
        rgb.channel[2][i] = (uint8_t)blue;
    }
    merge(&rgb, pixels, count);
}

void shift_hsv(uint8_t *pixels, size_t rows, size_t columns, const Shift *shift)
{
    size_t rest = columns % (size_t)shift->vector_pixels;
    if (rest == 0) { /* no row has a remainder: treat all as one */
        columns *= rows;
        rows = 1;
    }
    for (size_t row = 0; row < rows; row++)
        for (size_t at = 0; at < columns; at += BLOCK) {
            int size = columns - at < BLOCK ? (int)(columns - at) : BLOCK;
            int first_rounded = columns - rest - at < BLOCK ? (int)(columns - rest - at) : BLOCK;
            shift_block(pixels + CHANNELS * (row * columns + at), size, shift, first_rounded);
        }
}

NEEDS_VBMI static __m512i lookup(__m512i levels, const uint8_t *table)
{
    __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), levels, _mm512_loadu_si512(table + 64));
    __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), levels, _mm512_loadu_si512(table + 192));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(levels), low, high);
}

/* Apply a LUT to vectors of 64 levels; return the number of levels that were replaced. */
NEEDS_VBMI static size_t apply_lut_vectors(uint8_t *levels, size_t count, const uint8_t *table)
{
    size_t at = 0;
    for (; at + 64 <= count; at += 64)
        _mm512_storeu_si512(levels + at, lookup(_mm512_loadu_si512(levels + at), table));
    return at;
}

static void apply_lut_levels(uint8_t *levels, size_t count, const uint8_t *table)
{
    for (size_t at = HAS_VBMI ? apply_lut_vectors(levels, count, table) : 0; at < count; at++)
        levels[at] = table[levels[at]];
}

void apply_lut(uint8_t *pixels, size_t count, const uint8_t table[LEVELS])
{
    apply_lut_levels(pixels, CHANNELS * count, table);
}

CLONES void apply_lut_per_channel(uint8_t *pixels, size_t count, const uint8_t tables[CHANNELS * LEVELS])
{
    Planes planes;
    for (size_t at = 0; at < count; at += BLOCK) {
        int size = count - at < BLOCK ? (int)(count - at) : BLOCK;
        split(pixels + CHANNELS * at, &planes, size);
        for (int c = 0; c < CHANNELS; c++)
            apply_lut_levels(planes.channel[c], (size_t)size, tables + LEVELS * c);
        merge(&planes, pixels + CHANNELS * at, size);
    }
}

void adjust_contrast(uint8_t *pixels, size_t count, double factor)
{
    uint8_t table[LEVELS];
    double mean = (double)sum_gray(pixels, count) / (double)count;
    float scale = (float)factor, offset = (float)(mean * (1 - factor));
    for (int level = 0; level < LEVELS; level++) {
        float stretched = scale * (float)level + offset;
        stretched = stretched < 0 ? 0 : stretched > 255 ? 255 : stretched;
        table[level] = factor == 0 ? (uint8_t)(mean + 0.5) : (uint8_t)stretched;
    }
    apply_lut(pixels, count, table);
}
