"""Rotations around the center."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment.plan.lowering import Columns, Floats, Geometry, Integers, Steps, lowers, make_translation, scale_uniform
from augment.plan.transforms.affine import compose_about_center, make_rotation, make_warp, to_affine_params
from augment.transform import Image


@lowers(A.Rotate)
class Rotate(Geometry):
    """A rotation in the image's frame, or in the largest window of it that shows no border."""

    draws = 1

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the angle; the window of `crop_border` is a separate step, so that the warp equals the original's."""
        angle = scale_uniform(uniforms[:, 0], *self.transform.limit)
        forward = compose_about_center(make_rotation(angle), np.zeros((len(angle), 2)), height, width)
        steps = [make_warp(self.transform, forward, height, width, (height, width))]
        boxes = compose_about_center(make_rotation(angle), np.zeros((len(angle), 2)), height + 1, width + 1)
        drawn: dict[str, Any] = {"matrix": forward, "bbox_matrix": boxes}
        if self.transform.crop_border:
            top, left, bottom, right = _find_inscribed(angle, height, width)
            drawn |= {"y_min": top, "x_min": left, "y_max": bottom, "x_max": right}
            window = make_translation(left, top)
            window[(bottom <= top) | (right <= left)] = np.nan
            steps.append(Steps(window, bottom - top, right - left))
        return drawn, steps

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the matrices and the window (-1 if there is none)."""
        sides = {
            name: int(columns[name][row]) if name in columns else -1 for name in ("x_min", "x_max", "y_min", "y_max")
        }
        return {"matrix": columns["matrix"][row], "bbox_matrix": columns["bbox_matrix"][row], **sides}


@lowers(A.SafeRotate)
class SafeRotate(Geometry):
    """A rotation scaled to fit the image's frame, so that all of it shows."""

    draws = 1

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the angle."""
        turn = make_rotation(scale_uniform(uniforms[:, 0], *self.transform.limit))
        cosine, sine = np.abs(turn[:, 0, 0]), np.abs(turn[:, 0, 1])
        safe = np.trunc(np.stack([height * sine + width * cosine, height * cosine + width * sine], axis=1))  # [N, 2]
        size = np.stack([width, height], axis=1)
        scale = size / safe
        forward = compose_about_center(turn, (safe - size + 1) / 2, height, width)
        boxes = compose_about_center(turn, (safe - size) / 2, height + 1, width + 1)
        for matrices in (forward, boxes):
            matrices[:, :2] *= scale[:, :, None]
        drawn = {"matrix": forward, "bbox_matrix": boxes, "scale": scale, "height": height, "width": width}
        return drawn, [make_warp(self.transform, forward, height, width, (height, width))]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the matrices, the scale and the size of the output."""
        return to_affine_params(columns, row)


def _find_inscribed(angle: Floats, height: Integers, width: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    """Find the largest upright rectangle (top, left, bottom, right) inside a frame rotated around its center.

    The derivation: https://stackoverflow.com/questions/16702966. Its corners are rounded as in `A.Rotate`.

    Args:
        angle: float64 [N], in degrees.
        height: int64 [N], of the frame.
        width: int64 [N], of the frame.
    """
    sine, cosine = np.abs(np.sin(np.deg2rad(angle))), np.abs(np.cos(np.deg2rad(angle)))
    long, short = np.maximum(height, width), np.minimum(height, width)
    is_half = (short <= 2 * sine * cosine * long) | (np.abs(sine - cosine) < 1e-10)
    # Either two corners touch the long sides, or all four corners touch a side.
    with np.errstate(divide="ignore", invalid="ignore"):
        by_sine, by_cosine = short / 2 / sine, short / 2 / cosine
        across = np.where(width >= height, by_sine, by_cosine)
        down = np.where(width >= height, by_cosine, by_sine)
        double = cosine * cosine - sine * sine
        across = np.where(is_half, across, (width * cosine - height * sine) / double)
        down = np.where(is_half, down, (height * cosine - width * sine) / double)
    left, right = np.maximum(np.trunc(width / 2 - across / 2), 0), np.minimum(np.trunc(width / 2 + across / 2), width)
    top, bottom = np.maximum(np.trunc(height / 2 - down / 2), 0), np.minimum(np.trunc(height / 2 + down / 2), height)
    return top.astype(np.int64), left.astype(np.int64), bottom.astype(np.int64), right.astype(np.int64)
