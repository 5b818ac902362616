"""What a plan says of itself is true."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import pytest

import augment

SCALE = "at the coarsest JPEG scale that keeps the result's detail"


def test_the_course_pipeline() -> None:
    """Crop, flip and rotation share a warp, the crop is pushed down, and nothing runs as it is."""
    text = augment.compile(augment.policy("full", (224, 224))).explain()
    lines = text.splitlines()
    assert lines[0].startswith("Push-down: only the window of RandomResizedCrop is decoded from a JPEG")
    assert lines[1].startswith("1. geometry, one warp")
    assert lines[1].endswith("RandomResizedCrop, HorizontalFlip (p=0.5), Affine (p=0.7)")
    assert "2. point-wise" in lines[2]
    assert lines[3] == "3. filled rectangles: CoarseDropout (p=0.5)"
    assert len(lines) == 4


def test_what_stays_opaque_is_named_with_its_reason() -> None:
    """A transform without a kernel, an option without one, and what stands behind an unknown size."""
    text = augment.compile(
        A.Compose([A.Blur(), A.CoarseDropout(fill="random"), A.RandomSizedBBoxSafeCrop(9, 9), A.HorizontalFlip()])
    ).explain()
    assert "Push-down: none; the whole JPEG is decoded" in text
    assert "Blur is not compiled: it has no kernel" in text
    assert "CoarseDropout is not compiled: " in text
    assert "HorizontalFlip is not compiled: an earlier transform may change the image size" in text


def test_a_pipeline_without_crop_is_not_said_to_push_one_down() -> None:
    """A resize alone needs every pixel."""
    assert augment.compile(A.Resize(9, 9)).explain().startswith("Push-down: none; the whole JPEG is decoded")


@pytest.mark.parametrize(
    ("transform", "push_down"),
    [
        (
            [A.HorizontalFlip(p=0.5), A.RandomCrop(9, 9)],
            "only the window of RandomCrop is decoded from a JPEG, for samples",
        ),
        (A.RandomCrop(9, 9, p=0), "none; the whole JPEG is decoded."),
        ([A.ColorJitter(p=1), A.Resize(32, 32)], "none; the whole JPEG is decoded."),
        (
            [A.ColorJitter(p=0.5), A.Resize(32, 32)],
            f"none; the whole JPEG is decoded, {SCALE} for samples that begin with geometry.",
        ),
        ([A.Blur(p=0.5), A.RandomCrop(9, 9)], "only the window of RandomCrop is decoded from a JPEG, for samples"),
        (
            A.OneOf([A.Blur(p=1), A.RandomCrop(9, 9)]),
            "only the window of RandomCrop is decoded from a JPEG, for samples",
        ),
        (A.Sequential([A.RandomCrop(9, 9)], p=0), "none; the whole JPEG is decoded."),
        ([A.PadIfNeeded(64, 64), A.RandomCrop(9, 9)], "only the window of RandomCrop is decoded"),
        (A.Affine(rotate=(-3, 7), p=1), f"none; the whole JPEG is decoded, {SCALE}."),
        (A.PadIfNeeded(512, 512), "none; the whole JPEG is decoded."),
        (A.Resize(9, 9, interpolation=cv2.INTER_AREA), "none; the whole JPEG is decoded."),
        (A.CenterCrop(1024, 1024), "only the window of CenterCrop is decoded from a JPEG."),
    ],
)
def test_what_depends_on_the_draw_is_not_promised(transform: Any, push_down: str) -> None:
    """A crop behind a flip, a resize behind a jitter, a pad, an average: each gets its own sentence."""
    assert push_down in augment.compile(transform).explain().splitlines()[0]


@pytest.mark.parametrize(
    "transform",
    [
        [A.SmallestMaxSize(256), A.RandomCrop(224, 224), A.Rotate()],
        [A.Rotate(), A.RandomCrop(224, 224), A.Resize(96, 96)],
        [A.Rotate(), A.RandomCrop(9000, 9000), A.Resize(96, 96)],
    ],
)
def test_what_refuses_some_images_is_explained(transform: Any) -> None:
    """A crop that some images are too small for does not keep the plan from being described."""
    assert "1. geometry, one warp" in augment.compile(transform).explain()


def test_warps_that_stay_apart_are_counted() -> None:
    """Averages over areas, and different borders, are not said to be one warp."""
    area, smaller = (A.Resize(size, size, interpolation=cv2.INTER_AREA) for size in (50, 40))
    assert "up to 2 warps" in augment.compile([area, smaller]).explain()
    assert "up to" not in augment.compile([area, area]).explain()  # the second one finds its size
    edge = A.RandomResizedCrop((64, 64)), A.Rotate(p=1)
    assert ", or a resize and a warp where merging would change an edge: " in augment.compile(edge).explain()
    nearest = A.Affine(rotate=10, interpolation=cv2.INTER_NEAREST, p=1)
    assert "up to 3 warps and resizes" in augment.compile([*edge, nearest]).explain()


def test_alternatives_do_not_count_together() -> None:
    """No sample gets two of them, whatever keeps their warps apart."""
    linear, cubic = A.Rotate(p=1), A.Rotate(interpolation=cv2.INTER_CUBIC, p=1)
    for either in (A.OneOf([linear, cubic]), A.SomeOf([linear, cubic], n=1)):
        assert "up to" not in augment.compile(either).explain()
        assert "up to 2 warps" in augment.compile([either, A.Resize(50, 50, interpolation=2)]).explain()
    many = [A.OneOf([linear, cubic, A.Sequential([linear, cubic])]) for _ in range(4)]
    assert "up to 8 warps" in augment.compile(many).explain()


def test_what_stands_behind_floats_runs_as_it_is() -> None:
    """Kernels for uint8 do not run on float32, and the plan does not claim that they do."""
    text = augment.compile([A.ToFloat(), A.RandomGamma(p=1)]).explain()
    assert "RandomGamma is not compiled: its kernel needs uint8, but ToFloat before it returns float32" in text


def test_what_may_stand_behind_floats_is_said_to() -> None:
    """Kernels run where ToFloat was not drawn, and where floats have become uint8 again."""
    text = augment.compile([A.ToFloat(p=0.5), A.RandomGamma(p=1)]).explain()
    assert "RandomGamma is not compiled" not in text
    assert "After ToFloat returns float32, later transforms whose kernels need uint8 run unmodified." in text
    back = augment.compile([A.ToFloat(), A.FromFloat(dtype="uint8"), A.RandomGamma(p=1)]).explain()
    assert "RandomGamma is not compiled" not in back


def test_what_other_transforms_separate_is_counted() -> None:
    """In a random order, a point-wise transform may come between two warps; geometry alone stays together."""
    rotate, affine, gamma = A.Rotate(p=1), A.Affine(rotate=10, p=1), A.RandomGamma(p=1)
    for compose in (A.RandomOrder([rotate, affine, gamma], n=3), [rotate, A.RandomOrder([affine, gamma], n=2)]):
        text = augment.compile(compose).explain()
        assert "geometry, up to 2 warps: in some orders other transforms come between them: Rotate, Affine" in text
    together = augment.compile([A.RandomOrder([rotate, affine], n=2), gamma]).explain()
    assert "geometry, one warp where more than one of them samples pixels" in together


def test_a_resize_that_finds_its_size_is_exact() -> None:
    """Steps are examined for the sizes that those before them make, not for those of the first image."""
    resize = A.Resize(40, 44)
    text = augment.compile([resize, A.Affine(rotate=20, p=1), resize]).explain()
    assert "one warp where more than one of them samples pixels, or a resize and a warp where merging" in text
