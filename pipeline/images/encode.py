"""From pixels to encoded bytes."""

from augment.transform import Image

DEFAULT_QUALITY = 95
"""The default quality of JPEG and WebP: OpenCV's default for JPEG."""


def encode(image: Image, image_format: str, quality: int = DEFAULT_QUALITY) -> bytes:
    """Encode an image.

    Args:
        image: uint8 [H, W, C] with 1, 3 or 4 channels: gray, RGB or RGBA. JPEG drops transparency.
        image_format: one of `ENCODED_FORMATS`. PNG is lossless.
        quality: quality of JPEG (0 to 100) and WebP (1 to 100).

    Raises:
        ValueError: the format cannot hold an image of this size.
    """
    import cv2  # not above: a conversion that passes bytes through needs this module's constants only

    if image.shape[2] == 4 and image_format == "jpeg":
        image = image[..., :3]
    if image.shape[2] > 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    options = {"jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality], "webp": [cv2.IMWRITE_WEBP_QUALITY, quality]}
    try:
        encoded, buffer = cv2.imencode(f".{image_format}", image, options.get(image_format, []))
    except cv2.error as error:
        raise ValueError(f"cannot encode the image as {image_format}: {error.err}") from None
    if not encoded:
        raise ValueError(f"{image_format} cannot hold an image of {image.shape[0]} x {image.shape[1]} pixels")
    return buffer.tobytes()


def encode_png(image: Image) -> bytes:
    """Encode an image, uint8 [H, W, C] with 1, 3 or 4 channels, losslessly."""
    return encode(image, "png")
