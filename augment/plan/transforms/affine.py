"""Affine transforms: rotation, scale, shear and shift around the center."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan.lowering import (
    Border,
    Columns,
    Floats,
    Geometry,
    Integers,
    NotLoweredError,
    Steps,
    lowers,
    scale_to_integers,
    scale_uniform,
)
from augment.transform import Image


def read_border(transform: Any) -> Border:
    """Read the border of a transform."""
    return Border(transform.border_mode, transform.fill, transform.fill_mask)


def read_warp_flags(transform: Any) -> tuple[int, int]:
    """Read the interpolations of images and masks; OpenCV's warps treat INTER_AREA as INTER_LINEAR."""
    image, mask = (
        cv2.INTER_LINEAR if flag == cv2.INTER_AREA else flag
        for flag in (transform.interpolation, transform.mask_interpolation)
    )
    return image, mask


def invert_affine(forward: Floats) -> Floats:
    """Invert affine matrices [N, 3, 3] by the formula of `cv2.warpAffine`; singular ones become zero."""
    (a, b, x), (c, d, y) = forward[:, :2].transpose(1, 2, 0)
    determinant = a * d - b * c
    factor = np.divide(1, determinant, out=np.zeros_like(determinant), where=determinant != 0)
    inverse = np.zeros_like(forward)
    inverse[:, 0, 0], inverse[:, 0, 1] = d * factor, -b * factor
    inverse[:, 1, 0], inverse[:, 1, 1] = -c * factor, a * factor
    inverse[:, 0, 2] = -inverse[:, 0, 0] * x - inverse[:, 0, 1] * y
    inverse[:, 1, 2] = -inverse[:, 1, 0] * x - inverse[:, 1, 1] * y
    inverse[:, 2, 2] = 1
    return inverse


def make_rotation(angle: Floats) -> Floats:
    """Make matrices [N, 2, 2] of rotations by angles in degrees, counter-clockwise as displayed (y points down)."""
    radians = np.deg2rad(angle % 360)
    cosine, sine = np.cos(radians), np.sin(radians)
    return np.stack([cosine, sine, -sine, cosine], axis=1).reshape(-1, 2, 2)


def compose_about_center(linear: Floats, shift: Floats, height: Integers, width: Integers) -> Floats:
    """Make forward matrices [N, 3, 3] of `linear` [N, 2, 2] around the image's center, and then a shift.

    Args:
        linear: float64 [N, 2, 2].
        shift: float64 [N, 2] of (x, y), in pixels.
        height: int64 [N], of the image; one more for bounding boxes, because Albumentations rotates them around the
            center of the pixels' edges.
        width: int64 [N], of the image; one more for bounding boxes.
    """
    center = np.stack([width, height], axis=1) / 2 - 0.5
    matrices = np.zeros((len(linear), 3, 3))
    matrices[:, :2, :2] = linear
    matrices[:, :2, 2] = center + shift - np.einsum("nij,nj->ni", linear, center)
    matrices[:, 2, 2] = 1
    return matrices


def is_near_identity(forward: Floats) -> NDArray[np.bool_]:
    """Return which matrices are so near the identity that Albumentations returns the image unchanged, [N]."""
    is_identity: NDArray[np.bool_] = np.all(np.abs(forward - np.eye(3)) <= _IDENTITY_TOLERANCE, axis=(1, 2))
    return is_identity


_IDENTITY_TOLERANCE = 1e-8 + 1e-5 * np.eye(3)
"""The tolerances of `np.allclose`, which Albumentations calls."""


def make_warp(
    transform: Any, forward: Floats, height: Integers, width: Integers, out: tuple[Integers, Integers]
) -> Steps:
    """Make the step of forward matrices, into frames of `out` (heights, widths), for `cv2.warpAffine`."""
    same = is_near_identity(forward)
    to_input = np.where(same[:, None, None], np.eye(3), invert_affine(forward))
    rows, columns = np.where(same, height, out[0]), np.where(same, width, out[1])
    return Steps(to_input, rows, columns, *read_warp_flags(transform), read_border(transform))


def to_affine_params(columns: Columns, row: int) -> dict[str, Any]:
    """Return a drawn warp as the parameters of `A.Affine`."""
    x, y = columns["scale"][row].tolist()
    return {
        "matrix": columns["matrix"][row],
        "bbox_matrix": columns["bbox_matrix"][row],
        "scale": {"x": x, "y": y},
        "output_shape": (int(columns["height"][row]), int(columns["width"][row])),
    }


@lowers(A.Affine, A.ShiftScaleRotate)
class Affine(Geometry):
    """Affine and its special case ShiftScaleRotate: scale, rotate, shear and shift, in this order."""

    draws = 9

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.translate_px is not None and any(
            int(low) > int(high) for low, high in transform.translate_px.values()
        ):
            raise NotLoweredError("its translate_px is an empty range")
        if self._is_fixed() and not transform.balanced_scale:  # a balanced scale draws between the scale and 1
            self.draws = 0

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw shift, shear, scale and angle."""
        transform = self.transform
        if not self.draws:
            uniforms = np.zeros((len(height), Affine.draws))
        shear_x, shear_y = (
            np.tan(np.deg2rad(-scale_uniform(uniforms[:, column], *transform.shear[axis])))
            for column, axis in enumerate("xy", start=2)
        )
        scale = self._draw_scale(uniforms[:, 4:8])
        turn = make_rotation(scale_uniform(uniforms[:, 8], *transform.rotate))
        ones = np.ones_like(shear_x)
        shear = np.stack([ones, shear_x, shear_y, ones], axis=1).reshape(-1, 2, 2)
        linear = shear @ turn * scale[:, None, :]
        shift = self._draw_shift(uniforms[:, :2], height, width)
        forward = compose_about_center(linear, shift, height, width)
        boxes = compose_about_center(linear, shift, height + 1, width + 1)
        out = height, width
        if transform.fit_output:
            forward, out = _fit_output(forward, height, width)
            boxes, _ = _fit_output(boxes, height, width)
        drawn = {"matrix": forward, "bbox_matrix": boxes, "scale": scale, "height": out[0], "width": out[1]}
        return drawn, [make_warp(transform, forward, height, width, out)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the matrices, the scale and the size of the output."""
        return to_affine_params(columns, row)

    def _is_fixed(self) -> bool:
        """Return whether all ranges are single values, as in policies."""
        transform = self.transform
        shifts = transform.translate_px or transform.translate_percent or {}
        ranges = [
            transform.rotate,
            *(each for axes in (shifts, transform.shear, transform.scale) for each in axes.values()),
        ]
        return all(low == high for low, high in ranges)

    def _draw_shift(self, uniforms: Floats, height: Integers, width: Integers) -> Floats:
        pixels, fractions = self.transform.translate_px, self.transform.translate_percent
        if pixels is not None:
            sides = [scale_to_integers(uniforms[:, at], *map(int, pixels[axis])) for at, axis in enumerate("xy")]
            return np.stack(sides, axis=1).astype(np.float64)
        if fractions is None:  # pragma: no cover  # Albumentations sets translate_px to 0 then
            return np.zeros_like(uniforms)
        shift = np.stack([scale_uniform(uniforms[:, at], *fractions[axis]) for at, axis in enumerate("xy")], axis=1)
        return np.trunc(shift * np.stack([width, height], axis=1))

    def _draw_scale(self, uniforms: Floats) -> Floats:
        """Draw the scales [N, 2] along x and y, from [N, 4]: two columns choose to shrink or enlarge."""
        scales = []
        for at, axis in enumerate("xy"):
            low, high = self.transform.scale[axis]
            drawn = uniforms[:, 2 + at]
            if self.transform.balanced_scale:
                # The ranges below and above 1 are equally likely, however wide they are.
                enlarges = (uniforms[:, at] < 0.5) & (high > 1) if low < 1 else np.full(len(drawn), high > 1)
                shrinks = ~enlarges & (low < 1)
                scales.append(scale_uniform(drawn, np.where(shrinks, low, 1), np.where(enlarges, high, 1)))
            else:
                scales.append(scale_uniform(drawn, low, high))
        return np.stack([scales[0], scales[0]] if self.transform.keep_ratio else scales, axis=1)


def _fit_output(forward: Floats, height: Integers, width: Integers) -> tuple[Floats, tuple[Integers, Integers]]:
    """Shift matrices, and choose (heights, widths), so that the whole image shows.

    As `compute_affine_warp_output_shape` of `albumentations.augmentations.geometric.functional`.
    """
    zero = np.zeros_like(height)
    corners = np.stack([np.stack([zero, width, width, zero], 1), np.stack([zero, zero, height, height], 1)], axis=1)
    moved = forward[:, :2, :2] @ corners + forward[:, :2, 2:]  # [N, 2, 4]
    first, last = np.floor(moved.min(axis=2)), np.ceil(moved.max(axis=2))
    shifted = forward.copy()
    shifted[:, :2, 2] -= first
    size = (last - first).astype(np.int64) + 1
    return shifted, (size[:, 1], size[:, 0])
