"""Several geometric transforms as one warp: nearer to interpolating once than one by one, and filled alike."""

from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from augment import keys
from augment.plan import kernels
from augment.plan.deferred import materialize
from augment.plan.geometry import GeometryStep, compute_finest_scale, is_split, run
from augment.plan.lowering import Border, make_translation
from augment.plan.plan import Plan

_SIZE = (150, 190)
_ROWS = 4


def _affine(**options: Any) -> Any:
    some = {"rotate": (-30, 30), "scale": (0.8, 1.3), "shear": (-8, 8), "translate_percent": (-0.1, 0.1), "p": 1}
    return A.Affine(**(some | options))


def _rotate(fill: float = 0, **options: Any) -> Any:
    return A.Rotate(**({"limit": (10, 50), "fill": fill, "p": 1} | options))


_REFLECT = {"border_mode": cv2.BORDER_REFLECT}

COMPOSITIONS: dict[str, Callable[[], list[Any]]] = {
    "crop-resize-flip-affine": lambda: [A.RandomResizedCrop((96, 96)), A.HorizontalFlip(), _affine(fill=40)],
    "affine-affine": lambda: [_affine(fill=40), _affine(fill=200)],
    "affine-affine-affine": lambda: [_affine(fill=40), _affine(fill=(200, 1, 9)), _affine(fill=60)],
    "rotate-crop-rotate": lambda: [_rotate(40), A.RandomCrop(80, 90, p=1), _rotate(200)],
    "affine-crop-resize": lambda: [_affine(fill=40), A.RandomResizedCrop((96, 96), p=1)],
    "affine-zoom-affine": lambda: [
        _affine(fill=40),
        A.RandomResizedCrop((96, 96), scale=(0.1, 0.5), p=1),
        _affine(fill=(1, 2, 250)),
    ],
    "perspective-affine": lambda: [A.Perspective(p=1, fill=(250, 3, 9)), _affine(fill=40)],
    "perspective-perspective": lambda: [
        A.Perspective(scale=0.2, p=1, keep_size=False),
        A.Perspective(p=1, scale=0.2, fit_output=True, fill=77),
    ],
    "affine-perspective-rotate": lambda: [_affine(fill=90), A.Perspective(p=1, scale=0.1), _rotate(200)],
    "safe-rotate-rotate-crop": lambda: [A.SafeRotate(p=1, fill=20), _rotate(crop_border=True)],
    "rotate-crop-affine": lambda: [_rotate(crop_border=True), _affine(fill=40)],
    "pad-affine-scale": lambda: [A.Pad(20, fill=30, p=1), _affine(fill=200), A.RandomScale((-0.4, 0.2), p=1)],
    "pad-reflected-affine-resize": lambda: [A.Pad(20, **_REFLECT), _affine(fill=200), A.Resize(120, 130)],
    "enlarge-rotate": lambda: [A.Resize(450, 500), _rotate(99), A.CenterCrop(400, 400)],
    "affine-zoom-enlarge-affine": lambda: [
        _affine(fill=10),
        A.RandomCrop(50, 60),
        A.Resize(250, 200),
        _affine(fill=220),
    ],
    "resize-resize": lambda: [A.Resize(100, 130), A.Resize(170, 160)],
    "letterbox-rotate": lambda: [A.LongestMaxSize(120), A.PadIfNeeded(120, 120, fill=70), _rotate(180)],
    "letterbox-shrink-affine": lambda: [A.PadIfNeeded(200, 90, fill=70), A.Resize(110, 120), _affine(fill=9)],
    "crop-rotate-reflected-resize": lambda: [A.RandomCrop(90, 100), _rotate(**_REFLECT), A.Resize(70, 80)],
    "crop-resize-rotate-reflected": lambda: [A.RandomResizedCrop((96, 96)), _rotate(**_REFLECT)],
    "crop-resize-rotate-reflected-101": lambda: [
        A.RandomResizedCrop((96, 96)),
        _rotate(border_mode=cv2.BORDER_REFLECT_101),
    ],
    "rotate-reflected-rotate": lambda: [_rotate(**_REFLECT), _rotate(9)],
    "rotate-rotate-reflected": lambda: [_rotate(9), _rotate(**_REFLECT)],
    "rotate-replicated-affine": lambda: [_rotate(border_mode=cv2.BORDER_REPLICATE), _affine(fill=250)],
    "turn-affine-transpose-perspective": lambda: [
        A.D4(),
        _affine(fill=5),
        A.Transpose(p=1),
        A.Perspective(p=1, fill=240),
    ],
    "crop-and-pad-affine": lambda: [A.CropAndPad(percent=(-0.2, 0.1), fill=130), _affine(fill=10)],
    "affine-crop-and-pad-affine": lambda: [_affine(fill=10), A.CropAndPad(px=(-30, 20), fill=130), _affine(fill=250)],
    "affine-crop-and-pad-one-side": lambda: [_affine(fill=10), A.CropAndPad(px=(9, -4, 0, -9), fill=130)],
    "shift-affine-shift": lambda: [
        A.Affine(translate_px=(-60, 60), fill=30, p=1),
        _affine(fill=250),
        A.Affine(translate_px=(-60, 60), fill=140, p=1),
    ],
    "affine-fit-crop-resize": lambda: [
        A.Affine(rotate=(-90, 90), fit_output=True, fill=44, p=1),
        A.RandomResizedCrop((96, 96)),
    ],
    "cubic-cubic": lambda: [_affine(interpolation=cv2.INTER_CUBIC), _affine(interpolation=cv2.INTER_CUBIC, fill=9)],
    "nearest-nearest": lambda: [
        _affine(interpolation=cv2.INTER_NEAREST),
        _affine(interpolation=cv2.INTER_NEAREST, fill=9),
    ],
    "linear-cubic": lambda: [_affine(fill=44), _affine(interpolation=cv2.INTER_CUBIC, fill=144)],
    "area-affine": lambda: [A.Resize(80, 90, interpolation=cv2.INTER_AREA), _affine(fill=44)],
    "affine-area-affine": lambda: [
        _affine(fill=7),
        A.RandomResizedCrop((64, 64), interpolation=cv2.INTER_AREA),
        _affine(fill=44),
    ],
}


def _photographs() -> list[NDArray[np.uint8]]:
    height, width = _SIZE
    cut = [image[100 : 100 + height, 150 : 150 + width] for image in load_sample_images().images]
    return [cv2.GaussianBlur(image, (0, 0), 1) for image in cut]


def _fold_back(places: NDArray[Any], side: int, mode: int) -> NDArray[Any]:
    """Say where along an axis of a frame a border mode takes its pixels from."""
    if mode == cv2.BORDER_REPLICATE:
        return np.clip(places, 0, side - 1)
    half = 0 if mode == cv2.BORDER_REFLECT_101 else 0.5
    period = side - 1 + 2 * half
    folded = np.mod(places + half, 2 * period)
    return np.minimum(folded, 2 * period - folded) - half


def _interpolate_once(image: NDArray[np.uint8], steps: list[GeometryStep]) -> NDArray[np.float64]:
    """Follow each output pixel back through the frames, to fills or to the image: bilinear, in float64."""
    sizes = [image.shape[:2], *(step.size for step in steps)]
    y, x = np.mgrid[: sizes[-1][0], : sizes[-1][1]].astype(np.float64)
    result, rest = np.zeros((*x.shape, 3)), np.ones((*x.shape, 1))
    for step, (height, width) in zip(reversed(steps), reversed(sizes[:-1]), strict=True):
        x, y, w = np.einsum("ij,jhw->ihw", step.to_input, np.stack([x, y, np.ones_like(x)]))
        x, y = x / w, y / w
        if step.is_inside:
            x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        elif step.border.mode != cv2.BORDER_CONSTANT:
            x, y = _fold_back(x, width, step.border.mode), _fold_back(y, height, step.border.mode)
        else:
            inside = np.clip(np.minimum(x + 1, width - x), 0, 1) * np.clip(np.minimum(y + 1, height - y), 0, 1)
            result += rest * (1 - inside[..., None]) * kernels.to_scalar(step.fill, 3)
            rest = rest * inside[..., None]
    x, y = np.clip(x, 0, image.shape[1] - 1), np.clip(y, 0, image.shape[0] - 1)
    left, top = np.minimum(x.astype(int), image.shape[1] - 2), np.minimum(y.astype(int), image.shape[0] - 2)
    right_part, bottom_part = (x - left)[..., None], (y - top)[..., None]
    rows = [
        image[row, left] * (1 - right_part) + image[row, left + 1] * right_part  # [H, W, C]
        for row in (top, top + 1)
    ]
    return result + rest * (rows[0] * (1 - bottom_part) + rows[1] * bottom_part)


def _error(image: NDArray[np.uint8], is_exact: NDArray[np.float64]) -> float:
    return float(np.abs(image - is_exact).mean())


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_one_warp_is_nearer_to_interpolating_once(name: str) -> None:
    """On photographs the plan's mean error is not larger than that of the originals one by one."""
    plan = Plan(COMPOSITIONS[name]())
    params = plan.draw(keys.fold_in(keys.root(0), np.arange(_ROWS)), [_SIZE] * _ROWS)
    for image in _photographs():
        for row in range(_ROWS):
            steps = plan.collect_steps(params, row, params.list_leaves(row))
            assert steps is not None
            is_exact = _interpolate_once(image, steps)
            ours, theirs = plan.apply(image, params, row), plan.reference(image, params, row)
            assert ours.shape == theirs.shape
            assert _error(ours, is_exact) <= _error(theirs, is_exact) + 0.01


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_fills_stand_where_the_originals_put_them(name: str) -> None:
    """A plain image and its fills come out as from the originals, but for the pixels next to an edge between them."""
    plan = Plan(COMPOSITIONS[name]())
    params = plan.draw(keys.fold_in(keys.root(1), np.arange(_ROWS)), [_SIZE] * _ROWS)
    image = np.full((*_SIZE, 3), 120, np.uint8)
    for row in range(_ROWS):
        ours, theirs = plan.apply(image, params, row), plan.reference(image, params, row)
        neighbors = np.ones((3, 3), np.uint8)
        is_edge = cv2.dilate(theirs, neighbors) != cv2.erode(theirs, neighbors)
        assert not np.any((cv2.absdiff(ours, theirs) > 1) & ~is_edge)


def test_cropped_pixels_do_not_come_back() -> None:
    """What a crop between two warps cut off shows the second warp's fill, and not the image."""
    image = np.full((100, 100, 3), 255, np.uint8)
    image[30:70, 30:70] = 100
    plan = Plan([A.Affine(scale=1.01, p=1), A.CenterCrop(36, 36), A.Affine(scale=0.5, fill=3, p=1)])
    params = plan.draw(keys.fold_in(keys.root(0), np.arange(1)), [(100, 100)])
    assert plan.apply(image, params, 0).max() == 100


def test_what_a_crop_cut_off_is_not_mixed_into_what_is_enlarged() -> None:
    """A resize repeats the outermost pixels of its frame; one warp from the image would find what lay beyond them."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, :100] = 255
    plan = Plan([A.Affine(scale={"x": 1.0, "y": 1.3}, p=1), A.Crop(100, 10, 120, 30), A.Resize(200, 200)])
    params = plan.draw(keys.fold_in(keys.root(0), np.arange(1)), [(100, 200)])
    assert not plan.apply(image, params, 0).any()
    assert not plan.reference(image, params, 0).any()


def test_a_wrapped_seam_is_as_wide_as_a_pixel_of_the_enlarged_image() -> None:
    """The border of a warp mixes pixels of its own frame, not of the smaller image before it."""
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 255
    shift = A.Affine(translate_percent={"x": (0.5, 0.5), "y": (0, 0)}, scale=0.999, border_mode=cv2.BORDER_WRAP, p=1)
    plan = Plan([A.Resize(200, 200), shift])
    params = plan.draw(keys.fold_in(keys.root(0), np.arange(1)), [(40, 40)])
    ours, theirs = plan.apply(image, params, 0), plan.reference(image, params, 0)
    assert cv2.absdiff(ours, theirs).max() <= 1


def test_windows_are_as_fine_as_a_shear_needs() -> None:
    """The coarsest scale is that of the direction in which the result is finest."""
    matrix = np.array([[2.2, 2.2, 0], [0, 2.2, 0], [0, 0, 1]])
    step = GeometryStep(matrix, (30, 40), cv2.INTER_LINEAR, Border(), 0, False, False, True, True)
    assert compute_finest_scale([step]) == pytest.approx(np.linalg.svd(matrix[:2, :2], compute_uv=False)[1])


def test_prefix_crop_is_a_view() -> None:
    """A crop alone copies nothing."""
    image = np.zeros((100, 100, 3), np.uint8)
    plan = Plan([A.CenterCrop(36, 36), A.RandomCrop(8, 8)])
    params = plan.draw(keys.fold_in(keys.root(0), np.arange(1)), [(100, 100)])
    assert np.shares_memory(plan.apply(image, params, 0), image)


@pytest.mark.parametrize("tilt", [0.0, 0.004, 0.02, -0.03], ids=["upright", "tilted", "horizon", "horizon-behind"])
@pytest.mark.parametrize("channels", [1, 3])
def test_frame_between_is_covered_as_a_warp_out_of_it_would(tilt: float, channels: int) -> None:
    """Each pixel mixes with the fill as a warp out of the frame would mix it, even where a horizon cuts the frame."""
    to_frame = np.array([[1.2, 0.3, -20.3], [-0.2, 1.1, -8.1], [0, tilt, 1 - 30 * tilt]])
    crop = GeometryStep(
        make_translation(np.array([9]), np.array([7]))[0], (30, 40), 1, Border(), 0, True, True, True, False
    )
    steps = [
        crop._replace(to_input=np.diag([1.1, 1.1, 1.0]), size=(60, 60), is_exact=False),
        crop,
        GeometryStep(to_frame, (50, 60), cv2.INTER_LINEAR, Border(fill=50), 50, False, False, False, False),
    ]
    y, x = np.mgrid[:50, :60]
    places = to_frame @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    places = places[:2] / places[2]
    inside = np.clip(np.minimum(places + 1, np.array([[40], [30]]) - places), 0, 1).prod(axis=0).reshape(50, 60, 1)
    warped = materialize(run(np.full((66, 66, channels), 200, np.uint8), steps))
    np.testing.assert_allclose(warped, np.broadcast_to(200 * inside + 50 * (1 - inside), warped.shape), atol=0.51)


@pytest.mark.parametrize("channels", [1, 3])
def test_resize_that_is_parted_off_is_that_of_the_original(channels: int) -> None:
    """Where an edge would have to be traced, a resize and one warp are the originals', bit for bit."""
    plan = Plan([A.Resize(90, 80, p=1), A.HorizontalFlip(p=1), A.Affine(rotate=(-40, 40), fill=90, p=1)])
    image = np.random.default_rng(0).integers(0, 256, (40, 41, channels), np.uint8)
    params = plan.draw(keys.fold_in(keys.root(0), np.arange(20)), [image.shape] * 20)
    for row in range(20):
        steps = plan.collect_steps(params, row, params.list_leaves(row))
        assert steps is not None
        assert is_split(steps)
        np.testing.assert_array_equal(plan.apply(image, params, row), plan.reference(image, params, row))
