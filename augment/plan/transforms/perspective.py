"""Perspective: the image seen from another point."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment.plan.lowering import Border, Columns, Floats, Geometry, Integers, Steps, lowers, scale_uniform
from augment.plan.transforms.affine import read_warp_flags
from augment.transform import Image


@lowers(A.Perspective)
class Perspective(Geometry):
    """Four points near the corners become the corners."""

    draws = 9

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the distances of the points from the corners."""
        transform = self.transform
        jitter = np.abs(_to_normal(uniforms[:, 1:]) * scale_uniform(uniforms[:, 0], *transform.scale)[:, None])
        points = _order_points(_place_points(jitter.reshape(-1, 4, 2) % 0.32, height, width))
        sides = np.sqrt(((points - np.roll(points, -1, axis=1)) ** 2).sum(axis=2, dtype=np.float32))  # [N, 4]
        columns, rows = np.maximum(sides[:, 0], sides[:, 2]), np.maximum(sides[:, 1], sides[:, 3])
        columns, rows = columns.astype(np.int64), rows.astype(np.int64)
        to_input = _make_homographies(points.astype(np.float64), height, width)
        forward = _invert(to_input)
        forward /= forward[:, 2:, 2:]
        if transform.fit_output:
            forward, rows, columns = _fit_output(forward, height, width)
        drawn = {"matrix": forward, "max_height": rows, "max_width": columns}
        if transform.keep_size:
            with np.errstate(divide="ignore", invalid="ignore"):  # sides below a pixel, which the original handles
                forward = forward * np.stack([width / columns, height / rows, np.ones(len(rows))], axis=1)[:, :, None]
            rows, columns = height, width
        with np.errstate(invalid="ignore"):
            inverse = _invert(forward)
        # Albumentations moves points of sides below two pixels apart; the original handles such images.
        inverse[(sides < 2).any(axis=1)] = np.nan
        border = Border(transform.border_mode, _to_scalar(transform.fill), _to_scalar(transform.fill_mask))
        return drawn, [Steps(inverse, rows, columns, *read_warp_flags(transform), border)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the matrix and the size of the output."""
        matrix, sizes = columns["matrix"][row], {name: int(columns[name][row]) for name in ("max_height", "max_width")}
        return {"matrix": matrix, "matrix_bbox": matrix, **sizes}


def _to_scalar(fill: Any) -> Any:
    """Return a fill as `cv2.warpPerspective` reads it: a single number is for the first channel, the others get 0."""
    return (float(fill), 0.0, 0.0, 0.0) if isinstance(fill, (int, float)) else fill


def _to_normal(uniforms: Floats) -> Floats:
    """Turn uniform numbers [N, 2 * K] into normal ones (Box and Muller 1958)."""
    half = uniforms.shape[1] // 2
    radius, angle = np.sqrt(-2 * np.log1p(-uniforms[:, :half])), 2 * np.pi * uniforms[:, half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _place_points(jitter: Floats, height: Integers, width: Integers) -> Floats:
    """Place points [N, 4, 2] of (x, y): clockwise from the top left corner, `jitter` of the sides away from each."""
    points = np.abs(np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) - jitter)
    return points * np.stack([width, height], axis=1)[:, None, :]


def _order_points(points: Floats) -> Any:
    """Sort points [N, 4, 2] as `albumentations.augmentations.geometric.functional.order_points`, to float32.

    The two leftmost are the left ones; the upper one of each pair is the top one. Clockwise from the top left.
    """
    points = np.take_along_axis(points, np.argsort(points[:, :, :1], axis=1, kind="stable"), axis=1)
    left, right = points[:, :2], points[:, 2:]
    left = np.where((left[:, :1, 1:] < left[:, 1:, 1:]), left, left[:, ::-1])  # top, bottom
    right = np.where((right[:, :1, 1:] < right[:, 1:, 1:]), right, right[:, ::-1])
    return np.concatenate([left[:, :1], right, left[:, 1:]], axis=1).astype(np.float32)


def _make_homographies(corners: Floats, height: Integers, width: Integers) -> Floats:
    """Make the homographies [N, 3, 3] from the rectangle (0, 0) to (width, height) to quadrilaterals.

    The formula: Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3.

    Args:
        corners: float64 [N, 4, 2], clockwise from the top left.
        height: int64 [N], of the rectangle.
        width: int64 [N], of the rectangle.
    """
    first, second, third, fourth = corners.transpose(1, 0, 2)
    excess = first - second + third - fourth
    one, two = second - third, fourth - third
    determinant = one[:, 0] * two[:, 1] - two[:, 0] * one[:, 1]
    g = (excess[:, 0] * two[:, 1] - two[:, 0] * excess[:, 1]) / determinant
    h = (one[:, 0] * excess[:, 1] - excess[:, 0] * one[:, 1]) / determinant
    matrices = np.ones((len(corners), 3, 3))
    matrices[:, :2, 0] = second - first + g[:, None] * second
    matrices[:, :2, 1] = fourth - first + h[:, None] * fourth
    matrices[:, :2, 2] = first
    matrices[:, 2, 0], matrices[:, 2, 1] = g, h
    return matrices / np.stack([width, height, np.ones_like(width)], axis=1)[:, None, :]


def _invert(matrices: Floats) -> Floats:
    """Invert homographies [N, 3, 3] by the formula of `cv2.invert`; singular ones become NaN."""
    first, second, third = matrices.transpose(1, 0, 2)
    across = np.cross(second, third)
    adjugate = np.stack([across, np.cross(third, first), np.cross(first, second)], axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(adjugate * (1 / (first * across).sum(axis=1))[:, None, None])


def _fit_output(forward: Floats, height: Integers, width: Integers) -> tuple[Floats, Integers, Integers]:
    """Shift and round the image's outline so that all of it shows: (matrices, heights, widths).

    As `albumentations.augmentations.geometric.functional.expand_transform`, in float32 as there.
    """
    zero = np.zeros_like(height)
    corners = np.stack([np.stack([zero, width, width, zero], 1), np.stack([zero, zero, height, height], 1)], axis=1)
    points = forward[:, :, :2] @ corners + forward[:, :, 2:]
    outline = (points[:, :2] / points[:, 2:]).transpose(0, 2, 1).astype(np.float32)  # [N, 4, 2]
    outline = np.rint(outline - outline.min(axis=1, keepdims=True))
    size = outline.max(axis=1).astype(np.int64)
    return _make_homographies(outline.astype(np.float64), height, width), size[:, 1], size[:, 0]
