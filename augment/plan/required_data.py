"""Finds the transforms of a composition that need more than an image: boxes, masks or data of their own."""

from collections.abc import Collection, Iterator
from typing import Any


def iter_missing(transform: Any, available: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield each transform that cannot run with the available targets: its name, and what it needs.

    Transforms declare what they need by Albumentations' `targets_as_params`. Those of its own that do not are known by
    name. A transform of p=0 never runs and needs nothing.

    Args:
        transform: a transform or composition.
        available: the names of the targets that are passed with each image, "image" included.
    """
    import albumentations as A  # noqa: N812  # its users know it by this name

    if isinstance(transform, A.BaseCompose):
        never_runs = transform.p <= 0 and not isinstance(transform, A.OneOrOther)  # which runs one of two in any case
        for child in () if never_runs else transform.transforms:
            yield from iter_missing(child, available)
    elif transform.p > 0:
        missing = [name for name in _list_needed(transform, available) if name not in available]
        if missing:
            yield type(transform).__name__, " and ".join(map(repr, missing))


def _list_needed(transform: Any, available: Collection[str]) -> list[str]:
    import albumentations as A  # noqa: N812  # its users know it by this name

    needed = list(transform.targets_as_params)
    if isinstance(transform, A.BBoxSafeRandomCrop):
        needed.append("bboxes")
    elif isinstance(transform, A.CropNonEmptyMaskIfExists):
        needed.append("masks" if "masks" in available else "mask")
    elif isinstance(transform, A.ConstrainedCoarseDropout):  # without what it names it does nothing
        choices = {"mask": transform.mask_indices, "bboxes": transform.bbox_labels}
        named = [name for name, value in choices.items() if value is not None]
        needed += [] if any(name in available for name in named) else named[:1]
    elif isinstance(transform, A.Transform3D):
        needed.append("volumes" if "volumes" in available else "volume")
    return needed
