"""What would make a dataset faster, tried before it is recommended.

Each advice is a change of one stage. The dataset runs with it and without it in turns, on samples that it changes as
the advice says, and the ratio is the estimate.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from augment.errors import CaudalError
from augment.plan.plan import Plan
from pipeline.diagnosis.probe import Chunk, MemorySource, Probe
from pipeline.feeds.graph import EpochLayout
from pipeline.images.decode import CHANNELS
from pipeline.images.resize import resize
from pipeline.images.stages import Stages
from pipeline.sources.base import Sample

QUALITY = 95
"""Of the JPEGs that resizing beforehand is tried with: what `caudal convert` writes unless asked otherwise."""

MAX_TRANSFORMS = 8
"""So many transforms are tried to leave out; each costs a measurement."""

_BATCH_SIZE = 32


@dataclass(frozen=True)
class Advice:
    """Something that would help.

    Attributes:
        stage: what it makes faster.
        action: what to do, to be followed by "would give about 2.6 x".
        factor: what it would multiply the rate by, as measured.
        option: the change as a program may read it, such as {"cache": "ram"}.
    """

    stage: str
    action: str
    factor: float
    option: dict[str, Any]

    @property
    def sentence(self) -> str:
        """Say it with its estimate."""
        return f"{self.action} would give about {self.factor:.1f} x"

    def cap_factor(self, factor: float | None) -> "Advice":
        """Bound it: where a model takes no more, a faster dataset gives no more."""
        return self if factor is None else replace(self, factor=min(self.factor, factor))


@dataclass(frozen=True)
class _Trial:
    """A change to try: its advice, the changed dataset, and what its samples would take to be read, s an image."""

    action: str
    option: dict[str, Any]
    stages: Stages
    layout: EpochLayout
    read_s: float = 0.0


def advise(
    probe: Probe, bottlenecks: Sequence[str], chunks: Sequence[Chunk], read_s: float, rounds: int = 3
) -> list[Advice]:
    """Try what may help against bottlenecks.

    Args:
        probe: of the dataset.
        bottlenecks: of "read", "decode", "augment" and "batch", the worst first.
        chunks: some samples of it.
        read_s: what reading takes of the whole, in seconds per image.
        rounds: how often each change is measured, in turns.

    Returns:
        In the order of the bottlenecks, and for each what promises most first; but resizing beforehand comes before a
        cache of pixels, which keeps less of the images.
    """
    trials = [(stage, trial) for stage in bottlenecks for trial in _TRIALS[stage](probe, chunks, read_s)]
    unchanged: list[float] = []
    changed: list[list[float]] = [[] for _ in trials]
    failed: set[int] = set()
    for _ in range(rounds if trials else 0):
        unchanged.append(probe.rate_s(probe.stages, probe.layout, probe.steps))
        for place, (_, trial) in enumerate(trials):
            if place not in failed:
                seconds = _measure_trial(probe, trial)
                changed[place].append(seconds or 0.0)
                failed |= {place} if seconds is None else set()
    given = [
        Advice(stage, trial.action, statistics.median(unchanged) / statistics.median(changed[place]), trial.option)
        for place, (stage, trial) in enumerate(trials)
        if place not in failed
    ]
    return sorted(given, key=lambda one: (bottlenecks.index(one.stage), 0 if one.stage == "decode" else -one.factor))


def _measure_trial(probe: Probe, trial: _Trial) -> float | None:
    """Run a changed dataset: seconds per image, or None where the change does not work on these samples."""
    import tensorflow as tf

    images = probe.steps * probe.layout.block
    try:
        seconds = probe.rate_s(
            trial.stages, trial.layout, max(2 * trial.layout.num_parallel_calls, images // trial.layout.block)
        )
    except (CaudalError, tf.errors.OpError):
        return None
    return seconds + trial.read_s


def _read_trials(probe: Probe, chunks: Sequence[Chunk], read_s: float) -> Iterator[_Trial]:
    del read_s
    stages, layout = probe.stages, probe.layout
    samples = [sample for chunk in chunks for sample in chunk.samples]
    if any(sample.encoded is None and sample.pixels is None for sample in samples):
        return  # a cache of pixels was read, and not the source
    kept = replace(stages, source=MemorySource(stages.source, samples))
    mean = sum(_count_bytes(sample) for sample in samples) / len(samples)
    action = f'keeping the files in memory after the first epoch (cache="ram", about {_format_size(mean * _count_samples(stages))})'
    yield _Trial(action, {"cache": "ram"}, kept, layout)
    more = 4 * layout.num_parallel_calls
    yield _Trial(
        f"more calls at once (num_parallel_calls={more})",
        {"num_parallel_calls": more},
        stages,
        replace(layout, num_parallel_calls=more),
    )


def _decode_trials(probe: Probe, chunks: Sequence[Chunk], read_s: float) -> Iterator[_Trial]:
    stages, layout = probe.stages, probe.layout
    samples = [sample for chunk in chunks for sample in chunk.samples if sample.encoded is not None]
    if stages.image_size is None or not samples:
        return
    side = -(-max(stages.image_size) * 256 // 224 // 32) * 32  # what 256 is to 224, in steps of 32
    smaller = [_shrink(sample, stages, side) for sample in samples]
    if any(new is not old for new, old in zip(smaller, samples, strict=True)):
        yield _Trial(
            f"resizing to {side} beforehand with `caudal convert --resize-short {side}`",
            {"resize_short": side},
            replace(stages, source=MemorySource(stages.source, smaller)),
            layout,
            read_s,  # at most: the files are smaller then
        )
    if stages.pixel_cache is None:
        largest = max(max(stages.decoder.header(sample.encoded or b"").upright_size) for sample in samples)
        side = min(side, max(*stages.image_size, largest))  # pixels that are not there need not be kept
        pixels = [_decode_to_pixels(sample, stages, side) for sample in samples]
        size = _format_size(_count_samples(stages) * side * side * CHANNELS[stages.decoder.color_mode])
        yield _Trial(
            f"a cache of decoded pixels (cache=Cache(DIR, size=({side}, {side})), {size}; crops are then of those)",
            {"cache": {"directory": "DIR", "size": [side, side]}},
            replace(stages, source=MemorySource(stages.source, pixels)),
            layout,
        )


def _augment_trials(probe: Probe, chunks: Sequence[Chunk], read_s: float) -> Iterator[_Trial]:
    del chunks, read_s
    stages = probe.stages
    if not isinstance(stages.plan, Plan):
        return
    import albumentations

    whole = stages.plan.transform
    if not isinstance(whole, albumentations.Compose) or len(whole.transforms) > MAX_TRANSFORMS:
        return
    for place, transform in enumerate(whole.transforms):
        others = [other for number, other in enumerate(whole.transforms) if number != place]
        try:
            rest = replace(stages, plan=Plan(albumentations.Compose(others)) if others else None)
            _ = rest.element_spec
        except CaudalError:  # the others need it
            continue
        name = type(transform).__name__
        yield _Trial(f"leaving out {name}, or something cheaper in its place,", {"leave_out": name}, rest, probe.layout)


def _batch_trials(probe: Probe, chunks: Sequence[Chunk], read_s: float) -> Iterator[_Trial]:
    del chunks, read_s
    size = probe.layout.batch_size or 1
    for larger in (_BATCH_SIZE, 4 * _BATCH_SIZE):
        if 2 * size <= larger <= probe.layout.length:
            layout = replace(probe.layout, batch_size=larger)
            yield _Trial(f"batches of {larger} instead of {size}", {"batch_size": larger}, probe.stages, layout)


_TRIALS: dict[str, Callable[[Probe, Sequence[Chunk], float], Iterator[_Trial]]] = {
    "read": _read_trials,
    "decode": _decode_trials,
    "augment": _augment_trials,
    "batch": _batch_trials,
}


def _count_samples(stages: Stages) -> int:
    """Count the samples of the source that a cache would hold: each once, however many copies or views are made."""
    return len(stages.source) if stages.members is None else len(stages.members)


def _count_bytes(sample: Sample) -> int:
    return len(sample.encoded or b"") + (0 if sample.pixels is None else sample.pixels.nbytes)


def _format_size(nbytes: float) -> str:
    return f"{nbytes / 2**30:,.1f} GiB" if nbytes >= 2**30 else f"{nbytes / 2**20:,.1f} MiB"


def _shrink(sample: Sample, stages: Stages, side: int) -> Sample:
    """Encode a sample again as a JPEG with a short side; one that is not larger stays as it is."""
    assert sample.encoded is not None  # noqa: S101  # for the type checker: the caller has looked
    image = stages.decoder(sample.encoded)
    scale = side / min(image.shape[:2])
    if scale >= 1:
        return sample
    height, width = (max(1, round(scale * extent)) for extent in image.shape[:2])
    smaller = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if smaller.ndim == 3:  # OpenCV has dropped the only channel of a grey one
        smaller = np.ascontiguousarray(smaller[..., 2::-1])
    encoded, buffer = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return sample._replace(encoded=buffer.tobytes()) if encoded else sample


def _decode_to_pixels(sample: Sample, stages: Stages, side: int) -> Sample:
    assert sample.encoded is not None  # noqa: S101  # for the type checker: the caller has looked
    image = resize(stages.decoder(sample.encoded), (side, side), stages.interpolation)
    return sample._replace(encoded=None, pixels=image)
