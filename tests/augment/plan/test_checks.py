"""What a plan's methods accept, and what they say of everything else."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import augment
from augment.errors import AugmentError, CaudalError, TransformError

IMAGE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
SHAPE = IMAGE.shape
PLAN = augment.compile([A.HorizontalFlip(), A.RandomCrop(20, 20), A.Blur()])

BAD_SAMPLES: dict[str, tuple[tuple[Any, ...], str]] = {
    "one shape for two": ((0, 0, [1, 2], [SHAPE]), "one shape per sample: got 1 shapes for 2 samples"),
    "two shapes for one": ((0, 0, [1], [SHAPE] * 2), "one shape per sample: got 2 shapes for 1 samples"),
    "no shapes": ((0, 0, [1], []), "one shape per sample: got 0 shapes for 1 samples"),
    "a bare shape": ((0, 0, [1, 2, 3], SHAPE), r"a shape must be \(height, width\).*got 30"),
    "shapes that are a number": ((0, 0, [1], 3), "one shape per sample: got 3 shapes"),
    "a bare index": ((0, 0, 1, [SHAPE]), r"indices must be integers \[N\], got int64 \[\]"),
    "a table of indices": ((0, 0, [[1]], [SHAPE]), r"indices must be integers \[N\], got int64 \[1, 1\]"),
    "fractions": ((0, 0, [1.5], [SHAPE]), r"indices must be integers \[N\], got float64 \[1\]"),
    "whole floats": ((0, 0, np.array([1.0]), [SHAPE]), r"indices must be integers \[N\], got float64"),
    "truth values": ((0, 0, [True], [SHAPE]), r"indices must be integers \[N\], got bool \[1\]"),
    "texts": ((0, 0, ["1"], [SHAPE]), r"indices must be integers \[N\]"),
    "ragged indices": ((0, 0, [[1], [1, 2]], [SHAPE] * 2), r"indices must be integers \[N\]"),
    "a negative index": ((0, 0, [0, -1], [SHAPE] * 2), r"from 0 to 2\^63 - 1, got -1"),
    "a huge index": ((0, 0, np.array([2**63], np.uint64), [SHAPE]), r"from 0 to 2\^63 - 1, got 9223372036854775808"),
    "an index beyond 64 bits": ((0, 0, [2**70], [SHAPE]), r"indices must be integers \[N\]"),
    "a fraction of an epoch": ((0, 0.5, [1], [SHAPE]), "epoch must be an integer from 0 .*got 0.5"),
    "a negative epoch": ((0, -1, [1], [SHAPE]), "epoch must be an integer from 0 .*got -1"),
    "a huge epoch": ((0, 2**64, [1], [SHAPE]), r"from 0 to 2\^63 - 1, got 18446744073709551616"),
    "epochs": ((0, [0, 1], [1, 2], [SHAPE] * 2), "epoch must be an integer from 0"),
    "a negative side": ((0, 0, [1], [(30, -40, 3)]), r"sides from 1 to 2147483647, got \(30, -40, 3\)"),
    "no height": ((0, 0, [1], [(0, 40, 3)]), r"sides from 1 to 2147483647, got \(0, 40, 3\)"),
    "no channels": ((0, 0, [1], [(30, 40, 0)]), r"got \(30, 40, 0\)"),
    "a huge side": ((0, 0, [1], [(30, 2**31, 3)]), r"got \(30, 2147483648, 3\)"),
    "a fraction of a side": ((0, 0, [1], [(30.5, 40, 3)]), r"got \(30.5, 40, 3\)"),
    "a single side": ((0, 0, [1], [(30,)]), r"got \(30,\)"),
    "a batch's shape": ((0, 0, [1], [(1, 30, 40, 3)]), r"got \(1, 30, 40, 3\)"),
    "no shape": ((0, 0, [1], [None]), "got None"),
}


@pytest.mark.parametrize("name", BAD_SAMPLES)
def test_what_does_not_fit_is_refused_when_parameters_are_drawn(name: str) -> None:
    """Lengths, shapes, types and ranges: each error says what, and what it got."""
    arguments, message = BAD_SAMPLES[name]
    with pytest.raises(AugmentError, match=message):
        PLAN.sample(*arguments)


@pytest.mark.parametrize("seed", [-1, 0.5, True, None, "1", [0]])
def test_a_seed_is_a_non_negative_integer(seed: Any) -> None:
    """The error is of the same class as that of an epoch."""
    message = "^seed must be a non-negative integer, got "
    with pytest.raises(AugmentError, match=message):
        PLAN.sample(seed, 0, [1], [SHAPE])
    with pytest.raises(AugmentError, match=message):
        PLAN.sample_single_leaf(seed, 0, 1, SHAPE, 0)


def test_what_fits_is_accepted_in_every_form() -> None:
    """Lists, ranges, NumPy's integers, an empty batch; shapes with and without channels draw alike."""
    expected = [PLAN.apply(IMAGE, PLAN.sample(0, 0, [3], [SHAPE]), 0).tobytes()]
    for indices, shapes in (([3], [SHAPE[:2]]), (range(3, 4), [SHAPE]), (np.array([3], np.uint8), np.array([SHAPE]))):
        params = PLAN.sample(np.int64(0), np.int32(0), indices, shapes)  # type: ignore[arg-type]
        assert [PLAN.apply(IMAGE, params, np.int64(0)).tobytes()] == expected  # type: ignore[arg-type]
    assert len(PLAN.sample(0, 0, [], [])) == len(PLAN.sample(0, 0, range(0), [])) == 0
    assert len(PLAN.sample(0, 0, [2**63 - 1], [SHAPE])) == 1


@pytest.mark.parametrize("sample_keys", [[1], np.array([1]), np.array(1, np.uint64), np.zeros((1, 1), np.uint64), None])
def test_keys_are_uint64(sample_keys: Any) -> None:
    """Anything else is no array of keys, and is said to be none."""
    with pytest.raises(AugmentError, match=r"sample_keys must be uint64 \[N\], got .*: make them with augment.keys"):
        PLAN.draw(sample_keys, [SHAPE])


ROW_METHODS = {
    "window": lambda plan, params, row: plan.window(params, row),
    "apply": lambda plan, params, row: plan.apply(IMAGE, params, row),
    "apply_deferred": lambda plan, params, row: plan.apply_deferred(IMAGE, params, row),
    "run": lambda plan, params, row: plan.run(IMAGE, params, row, [0]),
    "apply_to": lambda plan, params, row: plan.apply_to({"image": IMAGE}, params, row),
    "reference": lambda plan, params, row: plan.reference(IMAGE, params, row),
    "collect_steps": lambda plan, params, row: plan.collect_steps(params, row, [0]),
    "bind_key": lambda plan, params, row: plan.bind_key(params, row, 0),
}


@pytest.mark.parametrize("name", ROW_METHODS)
@pytest.mark.parametrize("row", [-1, 2, 2**70, 0.0, True, None, "0"])
def test_a_row_that_does_not_exist_is_refused(name: str, row: Any) -> None:
    """A negative one is not taken for one from the end."""
    params = PLAN.sample(0, 0, [0, 1], [SHAPE] * 2)
    with pytest.raises(AugmentError, match=r"row=.* is out of range for parameters of 2 samples"):
        ROW_METHODS[name](PLAN, params, row)


@pytest.mark.parametrize("name", ROW_METHODS)
def test_parameters_of_another_plan_are_refused(name: str) -> None:
    """Where their numbers of transforms tell them apart."""
    other = augment.compile([A.HorizontalFlip()])
    with pytest.raises(AugmentError, match="drawn by a plan of 1 transforms, and this plan has 3"):
        ROW_METHODS[name](PLAN, other.sample(0, 0, [0], [SHAPE]), 0)


@pytest.mark.parametrize("leaf_index", [-1, 3, 0.0, True, None])
def test_a_leaf_that_does_not_exist_is_refused(leaf_index: Any) -> None:
    """In all methods that take one."""
    params = PLAN.sample(0, 0, [0], [SHAPE])
    calls = (
        lambda: PLAN.get_kind(leaf_index),
        lambda: PLAN.get_last_params(leaf_index),
        lambda: PLAN.bind_key(params, 0, leaf_index),
        lambda: PLAN.run(IMAGE, params, 0, [leaf_index]),
        lambda: PLAN.collect_steps(params, 0, [leaf_index]),
        lambda: PLAN.sample_single_leaf(0, 0, 0, SHAPE, leaf_index),
        lambda: PLAN.build_params(leaf_index, np.zeros((1, 0)), SHAPE),
    )
    for call in calls:
        with pytest.raises(AugmentError, match=r"leaf_index=.* is out of range for a plan of 3 transforms"):
            call()


@pytest.mark.parametrize(
    "uniforms", [np.zeros(2), np.zeros((2, 2)), np.zeros((1, 3)), [[0, 1]], [[-0.1, 0]], [[np.nan, 0]], [["0", "0"]], 0]
)
def test_numbers_of_one_leaf_are_checked(uniforms: Any) -> None:
    """One row of as many as the leaf draws, in [0, 1)."""
    with pytest.raises(AugmentError, match="uniforms must be"):
        PLAN.build_params(1, uniforms, SHAPE)
    assert len(PLAN.build_params(1, np.array([[0.0, 0.9]]), SHAPE)) == 1


BAD_IMAGES: dict[str, tuple[Any, str]] = {
    "a list": (IMAGE.tolist(), r"an array \[H, W, C\], got list"),
    "nothing": (None, "got NoneType"),
    "two dimensions": (IMAGE[..., 0], r"\[H, W, C\], got shape \(30, 40\)"),
    "a batch": (IMAGE[None], r"\[H, W, C\], got shape \(1, 30, 40, 3\)"),
    "no pixels": (IMAGE[:0], r"got shape \(0, 40, 3\)"),
    "doubles": (IMAGE / 255, "uint8 or float32, got float64"),
    "integers": (IMAGE.astype(int), "uint8 or float32, got int64"),
    "truth values": (IMAGE > 9, "uint8 or float32, got bool"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_what_is_no_image_is_refused(name: str) -> None:
    """In all methods that take one."""
    image, message = BAD_IMAGES[name]
    params = PLAN.sample(0, 0, [0], [SHAPE])
    for method in (PLAN.apply, PLAN.apply_deferred, PLAN.reference):
        with pytest.raises(TransformError, match=message):
            method(image, params, 0)
    with pytest.raises(TransformError, match=message):
        PLAN.run(image, params, 0, [0])


def test_a_window_of_another_size_is_refused() -> None:
    """The part of an image that is given must be the one that was asked for."""
    plan = augment.compile(A.CenterCrop(20, 20, p=1))
    params = plan.sample(0, 0, [0], [SHAPE])
    window = plan.window(params, 0)
    assert window is not None
    with pytest.raises(TransformError, match=r"an image of \(30, 40\) is not the window at 1/1, which is \(20, 20\)"):
        plan.apply(IMAGE, params, 0, window)
    part = IMAGE[window.top : window.top + window.height, window.left : window.left + window.width]
    np.testing.assert_array_equal(plan.apply(part, params, 0, window), plan.apply(IMAGE, params, 0))


def test_targets_without_an_image_are_refused() -> None:
    """By name, and not as a missing key."""
    with pytest.raises(TransformError, match=r"data must contain 'image', got \['mask'\]"):
        PLAN.apply_to({"mask": IMAGE[..., 0]}, PLAN.sample(0, 0, [0], [SHAPE]), 0)


def test_random_arguments_work_or_are_errors_of_the_tree() -> None:
    """Whatever `sample` is called with, nothing but Caudal's errors (and a seed's ValueError) comes out."""
    rng = np.random.default_rng(3)
    atoms: list[Any] = [
        0,
        1,
        -1,
        2**31,
        2**63,
        2**64,
        2**80,
        0.5,
        np.nan,
        None,
        "a",
        True,
        (),
        [],
        (3, 4),
        (3, 4, 3),
        b"",
    ]

    def draw(depth: int) -> Any:
        if depth == 0 or rng.random() < 0.4:
            return atoms[rng.integers(len(atoms))]
        return [draw(depth - 1) for _ in range(rng.integers(0, 4))]

    drawn, refusals = 0, []
    for _ in range(3000):
        count = int(rng.integers(0, 3))
        indices, shapes = (draw(2), draw(3)) if rng.random() < 0.5 else ([1] * count, [draw(1) for _ in range(count)])
        try:
            params = PLAN.sample(0, draw(1) if rng.random() < 0.3 else 0, indices, shapes)
        except CaudalError as error:
            refusals.append(str(error))
        else:
            drawn += 1
            assert len(params) == len(indices) == len(shapes)
    assert all("got" in refusal for refusal in refusals)
    assert drawn > 50
