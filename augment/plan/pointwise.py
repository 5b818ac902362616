"""Running point-wise operations: as few passes over the pixels as they can be done in.

Neighbouring tables become one. What the compiled kernels do is left to them; the rest is done one by one.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import cast

import numpy as np

from augment.plan import colours
from augment.plan.compiled import Step
from augment.plan.draft import Draft, draft, finished
from augment.plan.lowered import Contrast, Function, MatrixOf, Operation, Saturation, ShiftHsv, Table, TableOf
from augment.transform import Image


def run(image: Image | Draft, operations: Sequence[Operation], *, owned: bool = False) -> Image | Draft:
    """Apply point-wise operations.

    Args:
        image: uint8 [H, W, C].
        operations: in order.
        owned: whether the image may be written to, since nobody else has it.

    Returns:
        The image [H, W, C'], of the dtype of the last table: a draft, a new one, or the one that was given where there
        is no operation, or where it is owned.
    """
    for is_known, group in groupby(_joined(operations), _is_known):
        members = list(group)
        begun = draft(image) if is_known else None
        if begun is not None:
            image = begun.then(cast(Sequence[Step], members))
        else:
            image = _one_by_one(finished(image), members, owned=owned or isinstance(image, Draft))
        owned = True
    return image


def _is_known(operation: Operation) -> bool:
    """Tell whether the compiled kernels do an operation."""
    if isinstance(operation, np.ndarray):
        return operation.dtype == np.uint8
    return isinstance(operation, (Contrast, Saturation, ShiftHsv))


def _joined(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Make one table of neighbouring ones."""
    table: Table | None = None
    for operation in operations:
        if isinstance(operation, np.ndarray):
            table = operation if table is None else _composed(table, operation)
            continue
        if table is not None:
            yield table
            table = None
        yield operation
    if table is not None:
        yield table


def _one_by_one(image: Image, operations: Sequence[Operation], *, owned: bool) -> Image:
    for operation in operations:
        if isinstance(operation, (np.ndarray, TableOf, Contrast)):
            image = colours.look_up(image, _table(image, operation), owned=owned)
        else:
            image = _done(image, operation)
        owned = True
    return image


def _table(image: Image, operation: Table | TableOf | Contrast) -> Table:
    """Give a table, which may depend on the whole image."""
    if isinstance(operation, Contrast):
        return colours.contrast_table(image, operation.factor)
    return operation.make(image) if isinstance(operation, TableOf) else operation


def _done(image: Image, operation: MatrixOf | Saturation | ShiftHsv | Function) -> Image:
    """Do what is no table: a new image."""
    if isinstance(operation, Saturation):
        return colours.blended_with_grey(image, operation.factor)
    if isinstance(operation, ShiftHsv):
        return colours.shifted_in_hsv(image, operation)
    if isinstance(operation, MatrixOf):
        return colours.mixed(image, operation.matrix)
    return operation(image)


def _composed(first: Table, second: Table) -> Table:
    per_channel = first.ndim == 2 == second.ndim
    composed: Table = second[first, np.arange(second.shape[1])] if per_channel else second[first]
    return composed
