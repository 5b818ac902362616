"""Point-wise transforms and occlusions: the same distributions and the same pixels as Albumentations'."""

import random
from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from augment import keys
from augment.errors import TransformError
from augment.plan.lowering import REGISTRY, Lowered, NotLoweredError
from augment.plan.plan import Plan
from augment.transform import Image
from tests.augment.plan.cases_pointwise import CASES, FILLS, POINTWISE, REFUSED, TO_FLOAT, images, list_registered

pytestmark = [
    pytest.mark.filterwarnings("ignore:The image is already gray"),
    pytest.mark.filterwarnings("ignore:HueSaturationValue"),
    pytest.mark.filterwarnings("ignore:invalid value encountered"),  # Albumentations' AutoContrast divides 0 by 0
]
IMAGES = images()
DRAWS = 5000
SIZES = [(100, 140, 3), (12, 17, 3)]
"""A usual image, and one so small that a side that is off by one shows in the distribution."""


def rows(count: int, first: int = 0) -> keys.Key:
    """Make the keys of some samples."""
    return keys.fold_in(keys.root(0), np.arange(first, first + count))


def lowered(transform: Any) -> Lowered:
    """Lower one transform."""
    return REGISTRY[type(transform)](transform)


def outcome(run: Callable[[], Image]) -> Image | None:
    """Run something; None where it refuses the image."""
    try:
        return run()
    except TransformError:
        return None


def compare(plan: Plan, image: Image, count: int, first: int = 0) -> None:
    """Check that a plan gives what the original transforms give, and refuses what they refuse."""
    params = plan.draw(rows(count, first), [image.shape[:2]] * count)
    given, kept = image.copy(), image.copy()
    given.flags.writeable = False
    for row in range(count):
        # Albumentations writes to some of its inputs (Equalize(mode="pil") to gray images); a plan never does.
        expected = outcome(lambda row=row: plan.reference(image.copy(), params, row))
        actual = outcome(lambda row=row: plan.apply(given, params, row))
        assert (actual is None) == (expected is None)
        if actual is None or expected is None:
            continue
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        assert actual.ndim == 3
        if actual.dtype == np.uint8:
            np.testing.assert_array_equal(actual, expected)
        else:
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(given, kept)


def features(params: dict[str, Any]) -> dict[str, float]:
    """Spell out parameters as numbers: those of the first and last hole of holes, each element of lists."""
    found: dict[str, float] = {}
    for name, value in params.items():
        if name in ("seed", "shape", "mask") or value is None:
            continue
        if name == "holes":
            holes = np.reshape(value, (-1, 4))
            found["count"] = len(holes)
            for place in (0, -1) if len(holes) else ():
                left, top, right, bottom = holes[place].tolist()
                found |= {f"left {place}": left, f"top {place}": top}
                found |= {f"width {place}": right - left, f"height {place}": bottom - top}
                found |= {f"right {place}": right, f"bottom {place}": bottom}
            continue
        elements = np.ravel(value).tolist()
        found |= {f"{name} {place}": element for place, element in enumerate(elements)}
        if isinstance(value, list):
            found[f"{name} together"] = hash(tuple(elements)) % 2**31
    return found


def originals(transform: Any, image: Image) -> list[dict[str, float]]:
    """Draw parameters as Albumentations does."""
    transform.set_random_state(np.random.default_rng(0), random.Random(0))  # noqa: S311  # not for cryptography
    base = transform.update_transform_params({}, {"image": image})
    drawn = []
    for _ in range(DRAWS):
        params = transform.get_params()
        drawn.append(features(params | transform.get_params_dependent_on_data(base | params, {"image": image})))
    return drawn


def p_value(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return how likely two samples as different as these are, if they have one distribution."""
    values, which = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
    if len(values) == 1:
        return 1.0
    if len(values) > 40:
        return float(stats.ks_2samp(ours, theirs).pvalue)
    counts = [np.bincount(part, minlength=len(values)) for part in np.split(which, [len(ours)])]
    return float(stats.chi2_contingency(counts).pvalue)


def test_every_lowered_transform_has_a_case() -> None:
    """A transform that is lowered without a row in the table fails the suite; test_pillow.py has those of policies."""
    policies = {kind for kind in list_registered() if kind.__module__ == "augment.policies.pillow"}
    assert list_registered() - policies == {type(transform) for transform in CASES.values()}


@pytest.mark.parametrize(
    ("name", "size"), [*((name, SIZES[0]) for name in CASES), *((name, SIZES[1]) for name in FILLS)]
)
def test_parameters_have_the_distribution_of_the_original(name: str, size: tuple[int, int, int]) -> None:
    """Each parameter, in the original's own form, is distributed as Albumentations draws it."""
    transform, image = CASES[name], np.full(size, 90, np.uint8)
    theirs = originals(transform, image)
    params = Plan(transform).draw(rows(DRAWS), [size] * DRAWS)
    drawn, own = params.find_leaf(0, 0)[0], lowered(transform)
    ours = [features(own.to_original_params(drawn.columns, row, image)) for row in range(DRAWS)]
    names = sorted({feature for draw in (*ours, *theirs) for feature in draw})
    values = {
        feature: [np.array([draw[feature] for draw in draws if feature in draw]) for draws in (ours, theirs)]
        for feature in names
    }
    assert all(len(mine) and len(yours) for mine, yours in values.values())
    assert {feature: p for feature, pair in values.items() if (p := p_value(*pair)) < 1e-4} == {}
    if name in POINTWISE:  # their parameters are dense up to the ends of their ranges
        for mine, yours in values.values():
            slack = 0.01 * np.ptp(yours)
            np.testing.assert_allclose([mine.min(), mine.max()], [yours.min(), yours.max()], rtol=0, atol=slack)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("name", POINTWISE | FILLS)
def test_pixels_are_those_of_the_original_bit_for_bit(name: str, image: str) -> None:
    """Every kernel gives the original's pixels exactly, and refuses the images that the original refuses."""
    compare(Plan(CASES[name]), IMAGES[image], 12)


@pytest.mark.parametrize("name", CASES)
def test_part_of_an_image_is_treated_as_an_image(name: str) -> None:
    """A crop, which is a view with gaps between its rows, gives the same bits as a copy of it."""
    compare(Plan(A.Compose([A.CenterCrop(29, 31), CASES[name]])), IMAGES["noise"], 4)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("name", TO_FLOAT)
def test_floats_are_those_of_the_original(name: str, image: str) -> None:
    """Tables to float32 differ from the original by 1e-5 of the value at most."""
    compare(Plan(CASES[name]), IMAGES[image], 1)


@pytest.mark.parametrize("name", POINTWISE | FILLS)
def test_kernels_take_the_place_of_the_original(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lowered transform's own `apply` is not called for color images."""
    transform = CASES[name]

    def refuse(*_: Any, **__: Any) -> Image:
        raise AssertionError("the original was called")

    monkeypatch.setattr(type(transform), "apply", refuse)
    plan = Plan(transform)
    params = plan.draw(rows(4), [IMAGES["noise"].shape] * 4)
    for row in range(4):
        plan.apply(IMAGES["noise"], params, row)


@pytest.mark.parametrize("name", CASES)
def test_draw_does_not_depend_on_the_batch(name: str) -> None:
    """A sample draws the same parameters alone and among samples of other sizes."""
    transform, shapes = CASES[name], [(100, 140), (37, 53), (61, 29), (400, 20)]
    plan, own = Plan(transform), lowered(transform)
    together = plan.draw(rows(4), shapes).find_leaf(0, 0)[0]
    for row in range(4):
        image = np.zeros((*shapes[row], 3), np.uint8)
        alone = plan.draw(rows(1, row), shapes[row : row + 1]).find_leaf(0, 0)[0]
        drawn = own.to_original_params(together.columns, row, image), own.to_original_params(alone.columns, 0, image)
        np.testing.assert_equal(*drawn)


@pytest.mark.parametrize("reason", REFUSED)
def test_option_without_a_kernel_says_why(reason: str) -> None:
    """What cannot be lowered is refused with a reason, and the plan runs the original instead."""
    with pytest.raises(NotLoweredError) as caught:
        lowered(REFUSED[reason])
    assert str(caught.value).startswith(reason)


# Every kernel of the table is exact, so runs of them are held to bits and not to levels: a level of difference before a
# posterize would become 128. Whoever adds a kernel that is not exact has to state its bound here.
@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(POINTWISE | FILLS)), min_size=2, max_size=4),
    last=st.sampled_from(["", *TO_FLOAT]),
    image=st.sampled_from(sorted(IMAGES)),
    first=st.integers(0, 1000),
)
def test_runs_of_transforms_are_exact(names: list[str], last: str, image: str, first: int) -> None:
    """A run rounds and clips between its steps as the originals one by one do; floats after it are within 1e-5."""
    transforms = [CASES[name] for name in (*names, *filter(None, [last]))]
    compare(Plan(A.Compose(transforms)), IMAGES[image], 3, first)


@pytest.mark.parametrize("name", ["brightness-safe", "brightness-by-mean", "shift", "jitter", "hsv", "gamma"])
def test_float_images_take_the_original(name: str) -> None:
    """After `ToFloat`, a transform works on 0 to 1 by the original, with shifts in that range."""
    plan, image = Plan(A.Compose([A.ToFloat(), CASES[name]])), IMAGES["noise"]
    compare(plan, image, 4)
    params = plan.draw(rows(4), [image.shape] * 4)
    assert max(plan.apply(image, params, row).std() for row in range(4)) > 0.02


def test_holes_larger_than_the_image_are_refused() -> None:
    """An image that the original refuses gives an error that says what it asks for."""
    plan, image = Plan(A.CoarseDropout((1, 1), (20, 30), (20, 30), p=1)), np.zeros((10, 50, 3), np.uint8)
    params = plan.draw(rows(1), [image.shape])
    with pytest.raises(TransformError, match="CoarseDropout: the image is too small: it must be at least as large"):
        plan.apply(image, params, 0)
