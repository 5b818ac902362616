"""Describes drawn parameters in a few words for people."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_HIDDEN = {
    *("shape", "cols", "rows", "interpolation", "mask_interpolation", "fill", "fill_mask", "border_mode"),
    *(
        "bbox_matrix",
        "matrix_bbox",
        "output_shape",
        "result_shape",
        "scale_x",
        "scale_y",
        "seed",
        "order",
        "pad_params",
    ),
    *("max_height", "max_width", "x_min", "x_max", "y_min", "y_max", "key", "foreground", "background"),
}
"""Parameters that tell nothing, or nothing new, about what is visible."""

_NEUTRAL: Mapping[str, Any] = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}
"""Values that change nothing; they would hide a jitter of one property among the others."""

_MIN_VISIBLE = 5e-4  # a smaller scale or shear cannot be seen
_MAX_ELEMENTS = 6  # the most elements of an array that are printed


def describe(params: Mapping[str, Any]) -> str:
    """Describe drawn parameters.

    Args:
        params: the parameters of an Albumentations transform, by name.

    Returns:
        Such as "rotated by 12°, 1.10 times as wide"; "" if nothing was drawn.
    """
    return ", ".join(part for name, value in params.items() for part in _iter_parts(name, value, params))


def _iter_parts(name: str, value: Any, params: Mapping[str, Any]) -> Iterator[str]:
    if name in _HIDDEN or value is None or (name in _NEUTRAL and value == _NEUTRAL[name]):
        return
    if name == "matrix" and np.shape(value) == (3, 3):
        yield from _describe_motion(np.asarray(value, float), params.get("shape"))
    elif name in ("crop_coords", "crop_params") and len(value) == 4:
        left, top, right, bottom = (int(side) for side in value)
        yield f"{right - left} x {bottom - top} px from ({left}, {top})"
    elif name == "holes":
        holes = np.reshape(value, (-1, 4))
        sizes = [f"{right - left} x {bottom - top}" for left, top, right, bottom in holes.astype(int).tolist()]
        described = f" of {' and '.join(sizes)} px" if len(sizes) in (1, 2) else ""
        yield f"{len(holes)} hole{'s' * (len(holes) != 1)}{described}"
    elif name == "scale" and "matrix" in params:
        return  # the matrix says it
    elif isinstance(value, Mapping):
        yield f"{_to_words(name)} " + " ".join(f"{key} {_format_number(inner)}" for key, inner in value.items())
    elif not isinstance(value, str) and np.size(value) > _MAX_ELEMENTS:
        return  # a field of numbers, such as noise
    else:
        yield f"{_to_words(name)} {_format_number(value)}"


def _describe_motion(matrix: Any, shape: Any) -> Iterator[str]:
    """Describe an affine matrix from the image to the result, relative to the image's center."""
    if np.abs(matrix[2, :2]).max() > 1e-9:
        return  # a perspective has no such words
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    yield from _describe_linear(a, b, c, d)
    middle = (0.0, 0.0) if shape is None else ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
    shift = a * middle[0] + b * middle[1] + x - middle[0], c * middle[0] + d * middle[1] + y - middle[1]
    if max(map(abs, shift)) >= 0.5:
        yield f"shifted by ({shift[0]:.0f}, {shift[1]:.0f}) px"


def _describe_linear(a: float, b: float, c: float, d: float) -> Iterator[str]:
    if max(abs(a - 1), abs(d - 1), abs(b)) < _MIN_VISIBLE < abs(c):
        yield f"sheared downwards by {c:.3g}"
        return
    width, determinant = math.hypot(a, c), a * d - b * c
    if not width or not determinant:
        yield "collapsed"
        return
    angle, tall, shear = math.degrees(math.atan2(-c, a)), determinant / width, (a * b + c * d) / (width * width)
    if abs(angle) >= 0.05:
        yield f"rotated by {angle:.3g}°"
    if abs(width - abs(tall)) < _MIN_VISIBLE:
        if abs(width - 1) >= _MIN_VISIBLE:
            yield f"{width:.3g} times as large"
    else:
        yield f"{width:.3g} times as wide, {abs(tall):.3g} times as high"
    if abs(shear) >= _MIN_VISIBLE:
        yield f"sheared sideways by {shear:.3g}"


def _to_words(name: str) -> str:
    return name.replace("_", " ")


def _format_number(value: Any) -> str:
    if isinstance(value, (str, bool, np.bool_)):
        return str(value)
    if np.ndim(value):
        return "(" + ", ".join(_format_number(element) for element in np.ravel(value).tolist()) + ")"
    return f"{value:.3g}" if isinstance(value, (int, float, np.number)) else str(value)
