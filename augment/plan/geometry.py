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

from augment.plan import kernels
from augment.plan.deferred import DeferredImage, materialize
from augment.plan.lowering import Border, Floats, Integers, Steps
from augment.transform import Image


class GeometryStep(NamedTuple):
    """One step of one sample; see `Steps`.

    Attributes:
        is_exact: whether it only reorders pixels.
        is_upright: whether it neither flips nor turns what it only reorders.
        is_inside: whether it shows nothing outside its input frame.
        is_whole: whether it shows its input frame from edge to edge.
    """

    to_input: Floats
    size: kernels.Size
    interpolation: int
    border: Border
    fill: float | Sequence[float]
    is_exact: bool
    is_upright: bool
    is_inside: bool
    is_whole: bool

    @property
    def is_crop(self) -> bool:
        """Whether it does nothing but leave out what surrounds a window."""
        return self.is_exact and self.is_upright and self.is_inside

    @property
    def is_averaging(self) -> bool:
        """Whether it sees every pixel of its input, and not only the nearest."""
        return not self.is_exact and self.interpolation == cv2.INTER_AREA


class BatchSteps:
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

    def get_step(self, row: int, *, mask: bool = False) -> GeometryStep:
        """Take out one sample's step, for its image or its mask."""
        steps = self.steps
        interpolation = steps.mask_interpolation if mask else steps.interpolation
        return GeometryStep(
            steps.to_input[row],
            self._sizes[row],
            interpolation if isinstance(interpolation, int) else int(interpolation[row]),
            steps.border,
            steps.border.fill_mask if mask else steps.border.fill,
            *self._traits[row],
        )


Frames = tuple[Steps, Integers, Integers]
"""One step of some samples, and the heights and widths of the frames that come to it, int64 [N]."""


def analyze_steps(frames: Sequence[Frames]) -> list[BatchSteps]:
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
    is_exact = affine & (level | turned) & (x == np.rint(x)) & (y == np.rint(y))
    sides = [np.concatenate([getattr(step, side) for step in steps]) for side in ("width", "height")]
    corners = np.stack([_CORNERS[:, [axis]] * sides[axis] for axis in (0, 1)]) - 0.5  # [2, 4, M]
    places = [row[0] * corners[0] + row[1] * corners[1] + row[2] for row in to_input.transpose(1, 2, 0)]
    # Only a frame that the horizon does not cut lies between its corners.
    is_inside, is_whole = (places[2] > 0).all(axis=0), np.ones(len(a), bool)
    for place, side in zip(places, (width, height), strict=False):
        edges = np.sort(place / places[2], axis=0) + 0.5  # [4, M], from 0 to the frame's side
        is_inside &= (edges[0] > -_SLACK) & (edges[3] < side + _SLACK)
        is_whole &= (np.abs(edges[:2]) < _SLACK).all(axis=0) & (np.abs(edges[2:] - side) < _SLACK).all(axis=0)
    traits = list(zip(*(trait.tolist() for trait in (is_exact, (a == 1) & (d == 1), is_inside, is_whole)), strict=True))
    refused = np.isnan(a).tolist()
    ends = list(accumulate(len(step.height) for step in steps))
    return [
        BatchSteps(step, refused[start:end], traits[start:end])
        for step, start, end in zip(steps, [0, *ends], ends, strict=False)
    ]


_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
_SLACK = 1e-6  # pixels


def run(image: Image, steps: list[GeometryStep]) -> Image | DeferredImage:
    """Run the steps of one sample; a warp at the end may be left to be made with others.

    Args:
        image: [H, W, C], uint8 or float32; it is not written to.
        steps: in order.

    Returns:
        [H', W', C] of the last frame; a view of the image where nothing but crops was done.
    """
    if sum(not step.is_exact for step in steps) < 2:
        return _run_one_by_one(image, steps)
    made: Image | DeferredImage = image
    for group in group_steps(steps):
        made = (_run_fused if sum(not step.is_exact for step in group) > 1 else _run_one_by_one)(
            materialize(made), group
        )
    return made


def find_prefix_window(steps: list[GeometryStep], size: kernels.Size) -> tuple[tuple[int, int, int, int], int]:
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


def compute_finest_scale(steps: list[GeometryStep]) -> float:
    """Give the input pixels for each output pixel of some steps, in the direction in which there are fewest.

    That is the smaller singular value of the matrix. 1 where that is no reason to decode more coarsely: for steps that
    are none or show perspective, which has no one number, and for averages over areas, which see every pixel.
    """
    (a, b, _), (c, d, _), (e, f, _) = _multiply_matrices(steps)
    if e or f or any(step.is_averaging for step in steps):
        return 1.0
    squares, determinant = a * a + b * b + c * c + d * d, a * d - b * c
    return math.sqrt(max(squares - math.sqrt(max(squares**2 - 4 * determinant**2, 0)), 0) / 2)


def compose_matrices(steps: list[GeometryStep]) -> Floats:
    """Multiply the steps' matrices: from the last frame to the image."""
    return np.array(_multiply_matrices(steps)) if len(steps) != 1 else steps[0].to_input


def _multiply_matrices(steps: list[GeometryStep]) -> list[list[float]]:
    """Multiply the steps' matrices as Python's numbers: NumPy takes longer to begin than all of it takes here."""
    if not steps:
        return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    rows: list[list[float]] = steps[0].to_input.tolist()
    for step in steps[1:]:
        (a, b, x), (c, d, y), (e, f, w) = step.to_input.tolist()
        rows = [[p * a + q * c + r * e, p * b + q * d + r * f, p * x + q * y + r * w] for p, q, r in rows]
    return rows


def _run_one_by_one(image: Image, steps: list[GeometryStep]) -> Image | DeferredImage:
    made: Image | DeferredImage = image
    for step in steps:
        if step.is_exact:
            made = kernels.rearrange_or_defer(made, step.to_input, step.size, step.border, step.fill)
        else:
            arguments = step.to_input, step.size, step.interpolation, step.border, step.fill
            made = kernels.resample_or_defer(materialize(made), *arguments)
    return made


class _MergedSteps(NamedTuple):
    """Steps that become one warp.

    Attributes:
        steps: behind the leading crops.
        pads: behind those.
        border: of the warp.
        fill: likewise.
        outward: the places among the steps whose borders the warp does not have.
        cut: those that enlarge what was cropped.
    """

    steps: list[GeometryStep]
    pads: list[GeometryStep]
    border: Border
    fill: float | Sequence[float]
    outward: list[int]
    cut: list[int]

    @property
    def is_split(self) -> bool:
        """Whether they run one by one: a resize and one warp, of an image, if the edge would have to be traced.

        That takes a third of the time where the frame between is not larger than the last. Masks are traced: the
        nearest pixel of the nearest pixel may be as far as a pixel of the smaller frame away.
        """
        if not self.outward and not self.cut:
            return False
        first, *others = (step for step in self.steps if not step.is_exact)
        (_, b, _), (c, _, _), last = first.to_input.tolist()
        is_resize = first.is_inside and b == 0 == c and last == [0, 0, 1]
        is_small = math.prod(first.size) <= math.prod(self.steps[-1].size)
        return (
            is_resize
            and is_small
            and len(others) == 1
            and kernels.warp_interpolation(first.interpolation) != cv2.INTER_NEAREST
        )


def _merge_steps(steps: list[GeometryStep]) -> _MergedSteps:
    """Look at what one warp would make of the steps behind the leading crops."""
    steps, pads = _split_trailing_pads(steps)
    outward = [place for place, step in enumerate(steps) if not step.is_inside]
    border, fill = _AT_EDGES, _AT_EDGES.fill
    if outward and _is_border_in_place(steps[: outward[0]], steps[outward[0]], steps[outward[0] + 1 :]):
        outermost = steps[outward.pop(0)]
        border, fill = outermost.border, outermost.fill
    cut = [place for place, step in enumerate(steps) if _is_enlarging_crop(steps[:place], step)]
    return _MergedSteps(steps, pads, border, fill, outward, cut)


def is_split(group: list[GeometryStep]) -> bool:
    """Tell whether a group of steps (see `group_steps`) is a resize and one warp that run one by one."""
    if sum(not step.is_exact for step in group) < 2:
        return False
    return _merge_steps(group[next(place for place, step in enumerate(group) if not step.is_crop) :]).is_split


def _run_fused(image: Image, steps: list[GeometryStep]) -> Image | DeferredImage:
    (top, left, height, width), cropped = find_prefix_window(steps, image.shape[:2])
    image, merged = image[top : top + height, left : left + width], _merge_steps(steps[cropped:])
    if merged.is_split:
        return _run_one_by_one(image, [*merged.steps, *merged.pads])
    steps, interpolation = merged.steps, next(step.interpolation for step in merged.steps if not step.is_exact)
    size = steps[-1].size
    made = kernels.resample_or_defer(image, compose_matrices(steps), size, interpolation, merged.border, merged.fill)
    if merged.outward or merged.cut:
        made = warped = materialize(made)
        edge = np.zeros(size, np.uint8)
        for place in merged.outward:
            frame = steps[place - 1].size if place else image.shape[:2]
            kernels.fill_outside(warped, edge, compose_matrices(steps[place:]), frame, steps[place].fill)
        for place in merged.cut:
            kernels.mark_edge(edge, compose_matrices(steps[place:]), steps[place - 1].size)
        _trace_back(image, steps, warped, edge, interpolation)
    return _run_one_by_one(materialize(made), merged.pads) if merged.pads else made


def _is_enlarging_crop(before: list[GeometryStep], step: GeometryStep) -> bool:
    """Tell whether a step enlarges a frame that shows a part of the image.

    It repeats the outermost pixels of the frame, where one warp would find what was cropped away. Half a pixel of the
    frame is concerned: less than one of the result where it enlarges less than twice.
    """
    return (
        not step.is_exact
        and step.is_inside
        and not all(other.is_whole for other in before)
        and compute_finest_scale([step]) < 0.5
    )


def _trace_back(image: Image, steps: list[GeometryStep], warped: Image, edge: Image, interpolation: int) -> None:
    """Set the marked pixels of the last frame, in place, to what the steps mix there of the image and their fills."""
    at = cv2.findNonZero(edge)
    if at is None:
        return
    places, border = at[:, 0].T.astype(np.float64), _AT_EDGES
    mixed, rest = np.zeros((len(at), image.shape[2])), np.ones((len(at), 1))
    sizes = [image.shape[:2], *(step.size for step in steps[:-1])]
    for step, (height, width) in zip(reversed(steps), reversed(sizes), strict=True):
        places = _map_points(step.to_input, places)
        sides = np.array([[width], [height]])
        if not step.is_inside and step.border.mode != cv2.BORDER_CONSTANT:
            border = step.border  # it stands around the image, all of which the steps before show
        if border is not _AT_EDGES:
            continue
        if not step.is_inside:
            within = np.minimum(places + 1, sides - places)
            within = (
                within >= 0.5
                if kernels.warp_interpolation(interpolation) == cv2.INTER_NEAREST
                else np.clip(within, 0, 1)
            )
            weight = within.prod(axis=0)[:, None]
            mixed += rest * (1 - weight) * kernels.to_scalar(step.fill, image.shape[2])
            rest = rest * weight
        places = np.minimum(np.maximum(places, 0), sides - 1)
    mixed += rest * kernels.interpolate_at(image, places, interpolation, border)
    warped[at[:, 0, 1], at[:, 0, 0]] = kernels.to_pixels(mixed, warped.dtype)


def _map_points(matrix: Floats, places: Floats) -> Floats:
    """Map places [2, K] by a matrix [3, 3]."""
    if matrix[2, 0] == 0 == matrix[2, 1] and matrix[2, 2] == 1:
        return matrix[:2, :2] @ places + matrix[:2, 2:]
    carried = matrix[:, :2] @ places + matrix[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):  # on a horizon
        return np.asarray(np.nan_to_num(carried[:2] / carried[2]))


def _split_trailing_pads(steps: list[GeometryStep]) -> tuple[list[GeometryStep], list[GeometryStep]]:
    """Part off what begins with a pad behind the last step that samples: a pad's edge is hard, and it is cheap."""
    last = max(place for place, step in enumerate(steps) if not step.is_exact)
    first_pad = next(
        (place for place in range(last, len(steps)) if steps[place].is_exact and not steps[place].is_inside), None
    )
    return (steps, []) if first_pad is None else (steps[:first_pad], steps[first_pad:])


_AT_EDGES = Border(cv2.BORDER_REPLICATE)
"""What a resize finds outside its input."""

_MAX_EDGE_WIDTH = 1.5
"""How many pixels wide the soft edge of the image may become; it is one pixel wide where each step runs by itself."""

_MAX_EDGE_ERROR = 0.008
"""How much softer or harder the edge may be, summed up around the frame and spread over all of it.

Half of this, of the levels between image and fill, is the mean error: 0.4 for 100 levels. What is gained by
interpolating photographs once is twice as much. At 224x224 images may shrink by any factor then; tracing the edge costs
as much as the warp there, about 100 us.
"""


def _is_border_in_place(before: list[GeometryStep], step: GeometryStep, after: Sequence[GeometryStep]) -> bool:
    """Tell whether the border of one warp from the image stands where that of one step among others would."""
    if not all(other.is_whole for other in before):
        return False
    if step.border.mode != cv2.BORDER_CONSTANT:
        # What mirrors whole frames is the same at any scale; what mixes or repeats their outermost pixels is not.
        return step.border.mode == cv2.BORDER_REFLECT or all(other.is_exact for other in before)
    if step.is_exact and any(other.is_inside and not other.is_exact for other in after):
        return False  # where a pad adds nothing to a side, the resize behind it repeats that side's pixels
    if all(other.is_exact for other in before):
        return True
    # The edge of the image, as wide as one of its pixels, becomes so many pixels of the frame wide.
    (a, b, _), (c, d, _), _ = _multiply_matrices(before)
    widths = 1 / (abs(a) + abs(b)), 1 / (abs(c) + abs(d))
    height, width = before[-1].size
    off = max(abs(widths[0] - 1), abs(widths[1] - 1)) * (1 / height + 1 / width)
    return bool(max(widths) <= _MAX_EDGE_WIDTH and off <= _MAX_EDGE_ERROR)


def group_steps(steps: list[GeometryStep]) -> list[list[GeometryStep]]:
    """Part the steps where they cannot become one warp: another interpolation, or a border that is no plain fill."""
    groups: list[list[GeometryStep]] = []
    for step in steps:
        group = groups[-1] if groups else []
        sampling = {other.interpolation for other in group if not other.is_exact}
        joins = (
            group
            and (step.is_exact or not sampling or sampling == {step.interpolation} != {cv2.INTER_AREA})
            and (step.is_inside or step.border.mode == cv2.BORDER_CONSTANT or _is_joinable_with_border(group, step))
        )
        if joins:
            group.append(step)
        else:
            groups.append([step])
    return groups


def _is_joinable_with_border(group: list[GeometryStep], step: GeometryStep) -> bool:
    cropped = next((place for place, other in enumerate(group) if not other.is_crop), len(group))
    return _is_border_in_place(group[cropped:], step, ())
