"""Transforms that need more than an image are named before the first batch."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import augment
from augment.backgrounds import ReplaceBackground
from augment.errors import TransformError
from pipeline import Loader

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)

ARGUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"height": 32, "width": 32},
    {"size": (32, 32)},
    {"size": (8, 8, 8)},
    {"min_max_height": (9, 20), "size": (9, 9)},
    {"max_size": 32},
    {"px": 3},
    {"padding": 1},
    {"min_zyx": (1, 1, 1)},
    {"num_grid_xy": (3, 3), "magnitude": 5},
    {"font_path": "font.ttf"},
)


def iter_transforms() -> Iterator[Any]:
    """Make one of each transform that Albumentations exports."""
    for name, kind in sorted(vars(A).items()):
        if not (inspect.isclass(kind) and issubclass(kind, A.BasicTransform)):
            continue
        if kind in (A.BasicTransform, A.DualTransform, A.ImageOnlyTransform, A.Transform3D):
            continue
        for arguments in ({"x_max": 9, "y_max": 9},) if kind is A.Crop else ARGUMENTS:
            try:
                yield kind(**arguments, p=1)
                break
            except (ValueError, TypeError):
                continue
        else:
            raise AssertionError(f"no arguments for {name}")


@pytest.mark.filterwarnings("ignore")
def test_every_transform_of_albumentations_runs_on_an_image_or_is_named() -> None:
    """All of them are tried: those that fail on an image alone are those that a plan names."""
    named, failing = set(), set()
    for transform in iter_transforms():
        name = type(transform).__name__
        try:
            augment.compile(transform).check_inputs()
        except TransformError as error:
            assert str(error).startswith(f"{name} needs '")  # noqa: PT017  # the name differs
            named.add(name)
        try:
            transform(image=IMAGE)
        except Exception:  # as each of them likes
            failing.add(name)
    assert named == failing | {"Pad3D"}  # which leaves images alone
    assert {"RandomSizedBBoxSafeCrop", "MaskDropout", "CropNonEmptyMaskIfExists", "Mosaic", "CubicSymmetry"} <= named


NESTED: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "list": (lambda transform: [A.HorizontalFlip(), transform], True),
    "one of": (lambda transform: A.OneOf([A.NoOp(), A.Sequential([transform])], p=0.1), True),
    "other": (lambda transform: A.OneOrOther(A.NoOp(), transform, p=0), True),
    "not compiled": (lambda transform: A.SomeOf([transform], n=1, replace=True), True),
    "never": (lambda transform: A.Compose([A.Sequential([transform], p=0)]), False),
    "more": (lambda transform: A.Compose([transform], bbox_params=A.BboxParams("pascal_voc")), True),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_transform_is_found_wherever_it_can_run(name: str) -> None:
    """Inside any composition; not where nothing of it is ever applied."""
    nest, is_refused = NESTED[name]
    plan = augment.compile(nest(A.RandomSizedBBoxSafeCrop(9, 9, p=0.5)))
    if is_refused:
        with pytest.raises(TransformError, match="RandomSizedBBoxSafeCrop needs 'bboxes', but gets only 'image' here"):
            plan.check_inputs()
    else:
        plan.check_inputs()
    augment.compile(nest(A.RandomSizedBBoxSafeCrop(9, 9, p=0))).check_inputs()
    plan.check_inputs(("image", "bboxes"))


class Blend(A.ImageOnlyTransform):
    """A user's own transform that declares what it needs."""

    @property
    def targets_as_params(self) -> list[str]:
        """Name the other image."""
        return ["other"]


@pytest.mark.parametrize(
    ("transform", "missing"),
    [
        (A.RandomSizedBBoxSafeCrop(9, 9), "'bboxes'"),
        (A.BBoxSafeRandomCrop(), "'bboxes'"),
        (A.RandomCropNearBBox(), "'cropping_bbox'"),
        (A.MaskDropout(), "'mask'"),
        (A.CropNonEmptyMaskIfExists(9, 9), "'mask'"),
        (A.ConstrainedCoarseDropout(mask_indices=[1]), "'mask'"),
        (A.ConstrainedCoarseDropout(bbox_labels=[1]), "'bboxes'"),
        (A.FDA(), "'fda_metadata'"),
        (A.OverlayElements(metadata_key="stickers"), "'stickers'"),
        (A.CenterCrop3D((2, 2, 2)), "'volume'"),
        (ReplaceBackground(mask="mask"), "'mask'"),
        (Blend(), "'other'"),
    ],
)
def test_a_loader_refuses_what_cannot_work_and_blames_no_image(
    transform: Any, missing: str, folders: Callable[..., Path]
) -> None:
    """When it is made, by the transform's name; a plan for `apply_to` is not refused."""
    with pytest.raises(TransformError, match=f"{type(transform).__name__} needs {missing}, but gets only 'image'"):
        Loader(folders(a=1, b=1), augment=[A.HorizontalFlip(), transform])
    augment.compile(transform)
    Loader(folders(a=1, b=1), augment=ReplaceBackground(mask="grabcut"))
