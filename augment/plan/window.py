"""The window of an image that a sample needs: a decoder can skip the rest."""

from typing import NamedTuple

import numpy as np

from augment.plan import geometry, kernels


class Window(NamedTuple):
    """The part of an image that a plan needs, and the resolution that it needs.

    Attributes:
        top: first row of the part, in pixels of the whole image.
        left: first column.
        height: number of rows.
        width: number of columns.
        finest: pixels of the image per pixel of the result, where the result is finest. If this is at least 2, 4 or 8,
            an image decoded at 1/2, 1/4 or 1/8 of its size has enough detail.
    """

    top: int
    left: int
    height: int
    width: int
    finest: float

    @property
    def ratio(self) -> int:
        """The largest of the JPEG decoder's divisors (1, 2, 4, 8) that keeps enough detail."""
        finest = self.finest
        return 8 if finest >= 8 else 4 if finest >= 4 else 2 if finest >= 2 else 1

    def scale(self, ratio: int) -> tuple[int, int, int, int]:
        """Return the window (top, left, height, width) of the image at 1/ratio of its size that contains this one."""
        top, left = self.top // ratio, self.left // ratio
        return top, left, -(-(self.top + self.height) // ratio) - top, -(-(self.left + self.width) // ratio) - left


def find_window(steps: list[geometry.GeometryStep], size: kernels.Size) -> Window | None:
    """Find the window of an image that a sample's first steps keep.

    Args:
        steps: the geometric steps at the beginning of the pipeline.
        size: (height, width) of the image.

    Returns:
        The window; None if the whole image is needed at full size.
    """
    part, cropped = geometry.find_prefix_window(steps, size)
    window = Window(*part, geometry.compute_finest_scale(steps[cropped:]))
    is_whole = part == (0, 0, *size) and window.ratio == 1
    return None if is_whole else window


def skip_decoded(window: Window, steps: list[geometry.GeometryStep], size: kernels.Size) -> list[geometry.GeometryStep]:
    """Return the steps that remain after only a window of the image was decoded, at 1/`window.ratio`.

    Args:
        window: the decoded window.
        steps: the steps of the whole image.
        size: (height, width) of the whole image.
    """
    (top, left, height, width), cropped = geometry.find_prefix_window(steps, size)
    ratio, steps = window.ratio, steps[cropped:]
    if ratio == 1:
        return steps
    decoded_top, decoded_left, *_ = window.scale(ratio)
    shift = [(start + 0.5) / ratio - 0.5 - decoded for start, decoded in ((left, decoded_left), (top, decoded_top))]
    to_input = np.array([[1 / ratio, 0, shift[0]], [0, 1 / ratio, shift[1]], [0, 0, 1]])
    sampling = next(step for step in steps if not step.is_exact)
    return [sampling._replace(to_input=to_input, size=(height, width), is_inside=True, is_whole=True), *steps]
