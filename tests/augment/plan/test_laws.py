"""Laws of plans over random compositions: outcomes, orders and what `explain` says are those of Albumentations."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import augment
from augment import keys
from augment.plan import kernels
from augment.plan.lowering import Pointwise
from augment.transform import Image, KeyedTransform

IMAGE = np.random.default_rng(0).integers(0, 251, (6, 4, 3), np.uint8)
SAMPLES = 500


class Multiply(A.ImageOnlyTransform):
    """A user's transform that tells orders and repetitions apart: level * 3 + number, modulo 251."""

    def __init__(self, number: int, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.number = number

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Map each level."""
        return ((img.astype(int) * 3 + self.number) % 251).astype(np.uint8)


def make_leaf(number: int) -> Any:
    """Make a transform with a kernel or without one, whose effects do not commute."""
    p = (1.0, 0.5, 0.3)[number % 3]
    return (A.HorizontalFlip(p=p), A.Transpose(p=p), Multiply(number, p=p), A.VerticalFlip(p=p))[number % 4]


COMPOSITIONS: dict[str, Callable[..., Any]] = {
    "Compose": lambda *parts: A.Compose(list(parts), p=0.8),
    "Sequential": lambda *parts: A.Sequential(list(parts), p=0.6),
    "OneOf": lambda *parts: A.OneOf(list(parts), p=0.7),
    "SomeOf": lambda *parts: A.SomeOf(list(parts), n=2, p=0.9),
    "SomeOf, replaced": lambda *parts: A.SomeOf(list(parts), n=3, replace=True, p=0.5),
    "RandomOrder": lambda *parts: A.RandomOrder(list(parts), n=2, p=0.9),
    "RandomOrder, replaced": lambda *parts: A.RandomOrder(list(parts), n=2, replace=True, p=0.5),
    "OneOrOther": lambda *parts: A.OneOrOther(parts[0], parts[-1], p=0.3),
    "SelectiveChannelTransform": lambda *parts: A.SelectiveChannelTransform(list(parts), channels=(0, 2), p=0.6),
}


def count_outcomes(apply: Callable[[int], Image]) -> Counter[bytes]:
    """Count the images of all samples."""
    return Counter(bytes(str(image.shape), "ascii") + image.tobytes() for image in map(apply, range(SAMPLES)))


def compare_outcomes(transform: Any) -> float:
    """Return the p-value of the plan's outcomes and the original's having one distribution."""
    plan, original = augment.compile(transform), KeyedTransform(transform)
    params = plan.sample(7, 0, range(SAMPLES), [IMAGE.shape] * SAMPLES)
    ours = count_outcomes(lambda row: plan.apply(IMAGE, params, row))
    own_keys = keys.fold_in(keys.root(8), np.arange(SAMPLES))
    theirs = count_outcomes(lambda row: original(IMAGE, own_keys[row]))
    table = np.array([(ours[outcome], theirs[outcome]) for outcome in sorted(ours.keys() | theirs.keys())])
    rare = table.sum(axis=1) < 20
    table = np.vstack([table[~rare], table[rare].sum(axis=0)]) if rare.any() else table
    table = table[table.sum(axis=1) > 0]
    return 1.0 if len(table) == 1 else float(stats.chi2_contingency(table).pvalue)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inner", COMPOSITIONS)
def test_outcomes_are_as_frequent_as_albumentations_own(inner: str) -> None:
    """Every kind of composition in every kind: each outcome's frequency, by chi-squared (80 tests, p > 10^-5)."""
    for outer, compose in COMPOSITIONS.items():
        if outer == inner == "SelectiveChannelTransform":
            continue  # the inner one would choose a channel that the outer one does not pass on
        if outer == "SelectiveChannelTransform" or inner == "SelectiveChannelTransform":
            leaves = [Multiply(number, p=0.5) for number in (1, 2, 3)]  # it cannot take flips of two channels alone
        else:
            leaves = [make_leaf(number) for number in (1, 2, 4)]
        transform = compose(COMPOSITIONS[inner](*leaves[:2]), leaves[2])
        assert compare_outcomes(transform) > 1e-5, (outer, inner)


@pytest.mark.parametrize(
    ("transform", "unchanged"),
    [
        (A.OneOrOther(A.HorizontalFlip(p=1), A.VerticalFlip(p=1), p=0.5), 0),
        (A.OneOrOther(A.HorizontalFlip(p=0.2), A.VerticalFlip(p=0.2), p=0.5), 0),
        (A.SomeOf([A.HorizontalFlip(p=1)], n=1, replace=True, p=0.5), 0.5),
        (A.RandomOrder([A.HorizontalFlip(p=1)], n=1, replace=True, p=0.5), 0.5),
    ],
)
def test_p_is_decided_once(transform: Any, unchanged: float) -> None:
    """By the composition itself, where it is not compiled."""
    for nested in (transform, [transform], A.Sequential([transform], p=1), A.OneOf([transform], p=1)):
        plan = augment.compile(nested)
        params = plan.sample(0, 0, range(300), [IMAGE.shape] * 300)
        same = sum(np.array_equal(plan.apply(IMAGE, params, row), IMAGE) for row in range(300))
        assert abs(same / 300 - unchanged) <= (0.12 if unchanged else 0)


class Shrink(A.ImageOnlyTransform):
    """A user's transform that changes the size, which nothing announces."""

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Drop a row."""
        return np.ascontiguousarray(img[1:])


def make_resizing_parts() -> list[Any]:
    """Make transforms of known and unknown sizes, with and without kernels."""
    return [
        A.HorizontalFlip(p=1),
        A.Transpose(p=0.5),
        A.RandomCrop(20, 20, pad_if_needed=True, p=0.7),
        A.CoarseDropout(num_holes_range=(2, 2), p=1),
        A.Affine(rotate=20, p=0.6),
        A.InvertImg(p=0.5),
        A.CropAndPad(px=2, keep_size=False, fill=(1, 2, 3), p=1),
        A.OneOrOther(A.RandomCrop(24, 22, pad_if_needed=True, p=1), A.VerticalFlip(p=1), p=0.5),
        Shrink(p=1),
    ]


@settings(max_examples=30)
@given(st.lists(st.sampled_from(range(9)), min_size=2, max_size=5, unique=True), st.integers(0, 10**6), st.booleans())
def test_a_random_order_runs_whatever_sizes_it_meets(numbers: list[int], seed: int, nested: bool) -> None:
    """Sizes are known in the order drawn: a transform of any size before a kernel, a mask along, the same images."""
    parts = [make_resizing_parts()[number] for number in numbers]
    order = A.RandomOrder([A.Sequential(parts[:2]), *parts[2:]] if nested else parts, n=len(parts) - nested)
    plan = augment.compile(A.Compose([order]))
    image = np.random.default_rng(seed).integers(0, 256, (40, 41, 3), np.uint8)
    params = plan.sample(seed, 0, range(8), [image.shape] * 8)
    for row in range(8):
        result = plan.apply(image, params, row)
        assert result.shape == plan.reference(image, params, row).shape
        moved = plan.apply_to({"image": image}, params, row)["image"]
        np.testing.assert_array_equal(moved, result)
        marks = sum(isinstance(part, A.CoarseDropout | A.Affine) for part in parts)
        if not marks:
            np.testing.assert_array_equal(plan.reference(image, params, row), result)


def count_calls(plan: augment.Plan, params: augment.Params, row: int, image: Image, monkeypatch: Any) -> Counter[str]:
    """Apply a plan, and count what ran: samplings of pixels, and originals of transforms that have a kernel."""
    calls: Counter[str] = Counter()
    resample, resample_or_defer = kernels.resample, kernels.resample_or_defer

    def count_resample(*arguments: Any) -> Any:
        calls["samplings"] += 1
        return resample(*arguments)

    def count_deferred(*arguments: Any) -> Any:
        before = calls["samplings"]
        result = resample_or_defer(*arguments)
        calls["samplings"] = before + 1  # it may have called the other
        return result

    monkeypatch.setattr(kernels, "resample", count_resample)
    monkeypatch.setattr(kernels, "resample_or_defer", count_deferred)
    executor = plan._executor

    def run_original(image: Image, params: Any, row: int, leaf_index: int, own: Any = executor._run_original) -> Image:
        calls[type(plan.leaves[leaf_index].transform).__name__] += 1
        return own(image, params, row, leaf_index)  # type: ignore[no-any-return]

    monkeypatch.setattr(executor, "_run_original", run_original)
    plan.apply(image, params, row)
    monkeypatch.undo()
    return calls


def make_explained_parts() -> list[Any]:
    """Make geometry that merges and does not, point-wise transforms, and what makes floats."""
    return [
        A.Resize(40, 44, p=1),
        A.Resize(50, 60, p=0.5),
        A.RandomResizedCrop((48, 48), p=1),
        A.Affine(rotate=(-20, 20), p=0.6),
        A.Rotate(limit=(10, 30), border_mode=0, p=1),
        A.HorizontalFlip(p=0.5),
        A.RandomGamma(p=1),
        A.HueSaturationValue(p=0.7),
        A.ToFloat(p=0.5),
        A.ToFloat(p=1),
        A.Normalize(normalization="image", p=1),
    ]


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(range(11)), min_size=2, max_size=5),
    st.sampled_from(["all", "order", "one", "some"]),
    st.integers(0, 10**6),
)
def test_what_explain_says_is_what_runs(numbers: list[int], kind: str, seed: int) -> None:
    """Counted calls: no more samplings than said, and no original of a transform of which nothing is said."""
    parts = [make_explained_parts()[number] for number in numbers]
    compose: dict[str, Any] = {
        "all": lambda: parts,
        "order": lambda: A.RandomOrder(parts, n=len(parts)),
        "one": lambda: [A.OneOf(parts[:2], p=0.7), *parts[2:]],
        "some": lambda: [A.SomeOf(parts[:3], n=2), *parts[3:]],
    }
    plan = augment.compile(compose[kind]())
    text = plan.explain()
    image = np.random.default_rng(seed).integers(0, 256, (60, 70, 3), np.uint8)
    params = plan.sample(seed, 0, range(6), [image.shape] * 6)
    monkeypatch = pytest.MonkeyPatch()
    allowed = 0
    for line in text.splitlines():
        if line[:1].isdigit() and "geometry" in line:
            warps = line.partition("up to ")[2].partition(" ")[0]
            allowed += int(warps) if warps else 2 if "or a resize and a warp" in line else 0 if "exact" in line else 1
    for row in range(6):
        try:
            calls = count_calls(plan, params, row, image, monkeypatch)
        except augment.TransformError:  # Albumentations' own: Normalize may return float64, which others refuse
            monkeypatch.undo()
            with pytest.raises(augment.TransformError):
                plan.reference(image, params, row)
            continue
        assert calls["samplings"] <= allowed, text
        for leaf in plan.leaves:
            name = type(leaf.transform).__name__
            if isinstance(leaf.lowered, Pointwise) and calls[name]:
                assert f"{name} is not compiled" in text or "later transforms whose kernels need uint8" in text, text
