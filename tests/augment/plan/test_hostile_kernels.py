"""The compiled module refuses what it cannot do: no caller makes it crash, hang, or write outside its target.

It is driven directly, without what `augment.plan` checks before. `make sanitize` runs these tests with a module that
reports each access outside an object and each undefined operation; `SANITIZED_KERNELS` names its file.
"""

import importlib
import importlib.util
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest

from augment.plan import colors, compiled, luts
from augment.plan.lowering import ShiftHsv
from augment.transform import Image

SANITIZED = os.environ.get("SANITIZED_KERNELS")

pytestmark = pytest.mark.skipif(
    not SANITIZED and importlib.util.find_spec("augment.plan._kernels") is None,
    reason="the kernels were not compiled: no compiler",
)

REFUSED = (TypeError, ValueError, BufferError)
MARGIN = 256  # bytes around a target that must not change
VECTOR_PIXELS = 64
FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def load_kernels() -> Any:
    """Load the compiled module: the sanitized one where it is named, else the installed one."""
    if not SANITIZED:
        return importlib.import_module("augment.plan._kernels")
    spec = importlib.util.spec_from_file_location("_kernels", SANITIZED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kernels = pytest.fixture(scope="module")(load_kernels)


def noise(rng: np.random.Generator, height: int, width: int) -> Image:
    """Make an image of random levels that ends where its memory ends."""
    return rng.integers(0, 256, (height, width, 3), np.uint8)


class Target:
    """An image to write to, between two margins."""

    def __init__(self, height: int, width: int) -> None:
        self._memory = np.full(height * width * 3 + 2 * MARGIN, 0xA5, np.uint8)
        self.image = self._memory[MARGIN:-MARGIN].reshape(height, width, 3)

    @property
    def is_kept_within(self) -> bool:
        """Whether nothing was written to the margins."""
        return bool((self._memory[:MARGIN] == 0xA5).all() and (self._memory[-MARGIN:] == 0xA5).all())


def draw_source(rng: np.random.Generator) -> Image:
    """Make a source: whole, a window of a larger image, every other row, one row again and again, or read-only."""
    height, width = rng.integers(1, 40), rng.integers(1, 140)
    layout = rng.integers(5)
    if layout == 0:
        return noise(rng, height + 3, width + 4)[2:-1, 1:-3]
    if layout == 1:
        return noise(rng, 2 * height, width)[::2]
    if layout == 2:
        return np.broadcast_to(noise(rng, 1, width), (height, width, 3))
    image = noise(rng, height, width)
    image.flags.writeable = layout == 3
    return image


Applied = tuple[Any, Callable[[Image], Image]]
"""A step as the module reads it, and what OpenCV or NumPy makes of an image by it."""


def draw_step(rng: np.random.Generator, kernels: Any) -> Applied:
    """Draw a step that changes an image in place."""
    kind = rng.integers(6)
    if kind == 0:
        table = rng.integers(0, 256, 256, np.uint8)
        return table, lambda image: table[image]
    if kind == 1:
        tables = rng.integers(0, 256, (3, 256), np.uint8)
        return tables, lambda image: np.stack([tables[c][image[..., c]] for c in range(3)], axis=2)
    if kind in (2, 3):
        factor = float(rng.choice([0.0, 1.0, rng.uniform(0, 3), 10 ** rng.uniform(0, 6), 1e6]))
        if kind == 2:
            make_lut = colors.make_contrast_lut
            return (kernels.CONTRAST, factor), lambda image: luts.apply_lut(image, make_lut(image, factor))
        return (kernels.SATURATION, factor), lambda image: colors.adjust_saturation(image, factor)
    if kind == 4:
        shift = ShiftHsv(*(int(rng.integers(*limits)) for limits in ((0, 180), (-255, 256), (-255, 256))))
        vector_pixels = getattr(compiled.load_kernels(), "_vector_pixels", VECTOR_PIXELS)
        return (kernels.SHIFT_HSV, *shift, vector_pixels), lambda image: colors.shift_hsv(image, shift)
    reach = int(rng.choice([50, 2**31 - 1]))
    left, right = sorted(rng.integers(-reach, reach, 2).tolist())
    top, bottom = sorted(rng.integers(-reach, reach, 2).tolist())
    fill = bytes(rng.integers(0, 256, 3, np.uint8))

    def cover(image: Image) -> Image:
        covered = image.copy()
        covered[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = tuple(fill)
        return covered

    return (kernels.FILL, left, top, right, bottom, fill), cover


def draw_warp(rng: np.random.Generator, kernels: Any, size: tuple[int, int]) -> Applied:
    """Draw a warp to (height, width); some look for pixels as far away as they may."""
    height, width = size
    matrix = rng.uniform(-3, 3, (2, 3))
    room = 32766 - np.abs(matrix[:, :2]) @ (width, height)
    matrix[:, 2] = rng.uniform(-1, 1, 2) * rng.choice([10, 200, 1], p=[0.5, 0.4, 0.1])
    if rng.integers(10) == 0:
        matrix[:, 2] = room * rng.choice([-1, 1], 2)
    border, fill = int(rng.choice(compiled.BORDERS)), bytes(rng.integers(0, 256, 3, np.uint8))

    def warp(image: Image) -> Image:
        warped = cv2.warpAffine(
            image, matrix, (width, height), flags=FLAGS, borderMode=border, borderValue=[float(level) for level in fill]
        )
        return np.asarray(warped, np.uint8).reshape(height, width, 3)

    return (kernels.WARP, matrix, border, fill), warp


def check_valid_work(kernels: Any, seed: int) -> None:
    """Run random steps on a random image: the result is OpenCV's, and nothing else is written to."""
    rng = np.random.default_rng(seed)
    source = draw_source(rng)
    before, size = source.copy(), source.shape[:2]
    applied: list[Applied] = []
    if rng.integers(2):
        size = int(rng.integers(1, 40)), int(rng.integers(1, 600))
        applied.append(draw_warp(rng, kernels, size))
    applied += [draw_step(rng, kernels) for _ in range(rng.integers(4))]
    target = Target(*size)
    kernels.run([(source, target.image, [step for step, _ in applied])])
    assert target.is_kept_within
    np.testing.assert_array_equal(source, before)
    if compiled.load_kernels() is not None:
        expected = np.ascontiguousarray(source)
        for _, apply in applied:
            expected = apply(expected)
        np.testing.assert_array_equal(target.image, expected, f"seed {seed}")


def check_resize(kernels: Any, seed: int) -> None:
    """Resize a random image by the kernels, where the processor can."""
    rng = np.random.default_rng(seed)
    source = draw_source(rng)
    target = Target(int(rng.integers(1, 40)), int(rng.integers(1, 600)))
    height, width = target.image.shape[:2]
    mirrored, upside_down = (bool(rng.integers(2)) for _ in range(2))
    work = (source, target.image, [(kernels.RESIZE, mirrored, upside_down)])
    kernels.run([work])
    assert target.is_kept_within
    if compiled.load_kernels() is not None:
        expected = cv2.resize(np.ascontiguousarray(source), (width, height)).reshape(height, width, 3)
        expected = expected[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
        np.testing.assert_array_equal(target.image, expected, f"seed {seed}")


def check_hostile_work(kernels: Any, seed: int) -> bool:
    """Put a work together of anything at all: it is refused, or done within its target. Returns whether it was done."""
    rng = np.random.default_rng(seed)
    numbers: list[Any] = [0, 1, -1, 3, 4, 179, 180, 255, 2**15, 2**31 - 1, 2**31, 2**63, -(2**63), 10**400]
    numbers += [0.5, 1e6, 1e6 + 1, 1e308, math.inf, -math.inf, math.nan, None, "1", b"1", True, np.int64(7), 1j]
    scales = (0.5, 1, -3, 1e3, 32766, 32767, 1e9, 1e300, math.inf, math.nan, 5e-324)
    matrices: list[Any] = [np.array([[scale, 0, 0], [0, 1, scale]]) for scale in scales]
    matrices += [IDENTITY.T, IDENTITY[:1], IDENTITY.astype(np.float32), IDENTITY.astype(">f8"), np.zeros(6), bytes(48)]
    fills: list[Any] = [b"abc", b"ab", b"", bytearray(b"abc"), "abc", (1, 2, 3), None]
    kinds: list[Any] = [kernels.CONTRAST, kernels.SATURATION, kernels.SHIFT_HSV, kernels.FILL, kernels.RESIZE]
    tables: list[Any] = [
        np.zeros(256, np.uint8), np.zeros((3, 256), np.uint8), np.zeros((256, 3), np.uint8), np.zeros(255, np.uint8),
        np.zeros(256, np.int8), np.zeros(64, np.float32), np.zeros(512, np.uint8)[::2], bytes(256), 3, None,
    ]  # fmt: skip

    def pick(values: list[Any]) -> Any:
        return values[rng.integers(len(values))]

    def draw_any_step() -> Any:
        kind = rng.integers(12)
        if kind == 0:
            return pick(tables)
        if kind == 1:
            return (kernels.WARP, pick(matrices), pick([*compiled.BORDERS, *numbers]), pick([b"abc", *fills]))
        if kind == 2:
            return (pick([*kinds, kernels.WARP, *numbers]), *(pick(numbers) for _ in range(rng.integers(6))))
        if kind == 3:
            return (kernels.FILL, *(pick(numbers[:12]) for _ in range(4)), pick([b"abc", *fills]))
        if kind == 4:
            return (pick([kernels.CONTRAST, kernels.SATURATION]), pick(numbers))
        if kind == 5:
            return (kernels.RESIZE, bool(rng.integers(2)), pick(numbers))
        return draw_step(rng, kernels)[0]

    target = Target(int(rng.integers(1, 30)), int(rng.integers(1, 90)))
    image, other = target.image, noise(rng, int(rng.integers(1, 30)), int(rng.integers(1, 90)))
    strided = np.lib.stride_tricks.as_strided
    odd: list[Any] = [
        other[..., :1], other[..., ::-1], other[::-1], other[:, ::2], other[:0], other[:, :0], other.view(np.int8),
        other.astype(np.float32), other.tobytes(), memoryview(other), bytearray(30), None, 7, other[..., 0],
        other.astype("datetime64[s]"), np.zeros((2, 2, 3), object), image[: len(image) // 2], image[1:],
        strided(other, (1, 1, 3), (2**62, 3, 1)), np.broadcast_to(other[0, 0], (32768, 1, 3)),
    ]  # fmt: skip
    source = other if rng.integers(4) else pick([image, *odd])
    written = image if rng.integers(8) else pick(odd)
    if rng.integers(2):  # of one size, so that more works are done
        source = noise(rng, *image.shape[:2])
    work: Any = (source, written, [draw_any_step() for _ in range(rng.integers(1, 3))])
    if rng.integers(10) == 0:
        work = pick([work[:2], list(work), (*work, 1), (*work[:2], tuple(work[2])), None, (), 3])
    before = image.copy()
    try:
        kernels.run([work])
    except REFUSED:
        np.testing.assert_array_equal(image, before)
        return False
    finally:
        assert target.is_kept_within
    return True


@pytest.mark.parametrize("check", [check_valid_work, check_resize, check_hostile_work])
def test_random_works_are_done_exactly_or_refused(kernels: Any, check: Callable[[Any, int], Any]) -> None:
    """In one thread, and then others in eight at once."""
    done = [check(kernels, seed) for seed in range(150)]
    with ThreadPoolExecutor(8) as pool:
        done += pool.map(lambda seed: check(kernels, seed), range(150, 450))
    if check is check_hostile_work:
        assert 20 < sum(done) < 430  # both happen


def test_works_of_one_call_are_done_in_order_whatever_their_number(kernels: Any) -> None:
    """Each has its own target; one may read what an earlier one wrote."""
    rng = np.random.default_rng(0)
    batch, source = np.zeros((50, 20, 30, 3), np.uint8), noise(rng, 20, 30)
    inverse = np.arange(255, -1, -1, dtype=np.uint8)
    images = [source, *batch]
    kernels.run([(images[at], images[at + 1], [inverse]) for at in range(50)])
    for at in range(50):
        np.testing.assert_array_equal(batch[at], source if at % 2 else 255 - source)
    kernels.run([])
    kernels.run([(source, source, [inverse])])
    np.testing.assert_array_equal(source, batch[0])


SOURCE, WRITTEN = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
READ_ONLY = np.zeros((8, 8, 3), np.uint8)
READ_ONLY.flags.writeable = False
CONTRAST, SATURATION, SHIFT_HSV, FILL, RESIZE, WARP = range(2, 8)
WIDE = np.zeros((8, 21, 3), np.uint8)


def warp_by(first: float, *, second: float = 0) -> tuple[Any, ...]:
    """Write a warp whose matrix has two numbers."""
    return WARP, np.array([[1.0, 0, first], [0, 1, second]]), cv2.BORDER_REFLECT, b"abc"


def encoded_by(position: int, item: Any) -> tuple[Any, ...]:
    """An encoded JPEG, with one item of the tuple replaced."""
    encoded: list[Any] = [0, b"\xff\xd8", (8, 8), 3, 1, None, False]
    encoded[position] = item
    return tuple(encoded)


STEPS: dict[str, tuple[Any, str]] = {
    "empty": ((), "must not be an empty tuple"),
    "kind": ((99,), "kind must be from 2 to 7, not 99"),
    "kind of lookup tables": ((0, 1), "kind must be from 2 to 7, not 0"),
    "huge kind": ((2**70,), "not a number beyond 64 bits"),
    "text": (("a",), "kind must be an integer, not str"),
    "number": (3, "a step that is not a tuple must be an array, not int"),
    "short table": (np.zeros(255, np.uint8), r"a lookup table must be uint8 \[256\] or \[3, 256\]"),
    "table of floats": (np.zeros(64, np.float32), "a lookup table must be uint8"),
    "table of signed": (np.zeros(256, np.int8), "a lookup table must be uint8"),
    "table apart": (np.zeros(512, np.uint8)[::2], "a step that is not a tuple cannot be read: .*contiguous"),
    "too many items": ((CONTRAST, 1.0, 2.0), "a step of kind 2 must have 2 items, not 3"),
    "negative factor": ((CONTRAST, -0.5), "factor must be from 0 to 1000000, not -0.5"),
    "nan factor": ((SATURATION, math.nan), "factor must be from 0 to 1000000, not nan"),
    "infinite factor": ((SATURATION, math.inf), "factor must be from 0 to 1000000, not inf"),
    "huge factor": ((CONTRAST, 10**400), "factor must be from 0 to 1000000, not inf"),
    "factor of text": ((CONTRAST, "1"), "factor must be a number, not str"),
    "hue": ((SHIFT_HSV, 180, 0, 0, 64), "hue must be from 0 to 179, not 180"),
    "saturation": ((SHIFT_HSV, 0, 256, 0, 64), "saturation must be from -255 to 255, not 256"),
    "value": ((SHIFT_HSV, 0, 0, -256, 64), "value must be from -255 to 255, not -256"),
    "value of a float": ((SHIFT_HSV, 0, 0, 1.0, 64), "value must be an integer, not float"),
    "together": ((SHIFT_HSV, 0, 0, 0, 48), "vector_pixels must divide 512, not 48"),
    "none together": ((SHIFT_HSV, 0, 0, 0, 0), "vector_pixels must be from 1 to 512, not 0"),
    "left": ((FILL, 2**31, 0, 1, 1, b"abc"), "left must be from -2147483648 to 2147483647, not 2147483648"),
    "turned": ((FILL, 5, 0, 4, 1, b"abc"), "left=5 must not exceed right=4"),
    "upside-down": ((FILL, 0, 3, 4, 1, b"abc"), "top=3 must not exceed bottom=1"),
    "short fill": ((FILL, 0, 0, 1, 1, b"ab"), "fill must be 3 bytes"),
    "nan matrix": (warp_by(math.nan), "matrix must be finite"),
    "infinite matrix": (warp_by(0, second=-math.inf), "matrix must be finite"),
    "far matrix": (warp_by(0, second=32767), "row 1 of matrix must reach less than 32767 pixels"),
    "huge matrix": (warp_by(1e300), "row 0 of matrix must reach less than 32767 pixels"),
    "steep matrix": ((WARP, IDENTITY * 1e9, 0, b"abc"), "row 0 of matrix must reach less than 32767 pixels"),
    "matrix of another size": ((WARP, np.eye(3), 0, b"abc"), r"matrix must be float64 \[2, 3\]"),
    "matrix of another dtype": ((WARP, IDENTITY.astype(np.float32), 0, b"abc"), "matrix must be float64"),
    "matrix of another order": ((WARP, IDENTITY.astype(">f8"), 0, b"abc"), "matrix must be float64"),
    "matrix apart": ((WARP, np.zeros((2, 6))[:, ::2], 0, b"abc"), "matrix cannot be read: .*contiguous"),
    "wrapped border": ((WARP, IDENTITY, 3, b"abc"), "border must be constant, replicate, reflect or reflect_101"),
    "border": ((WARP, IDENTITY, 5, b"abc"), "border must be from 0 to 4, not 5"),
}

WORKS: dict[str, tuple[Any, str]] = {
    "no tuple": ([SOURCE, WRITTEN, []], r"a work must be a tuple \(source, target, steps\)"),
    "short": ((SOURCE, WRITTEN), "a work must be a tuple"),
    "steps of a tuple": ((SOURCE, WRITTEN, ()), "steps must be a list, not tuple"),
    "no source": ((None, WRITTEN, []), "source must be an array, not NoneType"),
    "source of floats": ((SOURCE.astype(np.float32), WRITTEN, []), "source must be uint8, not of format 'f'"),
    "source of dates": ((SOURCE.astype("M8[s]"), WRITTEN, []), "source cannot be read"),
    "gray source": ((SOURCE[..., 0], WRITTEN, []), r"source must be \[H, W, 3\], not of 2 dimensions"),
    "four channels": ((np.zeros((8, 8, 4), np.uint8), WRITTEN, []), r"source must be \[H, W, 3\] with sides"),
    "empty source": ((SOURCE[:0], WRITTEN, []), r"sides from 1 to 32767, not \[0, 8, 3\]"),
    "long source": ((np.broadcast_to(SOURCE[:1], (32768, 8, 3)), WRITTEN, []), r"not \[32768, 8, 3\]"),
    "mirrored source": ((SOURCE[:, ::-1], WRITTEN, []), "source must have contiguous rows"),
    "upside-down source": ((SOURCE[::-1], WRITTEN, []), "source must have rows that follow each other within 2 GB"),
    "read-only target": ((SOURCE, READ_ONLY, []), "target must not be read-only"),
    "bytes as target": ((SOURCE, memoryview(bytes(192)).cast("B", [8, 8, 3]), []), "target must not be read-only"),
    "target apart": ((SOURCE, np.zeros((16, 8, 3), np.uint8)[::2], []), "target must be contiguous, not of stride 48"),
    "another size": ((SOURCE, WIDE, []), r"target must have the source's size, \[8, 8, 3\], not \[8, 21, 3\]"),
    "overlap": ((WIDE[:7], WIDE[1:], []), "target must not overlap the source"),
    "warp in place": ((WIDE, WIDE, [(WARP, IDENTITY, 0, b"abc")]), "target must not overlap the source"),
    "warp behind": ((SOURCE, WRITTEN, [(CONTRAST, 1.0), warp_by(0)]), "only the first step may be a warp or resize"),
    "encoded of few items": (((0, b""), WRITTEN, []), "an encoded image must be a tuple of 7 items"),
    "encoded format": ((encoded_by(0, 2), WRITTEN, []), "format must be from 0 to 1, not 2"),
    "encoded bytes": ((encoded_by(1, "text"), WRITTEN, []), "bytes must be an array, not str"),
    "encoded size": ((encoded_by(2, (8, 0)), WRITTEN, []), "size must be from 1 to 1000000, not 0"),
    "encoded list": ((encoded_by(2, [8, 8]), WRITTEN, []), "size must be a tuple of two integers"),
    "encoded gray": ((encoded_by(3, 1), WRITTEN, []), "source must have 3 channels"),
    "encoded alpha": ((encoded_by(3, 4), WRITTEN, []), "a JPEG gives 1 or 3 channels, not 4"),
    "encoded ratio": ((encoded_by(4, 3), WRITTEN, []), "ratio must be 1, 2, 4 or 8, not 3"),
    "encoded window": ((encoded_by(5, (-1, 0)), WRITTEN, []), "window must be from 0 to 1000000, not -1"),
    "encoded PNG window": (((1, *encoded_by(5, (0, 0))[1:]), WRITTEN, []), "a PNG is decoded whole"),
    "encoded and another target": ((encoded_by(2, (9, 8)), WRITTEN, []), "target must have the source's size"),
    "encoded far too large": ((encoded_by(2, (32767, 32767)), WRITTEN, [(RESIZE, 0, 0)]), "and fit into 2 GB"),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_bad_step_is_named(kernels: Any, name: str) -> None:
    """The message says which step of which work, which of its arguments, and what is wrong with that."""
    step, fault = STEPS[name]
    works = [(SOURCE, np.zeros_like(SOURCE), []), (SOURCE, WRITTEN, [np.zeros(256, np.uint8), step])]
    if isinstance(step, tuple) and step[:1] == (WARP,):
        works[1][2].pop(0)
    with pytest.raises(REFUSED, match=rf"^works\[1\]: steps\[{len(works[1][2]) - 1}\]: .*{fault}"):
        kernels.run(works)


@pytest.mark.parametrize("name", WORKS)
def test_a_bad_work_is_named(kernels: Any, name: str) -> None:
    """The message says which work, which of its images, and what is wrong with that."""
    work, fault = WORKS[name]
    with pytest.raises(REFUSED, match=rf"^works\[0\]: .*{fault}"):
        kernels.run([work])


def test_targets_of_one_call_must_not_overlap(kernels: Any) -> None:
    """Two works that write to the same bytes are refused, wherever they stand in the list."""
    batch = np.zeros((30, 8, 8, 3), np.uint8)
    works = [(SOURCE, image, []) for image in batch]
    works.insert(3, (SOURCE, batch.reshape(-1, 8, 3)[84:92], []))
    with pytest.raises(ValueError, match=r"^works\[1[12]\]: target must not overlap that of works\[3\]$"):
        kernels.run(works)
    with pytest.raises(TypeError, match="works must be a list, not tuple"):
        kernels.run(tuple(works))


@pytest.mark.parametrize("border", compiled.BORDERS)
def test_a_border_far_away_takes_no_longer(kernels: Any, border: int) -> None:
    """A reflection of two pixels that repeats 16,000 times is computed, and not walked through."""
    source, target = np.arange(12, dtype=np.uint8).reshape(2, 2, 3), Target(400, 400)
    matrix = np.array([[1.0, 0, 32000.5], [0, 1, -32000.25]])
    begin = time.perf_counter()
    kernels.run([(source, target.image, [(kernels.WARP, matrix, border, b"abc")])])
    assert time.perf_counter() - begin < 2
    expected = cv2.warpAffine(source, matrix, (4, 4), flags=FLAGS, borderMode=border, borderValue=(97, 98, 99))
    np.testing.assert_array_equal(target.image[:4, :4], expected)


class Meddler:
    """A number that does something to its caller's lists while it is read."""

    def __init__(self, meddle: Callable[[], object], value: float) -> None:
        self._meddle = meddle
        self._value = value

    def __index__(self) -> int:
        self._meddle()
        return int(self._value)

    def __float__(self) -> float:
        self._meddle()
        return float(self._value)

    def __bool__(self) -> bool:
        self._meddle()
        return bool(self._value)


@pytest.mark.parametrize("meddle", ["clear", "grow", "run", "raise"])
def test_arguments_that_change_the_lists_while_they_are_read(kernels: Any, meddle: str) -> None:
    """What the lists held at the call is done, or the argument's own exception is raised."""
    works: list[Any] = []
    steps: list[Any] = []

    def run_another() -> None:
        kernels.run([(SOURCE, np.zeros_like(SOURCE), [(kernels.CONTRAST, 0.5)])])

    def clear() -> None:
        works.clear()
        steps.clear()

    def grow() -> None:
        works.extend([None] * 1000)
        steps.extend([None] * 1000)

    def fail() -> None:
        raise KeyError("its own")

    meddlers = {"clear": clear, "grow": grow, "run": run_another, "raise": fail}
    rng = np.random.default_rng(0)
    for kind in ("index", "float", "bool"):
        number = Meddler(meddlers[meddle], 1)
        step = {
            "index": (kernels.FILL, number, 0, number, 8, b"abc"),
            "float": (kernels.CONTRAST, number),
            "bool": (kernels.RESIZE, number, number),
        }[kind]
        source, target = noise(rng, 8, 8), Target(8, 8)
        steps[:] = [step, (kernels.FILL, 0, 0, 4, 4, bytes([1, 2, 3]))]
        works[:] = [(source, target.image, steps), (source, np.zeros_like(source), [])]
        if meddle == "raise":
            with pytest.raises(KeyError, match="its own"):
                kernels.run(works)
            continue
        kernels.run(works)
        expected = source[:, ::-1].copy() if kind == "bool" else source.copy()
        if kind == "bool":
            expected = expected[::-1].copy()
        expected[:4, :4] = 1, 2, 3
        np.testing.assert_array_equal(target.image, expected)
        assert target.is_kept_within
