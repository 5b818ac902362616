"""The kernels of geometry and occlusion: pure functions of an image, a geometry and a border, computed by OpenCV.

None writes to its input, except those named `_in_place`, `fill_outside` and `mark_edge`. Images and results are uint8
or float32, [H, W, C] with 1 to 4 channels. OpenCV releases the GIL while it works, but takes it again to allocate a
result. So it gets an array (`allocate`): each GIL acquisition that is avoided saves the other threads a wait.
"""

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.errors import TransformError
from augment.plan.compiled import BORDERS, MAX_SIDE, AffineWarp, FilledRectangle, Pixel
from augment.plan.deferred import DeferredImage, defer, defer_resize, materialize, materialize_steps, takes_size
from augment.plan.lowering import Border, Floats, Integers
from augment.transform import Image

Size = tuple[int, int]
"""(height, width) in pixels."""

Sides = tuple[int, int, int, int]
"""The left, top, right and bottom of a rectangle, in pixels; the last two are excluded."""


def rearrange(image: Image, to_input: Floats, size: Size, border: Border, fill: float | Sequence[float]) -> Image:
    """Flip, rotate by right angles, crop and pad by whole pixels, bit for bit; a pure crop is a view.

    Args:
        image: [H, W, C].
        to_input: [3, 3], of a step that only reorders pixels (`geometry.GeometryStep.is_exact`).
        size: the size of the output.
        border: the border mode.
        fill: the value of a constant border.
    """
    (a, b, x), (c, d, y), _ = to_input.tolist()
    transposed = a == 0
    if transposed:
        image = cast(Image, cv2.transpose(image, allocate(image.shape[1::-1], image)))
    # Along each axis of the output, the input coordinate is sign * coordinate + offset.
    x_sign, x_offset = (c, y) if transposed else (a, x)
    y_sign, y_offset = (b, x) if transposed else (d, y)
    height, width = image.shape[:2]
    left = int(x_offset) if x_sign > 0 else width - 1 - int(x_offset)
    top = int(y_offset) if y_sign > 0 else height - 1 - int(y_offset)
    flip = {(True, True): -1, (True, False): 1, (False, True): 0}.get((x_sign < 0, y_sign < 0))
    if flip is not None:
        image = cast(Image, cv2.flip(image, flip, allocate(image.shape[:2], image)))
    return crop_window(image, top, left, size, border, fill)


def rearrange_or_defer(
    image: Image | DeferredImage, to_input: Floats, size: Size, border: Border, fill: float | Sequence[float]
) -> Image | DeferredImage:
    """Flip, rotate, crop and pad as `rearrange` does; a flip after a deferred resize is merged into it."""
    (a, b, x), (c, d, y), _ = to_input.tolist()
    height, width = image.shape[:2]
    origin = 0 if a > 0 else width - 1, 0 if d > 0 else height - 1
    if isinstance(image, DeferredImage) and b == 0 == c and (x, y) == origin and size == (height, width):
        flipped = image.flip(mirrored=a < 0, upside_down=d < 0)
        if flipped is not None:
            return flipped
    return rearrange(materialize(image), to_input, size, border, fill)


def crop_window(image: Image, top: int, left: int, size: Size, border: Border, fill: float | Sequence[float]) -> Image:
    """Cut a window out of an image; pixels outside the image come from the border."""
    (height, width), (rows, columns) = image.shape[:2], size
    first_row, last_row = _clamp(top, height), _clamp(top + rows, height)
    first_column, last_column = _clamp(left, width), _clamp(left + columns, width)
    inside = image[first_row:last_row, first_column:last_column]
    if inside.shape[:2] == size:
        return inside
    value = to_scalar(fill, image.shape[2])
    if border.mode == cv2.BORDER_CONSTANT and 0 in inside.shape:
        return np.full((rows, columns, image.shape[2]), to_pixels(value, image.dtype))
    if border.mode != cv2.BORDER_CONSTANT:
        # Reflections also need pixels outside the window.
        inside, first_row, last_row, first_column, last_column = image, 0, height, 0, width
    before, after = (
        (max(first_row - top, 0), max(first_column - left, 0)),
        (max(top + rows - last_row, 0), max(left + columns - last_column, 0)),
    )
    whole = inside.shape[0] + before[0] + after[0], inside.shape[1] + before[1] + after[1]
    padded = allocate(whole, image)
    cv2.copyMakeBorder(inside, before[0], after[0], before[1], after[1], border.mode, padded, value)
    top, left = top - first_row + before[0], left - first_column + before[1]
    return padded[top : top + rows, left : left + columns]


def resample(
    image: Image, to_input: Floats, size: Size, interpolation: int, border: Border, fill: float | Sequence[float]
) -> Image:
    """Sample every output pixel from the input: one resize if the matrix is one, else one warp.

    Args:
        image: [H, W, C].
        to_input: [3, 3], maps centers of output pixels to points of the input.
        size: the size of the output.
        interpolation: OpenCV's flag.
        border: what is read outside the image.
        fill: the value of a constant border.
    """
    height, width = size
    rows = to_input.tolist()
    resampled = allocate(size, image)
    if (edges := _find_edges(rows, size)) is not None and edges == (0, 0, *image.shape[:2]):
        cv2.resize(image, (width, height), resampled, interpolation=interpolation)
        return resampled
    flags = warp_interpolation(interpolation) | cv2.WARP_INVERSE_MAP
    value = to_scalar(fill, image.shape[2])
    # A warp reads across the rows and waits for memory at each: 295 us for 256x256 pixels. A copy, row by row, brings
    # them into the processor's cache in 11 us; the warp then takes 150 us.
    image = image.copy()
    if rows[2] == [0, 0, 1]:
        cv2.warpAffine(image, to_input[:2], (width, height), resampled, flags, border.mode, value)
    else:
        cv2.warpPerspective(image, to_input, (width, height), resampled, flags, border.mode, value)
    return resampled


def defer_resample(
    image: Image | DeferredImage,
    to_input: Floats,
    size: Size,
    interpolation: int,
    border: Border,
    fill: float | Sequence[float],
) -> DeferredImage | None:
    """Defer `resample`; None if the compiled kernels do not do it, or the image already has deferred steps."""
    rows = to_input.tolist()
    if rows[2] != [0, 0, 1]:
        return None
    if _find_edges(rows, size) == (0, 0, *image.shape[:2]):
        return defer_resize(image, size) if interpolation == cv2.INTER_LINEAR else None
    if warp_interpolation(interpolation) != cv2.INTER_LINEAR or border.mode not in BORDERS:
        return None
    source = defer(image)
    if source is None or source.has_steps:
        return None
    height, width = size
    is_near = (abs(first) * width + abs(second) * height + abs(shift) < MAX_SIDE for first, second, shift in rows[:2])
    if not all(is_near) or not takes_size(size):
        return None
    red, green, blue = (min(max(round(value), 0), 255) for value in to_scalar(fill, 3))
    return source.start(AffineWarp(np.ascontiguousarray(to_input[:2]), border.mode, (red, green, blue)), size)


def resample_or_defer(
    image: Image | DeferredImage,
    to_input: Floats,
    size: Size,
    interpolation: int,
    border: Border,
    fill: float | Sequence[float],
) -> Image | DeferredImage:
    """Defer `resample` if the compiled kernels do it, else run it; arguments as in `resample`."""
    image = materialize_steps(image)
    deferred = defer_resample(image, to_input, size, interpolation, border, fill)
    return resample(materialize(image), to_input, size, interpolation, border, fill) if deferred is None else deferred


_WARP_INTERPOLATIONS = {
    cv2.INTER_AREA: cv2.INTER_LINEAR,
    cv2.INTER_LINEAR_EXACT: cv2.INTER_LINEAR,
    cv2.INTER_NEAREST_EXACT: cv2.INTER_NEAREST,
}
"""What a warp uses for the interpolations that only resizes have."""


def fill_outside(image: Image, edge: Image, to_frame: Floats, frame: Size, fill: float | Sequence[float]) -> None:
    """Fill, in place, the pixels outside a frame, and mark where frame and fill mix.

    Args:
        image: [H, W, C], contiguous; it is written to.
        edge: uint8 [H, W]; as in `mark_edge`.
        to_frame: [3, 3], maps centers of the image's pixels to points of the frame.
        frame: the frame's size.
        fill: the value.
    """
    outlines = mark_edge(edge, to_frame, frame)
    if outlines is None:
        return
    around = np.rint((_RECTANGLE * (image.shape[1] + 3, image.shape[0] + 3) - 2) * 2**_BITS).astype(np.int32)
    plane = image[..., 0] if image.shape[2] == 1 else image
    cv2.fillPoly(plane, [around, outlines[0]], to_scalar(fill, image.shape[2]), shift=_BITS)


def mark_edge(edge: Image, to_frame: Floats, frame: Size) -> NDArray[np.int32] | None:
    """Mark, in place, the edge of a frame.

    Args:
        edge: uint8 [H, W]; pixels less than one pixel of the frame from its outermost pixels become 255.
        to_frame: [3, 3], maps centers of the pixels to points of the frame.
        frame: the frame's size.

    Returns:
        The two outlines of the edge, as OpenCV's polygons [2, 4, 2] with `_BITS` fractional bits; None if the horizon
        cuts them or they reach too far: then every pixel is marked.
    """
    height, width = frame
    outlines = np.array([_RECTANGLE * (width + 1, height + 1) - 1, _RECTANGLE * (width - 1, height - 1)])
    corners = np.concatenate([outlines.reshape(8, 2), np.ones((8, 1))], axis=1) @ np.linalg.inv(to_frame).T
    is_cut = (corners[:, 2] <= 0).any() and (corners[:, 2] >= 0).any()  # by the horizon
    points = np.zeros(1) if is_cut else corners[:, :2] / corners[:, 2:]
    if is_cut or np.abs(points).max() > _FAR:
        edge[:] = 255
        return None
    polygons: NDArray[np.int32] = np.rint(points * 2**_BITS).astype(np.int32).reshape(2, 4, 2)
    cv2.fillPoly(edge, list(polygons), 255, shift=_BITS)
    return polygons


def interpolate_at(image: Image, points: Floats, interpolation: int, border: Border) -> Image:
    """Interpolate an image at single points.

    Args:
        image: [H, W, C].
        points: float64 [2, K], x and y in pixels.
        interpolation: OpenCV's flag.
        border: what is read outside the image.

    Returns:
        [K, C].
    """
    count = points.shape[1]
    maps = np.zeros((2, -(-count // _LINE), _LINE), np.float32)  # OpenCV takes at most 32,767 rows or columns
    maps.reshape(2, -1)[:, :count] = points
    value = to_scalar(border.fill, image.shape[2])
    fetched = cv2.remap(
        image, maps[0], maps[1], warp_interpolation(interpolation), borderMode=border.mode, borderValue=value
    )
    return fetched.reshape(-1, image.shape[2])[:count]


def warp_interpolation(interpolation: int) -> int:
    """Return what a warp uses for an interpolation: some exist only in resizes."""
    return _WARP_INTERPOLATIONS.get(interpolation, interpolation)


_RECTANGLE = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
_LINE = 256
_BITS = 8  # fractional bits of polygons' coordinates
_FAR = 2**20  # pixels; coordinates beyond it do not fit into 32 bits


def to_pixels(values: "np.typing.ArrayLike", dtype: "np.typing.DTypeLike") -> Image:
    """Round and clip values to a dtype as OpenCV does."""
    if np.dtype(dtype) != np.uint8:
        return np.asarray(values, dtype)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def fill_rectangles(
    image: Image | DeferredImage, rectangles: Integers, fill: float | Sequence[float], *, is_owned: bool = False
) -> Image | DeferredImage:
    """Fill rectangles [R, 4] (left, top, right, bottom): returns a deferred or new image, or the same if it is owned.

    Raises:
        TransformError: the fill does not have one value per channel.
    """
    deferred = defer(image) if len(rectangles) <= _MAX_RECTANGLES else None
    if deferred is not None:
        value = _to_fill_value(fill, deferred, rectangles).tolist()
        pixel = cast(Pixel, tuple(value) if isinstance(value, list) else (value,) * 3)
        return deferred.add_steps([FilledRectangle(*sides, pixel) for sides in cast(list[Sides], rectangles.tolist())])
    image = materialize(image)
    image = image if is_owned else image.copy()
    fill_rectangles_in_place(image, rectangles, fill)
    return image


_MAX_RECTANGLES = 64
"""The most rectangles that are deferred: passing more to the kernels takes longer than filling them."""


def fill_rectangles_in_place(image: Image, rectangles: Integers, fill: float | Sequence[float]) -> None:
    """Fill rectangles [R, 4] (left, top, right, bottom), in place.

    Raises:
        TransformError: the fill does not have one value per channel.
    """
    value = _to_fill_value(fill, image, rectangles)
    for left, top, right, bottom in rectangles.tolist():
        image[top:bottom, left:right] = value


def _to_fill_value(fill: float | Sequence[float], image: Image | DeferredImage, rectangles: Integers) -> Image:
    value = np.array(fill, image.dtype)
    if value.ndim and len(rectangles) and len(value) != image.shape[2]:
        raise TransformError(
            f"fill has {len(value)} values, but the image has {image.shape[2]} channels: "
            "give one value, or one per channel"
        )
    return value


def allocate(size: Sequence[int], image: Image) -> Image:
    """Allocate a result for an image: [height, width, C] of its dtype, uninitialized."""
    return np.empty((*size, *image.shape[2:]), image.dtype)


def restore_channel_axis(result: "cv2.typing.MatLike", image: Image) -> Image:
    """Restore the channel axis that OpenCV drops from an image of one channel."""
    return cast(Image, result if result.ndim == image.ndim else result[..., np.newaxis])


def to_scalar(fill: float | Sequence[float], channels: int) -> Sequence[float]:
    """Return a fill as one value per channel; channels beyond its length get 0, as in OpenCV."""
    values = [float(fill)] * channels if isinstance(fill, (int, float)) else [float(value) for value in fill]
    return (values + [0.0] * channels)[:channels]


def _clamp(at: int, size: int) -> int:
    return min(max(at, 0), size)


def _find_edges(to_input: list[list[float]], size: Size) -> tuple[int, int, int, int] | None:
    """Return the input window (top, left, bottom, right) of a pure stretch; None if it is not one, or not whole."""
    (a, b, x), (c, d, y), last = to_input
    if b != 0 or c != 0 or a <= 0 or d <= 0 or last != [0, 0, 1]:
        return None
    left, top = x - a * 0.5 + 0.5, y - d * 0.5 + 0.5
    edges = (top, left, top + d * size[0], left + a * size[1])
    rows = tuple(round(edge) for edge in edges)
    if any(abs(edge - near) > 1e-6 for edge, near in zip(edges, rows, strict=True)):
        return None
    return cast(tuple[int, int, int, int], rows)
