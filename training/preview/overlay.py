"""Drawing boxes, keypoints and masks onto an image."""

from typing import Any, cast

import cv2
import numpy as np

from augment.transform import Image

_SMALLEST = 320  # pixels of the longer side on which lines are drawn
_BOX, _POINT, _MASK = (213, 94, 0), (0, 114, 178), (0, 158, 115)  # Okabe and Ito 2008


def to_displayable(image: Image) -> Image:
    """Convert an image to one that a picture can show.

    Args:
        image: [H, W, C], of any dtype.

    Returns:
        uint8 [H, W, 1, 3 or 4]: an image of this kind itself. Other dtypes are scaled linearly to 0 to 255, from the
        lowest level to the highest (NaN is black); of 2 channels the first is kept, of 5 or more the first three.
    """
    channels = image.shape[2]
    if channels not in (1, 3, 4):
        image = image[..., : 3 if channels > 3 else 1]
    if image.dtype == np.uint8:
        return image
    levels = image.astype(np.float64)
    known = levels[np.isfinite(levels)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    spread = (np.nan_to_num(levels, nan=low, posinf=high, neginf=low) - low) * (255 / max(high - low, 1e-9))
    return cast(Image, spread.round().astype(np.uint8))


def describe_levels(image: Image) -> str:
    """Name the range of levels that a picture does not show: "float32, -2.12 to 2.64"; "" for uint8."""
    return "" if image.dtype == np.uint8 else f"{image.dtype}, {image.min():.3g} to {image.max():.3g}"


def draw_annotations(data: dict[str, Any]) -> Image:
    """Draw an image's targets onto it.

    Args:
        data: "image" [H, W, C], and any of "mask", "bboxes", "box_labels", "keypoints".

    Returns:
        uint8 [H', W', 1, 3 or 4]: without targets, the image after `to_displayable`; with targets it is in color, and
        small images are enlarged, so that the lines do not hide them.
    """
    image = to_displayable(data["image"])
    if not any(len(data.get(name, ())) for name in ("bboxes", "keypoints")) and data.get("mask") is None:
        return image
    factor = max(1, round(_SMALLEST / max(image.shape[:2])))
    canvas = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    if canvas.ndim == 2:
        canvas = cv2.cvtColor(canvas, cv2.COLOR_GRAY2RGB)
    width = max(2, round(max(canvas.shape[:2]) / 160))
    if data.get("mask") is not None:
        canvas = _with_mask(canvas, data["mask"], width)
    for box, label in zip(data.get("bboxes", ()), data.get("box_labels", ()), strict=False):
        left, top, right, bottom = (round(factor * float(side)) for side in box[:4])
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), _BOX, width)
        at = (left + 2 * width, min(bottom, top + 10 * width) - width)
        cv2.putText(canvas, str(label), at, cv2.FONT_HERSHEY_SIMPLEX, width / 4, _BOX, max(1, width // 2), cv2.LINE_AA)
    for x, y, *_ in data.get("keypoints", ()):
        at = (round(factor * float(x)), round(factor * float(y)))
        cv2.circle(canvas, at, 2 * width, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(canvas, at, 2 * width - width // 2, _POINT, -1, cv2.LINE_AA)
    return cast(Image, canvas)


def _with_mask(canvas: Image, mask: Image, width: int) -> Image:
    """Tint the foreground, and draw its outline."""
    size = canvas.shape[1::-1]
    inside = cv2.resize((mask != 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    tinted = cv2.addWeighted(canvas, 0.7, np.full_like(canvas, _MASK), 0.3, 0)
    canvas = np.where(inside[..., np.newaxis] != 0, tinted, canvas)
    outlines, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return cast(Image, cv2.drawContours(np.ascontiguousarray(canvas), outlines, -1, _MASK, width))
