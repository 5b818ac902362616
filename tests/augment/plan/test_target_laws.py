"""Laws of `apply_to`: every target becomes what Albumentations makes of it with the same parameters."""

import random
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import augment
from augment.transform import Image
from tests.augment.plan.target_cases import check_targets, draw_case, replay

LEAVES: dict[str, Any] = {
    "flip": lambda: A.HorizontalFlip(p=1),
    "transpose": lambda: A.Transpose(p=1),
    "pad": lambda: A.Pad(2, fill=9, p=1),
    "crop": lambda: A.RandomCropFromBorders(p=1),
    "perspective": lambda: A.Perspective(interpolation=cv2.INTER_NEAREST, p=1),
    "brightness by mean": lambda: A.RandomBrightnessContrast(brightness_by_max=False, p=1),
    "brightness": lambda: A.RandomBrightnessContrast(p=1),
    "jitter": lambda: A.ColorJitter(p=1),
    "equalize": lambda: A.Equalize(p=1),
    "posterize": lambda: A.Posterize(num_bits=(2, 5), p=1),
    "invert": lambda: A.InvertImg(p=1),
    "holes": lambda: A.XYMasking((1, 1), (1, 1), (1, 1), (1, 1), fill=7, fill_mask=3, p=1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_every_target_is_that_of_albumentations(seed: int) -> None:
    """Of every transform with a kernel, for any sizes and channels; `python -m tests.augment.plan.soak` tries more."""
    for number in range(30):
        check_targets(draw_case(random.Random(f"{seed} {number}")))  # noqa: S311  # no secret


def test_values_by_channel_are_for_equally_many_channels() -> None:
    """Albumentations returns uninitialized memory for the further channels of an additional image."""
    image = np.zeros((5, 6, 3), np.uint8)
    for transform in (A.ChannelShuffle(p=1), A.Posterize(num_bits=[(1, 2), (3, 4), (5, 6)], p=1)):
        plan = augment.compile(A.Compose([transform], additional_targets={"image2": "image"}, is_check_shapes=False))
        params = plan.sample(0, 0, [0], [image.shape])
        with pytest.raises(augment.TransformError, match="draws values for the 3 channels of 'image', but an additio"):
            plan.apply_to({"image": image, "image2": np.zeros((5, 6, 5), np.uint8)}, params, 0)


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from(sorted(LEAVES)), min_size=1, max_size=3),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_all_targets_are_those_of_albumentations(
    names: list[str], size: tuple[int, int], channels: int, same_size: bool, nested: bool, seed: int
) -> None:
    """Sizes from 1 to 40, gray second images, masks of another size, targets that an inner Compose declares."""
    rng = np.random.default_rng(seed)
    other = size if same_size else (size[0] + 3, size[1] + 5)
    leaves, targets = [LEAVES[name]() for name in names], {"image2": "image", "mask2": "mask"}
    compose = (
        A.Compose([A.Compose(leaves, additional_targets=targets)], is_check_shapes=False)
        if nested
        else A.Compose(leaves, additional_targets=targets, is_check_shapes=False)
    )
    for inner in [compose, *compose.transforms]:
        inner.is_check_shapes = False
    plan = augment.compile(compose)
    data: dict[str, Any] = {
        "image": rng.integers(0, 256, (*size, 3), np.uint8),
        "image2": rng.integers(0, 256, (*other, channels), np.uint8),
        "mask": rng.integers(0, 9, size, np.uint8),
        "mask2": rng.integers(0, 9, other, np.uint8),
    }
    params = plan.sample(seed, 0, [0], [data["image"].shape])
    if params.steps(0, [index for index in params.list_leaves(0) if plan.leaves[index].lowered]) is None:
        return  # the original draws by itself: see below
    theirs = replay(plan, params, data)
    ours = plan.apply_to(data, params, 0)
    np.testing.assert_array_equal(plan.apply(data["image"], params, 0), ours["image"])
    for name, expected in theirs.items():
        found = ours[name].reshape(expected.shape)
        if "perspective" in names or "jitter" in names:  # merged with a neighbor, or rounded in another order
            assert found.shape == expected.shape
        else:
            np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("size", range(1, 9))
def test_small_images_are_decided_alike(size: int) -> None:
    """A perspective of a few pixels is left to the original, for the image and its targets, with one key."""
    plan = augment.compile(A.Compose([A.HorizontalFlip(p=1), A.Perspective(p=1), A.Transpose(p=1)]))
    image = np.random.default_rng(size).integers(0, 256, (size, size + 1, 3), np.uint8)
    params = plan.sample(0, 0, range(30), [image.shape] * 30)
    for row in range(30):
        expected = plan.apply(image, params, row)
        moved = plan.apply_to({"image": image, "mask": image[..., 0]}, params, row)
        np.testing.assert_array_equal(moved["image"], expected)
        np.testing.assert_array_equal(plan.reference(image, params, row), expected)
        assert moved["mask"].shape == expected.shape[:2]


@pytest.mark.parametrize("bits", [(2, 4), 3, [(1, 2), (3, 4), (5, 6)], [(3, 3), (3, 3), (3, 3)]])
def test_posterize_takes_numbers_per_channel(bits: Any) -> None:
    """As a range or as one per channel; an image of other channels is an error that says so."""
    plan = augment.compile(A.Posterize(num_bits=bits, p=1))
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    params = plan.sample(0, 0, range(9), [image.shape] * 9)
    for row in range(9):
        np.testing.assert_array_equal(plan.apply(image, params, row), plan.reference(image, params, row))
        np.testing.assert_array_equal(
            plan.apply_to({"image": image}, params, row)["image"], plan.apply(image, params, row)
        )
    if isinstance(bits, list):
        with pytest.raises(augment.TransformError, match="num_bits has 3 values, but the image has 1 channels"):
            plan.apply(image[..., :1], params, 0)


@pytest.mark.parametrize("root", [A.Sequential, A.OneOf, A.SomeOf])
def test_boxes_need_no_compose_at_the_root(root: Any) -> None:
    """Each outermost Compose handles boxes, also where another composition is around it."""
    box_params = A.BboxParams("pascal_voc", label_fields=["names"])
    compose = root([A.Compose([A.HorizontalFlip(p=1)], bbox_params=box_params)], p=1)
    plan = augment.compile(compose)
    data: dict[str, Any] = {"image": np.zeros((30, 40, 3), np.uint8), "bboxes": [[1, 2, 10, 12]], "names": [3]}
    moved = plan.apply_to(data, plan.sample(0, 0, [0], [(30, 40)]), 0)
    np.testing.assert_allclose(moved["bboxes"], compose(**data)["bboxes"])
    assert list(moved["names"]) == [3]


def test_gray_images_keep_their_dimensions() -> None:
    """An image [H, W] comes back as one, and the second image behind an inpainting keeps its channel."""
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    gray: Image = image[..., 0]
    plan = augment.compile(A.Compose([A.Transpose(p=1), A.InvertImg(p=1)]))
    params = plan.sample(0, 0, [0], [gray.shape])
    np.testing.assert_array_equal(plan.apply_to({"image": gray}, params, 0)["image"], 255 - gray.T)
    inpaint = A.CoarseDropout(fill="inpaint_ns", p=1)
    for original in (inpaint, A.ToGray(method="pca", p=1)):
        plan = augment.compile(A.Compose([original, A.Transpose(p=1)], additional_targets={"image2": "image"}))
        params = plan.sample(0, 0, [0], [image.shape])
        assert plan.apply_to({"image": image, "image2": image[..., :1]}, params, 0)["image2"].shape == (40, 30, 1)
