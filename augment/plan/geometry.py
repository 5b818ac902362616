"""Runs geometry with the fewest interpolations that give the result of the transforms one by one.

Steps that only reorder pixels are array operations, bit for bit. One step that samples runs by itself. Several that
sample become one warp from the image to the last frame, so that pixels are interpolated once. Pixels that a frame
between them cropped away become the fill that the next step would have read there.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, cast

import cv2
import numpy as np

from augment.plan import kernels
from augment.plan.deferred import DeferredImage, materialize, materialize_steps
from augment.plan.lowering import Border, Floats, Integers, Steps
from augment.transform import Image


class GeometryStep(NamedTuple):
    """One step of one sample; see `Steps`.

    Attributes:
        is_exact: whether it only reorders pixels.
        is_upright: whether it neither flips nor rotates (of exact steps).
        is_inside: whether it reads nothing outside its input frame.
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
        """Whether it only keeps a window."""
        return self.is_exact and self.is_upright and self.is_inside

    @property
    def is_averaging(self) -> bool:
        """Whether it averages all pixels of its input, and not only the nearest."""
        return not self.is_exact and self.interpolation == cv2.INTER_AREA


class BatchSteps:
    """The steps of a batch, with their traits.

    The traits are computed for the whole batch at once and kept as Python numbers: reading one sample's then takes a
    microsecond, where each element of an array takes 0.1 us.

    Attributes:
        steps: the steps of the batch.
        rejected: which samples the original rejects.
    """

    def __init__(self, steps: Steps, rejected: list[bool], traits: list[tuple[bool, bool, bool, bool]]) -> None:
        self.steps = steps
        self.rejected = rejected
        self._traits = traits
        self._sizes = list(zip(steps.height.tolist(), steps.width.tolist(), strict=True))

    def get_step(self, row: int, *, mask: bool = False) -> GeometryStep:
        """Return one sample's step, for its image or its mask."""
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
"""One step of some samples, and the heights and widths of its input frames, int64 [N]."""


def analyze_steps(frames: Sequence[Frames]) -> list[BatchSteps]:
    """Compute all steps' traits in one vectorized pass; NumPy call overhead dominates."""
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
    points = [row[0] * corners[0] + row[1] * corners[1] + row[2] for row in to_input.transpose(1, 2, 0)]
    # Only a frame that the horizon does not cut lies between its corners.
    is_inside, is_whole = (points[2] > 0).all(axis=0), np.ones(len(a), bool)
    for point, side in zip(points, (width, height), strict=False):
        edges = np.sort(point / points[2], axis=0) + 0.5  # [4, M], from 0 to the frame's side
        is_inside &= (edges[0] > -_SLACK) & (edges[3] < side + _SLACK)
        is_whole &= (np.abs(edges[:2]) < _SLACK).all(axis=0) & (np.abs(edges[2:] - side) < _SLACK).all(axis=0)
    traits = list(zip(*(trait.tolist() for trait in (is_exact, (a == 1) & (d == 1), is_inside, is_whole)), strict=True))
    rejected = np.isnan(a).tolist()
    ends = list(accumulate(len(step.height) for step in steps))
    return [
        BatchSteps(step, rejected[start:end], traits[start:end])
        for step, start, end in zip(steps, [0, *ends], ends, strict=False)
    ]


_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
_SLACK = 1e-6  # pixels


def run(image: Image | DeferredImage, steps: list[GeometryStep]) -> Image | DeferredImage:
    """Run the steps of one sample; the decoding, and a warp at the end, may be deferred.

    Args:
        image: [H, W, C], uint8 or float32; it is not written to.
        steps: in order.

    Returns:
        [H', W', C] of the last frame; a view of the image if all steps are crops.
    """
    if sum(not step.is_exact for step in steps) < 2:
        return _run_one_by_one(image, steps)
    for group in group_steps(steps):
        run_group = _run_fused if sum(not step.is_exact for step in group) > 1 else _run_one_by_one
        image = run_group(image, group)
    return image


def find_prefix_window(steps: list[GeometryStep], size: kernels.Size) -> tuple[tuple[int, int, int, int], int]:
    """Find the window of the image that leading crops keep.

    Args:
        steps: the steps of one sample, in order.
        size: the size of the image.

    Returns:
        (top, left, height, width), and the number of steps that it replaces.
    """
    top, left, (height, width) = 0, 0, size
    for count, step in enumerate(steps):
        if not step.is_crop:
            return (top, left, height, width), count
        matrix = step.to_input
        left, top, (height, width) = left + int(matrix[0, 2]), top + int(matrix[1, 2]), step.size
    return (top, left, height, width), len(steps)


def compute_finest_scale(steps: list[GeometryStep]) -> float:
    """Return the number of input pixels per output pixel of some steps, in the direction with the fewest.

    That is the smaller singular value of the matrix. It is 1 if the image must be decoded at full size: for no steps,
    for perspectives (which have no single number), and for averages over areas (which read every pixel).
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
    """Multiply the steps' matrices as Python numbers: a single NumPy call takes longer."""
    if not steps:
        return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    rows: list[list[float]] = steps[0].to_input.tolist()
    for step in steps[1:]:
        (a, b, x), (c, d, y), (e, f, w) = step.to_input.tolist()
        rows = [[p * a + q * c + r * e, p * b + q * d + r * f, p * x + q * y + r * w] for p, q, r in rows]
    return rows


def _run_one_by_one(image: Image | DeferredImage, steps: list[GeometryStep]) -> Image | DeferredImage:
    for step in steps:
        if step.is_exact:
            image = kernels.rearrange_or_defer(image, step.to_input, step.size, step.border, step.fill)
        else:
            arguments = step.to_input, step.size, step.interpolation, step.border, step.fill
            image = kernels.resample_or_defer(image, *arguments)
    return image


class _MergedSteps(NamedTuple):
    """Steps that become one warp.

    Attributes:
        steps: the steps after the leading crops.
        pads: the exact steps after those, which begin with a pad.
        border: the border of the warp.
        fill: the fill of the warp.
        outward: the indices of steps whose borders the warp does not show.
        cut: the indices of steps that enlarge a cropped frame.
    """

    steps: list[GeometryStep]
    pads: list[GeometryStep]
    border: Border
    fill: float | Sequence[float]
    outward: list[int]
    cut: list[int]

    @property
    def is_split(self) -> bool:
        """Whether they run one by one: a resize and one warp of an image whose edge would have to be traced.

        That takes a third of the time if the frame between is not larger than the last. Masks are traced: the nearest
        pixel of the nearest pixel may be a whole pixel of the smaller frame away.
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
    """Merge the steps after the leading crops into one warp."""
    steps, pads = _split_trailing_pads(steps)
    outward = [index for index, step in enumerate(steps) if not step.is_inside]
    border, fill = _AT_EDGES, _AT_EDGES.fill
    if outward and _is_border_in_place(steps[: outward[0]], steps[outward[0]], steps[outward[0] + 1 :]):
        outermost = steps[outward.pop(0)]
        border, fill = outermost.border, outermost.fill
    cut = [index for index, step in enumerate(steps) if _is_enlarging_crop(steps[:index], step)]
    return _MergedSteps(steps, pads, border, fill, outward, cut)


def is_split(group: list[GeometryStep]) -> bool:
    """Return whether a group of steps (see `group_steps`) is a resize and one warp that run one by one."""
    if sum(not step.is_exact for step in group) < 2:
        return False
    return _merge_steps(group[next(index for index, step in enumerate(group) if not step.is_crop) :]).is_split


def _run_fused(image: Image | DeferredImage, steps: list[GeometryStep]) -> Image | DeferredImage:
    (top, left, height, width), cropped = find_prefix_window(steps, image.shape[:2])
    merged, image = _merge_steps(steps[cropped:]), materialize_steps(image)
    if (height, width) != image.shape[:2]:
        image = materialize(image)[top : top + height, left : left + width]
    if merged.is_split:
        return _run_one_by_one(image, [*merged.steps, *merged.pads])
    steps, interpolation = merged.steps, next(step.interpolation for step in merged.steps if not step.is_exact)
    size = steps[-1].size
    matrix = compose_matrices(steps)
    if merged.outward or merged.cut:
        image = materialize(image)  # its edge is traced
    result = kernels.resample_or_defer(image, matrix, size, interpolation, merged.border, merged.fill)
    if merged.outward or merged.cut:
        result = warped = materialize(result)
        edge = np.zeros(size, np.uint8)
        for index in merged.outward:
            frame = steps[index - 1].size if index else image.shape[:2]
            kernels.fill_outside(warped, edge, compose_matrices(steps[index:]), frame, steps[index].fill)
        for index in merged.cut:
            kernels.mark_edge(edge, compose_matrices(steps[index:]), steps[index - 1].size)
        _trace_back(cast(Image, image), steps, warped, edge, interpolation)
    return _run_one_by_one(result, merged.pads)


def _is_enlarging_crop(before: list[GeometryStep], step: GeometryStep) -> bool:
    """Return whether a step enlarges a frame that shows a part of the image.

    It repeats the outermost pixels of the frame, but one warp would read the pixels that were cropped away. This
    affects half a pixel of the frame: less than one of the result if the step enlarges less than twice.
    """
    return (
        not step.is_exact
        and step.is_inside
        and not all(other.is_whole for other in before)
        and compute_finest_scale([step]) < 0.5
    )


def _trace_back(image: Image, steps: list[GeometryStep], warped: Image, edge: Image, interpolation: int) -> None:
    """Set the marked pixels of the last frame, in place, to the steps' mixture of the image and their fills."""
    at = cv2.findNonZero(edge)
    if at is None:
        return
    points, border = at[:, 0].T.astype(np.float64), _AT_EDGES
    mixed, rest = np.zeros((len(at), image.shape[2])), np.ones((len(at), 1))
    sizes = [image.shape[:2], *(step.size for step in steps[:-1])]
    for step, (height, width) in zip(reversed(steps), reversed(sizes), strict=True):
        points = _map_points(step.to_input, points)
        sides = np.array([[width], [height]])
        if not step.is_inside and step.border.mode != cv2.BORDER_CONSTANT:
            border = step.border  # it surrounds the image, because the steps before show all of it
        if border is not _AT_EDGES:
            continue
        if not step.is_inside:
            within = np.minimum(points + 1, sides - points)
            within = (
                within >= 0.5
                if kernels.warp_interpolation(interpolation) == cv2.INTER_NEAREST
                else np.clip(within, 0, 1)
            )
            weight = within.prod(axis=0)[:, None]
            mixed += rest * (1 - weight) * kernels.to_scalar(step.fill, image.shape[2])
            rest = rest * weight
        points = np.minimum(np.maximum(points, 0), sides - 1)
    mixed += rest * kernels.interpolate_at(image, points, interpolation, border)
    warped[at[:, 0, 1], at[:, 0, 0]] = kernels.to_pixels(mixed, warped.dtype)


def _map_points(matrix: Floats, points: Floats) -> Floats:
    """Map points [2, K] by a matrix [3, 3]."""
    if matrix[2, 0] == 0 == matrix[2, 1] and matrix[2, 2] == 1:
        return matrix[:2, :2] @ points + matrix[:2, 2:]
    carried = matrix[:, :2] @ points + matrix[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):  # on a horizon
        return np.asarray(np.nan_to_num(carried[:2] / carried[2]))


def _split_trailing_pads(steps: list[GeometryStep]) -> tuple[list[GeometryStep], list[GeometryStep]]:
    """Split off the steps from the first pad after the last step that samples: its edge is hard, and it is cheap."""
    last = max(index for index, step in enumerate(steps) if not step.is_exact)
    first_pad = next(
        (index for index in range(last, len(steps)) if steps[index].is_exact and not steps[index].is_inside), None
    )
    return (steps, []) if first_pad is None else (steps[:first_pad], steps[first_pad:])


_AT_EDGES = Border(cv2.BORDER_REPLICATE)
"""What a resize reads outside its input."""

_MAX_EDGE_WIDTH = 1.5
"""The maximum width of the image's soft edge, in pixels; it is one pixel wide if each step runs by itself."""

_MAX_EDGE_ERROR = 0.008
"""How much softer or harder the edge may be, summed around the frame and divided by its area.

Half of this, of the levels between image and fill, is the mean error: 0.4 for 100 levels. Interpolating photographs
once gains twice as much. At 224x224 images may then shrink by any factor; tracing the edge there takes about 100 us,
as long as the warp.
"""


def _is_border_in_place(before: list[GeometryStep], step: GeometryStep, after: Sequence[GeometryStep]) -> bool:
    """Return whether one warp from the image shows the border in the same position as the step would."""
    if not all(other.is_whole for other in before):
        return False
    if step.border.mode != cv2.BORDER_CONSTANT:
        # Mirroring whole frames is the same at any scale; mixing or repeating their outermost pixels is not.
        return step.border.mode == cv2.BORDER_REFLECT or all(other.is_exact for other in before)
    if step.is_exact and any(other.is_inside and not other.is_exact for other in after):
        return False  # on a side without padding, the resize after it repeats that side's pixels
    if all(other.is_exact for other in before):
        return True
    # The edge of the image is as wide as one of its pixels: the width in pixels of the frame.
    (a, b, _), (c, d, _), _ = _multiply_matrices(before)
    widths = 1 / (abs(a) + abs(b)), 1 / (abs(c) + abs(d))
    height, width = before[-1].size
    off = max(abs(widths[0] - 1), abs(widths[1] - 1)) * (1 / height + 1 / width)
    return bool(max(widths) <= _MAX_EDGE_WIDTH and off <= _MAX_EDGE_ERROR)


def group_steps(steps: list[GeometryStep]) -> list[list[GeometryStep]]:
    """Split the steps where they cannot become one warp: another interpolation, or a border that is not a fill."""
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
    cropped = next((index for index, other in enumerate(group) if not other.is_crop), len(group))
    return _is_border_in_place(group[cropped:], step, ())
