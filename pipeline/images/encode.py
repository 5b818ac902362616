"""From pixels to encoded bytes."""

from augment.transform import Image

FORMATS = ("jpeg", "png", "webp")
"""What images can be written as."""

EXTENSIONS = {
    "jpeg": (".jpg", ".jpeg", ".jfif", ".jpe"),
    "png": (".png",),
    "webp": (".webp",),
    "gif": (".gif",),
    "bmp": (".bmp",),
}
"""The extensions of each format, the usual one first."""

DEFAULT_QUALITY = 95
"""Of JPEG and WebP where none is asked for: OpenCV's default for JPEG."""


def encode(image: Image, image_format: str, quality: int = DEFAULT_QUALITY) -> bytes:
    """Encode an image.

    Args:
        image: uint8 [H, W, C] with 1, 3 or 4 channels: grey, RGB or RGBA. JPEG knows no transparency: it is dropped.
        image_format: one of `FORMATS`. PNG is without loss.
        quality: of JPEG (0 to 100) and WebP (1 to 100).

    Raises:
        ValueError: the format cannot hold an image of this size.
    """
    import cv2  # a conversion that passes bytes through knows the formats without it

    if image.shape[2] == 4 and image_format == "jpeg":
        image = image[..., :3]
    if image.shape[2] > 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    options = {"jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality], "webp": [cv2.IMWRITE_WEBP_QUALITY, quality]}
    try:
        encoded, buffer = cv2.imencode(f".{image_format}", image, options.get(image_format, []))
    except cv2.error as error:
        raise ValueError(f"cannot be written as {image_format}: {error.err}") from None
    if not encoded:
        raise ValueError(f"an image of {image.shape[0]} x {image.shape[1]} pixels cannot be written as {image_format}")
    return buffer.tobytes()


def encode_png(image: Image) -> bytes:
    """Encode an image, uint8 [H, W, C] with 1, 3 or 4 channels, without loss."""
    return encode(image, "png")
