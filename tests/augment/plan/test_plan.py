"""Tests of whole plans: compositions, randomness, targets and windows."""

import copy
import pickle
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from sklearn.datasets import load_sample_images

import augment
from augment import keys
from augment.errors import TransformError
from augment.transform import Image
from tests.augment.plan import cases_geometry, cases_pointwise

PHOTOGRAPH = np.ascontiguousarray(
    ndimage.gaussian_filter(load_sample_images().images[0], (0.7, 0.7, 0))[100:220, 200:350]
)


def draw_params(
    plan: augment.Plan, count: int, shape: tuple[int, ...] = PHOTOGRAPH.shape, seed: int = 0
) -> augment.Params:
    """Draw parameters for so many images of one shape."""
    return plan.draw(keys.fold_in(keys.root(seed), np.arange(count)), [shape] * count)


def list_applied(transform: Any, count: int) -> list[str]:
    """Count which transforms of a composition Albumentations itself applies, as text."""
    compose = A.Compose([transform], save_applied_params=True)
    seen = []
    for number in range(count):
        compose.set_random_state(np.random.default_rng(number), random.Random(number))  # noqa: S311  # not for cryptography
        seen.append(" ".join(name for name, _ in compose(image=PHOTOGRAPH[:8, :8])["applied_transforms"]))
    return seen


def flips(p: float = 1.0) -> tuple[Any, Any, Any]:
    """Return three transforms that are told apart by their names."""
    return A.HorizontalFlip(p=p), A.VerticalFlip(p=0.5), A.Transpose(p=0.9)


COMPOSITIONS: dict[str, Callable[[], Any]] = {
    "sequential": lambda: A.Sequential(list(flips()), p=0.6),
    "one-of": lambda: A.OneOf(list(flips()), p=0.7),
    "some-of": lambda: A.SomeOf(list(flips(0.8)), n=2, p=0.9),
    "some-of-more": lambda: A.SomeOf(list(flips()), n=9),
    "random-order": lambda: A.RandomOrder(list(flips(0.8)), n=3),
    "random-order-of-two": lambda: A.RandomOrder(list(flips()), n=2, p=0.5),
    "nested": lambda: A.Compose(
        [
            A.OneOf([A.Sequential(list(flips()), p=0.2), A.RandomOrder([A.D4(p=0.5), A.InvertImg()], n=2)]),
            A.Blur(p=0.3),
        ],
        p=0.8,
    ),
    "one-of-compositions": lambda: A.OneOf([A.OneOf(list(flips()), p=0.1), A.SomeOf([A.D4(p=1)], n=1, p=0.3)], p=1),
}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_compositions_choose_as_albumentations_does(name: str) -> None:
    """What is applied, and in which order, is as frequent as under Albumentations' own rules (chi-squared)."""
    count = 3000
    plan = augment.compile(COMPOSITIONS[name]())
    params = draw_params(plan, count)
    names = [type(leaf.transform).__name__ for leaf in plan.leaves]
    ours = Counter(" ".join(names[place] for place in params.list_leaves(row)) for row in range(count))
    theirs = Counter(list_applied(COMPOSITIONS[name](), count))
    table = np.array([(ours[key], theirs[key]) for key in sorted(ours.keys() | theirs.keys())])
    rare = table.sum(axis=1) < 20
    table = np.vstack([table[~rare], table[rare].sum(axis=0)]) if rare.any() else table
    assert stats.chi2_contingency(table[table.sum(axis=1) > 0]).pvalue > 1e-4


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_compositions_give_the_pixels_of_the_originals(name: str) -> None:
    """Plan and reference agree bit for bit where nothing is interpolated."""
    plan = augment.compile(COMPOSITIONS[name]())
    params = draw_params(plan, 40)
    for row in range(40):
        np.testing.assert_array_equal(plan.apply(PHOTOGRAPH, params, row), plan.reference(PHOTOGRAPH, params, row))


GEOMETRY = sorted(
    set(cases_geometry.CASES) - {name for name in cases_geometry.CASES if "fit" in name or "area" in name}
)
POINTWISE = sorted(cases_pointwise.POINTWISE.keys() - {"gray-average", "gray-one-channel"})
FILLS = sorted(cases_pointwise.FILLS)


@st.composite
def compositions(draw: st.DrawFn) -> Any:
    """Make a random pipeline of lowered and other transforms, with probabilities and nesting."""

    def leaf() -> Any:
        kind = draw(st.sampled_from(["geometry", "geometry", "pointwise", "fill", "original"]))
        if kind == "geometry":
            return cases_geometry.CASES[draw(st.sampled_from(GEOMETRY))]()
        if kind == "original":
            return draw(st.sampled_from([A.Blur(p=1), A.MedianBlur(p=1), A.CLAHE(p=0.5)]))
        table = cases_pointwise.POINTWISE if kind == "pointwise" else cases_pointwise.FILLS
        return table[draw(st.sampled_from(POINTWISE if kind == "pointwise" else FILLS))]

    parts = [leaf() for _ in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        group = draw(st.sampled_from([A.OneOf, A.Sequential]))
        parts.append(group([leaf(), leaf()], p=0.7))
    if draw(st.booleans()):
        parts.append(A.RandomOrder([leaf(), leaf()], n=2))
    return A.Compose(parts)


@settings(max_examples=200)
@given(compositions(), st.integers(0, 10**6))
def test_random_compositions_follow_the_originals(compose: Any, seed: int) -> None:
    """200 random pipelines: the plan's images have the originals' size, dtype and content, up to interpolation.

    How near interpolation is to the truth is tested elsewhere; here a wrong order, window, fill or parameter would show
    as images that have little to do with each other.
    """
    plan = augment.compile(compose)
    params = draw_params(plan, 2, seed=seed)
    for row in range(2):
        try:
            reference = plan.reference(PHOTOGRAPH.copy(), params, row)
        except TransformError:
            with pytest.raises(TransformError):
                plan.apply(PHOTOGRAPH, params, row)
            continue
        image = plan.apply(PHOTOGRAPH, params, row)
        assert (image.shape, image.dtype) == (reference.shape, reference.dtype)
        difference = np.abs(image.astype(float) - reference.astype(float))
        assert np.median(difference) <= 12


@pytest.mark.parametrize("empty", [A.SomeOf([], n=1), A.RandomOrder([], n=1), A.RandomOrder([A.Compose([])], n=1)])
def test_empty_compositions_do_nothing(empty: Any) -> None:
    """So do Albumentations' own."""
    plan = augment.compile([empty])
    np.testing.assert_array_equal(plan.apply(PHOTOGRAPH, draw_params(plan, 1), 0), PHOTOGRAPH)


def test_a_sample_depends_on_nothing_but_its_key() -> None:
    """The same key gives the same pixels alone, in any batch, and at any place in it."""
    plan = augment.compile(augment.policy("full", (40, 40)))
    sample_keys = keys.fold_in(keys.root(1), np.arange(9))
    together = plan.draw(sample_keys, [PHOTOGRAPH.shape] * 9)
    for row in range(9):
        alone = plan.draw(sample_keys[[row]], [PHOTOGRAPH.shape])
        np.testing.assert_array_equal(plan.apply(PHOTOGRAPH, together, row), plan.apply(PHOTOGRAPH, alone, 0))


def test_sample_folds_seed_epoch_and_index() -> None:
    """`sample` draws from (seed, epoch, index): each of them changes the result, equal ones repeat it."""
    plan = augment.compile(A.Affine(rotate=(-180, 180), p=1))

    def angle(seed: int, epoch: int, index: int) -> bytes:
        params = plan.sample(seed, epoch, [index], [PHOTOGRAPH.shape])
        return plan.apply(PHOTOGRAPH, params, 0).tobytes()

    assert angle(0, 0, 0) == angle(0, 0, 0)
    assert len({angle(0, 0, 0), angle(1, 0, 0), angle(0, 1, 0), angle(0, 0, 1)}) == 4


def test_neighbors_of_one_kind_draw_independently() -> None:
    """Two equal transforms, lowered or not, do not always agree."""
    for transform in (A.HorizontalFlip(p=0.5), A.Blur(blur_limit=(3, 9), p=0.5)):
        plan = augment.compile(A.Compose([transform, A.NoOp(), transform]))
        params = draw_params(plan, 200)
        drawn_together = Counter(tuple(place for place in params.list_leaves(row) if place != 1) for row in range(200))
        assert len(drawn_together) == 4
        assert min(drawn_together.values()) > 25
    faint = A.GaussNoise(std_range=(0.02, 0.02), p=1)
    noise = augment.compile(A.Compose([faint, faint]))
    params = draw_params(noise, 1)
    both, once = noise.run(PHOTOGRAPH, params, 0, [0, 1]), noise.run(PHOTOGRAPH, params, 0, [0])
    first = once.astype(int) - PHOTOGRAPH
    second = both.astype(int) - once
    inner = (PHOTOGRAPH > 60) & (PHOTOGRAPH < 190)
    assert abs(np.corrcoef(first[inner], second[inner])[0, 1]) < 0.1


def test_eight_threads_give_what_one_gives() -> None:
    """A plan is shared by threads, lowered transforms and originals alike."""
    plan = augment.compile(A.Compose([augment.policy("full", (50, 60)), A.GaussNoise(p=1), A.Blur(p=0.5)]))
    params = draw_params(plan, 64)
    expected = [plan.apply(PHOTOGRAPH, params, row).tobytes() for row in range(64)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda row: plan.apply(PHOTOGRAPH, params, row % 64).tobytes(), range(256)))
    assert found == expected * 4


def test_input_is_never_written_to() -> None:
    """An image that must not be written to goes through every kind of segment."""
    image = PHOTOGRAPH.copy()
    image.flags.writeable = False
    plan = augment.compile(A.Compose([A.RandomCrop(60, 60), A.CoarseDropout(p=1), A.InvertImg(p=1), A.Erasing(p=1)]))
    params = draw_params(plan, 20)
    for row in range(20):
        plan.apply(image, params, row)
    np.testing.assert_array_equal(image, PHOTOGRAPH)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_keep_three_dimensions(channels: int) -> None:
    """Gray and RGBA images go through geometry, tables and fills, and keep their channels."""
    image = np.ascontiguousarray(np.dstack([PHOTOGRAPH] * 2)[..., :channels])
    plan = augment.compile(
        [A.RandomResizedCrop((30, 40)), A.Affine(rotate=20, p=1), A.RandomBrightnessContrast(p=1), A.CoarseDropout(p=1)]
    )
    params = draw_params(plan, 5)
    for row in range(5):
        assert plan.apply(image, params, row).shape == (30, 40, channels)


class TestTargets:
    """Masks, boxes and keypoints."""

    PIPELINE = (
        A.RandomResizedCrop((60, 50), scale=(0.4, 1), p=1),
        A.HorizontalFlip(p=0.5),
        A.RandomRotate90(p=0.5),
        A.RandomBrightnessContrast(p=0.5),
    )

    def compose(self, *more: Any) -> Any:
        """Make a pipeline that takes all targets."""
        return A.Compose(
            [*self.PIPELINE, *more],
            bbox_params=A.BboxParams("pascal_voc", label_fields=["names"], min_visibility=0.2),
            keypoint_params=A.KeypointParams("xy", remove_invisible=True),
        )

    def test_a_mask_has_as_many_channels_as_it_likes(self) -> None:
        """OpenCV takes four at once; each moves as one alone does."""
        plan = augment.compile(A.Compose([A.Rotate(limit=(20, 20), p=1)]))
        params, mask = (
            draw_params(plan, 1),
            np.random.default_rng(0).integers(0, 9, (*PHOTOGRAPH.shape[:2], 6), np.uint8),
        )
        moved = plan.apply_to({"image": PHOTOGRAPH, "mask": mask}, params, 0)["mask"]
        for channel in range(6):
            alone = plan.apply_to({"image": PHOTOGRAPH, "mask": mask[..., channel]}, params, 0)["mask"]
            np.testing.assert_array_equal(moved[..., channel], alone)

    def test_a_mask_that_opencv_cannot_move_is_refused(self) -> None:
        """Its own error is told as the plan's."""
        plan = augment.compile(A.Compose([A.Rotate(limit=(20, 20), mask_interpolation=cv2.INTER_LINEAR, p=1)]))
        mask = np.zeros(PHOTOGRAPH.shape[:2], np.int32)
        with pytest.raises(TransformError, match="error in"):
            plan.apply_to({"image": PHOTOGRAPH, "mask": mask}, draw_params(plan, 1), 0)

    def test_a_mask_moves_with_the_image(self) -> None:
        """A mask that copies a flat-colored image's regions still does afterwards, wherever it is not at an edge."""
        mask = np.zeros(PHOTOGRAPH.shape[:2], np.uint8)
        mask[30:90, 40:110] = 1
        image = np.repeat(mask[..., None] * np.uint8(200), 3, axis=2)
        plan = augment.compile(A.Compose([*self.PIPELINE[:3], A.Affine(rotate=(-40, 40), p=1)]))
        params = draw_params(plan, 30)
        for row in range(30):
            data = plan.apply_to({"image": image, "mask": mask}, params, row)
            assert data["mask"].shape == data["image"].shape[:2]
            assert set(np.unique(data["mask"])) <= {0, 1}
            around = np.ones((3, 3), np.uint8)
            away = cv2.dilate(data["mask"], around) == cv2.erode(data["mask"], around)
            assert np.array_equal(data["image"][away][:, 0] > 100, data["mask"][away] > 0)

    def test_boxes_and_keypoints_are_those_of_albumentations(self) -> None:
        """With the drawn parameters set into the original transforms, they give the same boxes and points."""
        compose = self.compose()
        plan = augment.compile(compose)
        params = draw_params(plan, 40)
        data = {
            "image": PHOTOGRAPH,
            "bboxes": [[10, 20, 60, 90], [100, 5, 149, 60]],
            "names": ["a", "b"],
            "keypoints": [(20.0, 30.0), (140.0, 100.0)],
        }
        for row in range(40):
            ours = plan.apply_to(data, params, row)
            theirs = self.replay(plan, compose, params, row, data)
            np.testing.assert_allclose(ours["bboxes"], theirs["bboxes"], atol=1e-4)
            np.testing.assert_allclose(ours["keypoints"], theirs["keypoints"], atol=1e-4)
            assert list(ours["names"]) == list(theirs["names"])

    @staticmethod
    def replay(plan: augment.Plan, compose: Any, params: augment.Params, row: int, data: dict[str, Any]) -> Any:
        """Run Albumentations on all targets with its random draws replaced by the plan's."""
        transforms = []
        image: Image = PHOTOGRAPH
        for place in params.list_leaves(row):
            columns, at = params.find_leaf(place, row)
            lowered = plan.leaves[place].lowered
            assert lowered is not None
            arguments = lowered.to_original_params(columns.columns, at, image)
            twin = type(lowered.transform).__new__(type(lowered.transform))
            twin.__dict__ = dict(lowered.transform.__dict__, p=1.0)
            twin.get_params = dict
            twin.get_params_dependent_on_data = lambda params, data, arguments=arguments: arguments  # noqa: ARG005
            transforms.append(twin)
            image = plan.run(image, params, row, [place])
        processors = compose.processors
        again = A.Compose(
            transforms, bbox_params=processors["bboxes"].params, keypoint_params=processors["keypoints"].params
        )
        return again(**data)

    def test_originals_and_fills_take_all_targets(self) -> None:
        """Transforms that are not lowered, and occlusions, treat boxes, points and masks as well."""
        compose = self.compose(A.CoarseDropout(num_holes_range=(3, 3), fill_mask=7, p=1), A.GridDistortion(p=1))
        plan = augment.compile(compose)
        params = draw_params(plan, 10)
        mask = np.ones(PHOTOGRAPH.shape[:2], np.uint8)
        for row in range(10):
            data = plan.apply_to(
                {"image": PHOTOGRAPH, "mask": mask, "bboxes": [[10, 20, 140, 110]], "names": ["a"], "keypoints": []},
                params,
                row,
            )
            assert {1, 7} <= set(np.unique(data["mask"]))
            np.testing.assert_array_equal(data["image"], plan.apply(PHOTOGRAPH, params, row))

    def test_additional_targets_move_too(self) -> None:
        """A second image and a second mask go through what the first ones do; other kinds are refused."""
        compose = A.Compose(
            [A.HorizontalFlip(p=1), A.InvertImg(p=1)], additional_targets={"image2": "image", "mask2": "mask"}
        )
        plan = augment.compile(compose)
        data = {"image": PHOTOGRAPH, "image2": PHOTOGRAPH, "mask2": PHOTOGRAPH[..., 0]}
        moved = plan.apply_to(data, draw_params(plan, 1), 0)
        np.testing.assert_array_equal(moved["image2"], 255 - PHOTOGRAPH[:, ::-1])
        np.testing.assert_array_equal(moved["mask2"], PHOTOGRAPH[:, ::-1, 0])
        with pytest.raises(TransformError, match=r"unsupported targets \['volume'\]: a plan takes image, mask"):
            plan.apply_to({"image": PHOTOGRAPH, "volume": PHOTOGRAPH[None]}, draw_params(plan, 1), 0)

    def test_boxes_are_filtered_behind_every_transform(self) -> None:
        """A box that a crop made too small is gone, whatever stands between the crop and the next geometry."""
        box_params = A.BboxParams("pascal_voc", label_fields=["names"])
        compose = A.Compose(
            [A.Crop(22, 23, 67, 76, p=1), A.RandomGamma(p=1), A.Affine(rotate=(20, 20), p=1)], bbox_params=box_params
        )
        plan = augment.compile(compose)
        data = {"image": PHOTOGRAPH, "bboxes": [[5, 82, 26, 110], [32, 98, 58, 104]], "names": [1, 2]}
        assert len(plan.apply_to(data, draw_params(plan, 1), 0)["bboxes"]) == len(compose(**data)["bboxes"]) == 0

    def test_masks_keep_their_dtype(self) -> None:
        """Integers and truth values come back as they went in."""
        plan = augment.compile(A.Transpose(p=1))
        for dtype in (np.int64, np.bool_, np.uint8):
            mask = PHOTOGRAPH[..., 0].astype(dtype)
            moved = plan.apply_to({"image": PHOTOGRAPH, "mask": mask}, draw_params(plan, 1), 0)["mask"]
            assert moved.dtype == dtype
            np.testing.assert_array_equal(moved, mask.T)

    def test_several_masks_keep_their_container(self) -> None:
        """A list of masks comes back as a list, an array as an array."""
        plan = augment.compile(A.Compose([A.Transpose(p=1)]))
        params = draw_params(plan, 1)
        masks = np.stack([PHOTOGRAPH[..., 0], PHOTOGRAPH[..., 1]])
        as_list = plan.apply_to({"image": PHOTOGRAPH, "masks": list(masks)}, params, 0)["masks"]
        as_array = plan.apply_to({"image": PHOTOGRAPH, "masks": masks}, params, 0)["masks"]
        assert isinstance(as_list, list)
        np.testing.assert_array_equal(as_array, masks.transpose(0, 2, 1))
        np.testing.assert_array_equal(np.stack(as_list), as_array)


class Halved(A.ImageOnlyTransform):
    """Somebody's transform that does what its base class does not let one expect."""

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Leave out every other pixel, and spoil what was given."""
        halved = np.ascontiguousarray(img[::2, ::2])
        img[:] = 0
        return halved


def test_own_transforms_may_change_the_size_and_write_to_their_input() -> None:
    """What stands behind them still fits, and the caller's image stays as it is."""
    plan = augment.compile([Halved(p=1), A.HorizontalFlip(p=1), A.Resize(20, 20, p=1)])
    params = draw_params(plan, 1)
    image = PHOTOGRAPH.copy()
    np.testing.assert_array_equal(plan.apply(image, params, 0), plan.reference(image, params, 0))
    np.testing.assert_array_equal(image, PHOTOGRAPH)


def test_image_of_another_size_than_the_parameters_is_refused() -> None:
    """Parameters drawn for one size are not applied to another."""
    plan = augment.compile(A.HorizontalFlip(p=1))
    with pytest.raises(TransformError, match=r"parameters were drawn for an image of \(50, 50\)"):
        plan.apply(PHOTOGRAPH, draw_params(plan, 1, (50, 50)), 0)


def test_what_a_kernel_cannot_do_names_the_transform() -> None:
    """An impossible fill, and an image without channels, are errors of the transform."""
    plan = augment.compile(A.CoarseDropout(fill=300, p=1))
    with pytest.raises(TransformError, match="in CoarseDropout"):
        plan.apply(PHOTOGRAPH, draw_params(plan, 1), 0)
    with pytest.raises(TransformError, match=r"an image must be \[H, W, C\]"):
        plan.apply(PHOTOGRAPH[..., 0], draw_params(plan, 1), 0)


@pytest.mark.parametrize("transform", [A.Affine(rotate=10, p=1), A.Transpose(p=1), A.Pad(5, p=1)])
def test_images_of_many_channels_go_through_the_originals(transform: Any) -> None:
    """OpenCV's kernels take four channels; Albumentations takes more, and so does a plan."""
    image = np.ascontiguousarray(np.dstack([PHOTOGRAPH] * 2))
    plan = augment.compile(transform)
    params = draw_params(plan, 1)
    np.testing.assert_array_equal(plan.apply(image, params, 0), plan.reference(image, params, 0))


def test_plans_survive_pickle_and_copy() -> None:
    """A plan that has been used can be sent to another process."""
    plan = augment.compile([A.HorizontalFlip(), A.Blur(p=1)])
    params = draw_params(plan, 4)
    expected = plan.apply(PHOTOGRAPH, params, 3)
    plan.apply_to({"image": PHOTOGRAPH}, params, 0)
    for twin in (pickle.loads(pickle.dumps(plan)), copy.deepcopy(plan)):  # noqa: S301  # our own bytes
        np.testing.assert_array_equal(twin.apply(PHOTOGRAPH, draw_params(twin, 4), 3), expected)


def test_window_is_what_the_leading_crops_leave() -> None:
    """Crops that follow each other shrink the window; what comes before a crop, or is no crop, ends it."""
    plan = augment.compile(A.Compose([A.CenterCrop(100, 90, p=1), A.Crop(10, 20, 50, 80, p=1), A.Resize(30, 20, p=1)]))
    window = plan.window(draw_params(plan, 1), 0)
    assert window is not None
    assert tuple(window)[:4] == (30, 40, 60, 40)
    assert window.ratio == 2
    whole = augment.compile(A.Compose([A.InvertImg(p=1), A.CenterCrop(10, 10, p=1)]))
    assert whole.window(draw_params(whole, 1), 0) is None


def test_something_else_is_refused() -> None:
    """What is no Albumentations object is named."""
    with pytest.raises(TransformError, match="must be an Albumentations transform, a composition, or a list"):
        augment.compile("flip")
