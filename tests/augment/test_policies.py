"""Policies: the operations of the papers, drawn as the papers say, and nothing else computed."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import augment
from augment import TransformError, policies
from augment.plan.plan import Plan
from augment.policies.aug_mix_transform import RANGES as AUG_MIX
from augment.policies.aug_mix_transform import AugMix
from augment.policies.auto_augment import SUB_POLICIES
from augment.policies.operations import FOURTEEN, OperationRanges
from augment.policies.trivial_augment import WIDE

SIZE = (48, 64)
NAMED = [
    *policies.NAMES,
    *("rand_augment(3, m=5)", "auto_augment('cifar10')", "auto_augment('svhn')", "crop_flip + rand_augment(1, 4)"),
]


def smooth(number: int = 0) -> np.ndarray:
    """Make a smooth color image with much structure."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = [np.sin(rows / (3 + channel) + number) + np.cos(columns / (5 - channel)) for channel in range(3)]
    return ((np.stack(waves, axis=2) + 2) * 55 + 15).astype(np.uint8)


def run(transform: Any, image: np.ndarray, number: int = 0) -> np.ndarray:
    """Apply a transform as a plan, for one sample."""
    plan = Plan(transform)
    return plan.apply(image, plan.sample(0, 0, [number], [image.shape]), 0)


@pytest.mark.parametrize("name", NAMED)
def test_policies_compile_explain_and_serialize(name: str, tmp_path: Path) -> None:
    """Every name makes a composition that plans run as the originals do, and that survives saving."""
    transform = augment.policy(name, SIZE)
    if name == "none":
        assert transform is None
        return
    A.save(transform, tmp_path / "policy.json")
    assert augment.load(tmp_path / "policy.json").to_dict() == transform.to_dict()
    plan = augment.compile(transform)
    assert plan.explain()
    image = smooth()
    params = plan.sample(0, 0, range(24), [image.shape] * 24)
    for row in range(24):
        result = plan.apply(image, params, row)
        assert (result.shape, result.dtype) == ((*SIZE, 3), np.uint8)
        if "crop" not in name and name not in ("light", "full"):  # merged warps are sharper than several
            difference = np.abs(plan.reference(image, params, row).astype(int) - result)
            assert difference.mean() < 3, plan.leaves


@pytest.mark.parametrize(
    ("name", "forward"),
    [
        ("Rotate", lambda m: _rotation(30 * m)),
        ("ShearX", lambda m: np.array([[1, 0.3 * m], [0, 1]])),
        ("ShearY", lambda m: np.array([[1, 0], [0.3 * m, 1]])),
        ("TranslateX", lambda m: np.eye(2)),  # noqa: ARG005
        ("TranslateY", lambda m: np.eye(2)),  # noqa: ARG005
    ],
)
def test_geometric_operations_go_both_ways_as_far_as_the_paper_says(name: str, forward: Any) -> None:
    """At magnitude 6 the matrix is that of the paper's value, or of its opposite, each for half of the samples."""
    plan = Plan(OperationRanges().make_operation(name, 0.6))
    params = plan.sample(0, 0, range(400), [SIZE] * 400)
    signs: Counter[int] = Counter()
    for row in range(400):
        (place,) = params.list_leaves(row)
        drawn, at = params.find_leaf(place, row)
        matrix = drawn.columns["matrix"][at]
        fits = [sign for sign in (1, -1) if np.allclose(matrix[:2, :2], forward(0.6 * sign), atol=1e-6)]
        if name.startswith("Translate"):
            shift = np.trunc(0.6 * 150 / 331 * np.array([SIZE[1], SIZE[0]])) * (np.array(["X", "Y"]) == name[-1])
            fits = [sign for sign in (1, -1) if np.allclose(matrix[:2, 2], sign * shift)]
        assert len(fits) == 1, matrix
        signs[fits[0]] += 1
    assert min(signs.values()) > 150


def _rotation(degrees: float) -> np.ndarray:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cosine, sine], [-sine, cosine]])


def groups(plan: Plan, size: int) -> list[int]:
    """Return for each leaf of a policy of alternatives which of so many alternatives in a row it belongs to."""
    names = [type(leaf.transform).__name__ for leaf in plan.leaves]
    assert len(names) % size == 0
    return [place // (len(names) // size) for place in range(len(names))]


def test_rand_augment_draws_n_of_fourteen_with_replacement() -> None:
    """Each sample gets n operations; each operation comes as often as the others in each place; some come twice."""
    plan = Plan(policies.rand_augment(2, 9))
    operations = [_operation(leaf.transform) for leaf in plan.leaves]
    assert len(set(operations)) == 14
    params = plan.sample(0, 0, range(3000), [SIZE] * 3000)
    drawn = [[operations[place] for place in params.list_leaves(row)] for row in range(3000)]
    assert {len(one) for one in drawn} == {2}
    for place in range(2):
        counts = Counter(one[place] for one in drawn)
        assert len(counts) == 14
        assert 150 < min(counts.values()) <= max(counts.values()) < 285  # 214 expected, deviation 14
    assert 150 < sum(first == second for first, second in drawn) < 285


def _operation(transform: Any) -> str:
    """Tell the operations of a policy apart, whatever their direction."""
    described = {name: value for name, value in transform.to_dict()["transform"].items() if name != "p"}
    if isinstance(transform, A.Affine):
        moves = {name: value for name, value in vars(transform).items() if name in ("rotate", "shear")}
        shifts = transform.translate_percent or transform.translate_px
        return repr([np.abs(list(moves["rotate"])).tolist(), _absolute(moves["shear"]), _absolute(shifts)])
    return repr(described)


def _absolute(ranges: Any) -> Any:
    return None if ranges is None else {axis: sorted(map(abs, pair)) for axis, pair in ranges.items()}


def test_magnitude_on_another_scale_is_the_same_strength() -> None:
    """Magnitude 9 of 30 (torchvision's scale) is 3 of 10."""
    one, other = policies.rand_augment(1, 9, maximum=30), policies.rand_augment(1, 3)
    assert one.to_dict() == other.to_dict()


def test_only_what_is_chosen_is_drawn_and_run() -> None:
    """A plan draws parameters only for the samples that get a transform, and runs no other."""
    plan = Plan(policies.auto_augment("imagenet"))
    params = plan.sample(0, 0, range(64), [SIZE] * 64)
    numbers = {
        place: sum(len(rows) if rows is not None else 64 for rows, _ in drawn)
        for place, drawn in params.leaf_params.items()
    }
    chosen = Counter(itertools.chain.from_iterable(params.list_leaves(row) for row in range(64)))
    assert numbers == dict(chosen)
    assert sum(numbers.values()) <= 2 * 64


def test_what_a_sample_gets_depends_on_no_other_in_its_batch() -> None:
    """Among images of one size, of several sizes, and alone it is the same, where nothing is drawn too."""
    plan = Plan(augment.policy("flip + rand_augment(3, 9) + auto_augment('svhn')", (30, 50)))
    small, large = smooth()[:40], smooth()
    for number in range(20):
        alone = plan.apply(large, plan.sample(0, 0, [number], [large.shape]), 0)
        equal = plan.sample(0, 0, [100, number, 101], [large.shape] * 3)
        mixed = plan.sample(0, 0, [100, number, 101], [small.shape, large.shape, small.shape])
        np.testing.assert_array_equal(plan.apply(large, equal, 1), alone)
        np.testing.assert_array_equal(plan.apply(large, mixed, 1), alone)
        assert np.abs(plan.reference(large, mixed, 1).astype(int) - alone).mean() < 4


def test_trivial_augment_draws_one_operation_at_any_strength() -> None:
    """One of fourteen, over the wide ranges; bits are lost as often as 31 equidistant strengths lose them."""
    plan = Plan(policies.trivial_augment())
    params, image = plan.sample(0, 0, range(8000), [SIZE] * 8000), smooth()
    bits, factors, angles = [], [], []
    for row in range(8000):
        (place,) = params.list_leaves(row)
        leaf = plan.leaves[place]
        drawn, at = params.find_leaf(place, row)
        values = leaf.lowered.to_original_params(drawn.columns, at, image) if leaf.lowered else {}
        bits += [values["num_bits"]] if "num_bits" in values else []
        factors += [values["factor"]] if "factor" in values else []
        if isinstance(leaf.transform, A.Affine) and leaf.transform.rotate != (0.0, 0.0):
            angles.append(np.degrees(np.arctan2(-values["matrix"][1, 0], values["matrix"][0, 0])))
    assert 450 < len(bits) < 690
    expected = {8: 5, 7: 5, 6: 5, 5: 5, 4: 5, 3: 5, 2: 1}
    counted = Counter(bits)
    assert set(counted) == set(expected)
    assert all(abs(counted[bit] / len(bits) - share / 31) < 0.05 for bit, share in expected.items())
    assert 0.01 <= min(factors) < 0.05
    assert 1.95 < max(factors) <= WIDE.enhance[1]
    assert min(angles) < -130
    assert 130 < max(angles) <= 135


@pytest.mark.parametrize("dataset", SUB_POLICIES)
def test_auto_augment_has_25_pairs_of_known_operations(dataset: str) -> None:
    """Names, probabilities and magnitudes are in their ranges."""
    assert len(SUB_POLICIES[dataset]) == 25
    for pair in SUB_POLICIES[dataset]:
        for name, p, magnitude in pair:
            assert name in (*FOURTEEN, "Invert")
            assert 0 <= p <= 1
            assert 0 <= magnitude <= 9


def test_auto_augment_has_torchvisions_table() -> None:
    """Where torchvision is installed, its tables hold the same policies."""
    autoaugment = pytest.importorskip("torchvision.transforms.autoaugment", exc_type=ImportError)
    for dataset, pairs in SUB_POLICIES.items():
        policy = autoaugment.AutoAugment(autoaugment.AutoAugmentPolicy(dataset)).policies
        theirs = [tuple((name, p, magnitude or 0) for name, p, magnitude in pair) for pair in policy]
        assert list(pairs) == theirs


def test_aug_mix_blends_chains_reproducibly() -> None:
    """The result is keyed; it stays near the image on average; depth 1 to 3 are equally likely."""
    image, transform = smooth(), AugMix(p=1)
    whole = Plan(transform)
    params = whole.sample(0, 0, range(30), [SIZE] * 30)
    results = [whole.apply(image, params, row) for row in range(30)]
    assert len({result.tobytes() for result in results}) == 30
    np.testing.assert_array_equal(run(transform, image, 4), results[4])
    plan = transform._chain
    params = plan.sample(0, 0, range(3000), [SIZE] * 3000)
    depths = Counter(len(params.list_leaves(row)) for row in range(3000))
    assert set(depths) == {1, 2, 3}
    assert all(900 < count < 1100 for count in depths.values())


@pytest.mark.parametrize("severity", [3, 10])
def test_aug_mix_posterizes_as_the_authors_do(severity: float) -> None:
    """Their code keeps 4 bits less the whole part of 0.4 times a level that is drawn between 0.1 and the severity."""
    low, high = 0.01, severity / 10
    plan = Plan(A.Compose([AUG_MIX.make_operation("Posterize", low, high)]))
    params = plan.sample(0, 0, range(4000), [SIZE] * 4000)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    levels = np.array([len(np.unique(plan.apply(ramp, params, row))) for row in range(4000)])
    drawn = np.random.default_rng(0).uniform(0.1, severity, 100_000)
    expected = 4 - (drawn * 4 / 10).astype(int)
    for bits in range(1, 9):
        assert (levels == 2**bits).mean() == pytest.approx((expected == bits).mean(), abs=0.03)


def test_aug_mix_of_what_nothing_changes_is_the_image() -> None:
    """A black image stays black under every operation of it but solarize at a high strength."""
    black = np.zeros((20, 20, 3), np.uint8)
    plan = Plan(AugMix(severity=1, p=1))
    params = plan.sample(0, 0, range(20), [black.shape] * 20)
    assert all((plan.apply(black, params, row) == 0).all() for row in range(20))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flop", r"unknown policy 'flop'; choose from none, flip, .*, aug_mix"),
        ("full(2)", r"'full\(2\)': too many positional arguments"),
        ("rand_augment(2", r"cannot parse 'rand_augment\(2'; write arguments as in rand_augment\(2, 9\)"),
        ("rand_augment(n=print(1))", "cannot parse"),
        ("rand_augment(k=2)", "unexpected keyword argument 'k'"),
        ("rand_augment(-1)", "rand_augment: n must be an integer from 1 to 14, got -1"),
        ("rand_augment('two')", "n must be an integer from 1 to 14, got 'two'"),
        ("rand_augment(2, 1e999)", "m must be a number from 0 to 30, got inf"),
        ("rand_augment(fill='red')", "rand_augment: fill must be a number from 0 to 255, got 'red'"),
        ("auto_augment('mnist')", r"dataset must be one of 'imagenet', 'cifar10', 'svhn', got 'mnist'"),
        ("aug_mix(severity=11)", "severity must be a number above 0.1 and at most 10, got 11"),
        ("flip + flop", "unknown policy 'flop'"),
        ("", "unknown policy ''"),
    ],
)
def test_what_names_no_policy_is_refused(name: str, message: str) -> None:
    """The message names what there is, or what is wrong with the arguments."""
    with pytest.raises(TransformError, match=message):
        augment.policy(name, SIZE)
