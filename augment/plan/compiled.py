"""The compiled kernels (`augment/plan/c/`): one call runs all steps of many images.

OpenCV takes one to six calls per step, and each waits for the GIL. The compiled kernels are used only if they reproduce
OpenCV's pixels bit for bit. Each process checks this once, because OpenCV's arithmetic differs between versions and
processors. So they change only the time. `CAUDAL_COMPILED=0` in the environment turns them off.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np

from augment.plan import colors, luts
from augment.plan.encoded import EncodedImage
from augment.plan.lowering import Contrast, Floats, Lut, Saturation, ShiftHsv
from augment.plan.native import import_native, is_turned_off
from augment.transform import Image

logger = logging.getLogger(__name__)

Pixel = tuple[int, int, int]


class AffineWarp(NamedTuple):
    """A bilinear warp: `cv2.warpAffine` with INTER_LINEAR and WARP_INVERSE_MAP.

    Attributes:
        to_input: float64 [2, 3], contiguous.
        border: one of `BORDERS`.
        fill: the pixel outside the source, if the border is constant.
    """

    to_input: Floats
    border: int
    fill: Pixel


class BilinearResize(NamedTuple):
    """A resize: `cv2.resize` with INTER_LINEAR, and then flips.

    Attributes:
        is_mirrored: whether left and right are exchanged.
        is_upside_down: whether top and bottom are exchanged.
    """

    is_mirrored: bool = False
    is_upside_down: bool = False


class FilledRectangle(NamedTuple):
    """A rectangle to fill, in pixels; the right and the bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int
    fill: Pixel


KernelStep = Lut | Contrast | Saturation | ShiftHsv | FilledRectangle | BilinearResize | AffineWarp
"""A step of the kernels; a lookup table is uint8 [256], or [256, 3] with one per channel."""

Work = tuple[Image | EncodedImage, Image, Sequence[KernelStep]]
"""A source image, a target image, and the steps between.

Only the first step may be a warp or resize. The source is uint8 [H, W, 3] with contiguous rows, or an encoded image of
three channels; the target is contiguous, and of the same size unless there is a warp or resize.
"""

BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_REFLECT_101)
"""The border modes of a warp."""

MAX_SIDE = 32_000
"""The sides of an image, and the coordinates that a warp reads, are less than this, in pixels."""

_HSV_VECTOR_PIXELS = (64, 32)
"""The number of pixels that OpenCV converts from HSV at once, with AVX-512 and AVX2. It rounds the rest differently."""

_FMA3 = 12
"""OpenCV's number (`CV_CPU_FMA3`) of FMA3: with it OpenCV's float arithmetic equals that of the kernels."""


def load_kernels() -> "Kernels | None":
    """Return the compiled kernels; None if they are missing, turned off or not exact.

    The first call decides: neither the environment nor `cv2.setUseOptimized` changes it later.
    """
    return _find()[0]


def status() -> str:
    """Return a sentence that says whether the compiled kernels are in use, and if not, why."""
    reason = _find()[1]
    return f"compiled kernels: not in use ({reason}); OpenCV replaces them" if reason else "compiled kernels: in use"


@lru_cache(1)
def _find() -> "tuple[Kernels | None, str]":
    """Return the kernels, or None and why they are not used; warn unless the user turned them off."""
    kernels, reason = _try_out()
    if reason and not is_turned_off():
        logger.warning(
            "the compiled kernels are not in use (%s): augmentation takes two to three times as long", reason
        )
    return kernels, reason


def _try_out() -> "tuple[Kernels | None, str]":
    """Return kernels that reproduce OpenCV's pixels, or None and what is wrong."""
    module, reason = import_native()
    if module is None:
        return None, reason
    if not cv2.checkHardwareSupport(_FMA3):
        return None, "this processor has no FMA3, or OpenCV does not use it"
    for vector_pixels in _HSV_VECTOR_PIXELS:
        run = Kernels(module, vector_pixels)
        if all(run.reproduces(expected, source, step) for source, step, expected in _iter_trials()):
            return run, ""
    return (
        None,
        f"they do not reproduce the pixels of OpenCV {cv2.__version__} bit for bit; they need OpenCV 4.12 to 4.x",
    )


class Kernels:
    """The compiled kernels; calling them runs works, in order and without the GIL.

    Args:
        module: the native module.
        vector_pixels: the number of pixels that OpenCV converts from HSV at once.
    """

    def __init__(self, module: Any, vector_pixels: int) -> None:
        self._run = module.run
        self._kinds: dict[type, int] = {
            Contrast: module.CONTRAST,
            Saturation: module.SATURATION,
            ShiftHsv: module.SHIFT_HSV,
            FilledRectangle: module.FILL,
            BilinearResize: module.RESIZE,
            AffineWarp: module.WARP,
        }
        self._vector_pixels = vector_pixels

    def __call__(self, works: Sequence[Work]) -> list[tuple[bool, str] | None] | None:
        """Run works.

        Returns:
            For each work (decoded?, message), if its source was encoded and there was an error or a warning, else None;
            or None for all.
        """
        return self._run(  # type: ignore[no-any-return]
            [
                (
                    source.to_request() if isinstance(source, EncodedImage) else source,
                    image,
                    [self._encode_step(step) for step in steps],
                )
                for source, image, steps in works
            ]
        )

    def reproduces(self, expected: Image, source: Image, step: KernelStep) -> bool:
        """Return whether a step turns a source into the expected pixels."""
        target = np.empty_like(expected)
        self([(source, target, [step])])
        return np.array_equal(target, expected)

    def _encode_step(self, step: Any) -> Any:
        """Encode a step for the native module."""
        kind = type(step)
        if kind is np.ndarray:
            return np.ascontiguousarray(step.T)  # one channel after the other
        if kind is AffineWarp:
            return self._kinds[kind], step.to_input, step.border, bytes(step.fill)
        if kind is FilledRectangle:
            return self._kinds[kind], *step[:4], bytes(step.fill)
        if kind is ShiftHsv:
            return self._kinds[kind], *step, self._vector_pixels
        return self._kinds[kind], *step


def _iter_trials() -> Iterator[tuple[Image, KernelStep, Image]]:
    """Yield source images, steps, and OpenCV's results."""
    levels = np.arange(0, 256, 25, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    for width in (64, 224, 61):  # rows that are whole vectors for OpenCV, and rows with a remainder
        image = np.resize(cube, (-(-len(cube) // width), width, 3))
        for factor in (0.0, 0.7, 1.3):
            yield image, Contrast(factor), luts.apply_lut(image, colors.make_contrast_lut(image, factor))
            yield image, Saturation(factor), colors.adjust_saturation(image, factor)
        for shift in (ShiftHsv(17), ShiftHsv(171, -40, 20), ShiftHsv(90, 60)):
            yield image, shift, colors.shift_hsv(image, shift)
    window = np.tile(image, (3, 10, 1))[2:, 5:]
    for source, size in (
        (image, (37, 20)),
        (image, (300, 90)),
        (window, (530, 60)),
        (window, (70, 15)),
        (image[:20, :60], (30, 10)),
    ):
        yield source, BilinearResize(), np.asarray(cv2.resize(source, size), np.uint8)
    matrix, fill = np.array([[0.9, -0.31, 11.7], [0.29, 1.2, -20.3]]), (3, 200, 90)
    for border in BORDERS:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(image, matrix, (70, 60), flags=flags, borderMode=border, borderValue=fill)
        yield image, AffineWarp(matrix, border, fill), np.asarray(warped, np.uint8)
