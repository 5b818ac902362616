"""The compiled kernels give what OpenCV gives, bit for bit."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import augment
from augment import keys
from augment.errors import TransformError
from augment.plan import colors, compiled, luts
from augment.plan.compiled import BORDERS, AffineWarp, FilledRectangle, KernelStep
from augment.plan.deferred import DeferredImage, defer, defer_resize, materialize, materialize_all
from augment.plan.kernels import defer_resample
from augment.plan.lowering import Border, Contrast, Saturation, ShiftHsv
from augment.transform import Image

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("augment.plan._kernels") is None, reason="the kernels were not compiled: no compiler"
)


def run_kernels(image: Image, *steps: KernelStep, size: tuple[int, int] | None = None) -> Image:
    """Take steps by the compiled kernels."""
    return materialize(DeferredImage(image, steps, size))


def noise(height: int, width: int, seed: int = 0) -> Image:
    """Make an image of random levels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_kernels_are_used_where_a_processor_has_vectors_of_256_bits() -> None:
    """They agree with OpenCV on such processors; a change of OpenCV that they do not follow shows here."""
    with open("/proc/cpuinfo") as file:
        if not {"avx2", "fma"} <= set(file.read().split()):
            pytest.skip("OpenCV does its arithmetic in another way on this processor")
    assert compiled.load_kernels() is not None


@pytest.mark.parametrize("width", [4096, 61])
@pytest.mark.parametrize("shift", [ShiftHsv(0), ShiftHsv(179), ShiftHsv(23, 50, -30), ShiftHsv(90, -255, 255)])
def test_all_colors_are_shifted_as_by_opencv(shift: ShiftHsv, width: int) -> None:
    """Every one of 2^24 colors, or every 31st, in rows that OpenCV takes whole and in rows that leave a rest."""
    color = np.arange(0, 2**24, 1 if width == 4096 else 31, np.uint32)
    cube = np.stack([color >> 16, color >> 8 & 255, color & 255], axis=1).astype(np.uint8)
    image = np.resize(cube, (len(cube) // width, width, 3))
    np.testing.assert_array_equal(run_kernels(image, shift), colors.shift_hsv(image, shift))


@given(factor=st.floats(0, 3), height=st.integers(1, 40), width=st.integers(1, 90), seed=st.integers(0, 99))
def test_contrast_and_saturation_are_those_of_opencv(factor: float, height: int, width: int, seed: int) -> None:
    """For any factor and size."""
    image = noise(height, width, seed)
    expected = luts.apply_lut(image, colors.make_contrast_lut(image, factor))
    np.testing.assert_array_equal(run_kernels(image, Contrast(factor)), expected)
    np.testing.assert_array_equal(run_kernels(image, Saturation(factor)), colors.adjust_saturation(image, factor))


@settings(max_examples=200)
@given(
    matrix=st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    shift=st.lists(st.floats(-200, 200), min_size=2, max_size=2),
    source=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 600)),
    border=st.sampled_from(BORDERS),
    seed=st.integers(0, 99),
)
def test_warps_are_those_of_opencv(
    matrix: list[float],
    shift: list[float],
    source: tuple[int, int],
    size: tuple[int, int],
    border: int,
    seed: int,
) -> None:
    """For any matrix, size and border, of a window of an image, whose neighbors do not show."""
    (a, b, c, d), (x, y) = matrix, shift
    to_input, fill = np.array([[a, b, x], [c, d, y]]), (200, 3, 90)
    window = noise(source[0] + 2, source[1] + 3, seed)[1:-1, 2:-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(window, to_input, size[::-1], flags=flags, borderMode=border, borderValue=fill)
    warped = run_kernels(window, AffineWarp(to_input, border, fill), size=size)
    np.testing.assert_array_equal(warped, expected.reshape(warped.shape))


@settings(max_examples=200)
@given(
    source=st.tuples(st.integers(1, 90), st.integers(1, 700)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 600)),
    is_half=st.booleans(),
    flips=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 99),
)
def test_resizes_are_those_of_opencv(
    source: tuple[int, int], size: tuple[int, int], is_half: bool, flips: tuple[bool, bool], seed: int
) -> None:
    """From any size to any other, also to half of both sides, which OpenCV averages; and flipped behind that."""
    if is_half:
        source = (2 * size[0], 2 * size[1])
    image = noise(*source, seed)
    begun = defer_resize(image, size)
    assert begun is not None
    expected = cv2.resize(image, size[::-1]).reshape(*size, 3)[:: -1 if flips[1] else 1, :: -1 if flips[0] else 1]
    flipped = begun.flip(mirrored=flips[0], upside_down=flips[1])
    assert flipped is not None
    np.testing.assert_array_equal(materialize(flipped), expected)


@pytest.mark.parametrize("per_channel", [False, True])
def test_levels_are_looked_up(per_channel: bool) -> None:
    """In one table, or in that of each channel."""
    table = np.random.default_rng(1).integers(0, 256, (256, 3) if per_channel else 256, np.uint8)
    image = noise(37, 61)
    expected = table[image, np.arange(3)] if per_channel else table[image]
    np.testing.assert_array_equal(run_kernels(image, table), expected)


def test_rectangles_are_covered_within_the_image() -> None:
    """What reaches outside is cut off."""
    image = noise(30, 40)
    expected = image.copy()
    expected[20:30, 35:40] = 7, 8, 9
    np.testing.assert_array_equal(run_kernels(image, FilledRectangle(35, 20, 99, 99, (7, 8, 9))), expected)


def test_steps_are_taken_in_order_and_the_source_is_not_written_to() -> None:
    """A warp first, and then whatever follows, into memory that is given."""
    image = noise(50, 60)
    before = image.copy()
    matrix = np.array([[0.9, 0.2, 3.0], [-0.2, 1.1, 1.0]])
    begun = DeferredImage(image, (AffineWarp(matrix, cv2.BORDER_REPLICATE, (0, 0, 0)),), (40, 45))
    batch = np.zeros((2, 40, 45, 3), np.uint8)
    materialize_all([(begun.add_steps([Saturation(0.4), Contrast(1.5)]), batch[1]), (begun, batch[0])])
    by_itself = colors.adjust_saturation(batch[0], 0.4)
    expected = luts.apply_lut(by_itself, colors.make_contrast_lut(by_itself, 1.5))
    np.testing.assert_array_equal(batch[1], expected)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "image",
    [
        noise(20, 20)[..., :1],
        noise(20, 20).astype(np.float32),
        noise(20, 20)[:, ::2],
        noise(20, 20)[:, ::-1],
        noise(20, 20)[::-1],
        noise(20, 20)[..., ::-1],
        noise(20, 20)[:0],
    ],
    ids=["gray", "float", "apart", "mirrored", "upside-down", "blue-first", "empty"],
)
def test_other_images_are_left_to_opencv(image: Image) -> None:
    """There is no draft of an image that the kernels do not take; what a plan makes of it is the same."""
    assert defer(image) is None
    if image.size:
        plan = augment.compile([A.ColorJitter(p=1), A.CoarseDropout(fill=3, p=1)])
        params = plan.draw(keys.fold_in(keys.root(0), np.arange(3)), [image.shape] * 3)
        for row in range(3):
            expected = plan.apply(image.copy(), params, row)  # whose rows follow one another
            np.testing.assert_array_equal(plan.apply(image, params, row), expected)


def odd_views() -> dict[str, Image]:
    """Make views of images that are laid out in memory in other ways than one byte after the other."""
    image = noise(21, 30)
    read_only = image.copy()
    read_only.flags.writeable = False
    return {
        "window": image[3:9, 5:20],
        "every other row": image[::2],
        "one row": image[:1],
        "one row of an upside-down image": image[::-1][:1],
        "one column": image[:, :1],
        "one pixel": image[:1, :1],
        "one row, again and again": np.broadcast_to(image[:1], image.shape),
        "one pixel, again and again": np.broadcast_to(image[:1, :1], image.shape),
        "columns first": np.asfortranarray(image),
        "transposed": image.transpose(1, 0, 2),
        "three channels of four": np.concatenate([image, image[..., :1]], axis=2)[..., :3],
        "read-only": read_only,
        "another dtype": image.view(np.int8),
        "truth": image > 100,
    }


@pytest.mark.parametrize("view", odd_views())
def test_what_a_draft_is_begun_of_is_taken(view: str) -> None:
    """What `defer` accepts the kernels accept."""
    image = odd_views()[view]
    begun = defer(image)
    if begun is not None:
        np.testing.assert_array_equal(materialize(begun), image)
        np.testing.assert_array_equal(materialize(begun.add_steps([ShiftHsv(9)])), colors.shift_hsv(image, ShiftHsv(9)))


def test_what_the_kernels_refuse_is_an_error_of_the_transform() -> None:
    """It is one of those that a plan raises, and that a loader can skip."""
    with pytest.raises(TransformError, match="the compiled kernels rejected an image"):
        run_kernels(noise(8, 8), np.zeros(17, np.uint8))


def test_many_rectangles_are_covered_as_few_are() -> None:
    """Where there are more than the kernels are told one by one."""
    image = noise(60, 60)
    plan = augment.compile([A.CoarseDropout((200, 200), (1, 3), (1, 3), fill=7, p=1), A.ColorJitter(p=1)])
    params = plan.draw(keys.fold_in(keys.root(0), [0]), [image.shape])
    np.testing.assert_array_equal(plan.apply(image, params, 0), plan.reference(image, params, 0))


WELL = noise(8, 8), noise(8, 8)
RESIZE = 6


@pytest.mark.parametrize(
    "works",
    [
        None,
        [()],
        [(*WELL, ())],
        [(*WELL, [()])],
        [(*WELL, [(99,)])],
        [(*WELL, [("a",)])],
        [(*WELL, [b"short"])],
        [(*WELL, [3])],
        [(*WELL, [(RESIZE, False, False), (RESIZE, False, False)])],
        [(WELL[0], noise(8, 9), [])],
        [(WELL[0][..., 0], WELL[1], [])],
        [(WELL[0], b"x" * 192, [])],
        [(WELL[0], WELL[1].view(np.int8), [])],
        [(WELL[0][:7], WELL[0][1:], [])],
        [(WELL[0], WELL[0][:4], [(RESIZE, False, False)])],
    ],
)
def test_what_is_no_work_is_refused(works: Any) -> None:
    """An error of Python, and nothing is written."""
    from augment.plan import _kernels  # type: ignore[attr-defined]  # it ships no type information

    before = [image.copy() for image in WELL]
    with pytest.raises((TypeError, ValueError, BufferError)):
        _kernels.run(works)
    np.testing.assert_array_equal(WELL, before)


PIPELINE = A.Compose(
    [
        A.RandomResizedCrop((48, 61), scale=(0.3, 1.0)),
        A.HorizontalFlip(),
        A.Affine(rotate=(-30, 30), scale=(0.7, 1.3), border_mode=cv2.BORDER_REFLECT_101, p=0.7),
        A.OneOf([A.HueSaturationValue(), A.RGBShift(), A.ToGray(), A.Equalize()]),
        A.ColorJitter(p=0.8),
        A.CoarseDropout(fill=(9, 120, 33)),
        A.GaussianBlur(p=0.2),
        A.RandomBrightnessContrast(p=0.5),
    ]
)
"""Runs for the kernels, and what interrupts them."""

DIGEST = """
import hashlib
import sys

sys.path.insert(0, {root!r})
from tests.augment.plan.test_compiled import augment_many
print(hashlib.sha256(augment_many(60).tobytes()).hexdigest())
"""


def augment_many(count: int) -> np.ndarray:
    """Augment an image in so many ways."""
    plan, image = augment.compile(PIPELINE), noise(70, 90)
    params = plan.draw(keys.fold_in(keys.root(0), np.arange(count)), [image.shape] * count)
    return np.stack([plan.apply(image, params, row) for row in range(count)])


def test_a_plan_gives_the_same_without_the_kernels() -> None:
    """They change nothing but the time."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    run = subprocess.run(
        [sys.executable, "-c", DIGEST.format(root=root)],
        env={**os.environ, "CAUDAL_COMPILED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    import hashlib

    assert run.stdout.split()[-1] == hashlib.sha256(augment_many(60).tobytes()).hexdigest()


def test_kernels_can_be_used_from_eight_threads() -> None:
    """Each gets what one by itself gets."""
    with ThreadPoolExecutor(8) as pool:
        for one in pool.map(augment_many, [20] * 8):
            np.testing.assert_array_equal(one, augment_many(20))


def test_the_status_says_why_the_kernels_are_not_in_use(run_python: Callable[..., str]) -> None:
    """Left out by the environment, not compiled, or not exact here: each has its reason."""
    say = "from augment.plan import compiled; print(compiled.status(), compiled.load_kernels() is None)"
    left_out = "compiled kernels: not in use (CAUDAL_COMPILED=0); OpenCV replaces them True"
    assert run_python(say, CAUDAL_COMPILED="0").strip() == left_out
    missing = run_python(f"import sys; sys.modules['augment.plan._kernels'] = None; {say}", CAUDAL_COMPILED="1")
    assert missing.startswith("compiled kernels: not in use (they cannot be imported: ")
    other = "import cv2; cv2.warpAffine = lambda image, *_, **__: image[:60, :70] ^ 1"
    inexact = run_python(f"{other}\n{say}", CAUDAL_COMPILED="1")
    assert inexact.startswith("compiled kernels: not in use (they do not reproduce the pixels of OpenCV ")


@pytest.mark.parametrize(
    ("environment", "break_them", "said"),
    [
        ({}, "", ""),
        ({"CAUDAL_COMPILED": "0"}, "", ""),
        ({}, "sys.modules['augment.plan._kernels'] = None", "they cannot be imported"),
        ({}, "compiled.Kernels.reproduces = lambda *_: False", "they do not reproduce the pixels of OpenCV"),
    ],
    ids=["used", "unwanted", "missing", "inexact"],
)
def test_kernels_that_are_off_are_warned_of_once(
    run_python: Callable[..., str], environment: dict[str, str], break_them: str, said: str
) -> None:
    """Nobody loses two thirds of the speed without a word, and nobody is told who asked for it."""
    code = (
        "import contextlib, io, logging, sys\n"
        "from augment.plan import compiled\n"
        f"{break_them}\n"
        "with contextlib.redirect_stderr(io.StringIO()) as errors:\n"
        "    for _ in range(3): compiled.load_kernels()\n"
        "print(errors.getvalue())\n"
    )
    lines = run_python(code, **environment).strip().splitlines()
    assert len(lines) == bool(said)
    assert not said or said in lines[0]


@pytest.mark.parametrize("size", [(31_000, 31_000), (31_999, 11_186), (32_000, 2), (2, 32_000), (0, 5)])
def test_results_that_the_kernels_do_not_write_are_opencv_s(size: tuple[int, int]) -> None:
    """A result of 2^30 bytes and more is not deferred, as a source is not: there is no error that OpenCV has not."""
    image = noise(40, 50)
    assert defer_resize(image, size) is None
    matrix = np.array([[0.001, 0, 0.3], [0, 0.001, 0.2], [0, 0, 1]])
    border = Border(cv2.BORDER_REFLECT, 0)
    assert defer_resample(image, matrix, size, cv2.INTER_LINEAR, border, 0) is None


def test_sources_that_the_kernels_do_not_read_are_opencv_s() -> None:
    """An image of 2^31 bytes, here one row again and again, is not deferred."""
    row = noise(1, 31_000)
    assert defer(np.ascontiguousarray(row)) is not None
    large = np.lib.stride_tricks.as_strided(row, (31_000, 31_000, 3), (0, 3, 1))
    assert defer(large) is None
    assert defer(large[:11_000]) is not None
