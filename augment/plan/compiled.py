"""The compiled kernels (`augment/plan/c/`), where there are any: all that is to be done to some images in one call.

OpenCV takes one to six calls for each step, and Python's lock is waited for at each. They are used only where they
give what OpenCV gives, bit for bit, which is tried out once in each process: OpenCV's arithmetic is another in other
versions and on other processors. So they change nothing but the time. `CAUDAL_COMPILED=0` in the environment leaves
them out.
"""

import importlib
import logging
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np

from augment.plan import colors
from augment.plan.lowering import Contrast, Floats, Lut, Saturation, ShiftHsv
from augment.transform import Image

logger = logging.getLogger(__name__)

Pixel = tuple[int, int, int]


class AffineWarp(NamedTuple):
    """Every pixel mixed of the four around its place: `cv2.warpAffine` with INTER_LINEAR and WARP_INVERSE_MAP.

    Attributes:
        to_input: float64 [2, 3], contiguous.
        border: one of `BORDERS`.
        fill: what stands outside, where the border is constant.
    """

    to_input: Floats
    border: int
    fill: Pixel


class BilinearResize(NamedTuple):
    """A stretch to another size: `cv2.resize` with INTER_LINEAR, and then, where asked for, flips.

    Attributes:
        is_mirrored: whether left and right are exchanged.
        is_upside_down: whether top and bottom are.
    """

    is_mirrored: bool = False
    is_upside_down: bool = False


class FilledRectangle(NamedTuple):
    """A rectangle that is covered, in pixels; the right and the bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int
    fill: Pixel


KernelStep = Lut | Contrast | Saturation | ShiftHsv | FilledRectangle | BilinearResize | AffineWarp
"""What the kernels do: a table is uint8 [256], or [256, 3] for each channel."""

Work = tuple[Image, Image, Sequence[KernelStep]]
"""Where the pixels of an image come from, where they are written, and the steps between.

Only the first step may be a warp or resize. The first image is uint8 [H, W, 3] with contiguous rows; the second is
contiguous, and of the same size unless there is a warp or resize.
"""

BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_REFLECT_101)
"""The modes of a warp."""

MAX_SIDE = 32_000
"""Pixels: the sides of an image, and the places that a warp looks for, are less than this."""

_TOGETHER = (64, 32)
"""Pixels that OpenCV converts from HSV at once, with AVX-512 and AVX2. It rounds the others in another way."""

_FMA3 = 12
"""OpenCV's number (`CV_CPU_FMA3`) of what makes its float arithmetic that of the kernels."""


def load_kernels() -> "Kernels | None":
    """Return what does some works, in order and without the GIL; None where it is not there, or not exact.

    What is found at the first call stays: neither the environment nor `cv2.setUseOptimized` changes it later.
    """
    return _find()[0]


def status() -> str:
    """Say whether the compiled kernels are in use, and if they are not, why."""
    reason = _find()[1]
    return f"compiled kernels: not in use ({reason}); OpenCV does their work" if reason else "compiled kernels: in use"


@lru_cache(1)
def _find() -> "tuple[Kernels | None, str]":
    """Return the kernels, or None and why they are not used; warn where nobody asked for that."""
    if os.environ.get("CAUDAL_COMPILED") == "0":
        return None, "CAUDAL_COMPILED=0"
    kernels, reason = _try_out()
    if reason:
        logger.warning(
            "the compiled kernels are not in use (%s): augmentation takes two to three times as long", reason
        )
    return kernels, reason


def _try_out() -> "tuple[Kernels | None, str]":
    """Return kernels that reproduce OpenCV's pixels, or None and what is wrong."""
    if not cv2.checkHardwareSupport(_FMA3):
        return None, "this processor has no FMA3, or OpenCV does not use it"
    try:
        module = importlib.import_module("augment.plan._kernels")
    except ImportError as error:
        return None, f"they cannot be imported: {error}; they need a C compiler at installation"
    for together in _TOGETHER:
        run = Kernels(module, together)
        trials = (one for one in _iter_trials() if run.picks_bytes or not isinstance(one[1], BilinearResize))
        if all(run.reproduces(expected, source, step) for source, step, expected in trials):
            return run, ""
    return (
        None,
        f"they do not reproduce the pixels of OpenCV {cv2.__version__} bit for bit; they need OpenCV 4.12 to 4.x",
    )


class Kernels:
    """The kernels.

    Args:
        module: the compiled one.
        together: how many pixels OpenCV converts from HSV at once.

    Attributes:
        picks_bytes: whether the processor can pick bytes out of two vectors at once, which resizes need.
    """

    def __init__(self, module: Any, together: int) -> None:
        self._run = module.run
        self.picks_bytes: bool = module.has_vbmi()
        self._kinds: dict[type, int] = {
            Contrast: module.CONTRAST,
            Saturation: module.SATURATION,
            ShiftHsv: module.SHIFT_HSV,
            FilledRectangle: module.COVER,
            BilinearResize: module.RESIZE,
            AffineWarp: module.WARP,
        }
        self._together = together

    def __call__(self, works: Sequence[Work]) -> None:
        """Do works."""
        self._run([(source, image, [self._encode_step(step) for step in steps]) for source, image, steps in works])

    def reproduces(self, expected: Image, source: Image, step: KernelStep) -> bool:
        """Tell whether a step makes of a source what is expected."""
        made = np.empty_like(expected)
        self([(source, made, [step])])
        return np.array_equal(made, expected)

    def _encode_step(self, step: Any) -> Any:
        """Write a step as the module reads it."""
        kind = type(step)
        if kind is np.ndarray:
            return np.ascontiguousarray(step.T)  # one channel after the other
        if kind is AffineWarp:
            return self._kinds[kind], step.to_input, step.border, bytes(step.fill)
        if kind is FilledRectangle:
            return self._kinds[kind], *step[:4], bytes(step.fill)
        if kind is ShiftHsv:
            return self._kinds[kind], *step, self._together
        return self._kinds[kind], *step


def _iter_trials() -> Iterator[tuple[Image, KernelStep, Image]]:
    """Give images, steps, and what OpenCV makes of one by the other."""
    levels = np.arange(0, 256, 25, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    for width in (64, 224, 61):  # OpenCV takes rows in whole vectors, or with a rest
        image = np.resize(cube, (-(-len(cube) // width), width, 3))
        for factor in (0.0, 0.7, 1.3):
            yield image, Contrast(factor), colors.apply_lut(image, colors.make_contrast_lut(image, factor))
            yield image, Saturation(factor), colors.adjust_saturation(image, factor)
        for shift in (ShiftHsv(17), ShiftHsv(171, -40, 20), ShiftHsv(90, 60)):
            yield image, shift, colors.shift_hsv(image, shift)
    window = np.tile(image, (3, 10, 1))[2:, 5:]
    for source, size in ((image, (37, 20)), (image, (300, 90)), (window, (530, 60))):
        yield source, BilinearResize(), np.asarray(cv2.resize(source, size), np.uint8)
    matrix, fill = np.array([[0.9, -0.31, 11.7], [0.29, 1.2, -20.3]]), (3, 200, 90)
    for border in BORDERS:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(image, matrix, (70, 60), flags=flags, borderMode=border, borderValue=fill)
        yield image, AffineWarp(matrix, border, fill), np.asarray(warped, np.uint8)
