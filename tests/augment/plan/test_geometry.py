"""What the lowered geometric transforms draw and give, against Albumentations itself."""

import random
import warnings
from collections.abc import Iterator
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import augment.plan.transforms  # noqa: F401  # registers what is lowered
from augment import keys
from augment.errors import TransformError
from augment.plan.geometry import run
from augment.plan.lowering import REGISTRY, Geometry
from augment.plan.params import Params
from augment.plan.plan import Plan
from tests.augment.plan.cases_geometry import CASES, WARPS

_DRAWS = 5000
_SHAPES = ((61, 87), (96, 50))
_P_VALUE = 1e-5  # of about 800 tests with fixed seeds; a wrong distribution gives far less in 5,000 draws


def _plan(name: str) -> Plan:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # ShiftScaleRotate advertises Affine
        return Plan(CASES[name]())


def _draw(plan: Plan, count: int, shape: tuple[int, int]) -> Params:
    return plan.draw(keys.fold_in(keys.root(0), np.arange(count)), [shape] * count)


def _flat(value: Any) -> list[float]:
    """Write a parameter as numbers."""
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in _flat(value[key])]
    if isinstance(value, (tuple, list, np.ndarray)):
        return [float(number) for number in np.ravel(np.asarray(value, np.float64))]
    return [float(sum(map(ord, value)))] if isinstance(value, str) else [float(value)]


def _features(rows: list[Any]) -> NDArray[np.float64]:
    """Write many draws of one parameter as numbers [N, K], with sums that show how neighbors depend on each other."""
    width = next((len(_flat(row)) for row in rows if row is not None), 1)
    numbers = np.array([[-1e6] * width if row is None else _flat(row) for row in rows])
    return np.round(np.concatenate([numbers, numbers[:, 1:] + numbers[:, :-1]], axis=1), 9) + 0.0


def _p_value(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    values = np.union1d(ours, theirs)
    if len(values) == 1:
        return 1.0
    if len(values) <= 20:
        counts = [[np.count_nonzero(drawn == value) for value in values] for drawn in (ours, theirs)]
        return float(stats.chi2_contingency(counts).pvalue)
    return float(stats.ks_2samp(ours, theirs, method="asymp").pvalue)


@pytest.mark.parametrize("name", CASES)
def test_parameters_have_the_distribution_of_the_original(name: str) -> None:
    """Each parameter is distributed as Albumentations draws it, and stands in the form in which it draws it."""
    plan, shape = _plan(name), _SHAPES[0]
    lowered, transform = plan.leaves[0].lowered, plan.leaves[0].transform
    assert isinstance(lowered, Geometry)
    params, image = _draw(plan, _DRAWS, shape), np.zeros((*shape, 3), np.uint8)
    ours = [
        lowered.to_original_params(drawn.columns, at, image)
        for drawn, at in (params.find_leaf(0, row) for row in range(_DRAWS))
    ]
    transform.set_random_state(np.random.default_rng(0), random.Random(0))  # noqa: S311  # not for cryptography
    theirs = [
        transform.get_params() | transform.get_params_dependent_on_data({"shape": image.shape}, {})
        for _ in range(_DRAWS)
    ]
    for key in ours[0]:
        mine, to_original_params = _features([row[key] for row in ours]), _features([row[key] for row in theirs])
        assert mine.shape == to_original_params.shape, key
        for place in range(mine.shape[1]):
            p_value = _p_value(mine[:, place], to_original_params[:, place])
            assert p_value > _P_VALUE, f"{key}, number {place}: p-value {p_value}"


def _images(shape: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (*shape, 3), np.uint8)
    yield noise
    yield cv2.GaussianBlur(noise, (0, 0), 2)
    yield generator.integers(0, 256, (*shape, 1), np.uint8)


@pytest.mark.parametrize("name", CASES)
def test_pixels_are_those_of_the_original(name: str) -> None:
    """Warps give the original's pixels but for a few; everything else gives them bit for bit, and leaves its input."""
    plan, count = _plan(name), 10
    differing, total = 0, 0
    for shape in _SHAPES:
        params = _draw(plan, count, shape)
        for image in _images(shape):
            image.flags.writeable = False
            before = image.copy()
            for row in range(count):
                ours, theirs = plan.apply(image, params, row), plan.reference(image, params, row)
                assert ours.shape == theirs.shape
                assert ours.dtype == theirs.dtype == np.uint8
                differing += np.count_nonzero(cv2.absdiff(ours, theirs) > (1 if name in WARPS else 0))
                total += ours.size
            np.testing.assert_array_equal(image, before)
    # OpenCV rounds places to 1/32 of a pixel: a last bit of the matrix can move a few pixels of noise by some levels.
    assert differing <= (0.002 * total if name in WARPS else 0)


@pytest.mark.parametrize("name", CASES)
def test_float_images_move_like_the_original(name: str) -> None:
    """An image of float32 comes out as the original's, of float32."""
    plan, shape = _plan(name), _SHAPES[0]
    params = _draw(plan, 3, shape)
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    for row in range(3):
        ours, theirs = plan.apply(image, params, row), plan.reference(image, params, row)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=1e-5 if name not in WARPS else 0.05)


@pytest.mark.parametrize("name", CASES)
def test_masks_move_like_those_of_the_original(name: str) -> None:
    """A mask goes through the same geometry with its own interpolation and fill, and boxes are taken without error."""
    plan, shape = _plan(name), _SHAPES[0]
    params, transform, lowered = _draw(plan, 5, shape), plan.leaves[0].transform, plan.leaves[0].lowered
    assert isinstance(lowered, Geometry)
    mask = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    image = np.zeros((*shape, 3), np.uint8)
    for row in range(5):
        drawn, at = params.find_leaf(0, row)
        steps = plan.collect_steps(params, row, [0], mask=True)
        arguments = transform.update_transform_params({}, {"image": image})
        arguments |= lowered.to_original_params(drawn.columns, at, image)
        assert steps is not None
        theirs = transform.apply_to_mask(mask, **arguments)
        assert np.mean(run(mask[..., np.newaxis], steps)[..., 0] != theirs) <= (0.02 if name in WARPS else 0)
        transform.apply_to_bboxes(np.array([[0.1, 0.2, 0.5, 0.6, 0]], np.float32), **arguments)


def test_every_geometric_transform_has_a_case() -> None:
    """A transform that is lowered to geometry without a row in the table fails the suite."""
    lowered = {transform for transform, kind in REGISTRY.items() if issubclass(kind, Geometry)}
    assert lowered == {type(_plan(name).leaves[0].transform) for name in CASES}


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        (A.CropAndPad(px=3, fill=(1, 2, 3)), "its fill is drawn per image"),
        (A.CropAndPad(px=(3, 3)), "px is an empty range"),
        (A.CropAndPad(px=((1, 2), (3, 4), [5], (6, 7))), "its sides mix ranges and lists"),
        (A.Pad(-5), "its padding is negative"),
        (A.LongestMaxSize(max_size_hw=(None, None)), "has no size"),
        (A.RandomResizedCrop((8, 8), ratio=(0, 1)), "ratio must be above 0"),
        (A.RandomCropFromBorders(crop_left=1, crop_right=0), "may crop the whole image"),
    ],
)
def test_option_without_a_kernel_is_left_to_the_original(transform: Any, reason: str) -> None:
    """What cannot be lowered says why, and is not lowered."""
    leaf = Plan(transform).leaves[0]
    assert leaf.lowered is None
    assert reason in leaf.reason


@pytest.mark.parametrize(
    "transform",
    [
        A.RandomCrop(70, 40),
        A.CenterCrop(40, 90),
        A.Crop(0, 0, 88, 10),
        A.CropAndPad(px=-70, keep_size=False),
        A.RandomScale((-0.999, -0.999), p=1),
        A.RandomSizedCrop((1, 1), (8, 8), w2h_ratio=0.5),
        A.CenterCrop(62, 30),
        A.CenterCrop(30, 88),
    ],
)
def test_image_that_the_original_refuses_is_refused(transform: Any) -> None:
    """A crop larger than its image, or an empty one, raises the original's own error as the plan's."""
    plan = Plan(transform)
    image = np.zeros((61, 87, 3), np.uint8)
    params = _draw(plan, 1, (61, 87))
    assert plan.collect_steps(params, 0, [0]) is None
    with pytest.raises(TransformError):
        plan.apply(image, params, 0)


def test_sides_of_a_crop_read_from_json_are_ranges() -> None:
    """Lists of two numbers are ranges, as tuples are: JSON has no tuples."""
    sides = ((-8, 2), (-6, 6), (0, 5), (-5, 5))
    plans = [Plan(A.CropAndPad(px=kind, keep_size=False)) for kind in (sides, [list(side) for side in sides])]

    def sizes(plan: Plan) -> set[tuple[int, int]]:
        params = _draw(plan, 200, (61, 87))
        return {step.size for row in range(200) for step in plan.collect_steps(params, row, [0]) or ()}

    assert sizes(plans[0]) == sizes(plans[1])
    assert len({height for height, _ in sizes(plans[0])}) > 8


def test_balanced_scale_is_drawn_from_one_number() -> None:
    """Between the number and 1, as Albumentations draws it."""
    plan = Plan(A.Affine(scale=0.5, balanced_scale=True, p=1))
    scales = _draw(plan, 200, (61, 87)).find_leaf(0, 0)[0].columns["scale"][:, 0]
    assert 0.5 <= scales.min() < 0.55
    assert 0.95 < scales.max() < 1


def test_fill_for_more_channels_than_the_image_has_is_cut() -> None:
    """A color fills a gray image with its first number, as OpenCV does, wherever the image goes."""
    image = np.full((20, 30, 1), 9, np.uint8)
    for shift in (-100, -5, 5, 100):
        plan = Plan(A.Affine(translate_px={"x": (shift, shift), "y": (3, 3)}, fill=(7, 8, 9), p=1))
        params = _draw(plan, 1, (20, 30))
        np.testing.assert_array_equal(plan.apply(image, params, 0), plan.reference(image, params, 0))


def test_window_beyond_the_image_shows_the_border_only() -> None:
    """A shift by more than the image's size leaves nothing of it."""
    image = np.full((20, 10, 3), 9, np.uint8)
    plan = Plan(A.Affine(translate_px={"x": (0, 0), "y": (30, 30)}, fill=7, p=1))
    assert np.all(plan.apply(image, _draw(plan, 1, (20, 10)), 0) == 7)
