"""Where the time of a dataset goes, on this data and this machine, and what would help."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.diagnosis.advice import Advice, advise
from pipeline.diagnosis.probe import Chunk, Probe
from pipeline.images.timer import STAGES
from pipeline.processors import Processors, find_processors
from pipeline.progress import Progress

if TYPE_CHECKING:
    from pipeline.loader import Loader

NOTABLE = 1.1
"""Advice below this factor is dropped: rates differ by as much from run to run."""

WORTH_TRYING = 0.6
"""Changes are tried against the bottleneck, and against stages that take more than this fraction of its time."""

_GERUNDS = {"read": "reading", "decode": "decoding", "augment": "augmenting", "batch": "batching"}


@dataclass(frozen=True)
class Timing:
    """The rate of the whole dataset, of a stage or of the model.

    Attributes:
        images_per_second: the median of the rounds; for a stage, when it runs alone.
        least: the smallest rate of the rounds.
        greatest: the largest rate of the rounds.
        seconds_per_image: wall-clock time per image. For stages, measured while the whole runs; they add up to the
            whole's.
    """

    images_per_second: float
    least: float
    greatest: float
    seconds_per_image: float


@dataclass(frozen=True)
class Diagnosis:
    """The result of `diagnose`.

    Attributes:
        stages: the timing of each of `STAGES`.
        whole: the timing of the dataset with a consumer that does nothing else.
        model: the timing of the model on a batch in memory; None without a model.
        bottleneck: "read", "decode", "augment", "batch" or "model".
        of_limit: the rate of the whole as a fraction of the bottleneck's rate alone; if the model is the bottleneck,
            the fraction of the dataset's rate that it uses.
        advice: changes that would help, first those against the bottleneck.
        images: number of images per measurement.
        batch_size: number of samples per batch; None for single samples.
        num_parallel_calls: number of batches that are computed at once.
        processors: the usable processors, and what limits them.
    """

    stages: Mapping[str, Timing]
    whole: Timing
    model: Timing | None
    bottleneck: str
    of_limit: float
    advice: tuple[Advice, ...]
    images: int
    batch_size: int | None
    num_parallel_calls: int
    processors: Processors

    @property
    def verdict(self) -> str:
        """The result in one line."""
        if self.bottleneck == "model":
            assert self.model is not None  # noqa: S101  # for the type checker: it is the bottleneck
            ratio = self.whole.images_per_second / self.model.images_per_second
            return (
                f"model-bound: the model takes {_format_rate(self.model.images_per_second)} images/s, the dataset "
                f"yields {ratio:,.1f}x as many; a faster dataset would not help"
            )
        name = _GERUNDS[self.bottleneck]
        fraction = self.stages[self.bottleneck].seconds_per_image / self.whole.seconds_per_image
        bound = f"{self.bottleneck}-bound: {self.of_limit:.0%} of the rate of {name} alone, {fraction:.0%} of the time"
        if not self.advice:
            return f"{bound}; no tried change gains {NOTABLE}x"
        best = self.advice[0]
        if best.stage != self.bottleneck:
            return f"{bound}; no tried change of {name} gains {NOTABLE}x; of {_GERUNDS[best.stage]}, {best.sentence}"
        return f"{bound}; {best.sentence}"


def diagnose(
    loader: "Loader",
    *,
    model: Callable[[], float] | None = None,
    rounds: int = 3,
    pass_s: float = 1.0,
    progress: Progress | None = None,
) -> Diagnosis:
    """Measure a dataset stage by stage, find its bottleneck, and try changes that may help.

    Args:
        loader: the dataset's definition.
        model: measures a training step on a batch in memory, in seconds per image; None for no model.
        rounds: how often each measurement is taken, alternately.
        pass_s: how long one measurement should take, in seconds.
        progress: called with the number of measurements done and of all.

    Raises:
        SampleError: a sample is bad, and `on_error` is "raise".
        TooManyErrorsError: more are bad than allowed, or all.
    """
    import tensorflow as tf

    try:
        return _run_diagnosis(loader, model, rounds, pass_s, progress or _ignore_progress)
    except tf.errors.OpError:  # tf.data raises it for the error of a stage
        if loader.failure is None:
            raise
        raise loader.failure from None


def _run_diagnosis(
    loader: "Loader", model: Callable[[], float] | None, rounds: int, pass_s: float, report: Progress
) -> Diagnosis:
    total = rounds * (3 if model else 2) + 1
    probe = Probe(loader, pass_s)
    report(1, total)
    chunks = probe.sample()
    alone: defaultdict[str, list[float]] = defaultdict(list)
    within_whole: defaultdict[str, list[float]] = defaultdict(list)
    whole: list[float] = []
    ceiling: list[float] = []
    for number in range(rounds):
        seconds, in_place = probe.in_place()
        by_itself = probe.alone(chunks)
        whole.append(seconds)
        for name, value in _divide_time(seconds, in_place, by_itself["batch"]).items():
            alone[name].append(by_itself[name])
            within_whole[name].append(value)
        if model is not None:
            ceiling.append(model())
        report((number + 1) * (total - 1) // rounds, total)
    stages = {name: _summarize_timing(alone[name], statistics.median(within_whole[name])) for name in STAGES}
    entire, limit = _summarize_timing(whole), _summarize_timing(ceiling) if ceiling else None
    bottleneck = max(STAGES, key=lambda name: stages[name].seconds_per_image)
    of_limit = entire.images_per_second / stages[bottleneck].images_per_second
    advice: tuple[Advice, ...] = ()
    if limit is not None and limit.images_per_second < entire.images_per_second:
        bottleneck, of_limit = "model", limit.images_per_second / entire.images_per_second
    else:
        max_factor = None if limit is None else limit.images_per_second / entire.images_per_second
        advice = _select_advice(probe, stages, chunks, max_factor, rounds)
    report(total, total)
    return Diagnosis(
        stages=stages,
        whole=entire,
        model=limit,
        bottleneck=bottleneck,
        of_limit=of_limit,
        advice=advice,
        images=probe.steps * probe.layout.block,
        batch_size=probe.layout.batch_size,
        num_parallel_calls=probe.calls,
        processors=find_processors(),
    )


def _divide_time(whole: float, in_place: Mapping[str, float], batch_alone: float) -> dict[str, float]:
    """Divide the whole's seconds per image among the stages.

    Work per batch counts with its time alone if that is longer, because tf.data does most of it around the calls. The
    rest of the whole is not all work per batch: it includes the time in which a finished call waits for a slower one
    before it. The slow stage causes that, and larger batches would not help. So the rest is divided in proportion.
    """
    parts = {**in_place, "batch": max(in_place["batch"], batch_alone)}
    scale = whole / sum(parts.values())
    return {name: scale * seconds for name, seconds in parts.items()}


def _select_advice(
    probe: Probe, stages: Mapping[str, Timing], chunks: Sequence[Chunk], max_factor: float | None, rounds: int
) -> tuple[Advice, ...]:
    """Try changes, and return those that are notable if at most a factor of `max_factor` can be used."""
    times = {name: timing.seconds_per_image for name, timing in stages.items()}
    slowest_first = sorted(times, key=lambda name: -times[name])
    worth = [name for name in slowest_first if times[name] > WORTH_TRYING * times[slowest_first[0]]]
    advice = (one.cap_factor(max_factor) for one in advise(probe, worth, chunks, times["read"], rounds))
    return tuple(one for one in advice if one.factor >= NOTABLE)


def _ignore_progress(done: int, total: int) -> None:
    del done, total


def _format_rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _summarize_timing(seconds: Sequence[float], in_place: float | None = None) -> Timing:
    middle = statistics.median(seconds)
    return Timing(
        images_per_second=1 / max(middle, 1e-9),
        least=1 / max(*seconds, 1e-9),
        greatest=1 / max(min(seconds), 1e-9),
        seconds_per_image=middle if in_place is None else in_place,
    )
