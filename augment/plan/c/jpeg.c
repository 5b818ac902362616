/* Decodes JPEG with libjpeg-turbo. */

#include "decode.h"

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs it */
#include <string.h>

#include <jpeglib.h>

typedef struct {
    struct jpeg_decompress_struct info; /* first: libjpeg's callbacks get a pointer to it */
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    jmp_buf on_error;
    Outcome *outcome;
} Decoder;

static void keep_message(j_common_ptr info)
{
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    snprintf(((Decoder *)info)->outcome->message, MESSAGE_BYTES, "%s", text);
}

static void fail(j_common_ptr info)
{
    keep_message(info);
    longjmp(((Decoder *)info)->on_error, 1);
}

/* Called for warnings (a negative level) and for traces. Before the first scan, warnings concern no pixel. */
static void warn(j_common_ptr info, int level)
{
    if (level < 0 && ((Decoder *)info)->info.input_scan_number > 0 && info->err->num_warnings++ == 0)
        keep_message(info);
}

static void ignore(j_common_ptr info) { (void)info; }
static void start_source(j_decompress_ptr info) { (void)info; }

/* Called when the bytes end before the image does. */
static boolean refuse_end(j_decompress_ptr info)
{
    Decoder *decoder = (Decoder *)info;
    snprintf(decoder->outcome->message, MESSAGE_BYTES, "the file ends before the image does");
    longjmp(decoder->on_error, 1);
}

static void skip_bytes(j_decompress_ptr info, long count)
{
    if (count <= 0)
        return;
    if ((size_t)count > info->src->bytes_in_buffer)
        refuse_end(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= (size_t)count;
}

static void set_source(Decoder *decoder, const Encoded *encoded)
{
    decoder->source = (struct jpeg_source_mgr){
        .next_input_byte = encoded->bytes,
        .bytes_in_buffer = encoded->count,
        .init_source = start_source,
        .fill_input_buffer = refuse_end,
        .skip_input_data = skip_bytes,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = start_source,
    };
    decoder->info.src = &decoder->source;
}

/* CMYK to RGB: Adobe stores it inverted. */
static void convert_cmyk(const uint8_t *from, uint8_t *pixels, int columns, int is_inverted)
{
    for (int at = 0; at < columns; at++) {
        int black = is_inverted ? from[4 * at + 3] : 255 - from[4 * at + 3];
        for (int c = 0; c < 3; c++)
            pixels[3 * at + c] = (uint8_t)(black * (is_inverted ? from[4 * at + c] : 255 - from[4 * at + c]) / 255);
    }
}

static void read_rows(Decoder *decoder, const Encoded *encoded, uint8_t *pixels, int rows, int columns)
{
    j_decompress_ptr info = &decoder->info;
    JDIMENSION top = 0;
    if (encoded->has_window) {
        JDIMENSION left = (JDIMENSION)encoded->left, width = (JDIMENSION)columns;
        jpeg_crop_scanline(info, &left, &width); /* moves to the left, to a whole block, and becomes wider */
        top = jpeg_skip_scanlines(info, (JDIMENSION)encoded->top);
    }
    int is_cmyk = info->out_color_space == JCS_CMYK, channels = info->output_components;
    int surplus = (int)info->output_width - columns;
    JSAMPARRAY line = NULL;
    if (is_cmyk || surplus)
        line = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * (JDIMENSION)channels, 1);
    size_t row_bytes = (size_t)columns * (size_t)encoded->channels;
    while (info->output_scanline < top + (JDIMENSION)rows) {
        uint8_t *row = pixels + row_bytes * (info->output_scanline - top);
        jpeg_read_scanlines(info, line ? line : &row, 1);
        if (is_cmyk)
            convert_cmyk(line[0] + channels * surplus, row, columns, info->saw_Adobe_marker);
        else if (surplus)
            memcpy(row, line[0] + channels * surplus, row_bytes);
    }
    /* What lies below a window is not read: TensorFlow does not read it either. */
    if (info->output_scanline == info->output_height)
        jpeg_finish_decompress(info); /* reads to the end of the image, and fails if there is none */
}

void decode_jpeg(const Encoded *encoded, uint8_t *pixels, int rows, int columns, Outcome *outcome)
{
    Decoder decoder = {.outcome = outcome};
    j_decompress_ptr info = &decoder.info;
    info->err = jpeg_std_error(&decoder.errors);
    decoder.errors.error_exit = fail;
    decoder.errors.emit_message = warn;
    decoder.errors.output_message = ignore;
    *outcome = (Outcome){0};
    if (encoded->count < 3 || encoded->bytes[2] != 0xFF) { /* libjpeg would search for a marker; TensorFlow does not */
        snprintf(outcome->message, MESSAGE_BYTES, "no marker follows the start of the image");
        return;
    }
    if (setjmp(decoder.on_error)) {
        jpeg_destroy_decompress(info);
        return;
    }
    jpeg_create_decompress(info);
    set_source(&decoder, encoded);
    jpeg_read_header(info, TRUE);
    int is_cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = encoded->channels == 1 ? JCS_GRAYSCALE : is_cmyk ? JCS_CMYK : JCS_RGB;
    info->scale_num = 1;
    info->scale_denom = (unsigned)encoded->ratio;
    info->dct_method = encoded->is_accurate ? JDCT_ISLOW : JDCT_IFAST;
    jpeg_calc_output_dimensions(info);
    int height = (int)info->output_height, width = (int)info->output_width;
    int fits = encoded->has_window ? encoded->top + rows <= height && encoded->left + columns <= width
                                   : rows == height && columns == width;
    if (fits) {
        jpeg_start_decompress(info);
        read_rows(&decoder, encoded, pixels, rows, columns);
        outcome->is_decoded = 1;
    } else {
        snprintf(outcome->message, MESSAGE_BYTES, "the header claims %d x %d pixels, but %d x %d were decoded", rows,
                 columns, height, width);
    }
    jpeg_destroy_decompress(info);
}
