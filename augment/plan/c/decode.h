/* Decoders of JPEG and PNG: from a file's bytes in memory to pixels, without the GIL and without Python.

   Pixels, and which files are refused, equal those of TensorFlow's kernels `DecodeJpeg`, `DecodeAndCropJpeg` and
   `DecodePng`: the same calls of libjpeg-turbo and libpng, in the same order. */

#ifndef CAUDAL_DECODE_H
#define CAUDAL_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_BYTES = 200 };

/* The bytes of a file, and what to decode of them.

   Rows and columns are those of the target. Of a JPEG they may be a window at (top, left) of the image, at 1/ratio of
   its size; without a window they must be the size of the image. */
typedef struct {
    const uint8_t *bytes;
    size_t count;
    int channels;    /* 1 or 3; a PNG also 2 or 4 */
    int ratio;       /* 1, 2, 4 or 8, the divisor of the size; of a JPEG only */
    int has_window;  /* of a JPEG only */
    int top, left;   /* of the window, at 1/ratio of the size */
    int is_accurate; /* whether a JPEG's cosine transform is the accurate one, not the fast one */
} Encoded;

/* What became of a file. A message of "" means that there is nothing to report. */
typedef struct {
    int is_decoded;              /* else the pixels are undefined */
    char message[MESSAGE_BYTES]; /* the library's error, or its first warning */
} Outcome;

/* Decode a JPEG into an image [rows, columns, channels]. */
void decode_jpeg(const Encoded *encoded, uint8_t *pixels, int rows, int columns, Outcome *outcome);

/* Decode a PNG into an image [rows, columns, channels]. */
void decode_png(const Encoded *encoded, uint8_t *pixels, int rows, int columns, Outcome *outcome);

#endif
