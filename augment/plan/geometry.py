"""Running geometry: the fewest samplings of pixels that give what the transforms one by one would.

Steps that only reorder pixels are array operations, bit for bit. One step that samples runs by itself. Where several
sample, they become one warp from the image to the last frame, so that pixels are interpolated once; what a frame
between them cropped away is covered by the fill that the next step would have found there.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan import kernels
from augment.plan.draft import Draft, finished
from augment.plan.lowered import Border, Floats, Integers, Steps
from augment.transform import Image

Choice = NDArray[np.bool_]
"""Which samples something is true of, [N]."""


class Step(NamedTuple):
    """One step of one sample; see `Steps`.

    Attributes:
        exact: whether it only reorders pixels.
        upright: whether it neither flips nor turns what it only reorders.
        inside: whether it shows nothing outside its input frame.
        whole: whether it shows its input frame from edge to edge.
    """

    to_input: Floats
    size: kernels.Size
    interpolation: int
    border: Border
    fill: float | Sequence[float]
    exact: bool
    upright: bool
    inside: bool
    whole: bool

    @property
    def is_crop(self) -> bool:
        """Whether it does nothing but leave out what surrounds a window."""
        return self.exact and self.upright and self.inside

    @property
    def averages(self) -> bool:
        """Whether it sees every pixel of its input, and not only the nearest."""
        return not self.exact and self.interpolation == cv2.INTER_AREA


class Moves:
    """The steps of a batch, with what is known of each once the sizes of its inputs are.

    All of it is worked out for the batch at once, and kept as Python's own numbers: one sample's are then at hand in a
    microsecond, where each number of an array takes a tenth of one.

    Attributes:
        steps: of a batch.
        refused: which samples the original refuses.
    """

    def __init__(self, steps: Steps, refused: list[bool], traits: list[tuple[bool, bool, bool, bool]]) -> None:
        self.steps = steps
        self.refused = refused
        self._traits = traits
        self._sizes = list(zip(steps.height.tolist(), steps.width.tolist(), strict=True))

    def of(self, row: int, *, mask: bool = False) -> Step:
        """Take out one sample's step, for its image or its mask."""
        steps = self.steps
        interpolation = steps.mask_interpolation if mask else steps.interpolation
        return Step(
            steps.to_input[row],
            self._sizes[row],
            interpolation if isinstance(interpolation, int) else int(interpolation[row]),
            steps.border,
            steps.border.fill_mask if mask else steps.border.fill,
            *self._traits[row],
        )


Frames = tuple[Steps, Integers, Integers]
"""One step of some samples, and the heights and widths of the frames that come to it, int64 [N]."""


def known(frames: Sequence[Frames]) -> list[Moves]:
    """Work out what is known of steps: of as many as there are at once, since NumPy's calls cost more than its work."""
    if not frames:
        return []
    steps = [step for step, *_ in frames]
    height, width = (np.concatenate([frame[at] for frame in frames]) for at in (1, 2))
    to_input = np.concatenate([step.to_input for step in steps])
    (a, b, x), (c, d, y), _ = to_input.transpose(1, 2, 0)
    affine = (to_input[:, 2] == (0, 0, 1)).all(axis=1)
    level = (np.abs(a) == 1) & (np.abs(d) == 1) & (b == 0) & (c == 0)
    turned = (np.abs(b) == 1) & (np.abs(c) == 1) & (a == 0) & (d == 0)
    exact = affine & (level | turned) & (x == np.rint(x)) & (y == np.rint(y))
    sides = [np.concatenate([getattr(step, side) for step in steps]) for side in ("width", "height")]
    corners = np.stack([_CORNERS[:, [axis]] * sides[axis] for axis in (0, 1)]) - 0.5  # [2, 4, M]
    places = [row[0] * corners[0] + row[1] * corners[1] + row[2] for row in to_input.transpose(1, 2, 0)]
    # Only a frame that the horizon does not cut lies between its corners.
    inside, whole = (places[2] > 0).all(axis=0), np.ones(len(a), bool)
    for place, side in zip(places, (width, height), strict=False):
        edges = np.sort(place / places[2], axis=0) + 0.5  # [4, M], from 0 to the frame's side
        inside &= (edges[0] > -_SLACK) & (edges[3] < side + _SLACK)
        whole &= (np.abs(edges[:2]) < _SLACK).all(axis=0) & (np.abs(edges[2:] - side) < _SLACK).all(axis=0)
    traits = list(zip(*(trait.tolist() for trait in (exact, (a == 1) & (d == 1), inside, whole)), strict=True))
    refused = np.isnan(a).tolist()
    ends = list(accumulate(len(step.height) for step in steps))
    return [
        Moves(step, refused[start:end], traits[start:end])
        for step, start, end in zip(steps, [0, *ends], ends, strict=False)
    ]


_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
_SLACK = 1e-6  # pixels


def run(image: Image, steps: list[Step]) -> Image | Draft:
    """Run the steps of one sample; a warp at the end may be left to be made with others.

    Args:
        image: [H, W, C], uint8 or float32; it is not written to.
        steps: in order.

    Returns:
        [H', W', C] of the last frame; a view of the image where nothing but crops was done.
    """
    if sum(not step.exact for step in steps) < 2:
        return _one_by_one(image, steps)
    made: Image | Draft = image
    for group in groups(steps):
        made = (_fused if sum(not step.exact for step in group) > 1 else _one_by_one)(finished(made), group)
    return made


def prefix_window(steps: list[Step], size: kernels.Size) -> tuple[tuple[int, int, int, int], int]:
    """Find the window of the image that leading crops leave.

    Args:
        steps: of one sample, in order.
        size: of the image.

    Returns:
        (top, left, height, width), and how many steps it stands for.
    """
    top, left, (height, width) = 0, 0, size
    for count, step in enumerate(steps):
        if not step.is_crop:
            return (top, left, height, width), count
        matrix = step.to_input
        left, top, (height, width) = left + int(matrix[0, 2]), top + int(matrix[1, 2]), step.size
    return (top, left, height, width), len(steps)


def finest(steps: list[Step]) -> float:
    """Give the input pixels for each output pixel of some steps, in the direction in which there are fewest.

    That is the smaller singular value of the matrix. 1 where that is no reason to decode more coarsely: for steps that
    are none or show perspective, which has no one number, and for averages over areas, which see every pixel.
    """
    (a, b, _), (c, d, _), (e, f, _) = _rows(steps)
    if e or f or any(step.averages for step in steps):
        return 1.0
    squares, determinant = a * a + b * b + c * c + d * d, a * d - b * c
    return math.sqrt(max(squares - math.sqrt(max(squares**2 - 4 * determinant**2, 0)), 0) / 2)


def composed(steps: list[Step]) -> Floats:
    """Multiply the steps' matrices: from the last frame to the image."""
    return np.array(_rows(steps)) if len(steps) != 1 else steps[0].to_input


def _rows(steps: list[Step]) -> list[list[float]]:
    """Multiply the steps' matrices as Python's numbers: NumPy takes longer to begin than all of it takes here."""
    if not steps:
        return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    rows: list[list[float]] = steps[0].to_input.tolist()
    for step in steps[1:]:
        (a, b, x), (c, d, y), (e, f, w) = step.to_input.tolist()
        rows = [[p * a + q * c + r * e, p * b + q * d + r * f, p * x + q * y + r * w] for p, q, r in rows]
    return rows


def _one_by_one(image: Image, steps: list[Step]) -> Image | Draft:
    made: Image | Draft = image
    for step in steps:
        if step.exact:
            made = kernels.rearranged(made, step.to_input, step.size, step.border, step.fill)
        else:
            arguments = step.to_input, step.size, step.interpolation, step.border, step.fill
            made = kernels.drafted_or_resampled(finished(made), *arguments)
    return made


class _Merged(NamedTuple):
    """Steps that become one warp.

    Attributes:
        steps: behind the leading crops.
        pads: behind those.
        border: of the warp.
        fill: likewise.
        outward: the places among the steps whose borders the warp does not have.
        cut: those that enlarge what was cropped.
    """

    steps: list[Step]
    pads: list[Step]
    border: Border
    fill: float | Sequence[float]
    outward: list[int]
    cut: list[int]

    @property
    def is_parted(self) -> bool:
        """Whether they run one by one: a resize and one warp, of an image, if the edge would have to be traced.

        That takes a third of the time where the frame between is not larger than the last. Masks are traced: the
        nearest pixel of the nearest pixel may be as far as a pixel of the smaller frame away.
        """
        if not self.outward and not self.cut:
            return False
        first, *others = (step for step in self.steps if not step.exact)
        (_, b, _), (c, _, _), last = first.to_input.tolist()
        is_resize = first.inside and b == 0 == c and last == [0, 0, 1]
        is_small = math.prod(first.size) <= math.prod(self.steps[-1].size)
        return (
            is_resize and is_small and len(others) == 1 and kernels.of_warps(first.interpolation) != cv2.INTER_NEAREST
        )


def _merged(steps: list[Step]) -> _Merged:
    """Look at what one warp would make of the steps behind the leading crops."""
    steps, pads = _without_pads_behind(steps)
    outward = [place for place, step in enumerate(steps) if not step.inside]
    border, fill = _AT_EDGES, _AT_EDGES.fill
    if outward and _border_is_in_place(steps[: outward[0]], steps[outward[0]], steps[outward[0] + 1 :]):
        outermost = steps[outward.pop(0)]
        border, fill = outermost.border, outermost.fill
    cut = [place for place, step in enumerate(steps) if _enlarges_part(steps[:place], step)]
    return _Merged(steps, pads, border, fill, outward, cut)


def is_parted(group: list[Step]) -> bool:
    """Tell whether a group of steps (see `groups`) is a resize and one warp that run one by one."""
    if sum(not step.exact for step in group) < 2:
        return False
    return _merged(group[next(place for place, step in enumerate(group) if not step.is_crop) :]).is_parted


def _fused(image: Image, steps: list[Step]) -> Image | Draft:
    (top, left, height, width), cropped = prefix_window(steps, image.shape[:2])
    image, merged = image[top : top + height, left : left + width], _merged(steps[cropped:])
    if merged.is_parted:
        return _one_by_one(image, [*merged.steps, *merged.pads])
    steps, interpolation = merged.steps, next(step.interpolation for step in merged.steps if not step.exact)
    size = steps[-1].size
    made = kernels.drafted_or_resampled(image, composed(steps), size, interpolation, merged.border, merged.fill)
    if merged.outward or merged.cut:
        made = warped = finished(made)
        edge = np.zeros(size, np.uint8)
        for place in merged.outward:
            frame = steps[place - 1].size if place else image.shape[:2]
            kernels.cover_outside(warped, edge, composed(steps[place:]), frame, steps[place].fill)
        for place in merged.cut:
            kernels.mark_edge(edge, composed(steps[place:]), steps[place - 1].size)
        _trace_back(image, steps, warped, edge, interpolation)
    return _one_by_one(finished(made), merged.pads) if merged.pads else made


def _enlarges_part(before: list[Step], step: Step) -> bool:
    """Tell whether a step enlarges a frame that shows a part of the image.

    It repeats the outermost pixels of the frame, where one warp would find what was cropped away. Half a pixel of the
    frame is concerned: less than one of the result where it enlarges less than twice.
    """
    return not step.exact and step.inside and not all(other.whole for other in before) and finest([step]) < 0.5


def _trace_back(image: Image, steps: list[Step], warped: Image, edge: Image, interpolation: int) -> None:
    """Set the marked pixels of the last frame, in place, to what the steps mix there of the image and their fills."""
    at = cv2.findNonZero(edge)
    if at is None:
        return
    places, border = at[:, 0].T.astype(np.float64), _AT_EDGES
    mixed, rest = np.zeros((len(at), image.shape[2])), np.ones((len(at), 1))
    sizes = [image.shape[:2], *(step.size for step in steps[:-1])]
    for step, (height, width) in zip(reversed(steps), reversed(sizes), strict=True):
        places = _carried(step.to_input, places)
        sides = np.array([[width], [height]])
        if not step.inside and step.border.mode != cv2.BORDER_CONSTANT:
            border = step.border  # it stands around the image, all of which the steps before show
        if border is not _AT_EDGES:
            continue
        if not step.inside:
            within = np.minimum(places + 1, sides - places)
            within = within >= 0.5 if kernels.of_warps(interpolation) == cv2.INTER_NEAREST else np.clip(within, 0, 1)
            weight = within.prod(axis=0)[:, None]
            mixed += rest * (1 - weight) * kernels.scalar(step.fill, image.shape[2])
            rest = rest * weight
        places = np.minimum(np.maximum(places, 0), sides - 1)
    mixed += rest * kernels.fetch(image, places, interpolation, border)
    warped[at[:, 0, 1], at[:, 0, 0]] = kernels.as_pixels(mixed, warped.dtype)


def _carried(matrix: Floats, places: Floats) -> Floats:
    """Map places [2, K] by a matrix [3, 3]."""
    if matrix[2, 0] == 0 == matrix[2, 1] and matrix[2, 2] == 1:
        return matrix[:2, :2] @ places + matrix[:2, 2:]
    carried = matrix[:, :2] @ places + matrix[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):  # on a horizon
        return np.asarray(np.nan_to_num(carried[:2] / carried[2]))


def _without_pads_behind(steps: list[Step]) -> tuple[list[Step], list[Step]]:
    """Part off what begins with a pad behind the last step that samples: a pad's edge is hard, and it is cheap."""
    last = max(place for place, step in enumerate(steps) if not step.exact)
    first_pad = next(
        (place for place in range(last, len(steps)) if steps[place].exact and not steps[place].inside), None
    )
    return (steps, []) if first_pad is None else (steps[:first_pad], steps[first_pad:])


_AT_EDGES = Border(cv2.BORDER_REPLICATE)
"""What a resize finds outside its input."""

_WIDEST_EDGE = 1.5
"""How many pixels wide the soft edge of the image may become; it is one pixel wide where each step runs by itself."""

_MOST_OFF = 0.008
"""How much softer or harder the edge may be, summed up around the frame and spread over all of it.

Half of this, of the levels between image and fill, is the mean error: 0.4 for 100 levels. What is gained by
interpolating photographs once is twice as much. At 224x224 images may shrink by any factor then; tracing the edge costs
as much as the warp there, about 100 us.
"""


def _border_is_in_place(before: list[Step], step: Step, after: Sequence[Step]) -> bool:
    """Tell whether the border of one warp from the image stands where that of one step among others would."""
    if not all(other.whole for other in before):
        return False
    if step.border.mode != cv2.BORDER_CONSTANT:
        # What mirrors whole frames is the same at any scale; what mixes or repeats their outermost pixels is not.
        return step.border.mode == cv2.BORDER_REFLECT or all(other.exact for other in before)
    if step.exact and any(other.inside and not other.exact for other in after):
        return False  # where a pad adds nothing to a side, the resize behind it repeats that side's pixels
    if all(other.exact for other in before):
        return True
    # The edge of the image, as wide as one of its pixels, becomes so many pixels of the frame wide.
    (a, b, _), (c, d, _), _ = _rows(before)
    widths = 1 / (abs(a) + abs(b)), 1 / (abs(c) + abs(d))
    height, width = before[-1].size
    off = max(abs(widths[0] - 1), abs(widths[1] - 1)) * (1 / height + 1 / width)
    return bool(max(widths) <= _WIDEST_EDGE and off <= _MOST_OFF)


def groups(steps: list[Step]) -> list[list[Step]]:
    """Part the steps where they cannot become one warp: another interpolation, or a border that is no plain fill."""
    groups: list[list[Step]] = []
    for step in steps:
        group = groups[-1] if groups else []
        sampling = {other.interpolation for other in group if not other.exact}
        joins = (
            group
            and (step.exact or not sampling or sampling == {step.interpolation} != {cv2.INTER_AREA})
            and (step.inside or step.border.mode == cv2.BORDER_CONSTANT or _joins_with_border(group, step))
        )
        if joins:
            group.append(step)
        else:
            groups.append([step])
    return groups


def _joins_with_border(group: list[Step], step: Step) -> bool:
    cropped = next((place for place, other in enumerate(group) if not other.is_crop), len(group))
    return _border_is_in_place(group[cropped:], step, ())
