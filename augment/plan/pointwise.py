"""Runs point-wise operations in as few passes over the pixels as possible.

Neighboring lookup tables become one. Operations of the compiled kernels are deferred; the others run one by one.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import cast

import numpy as np

from augment.plan import channels, colors, luts
from augment.plan.compiled import KernelStep
from augment.plan.deferred import DeferredImage, defer, materialize
from augment.plan.lowering import ColorMatrix, Contrast, Function, ImageLut, Lut, Operation, Saturation, ShiftHsv
from augment.transform import Image


def run(
    image: Image | DeferredImage, operations: Sequence[Operation], *, is_owned: bool = False
) -> Image | DeferredImage:
    """Apply point-wise operations.

    Args:
        image: uint8 [H, W, C].
        operations: in order.
        is_owned: whether the image may be written to, because nobody else has it.

    Returns:
        [H, W, C'] of the dtype of the last LUT: a deferred or new image, or the given one if there is no operation or
        it is owned.
    """
    for is_compiled, group in groupby(_merge_luts(operations), _is_compiled):
        members = list(group)
        deferred = defer(image) if is_compiled else None
        if deferred is not None:
            image = deferred.add_steps(cast(Sequence[KernelStep], members))
        else:
            image = _run_one_by_one(materialize(image), members, is_owned=is_owned or isinstance(image, DeferredImage))
        is_owned = True
    return image


def _is_compiled(operation: Operation) -> bool:
    """Return whether the compiled kernels run an operation."""
    if isinstance(operation, np.ndarray):
        return operation.dtype == np.uint8
    return isinstance(operation, (Contrast, Saturation, ShiftHsv))


def _merge_luts(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Merge neighboring LUTs into one."""
    lut: Lut | None = None
    for operation in operations:
        if isinstance(operation, np.ndarray):
            lut = operation if lut is None else _compose_luts(lut, operation)
            continue
        if lut is not None:
            yield lut
            lut = None
        yield operation
    if lut is not None:
        yield lut


def _run_one_by_one(image: Image, operations: Sequence[Operation], *, is_owned: bool) -> Image:
    for operation in operations:
        if isinstance(operation, (np.ndarray, ImageLut, Contrast)):
            image = luts.apply_lut(image, _to_lut(image, operation), is_owned=is_owned)
        else:
            image = _apply_operation(image, operation)
        is_owned = True
    return image


def _to_lut(image: Image, operation: Lut | ImageLut | Contrast) -> Lut:
    """Return the LUT of an operation, which may depend on the whole image."""
    if isinstance(operation, Contrast):
        return colors.make_contrast_lut(image, operation.factor)
    return operation.make(image) if isinstance(operation, ImageLut) else operation


def _apply_operation(image: Image, operation: ColorMatrix | Saturation | ShiftHsv | Function) -> Image:
    """Run an operation that is not a LUT; returns a new image."""
    if isinstance(operation, Saturation):
        return colors.adjust_saturation(image, operation.factor)
    if isinstance(operation, ShiftHsv):
        return colors.shift_hsv(image, operation)
    if isinstance(operation, ColorMatrix):
        return channels.mix_channels(image, operation.matrix)
    return operation(image)


def _compose_luts(first: Lut, second: Lut) -> Lut:
    per_channel = first.ndim == 2 == second.ndim
    composed_lut: Lut = second[first, np.arange(second.shape[1])] if per_channel else second[first]
    return composed_lut
