"""The formats of images: their extensions, and what is decoded and encoded.

A new format needs its extensions here, its header in `header.py`, its decoder in `decode.py` and, if datasets can be
converted to it, its encoder in `encode.py`.
"""

ENCODED_FORMATS = ("jpeg", "png", "webp")
"""The formats that images can be encoded in."""

EXTENSIONS = {
    "jpeg": (".jpg", ".jpeg", ".jfif", ".jpe"),
    "png": (".png",),
    "webp": (".webp",),
    "gif": (".gif",),
    "bmp": (".bmp",),
}
"""The extensions of each format, the usual one first."""

DECODED_EXTENSIONS = tuple(sorted(extension for extensions in EXTENSIONS.values() for extension in extensions))
"""The extensions of images that are decoded, in lower case."""

UNDECODED_EXTENSIONS = (
    *(".apng", ".avif", ".dcm", ".exr", ".heic", ".heif", ".hdr", ".ico", ".j2k", ".jp2", ".jxl", ".pbm", ".pcx"),
    *(".pgm", ".pnm", ".ppm", ".psd", ".svg", ".tga", ".tif", ".tiff", ".xcf"),
)
"""Other extensions of images."""
