"""Random cases of `Plan.apply_to`, and their comparison with Albumentations' own result with the same parameters."""

import random
from typing import Any, NamedTuple

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import augment
from tests.augment.plan import cases_geometry, cases_pointwise

_MAKERS: dict[str, Any] = {f"geometry {name}": make for name, make in cases_geometry.CASES.items()} | {
    f"point-wise {name}": lambda transform=transform: transform for name, transform in cases_pointwise.CASES.items()
}

MAX_DIFFERENT_PIXELS = 0.08
"""The greatest fraction of the pixels of a moved mask that may differ: ties of the nearest pixel, rounded otherwise."""

MAX_LEVELS = 4
"""The greatest mean difference of an image, in levels: coordinates are rounded otherwise."""


class TargetCase(NamedTuple):
    """A transform, an image, and which targets are along.

    Attributes:
        name: of the transform's case.
        size: (height, width) of the image, 1 to 40.
        channels: of the image, 1 to 5.
        other_size: of the second image and of the second mask.
        other_channels: of the second image and of the masks.
        seed: of the pixels, boxes and parameters.
    """

    name: str
    size: tuple[int, int]
    channels: int
    other_size: tuple[int, int]
    other_channels: int
    seed: int


def draw_case(rng: random.Random) -> TargetCase:
    """Draw a case."""
    size = rng.randint(1, 40), rng.randint(1, 40)
    other = size if rng.random() < 0.6 else (rng.randint(1, 40), rng.randint(1, 40))
    channels = rng.choice([1, 2, 3, 3, 3, 4, 5])
    return TargetCase(rng.choice(sorted(_MAKERS)), size, channels, other, rng.randint(1, 5), rng.randrange(10**6))


def make_data(case: TargetCase) -> dict[str, Any]:
    """Make an image with every kind of target."""
    rng = np.random.default_rng(case.seed)

    def draw(size: tuple[int, int], channels: int, levels: int, dtype: Any = np.uint8) -> Any:
        return rng.integers(0, levels, (*size, channels)).astype(dtype)

    height, width = case.size
    starts, lengths = rng.uniform(0, 0.7, (3, 2)), rng.uniform(0.1, 0.3, (3, 2))
    dtypes = [np.uint8, np.int32, np.float32, np.uint16]
    return {
        "image": draw(case.size, case.channels, 256),
        "image2": draw(case.other_size, case.other_channels, 256),
        "mask": draw(case.size, case.other_channels, 5, dtypes[case.seed % 4]),
        "mask2": draw(case.other_size, 1, 5)[..., 0],
        "masks": [draw(case.size, 1, 5)[..., 0] for _ in range(case.seed % 3)],
        "bboxes": np.concatenate([starts, starts + lengths], axis=1)[:, :4] * [width, height, width, height],
        "names": [1, 2, 3],
        "keypoints": rng.uniform(0, 1, (4, 2)) * [width, height],
        "points": [1, 2, 3, 4],
    }


def compose(transforms: list[Any]) -> A.Compose:
    """Compose transforms with all targets."""
    made = A.Compose(
        transforms,
        bbox_params=A.BboxParams("pascal_voc", label_fields=["names"]),
        keypoint_params=A.KeypointParams("xy", label_fields=["points"], remove_invisible=False),
        additional_targets={"image2": "image", "mask2": "mask"},
        is_check_shapes=False,
    )
    made.is_check_shapes = False
    return made


def replay(plan: augment.Plan, params: augment.Params, data: dict[str, Any]) -> dict[str, Any]:
    """Run Albumentations on all targets, with its random draws replaced by the plan's."""
    twins = []
    for leaf_index in params.list_leaves(0):
        drawn, at = params.find_leaf(leaf_index, 0)
        lowered: Any = plan.leaves[leaf_index].lowered
        twin = type(lowered.transform).__new__(type(lowered.transform))
        twin.__dict__ = dict(lowered.transform.__dict__, p=1.0)
        twin._key2func = {}
        twin._additional_targets = {}
        twin._set_keys()
        twin.get_params = dict

        def get_params(params: Any, data: Any, own: Any = lowered, drawn: Any = drawn, at: int = at) -> Any:  # noqa: ARG001
            return own.to_original_params(drawn.columns, at, data["image"])

        twin.get_params_dependent_on_data = get_params
        twins.append(twin)
    if "bboxes" in data:
        return compose(twins)(**data)  # type: ignore[no-any-return]
    targets = {"image2": "image", "mask2": "mask"}
    return A.Compose(twins, additional_targets=targets, is_check_shapes=False)(**data)  # type: ignore[no-any-return]


def check_targets(case: TargetCase) -> None:
    """Compare all targets with Albumentations'; where it refuses an image, so does the plan.

    Raises:
        AssertionError: a target differs.
    """
    plan = augment.compile(compose([_MAKERS[case.name]()]))
    data = make_data(case)
    params = plan.sample(case.seed, 0, [0], [data["image"].shape])
    geometric = [index for index in params.list_leaves(0) if params.leaf_params[index][0][1].batch_steps]
    if params.steps(0, geometric) is None:
        return  # the original draws by itself
    if "gray" in case.name and 1 in case.size:
        return  # some of the originals turn a row into a column, and the kernel does not
    by_channel = any(getattr(leaf.lowered, "is_by_channel", False) for leaf in plan.leaves)
    if by_channel and case.channels != case.other_channels:
        with pytest.raises(augment.TransformError):  # the original would return uninitialized memory
            plan.apply_to(data, params, 0)
        return
    try:
        theirs = replay(plan, params, {name: _copy(value) for name, value in data.items()})
    except Exception:  # the transform does not take such an image
        theirs = None
    if theirs is None:
        with pytest.raises(augment.TransformError):
            plan.apply_to(data, params, 0)
        return
    ours = plan.apply_to(data, params, 0)
    np.testing.assert_array_equal(plan.apply(data["image"], params, 0), ours["image"], err_msg="image")
    for name, expected in theirs.items():
        _compare(name, np.asarray(ours[name]), np.asarray(expected))


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(one) for one in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def _compare(name: str, ours: Any, theirs: Any) -> None:
    if "image" in name and theirs.ndim == 2:
        theirs = theirs[..., np.newaxis]
    assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
    assert ours.dtype == theirs.dtype, (name, ours.dtype, theirs.dtype)
    if "mask" in name:
        different = np.mean(ours != theirs) if ours.size else 0
        assert different <= max(MAX_DIFFERENT_PIXELS, 3 / max(ours.size, 1)), (name, different)
    elif "image" in name:
        difference = np.abs(ours.astype(np.float64) - theirs).mean() if ours.size else 0
        assert difference <= MAX_LEVELS, (name, difference)
    else:
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=name)
