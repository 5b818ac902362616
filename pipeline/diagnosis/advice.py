"""Changes that would make a dataset faster; each is tried before it is recommended.

Each advice changes one stage. The dataset runs with and without the change alternately, on samples that are changed
accordingly, and the ratio is the estimate.
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
from pipeline.feeds.layout import EpochLayout
from pipeline.images.decode import CHANNELS
from pipeline.images.resize import resize
from pipeline.images.stages import Stages
from pipeline.sources.base import Sample

QUALITY = 95
"""The JPEG quality of the trial that resizes beforehand: the default of `caudal convert`."""

MAX_TRANSFORMS = 8
"""Maximum number of transforms to try without; each costs a measurement."""

_BATCH_SIZE = 32


@dataclass(frozen=True)
class Advice:
    """A change that would help.

    Attributes:
        stage: the stage that it makes faster.
        action: what to do, to be followed by "would gain about 2.6x".
        factor: the measured factor of the rate.
        option: the change for programs, such as {"cache": "ram"}.
    """

    stage: str
    action: str
    factor: float
    option: dict[str, Any]

    @property
    def sentence(self) -> str:
        """The action with its estimate."""
        return f"{self.action} would gain about {self.factor:.1f}x"

    def cap_factor(self, factor: float | None) -> "Advice":
        """Return the advice with at most this factor: a faster dataset does not speed up its model."""
        return self if factor is None else replace(self, factor=min(self.factor, factor))


@dataclass(frozen=True)
class _Trial:
    """A change to try: its advice, the changed dataset, and the time to read its samples in seconds per image."""

    action: str
    option: dict[str, Any]
    stages: Stages
    layout: EpochLayout
    read_s: float = 0.0


def advise(
    probe: Probe, bottlenecks: Sequence[str], chunks: Sequence[Chunk], read_s: float, rounds: int = 3
) -> list[Advice]:
    """Try changes against bottlenecks.

    Args:
        probe: the probe of the dataset.
        bottlenecks: some of "read", "decode", "augment" and "batch", the slowest first.
        chunks: some samples of the dataset.
        read_s: the time of reading within the whole, in seconds per image.
        rounds: how often each change is measured, alternately.

    Returns:
        In the order of the bottlenecks, and for each the largest factor first; but resizing beforehand comes before a
        cache of pixels, which keeps less of the images.
    """
    trials = [(stage, trial) for stage in bottlenecks for trial in _TRIALS[stage](probe, chunks, read_s)]
    unchanged: list[float] = []
    changed: list[list[float]] = [[] for _ in trials]
    failed: set[int] = set()
    for _ in range(rounds if trials else 0):
        unchanged.append(probe.rate_s(probe.stages, probe.layout, probe.steps))
        for number, (_, trial) in enumerate(trials):
            if number not in failed:
                seconds = _measure_trial(probe, trial)
                changed[number].append(seconds or 0.0)
                failed |= {number} if seconds is None else set()
    advice = [
        Advice(stage, trial.action, statistics.median(unchanged) / statistics.median(changed[number]), trial.option)
        for number, (stage, trial) in enumerate(trials)
        if number not in failed
    ]
    return sorted(advice, key=lambda one: (bottlenecks.index(one.stage), 0 if one.stage == "decode" else -one.factor))


def _measure_trial(probe: Probe, trial: _Trial) -> float | None:
    """Run a changed dataset: return seconds per image, or None if the change does not work on these samples."""
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
        return  # they come from a cache of pixels, not from the source
    kept = replace(stages, source=MemorySource(stages.source, samples))
    mean = sum(_count_bytes(sample) for sample in samples) / len(samples)
    size = _format_size(mean * _count_samples(stages))
    action = f'keeping the files in memory after the first epoch (cache="ram", about {size})'
    yield _Trial(action, {"cache": "ram"}, kept, layout)
    more = 4 * layout.num_parallel_calls
    yield _Trial(
        f"more batches in parallel (num_parallel_calls={more})",
        {"num_parallel_calls": more},
        stages,
        replace(layout, num_parallel_calls=more),
    )


def _decode_trials(probe: Probe, chunks: Sequence[Chunk], read_s: float) -> Iterator[_Trial]:
    stages, layout = probe.stages, probe.layout
    samples = [sample for chunk in chunks for sample in chunk.samples if sample.encoded is not None]
    if stages.image_size is None or not samples:
        return
    side = -(-max(stages.image_size) * 256 // 224 // 32) * 32  # in the ratio 256 : 224, in steps of 32
    smaller = [_shrink(sample, stages, side) for sample in samples]
    if any(new is not old for new, old in zip(smaller, samples, strict=True)):
        yield _Trial(
            f"resizing to {side} beforehand with `caudal convert --resize-short {side}`",
            {"resize_short": side},
            replace(stages, source=MemorySource(stages.source, smaller)),
            layout,
            read_s,  # at most: the files become smaller
        )
    if stages.pixel_cache is None:
        largest = max(max(stages.decoder.header(sample.encoded or b"").upright_size) for sample in samples)
        side = min(side, max(*stages.image_size, largest))  # no larger than the images
        pixels = [_decode_to_pixels(sample, stages, side) for sample in samples]
        size = _format_size(_count_samples(stages) * side * side * CHANNELS[stages.decoder.color_mode])
        yield _Trial(
            f"a cache of decoded pixels (cache=Cache(DIR, size=({side}, {side})), {size}; crops are then taken from "
            "those)",
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
    for index, transform in enumerate(whole.transforms):
        others = [other for number, other in enumerate(whole.transforms) if number != index]
        try:
            rest = replace(stages, plan=Plan(albumentations.Compose(others)) if others else None)
            _ = rest.element_spec
        except CaudalError:  # the others need it
            continue
        name = type(transform).__name__
        yield _Trial(f"dropping or replacing {name}", {"leave_out": name}, rest, probe.layout)


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
    """Count the samples of the source that a cache would hold: each once, even with copies or views."""
    return len(stages.source) if stages.members is None else len(stages.members)


def _count_bytes(sample: Sample) -> int:
    return len(sample.encoded or b"") + (0 if sample.pixels is None else sample.pixels.nbytes)


def _format_size(nbytes: float) -> str:
    return f"{nbytes / 2**30:,.1f} GiB" if nbytes >= 2**30 else f"{nbytes / 2**20:,.1f} MiB"


def _shrink(sample: Sample, stages: Stages, side: int) -> Sample:
    """Re-encode a sample as a JPEG with a short side of `side` pixels; a smaller one stays as it is."""
    assert sample.encoded is not None  # noqa: S101  # for the type checker: the caller has checked
    image = stages.decoder(sample.encoded)
    scale = side / min(image.shape[:2])
    if scale >= 1:
        return sample
    height, width = (max(1, round(scale * extent)) for extent in image.shape[:2])
    smaller = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if smaller.ndim == 3:  # OpenCV drops the only channel of a gray one
        smaller = np.ascontiguousarray(smaller[..., 2::-1])
    encoded, buffer = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return sample._replace(encoded=buffer.tobytes()) if encoded else sample


def _decode_to_pixels(sample: Sample, stages: Stages, side: int) -> Sample:
    assert sample.encoded is not None  # noqa: S101  # for the type checker: the caller has checked
    image = resize(stages.decoder(sample.encoded), (side, side), stages.interpolation)
    return sample._replace(encoded=None, pixels=image)
