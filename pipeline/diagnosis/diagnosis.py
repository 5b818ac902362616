"""Where does the time of a dataset go, on this data and this machine, and what would help?"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.diagnosis.advice import Advice, advise
from pipeline.diagnosis.probe import Chunk, Probe
from pipeline.images.timer import STAGES
from pipeline.progress import Progress

if TYPE_CHECKING:
    from pipeline.loader import Loader

NOTABLE = 1.1
"""An advice that promises less than this factor is not given: it would drown in what differs from run to run."""

WORTH_TRYING = 0.6
"""What would help is tried against the bottleneck, and against stages that take this share of its time."""

_GERUNDS = {"read": "reading", "decode": "decoding", "augment": "augmenting", "batch": "batching"}


@dataclass(frozen=True)
class Timing:
    """How fast something is.

    Attributes:
        images_per_second: the median over the rounds; of a stage, when it runs alone.
        least: of the rounds.
        greatest: of the rounds.
        seconds_per_image: of the clock. Those of the stages, measured while the whole runs, add up to the whole's.
    """

    images_per_second: float
    least: float
    greatest: float
    seconds_per_image: float


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        stages: each of `STAGES`.
        whole: the dataset, taken by a consumer that does nothing else.
        model: the model on a batch that is in memory, where there is one.
        bottleneck: "read", "decode", "augment", "batch" or "model".
        of_limit: the rate of the whole as a share of the bottleneck's alone; where that is the model, the share of the
            loader's rate that it uses.
        advice: what would help, first what helps against the bottleneck.
        images: how many one measurement took.
        batch_size: samples in a batch; None for single samples.
        num_parallel_calls: batches that are computed at once.
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

    @property
    def verdict(self) -> str:
        """Say it in one line."""
        if self.bottleneck == "model":
            assert self.model is not None  # noqa: S101  # for the type checker: it is the bottleneck
            return (
                f"model-bound: the model takes {_format_rate(self.model.images_per_second)} images/s, the dataset delivers "
                f"{self.whole.images_per_second / self.model.images_per_second:,.1f} x as many; "
                "a faster dataset would not help"
            )
        name = _GERUNDS[self.bottleneck]
        share = self.stages[self.bottleneck].seconds_per_image / self.whole.seconds_per_image
        found = f"{self.bottleneck}-bound: {self.of_limit:.2f} of the rate of {name} alone, {share:.0%} of the time"
        if not self.advice:
            return f"{found}; nothing that was tried would help much"
        best = self.advice[0]
        if best.stage != self.bottleneck:
            found += f"; nothing that was tried would help much against {name}; against {_GERUNDS[best.stage]}, "
            return f"{found}{best.sentence}"
        return f"{found}; {best.sentence}"


def diagnose(
    loader: "Loader",
    *,
    model: Callable[[], float] | None = None,
    rounds: int = 3,
    pass_s: float = 1.0,
    progress: Progress | None = None,
) -> Diagnosis:
    """Measure a dataset stage by stage, find what holds it up, and try what would help.

    Args:
        loader: the dataset's definition.
        model: measures a training step on a batch that is in memory: seconds per image.
        rounds: how often each measurement is taken, in turns.
        pass_s: how long one should take, in seconds.
        progress: told how many measurements are done.

    Raises:
        SampleError: a sample is bad, and `on_error` is "raise".
        TooManyErrorsError: more are bad than allowed, or all.
    """
    import tensorflow as tf

    try:
        return _run_diagnosis(loader, model, rounds, pass_s, progress or _ignore_progress)
    except tf.errors.OpError:  # as tf.data delivers what a stage raised
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
    shares: defaultdict[str, list[float]] = defaultdict(list)
    whole: list[float] = []
    ceiling: list[float] = []
    for number in range(rounds):
        seconds, in_place = probe.in_place()
        by_itself = probe.alone(chunks)
        whole.append(seconds)
        for name, value in _divide_time(seconds, in_place, by_itself["batch"]).items():
            alone[name].append(by_itself[name])
            shares[name].append(value)
        if model is not None:
            ceiling.append(model())
        report((number + 1) * (total - 1) // rounds, total)
    stages = {name: _summarize_timing(alone[name], statistics.median(shares[name])) for name in STAGES}
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
    )


def _divide_time(whole: float, in_place: Mapping[str, float], batch_alone: float) -> dict[str, float]:
    """Divide the whole's seconds per image among the stages.

    What is done once a batch counts with its time alone where that is more: most of it is done by tf.data around the
    calls. It is not simply what the other stages leave over, for that is also the time in which a call that is done
    waits for a slower one before it, which the slow stage is to blame for and larger batches would not help. So the
    rest is divided as the stages are.
    """
    parts = {**in_place, "batch": max(in_place["batch"], batch_alone)}
    scale = whole / sum(parts.values())
    return {name: scale * seconds for name, seconds in parts.items()}


def _select_advice(
    probe: Probe, stages: Mapping[str, Timing], chunks: Sequence[Chunk], max_factor: float | None, rounds: int
) -> tuple[Advice, ...]:
    """Try what may help; of it, what is worth saying where no more than a factor of `max_factor` can be used."""
    times = {name: timing.seconds_per_image for name, timing in stages.items()}
    worst_first = sorted(times, key=lambda name: -times[name])
    worth = [name for name in worst_first if times[name] > WORTH_TRYING * times[worst_first[0]]]
    given = (one.cap_factor(max_factor) for one in advise(probe, worth, chunks, times["read"], rounds))
    return tuple(one for one in given if one.factor >= NOTABLE)


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
