/* Decodes PNG with libpng. */

#include "decode.h"

#include <stdio.h>
#include <string.h>

#include <png.h>

enum { IDAT = 0x49444154 };     /* the name of the chunks of compressed pixels */
enum { MAX_SURPLUS = 1 << 16 }; /* bytes of compressed pixels behind the last row; each may become a thousand bytes */

typedef struct {
    const uint8_t *next;
    size_t left;
    Outcome *outcome;
    int is_last_row; /* with which libpng reads the rest, too */
    size_t rest;     /* bytes of compressed pixels that it may still read */
} Reader;

/* Texts and suggested palettes change no pixel. libpng would store each, decompressed to up to 8 MB. */
static const png_byte IGNORED[] = "tEXt\0zTXt\0iTXt\0sPLT";

static void keep_message(png_structp png, png_const_charp text)
{
    Reader *reader = png_get_error_ptr(png);
    snprintf(reader->outcome->message, MESSAGE_BYTES, "%s", text);
}

static void fail(png_structp png, png_const_charp text)
{
    keep_message(png, text);
    png_longjmp(png, 1);
}

static void warn(png_structp png, png_const_charp text)
{
    if (!((Reader *)png_get_error_ptr(png))->outcome->message[0])
        keep_message(png, text);
}

static void read_bytes(png_structp png, png_bytep to, png_size_t count)
{
    Reader *reader = png_get_io_ptr(png);
    if (reader->left < count)
        png_error(png, "the file ends before the image does");
    if (reader->is_last_row && png_get_io_chunk_type(png) == IDAT) {
        if (reader->rest < count)
            png_error(png, "more pixels follow the last row");
        reader->rest -= count;
    }
    memcpy(to, reader->next, count);
    reader->next += count;
    reader->left -= count;
}

/* Ask for `channels` channels of 8 bits: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
static void set_transformations(png_structp png, png_infop info, int channels)
{
    int color_type = png_get_color_type(png, info), bits = png_get_bit_depth(png, info);
    int is_gray = !(color_type & PNG_COLOR_MASK_COLOR), has_alpha = color_type & PNG_COLOR_MASK_ALPHA;
    int is_transparent = png_get_valid(png, info, PNG_INFO_tRNS) != 0;
    if (channels % 2 == 1) {
        if (has_alpha || is_transparent)
            png_set_strip_alpha(png);
    } else if (is_transparent && !has_alpha) {
        png_set_tRNS_to_alpha(png);
    } else if (!has_alpha) {
        png_set_add_alpha(png, (1u << bits) - 1, PNG_FILLER_AFTER);
    }
    if (bits > 8)
        png_set_strip_16(png);
    png_set_packing(png);
    if (color_type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (is_gray && bits < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    if (channels < 3 && !is_gray)
        png_set_rgb_to_gray(png, 1, 0.299, 0.587); /* ITU-R BT.601 */
    if (channels >= 3 && is_gray)
        png_set_gray_to_rgb(png);
}

/* Read the rows of all passes. */
static void read_rows(png_structp png, png_infop info, uint8_t *pixels, int rows, size_t row_bytes)
{
    Reader *reader = png_get_io_ptr(png);
    reader->rest = MAX_SURPLUS + png_get_rowbytes(png, info); /* incompressible pixels are stored as they are */
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != row_bytes)
        png_error(png, "the rows have an unexpected length");
    for (int pass = 0; pass < passes; pass++)
        for (int row = 0; row < rows; row++) {
            reader->is_last_row = pass == passes - 1 && row == rows - 1;
            png_read_row(png, pixels + row_bytes * (size_t)row, NULL);
        }
    png_read_end(png, info);
}

void decode_png(const Encoded *encoded, uint8_t *pixels, int rows, int columns, Outcome *outcome)
{
    Reader reader = {.next = encoded->bytes, .left = encoded->count, .outcome = outcome};
    *outcome = (Outcome){0};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, fail, warn);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (info == NULL) {
        png_destroy_read_struct(&png, NULL, NULL);
        snprintf(outcome->message, MESSAGE_BYTES, "out of memory");
        return;
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        return;
    }
    png_set_read_fn(png, &reader, read_bytes);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, IGNORED, sizeof IGNORED / 5);
    png_read_info(png, info);
    png_uint_32 height = png_get_image_height(png, info), width = png_get_image_width(png, info);
    if (height != (png_uint_32)rows || width != (png_uint_32)columns) {
        snprintf(outcome->message, MESSAGE_BYTES, "the header claims %d x %d pixels, but %u x %u were decoded", rows,
                 columns, height, width);
    } else {
        set_transformations(png, info, encoded->channels);
        read_rows(png, info, pixels, rows, (size_t)columns * (size_t)encoded->channels);
        outcome->is_decoded = 1;
    }
    png_destroy_read_struct(&png, &info, NULL);
}
