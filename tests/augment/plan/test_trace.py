"""Traces: the steps lead to what the plan gives, and say what was drawn."""

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import augment
from augment.plan.describe import describe
from augment.plan.trace import apply_at_strength, trace

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def test_steps_lead_to_what_the_plan_gives() -> None:
    """A step for each transform that was drawn, in order; the last image is the plan's own."""
    plan = augment.compile(
        A.Compose([augment.policy("full", (32, 32)), A.GaussNoise(p=0.5), A.RandomOrder([A.Blur()])])
    )
    params = plan.sample(0, 0, range(12), [IMAGE.shape] * 12)
    for row in range(12):
        steps = trace(plan, {"image": IMAGE}, params, row)
        assert [step.name for step in steps] == [
            type(plan.leaves[place].transform).__name__ for place in params.list_leaves(row)
        ]
        np.testing.assert_array_equal(steps[-1].data["image"], plan.apply(IMAGE, params, row))


def test_what_belongs_to_the_image_goes_along() -> None:
    """Boxes and masks are moved step by step as well."""
    transform = A.Compose([A.Crop(10, 0, 50, 40), A.HorizontalFlip(p=1)], bbox_params=A.BboxParams("pascal_voc"))
    plan = augment.compile(transform)
    data = {"image": IMAGE, "mask": IMAGE[..., 0], "bboxes": np.array([[20.0, 5, 30, 15, 7]])}
    crop, flip = trace(plan, data, plan.sample(0, 0, [0], [IMAGE.shape]), 0)
    np.testing.assert_allclose(crop.data["bboxes"], [[10, 5, 20, 15, 7]], atol=1e-4)
    np.testing.assert_allclose(flip.data["bboxes"], [[20, 5, 30, 15, 7]], atol=1e-4)
    np.testing.assert_array_equal(flip.data["mask"], IMAGE[:, 10:50, 0][:, ::-1])


def test_originals_say_what_they_drew() -> None:
    """A transform that is not compiled tells the values of its last run."""
    plan = augment.compile(A.MotionBlur(blur_limit=(5, 5), p=1))
    (step,) = trace(plan, {"image": IMAGE}, plan.sample(0, 0, [0], [IMAGE.shape]), 0)
    assert step.name == "MotionBlur"
    plan = augment.compile(A.Downscale((0.5, 0.5), p=1))
    (step,) = trace(plan, {"image": IMAGE}, plan.sample(0, 0, [0], [IMAGE.shape]), 0)
    assert step.values == "scale 0.5"


@pytest.mark.parametrize(("strength", "level"), [(0.0, 0.5), (0.25, 0.75), (1.0, 1.5)])
def test_strength_is_the_part_of_the_range(strength: float, level: float) -> None:
    """All that a transform draws stands at one part of its range."""
    still = (1.0, 1.0)
    plan = augment.compile(A.ColorJitter((0.5, 1.5), still, still, (0.0, 0.0), p=0.1))
    shown = apply_at_strength(plan, {"image": IMAGE}, 0, strength)
    assert shown is not None
    image, values = shown[0]["image"], shown[1]
    assert values == ("" if level == 1 else f"brightness {level:.3g}")
    np.testing.assert_allclose(image, np.clip(IMAGE * level, 0, 255), atol=1)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"matrix": np.eye(3)}, ""),
        ({"matrix": np.diag([2.0, 2.0, 1.0]), "shape": (1, 1)}, "2 times as large"),
        ({"matrix": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])}, "rotated by 90°"),
        ({"matrix": np.array([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 1]])}, "sheared sideways by 0.5"),
        ({"matrix": np.array([[1.0, 0, 0], [0.5, 1, 0], [0, 0, 1]])}, "sheared downwards by 0.5"),
        ({"matrix": np.array([[1.0, 0, 3], [0, 1, -4], [0, 0, 1]])}, "shifted by (3, -4) px"),
        ({"crop_coords": (3, 4, 13, 24)}, "10 x 20 px from (3, 4)"),
        ({"holes": [[0, 0, 5, 6]]}, "1 hole of 5 x 6 px"),
        ({"holes": np.zeros((3, 4))}, "3 holes"),
        ({"brightness": 1.0, "contrast": 1.25, "hue": 0.0, "order": [0, 1]}, "contrast 1.25"),
        ({"noise_map": np.zeros((9, 9)), "mask": None, "num_bits": 4}, "num bits 4"),
        ({"group_element": "r90", "shape": (3, 3)}, "group element r90"),
        ({"scale": {"x": 0.5, "y": 2.0}}, "scale x 0.5 y 2"),
    ],
)
def test_values_are_said_in_a_few_words(params: dict[str, object], text: str) -> None:
    """Geometry in pixels and degrees, scalars by their names, fields of numbers not at all."""
    assert describe(params) == text
