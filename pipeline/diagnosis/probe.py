"""Timing the stages of a dataset, in place and alone, and with another source, augmentation or batch size.

*In place*: the dataset runs as always, and a timer adds up how long its calls spend in each stage. *Alone*: one stage
runs in as many threads, on samples that have passed all stages before it. *Exchanged*: the dataset runs with another
stage instead of its own, so that a change is measured before it is recommended.

tf.data's own model of a dataset (`tf.data.experimental.get_model_proto`) does not help here: it exists only if the
autotuner runs, and it sees one map.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from augment import keys
from augment.plan.deferred import materialize
from augment.transform import Image
from pipeline.diagnosis.stage_clock import StageClock
from pipeline.error_log import ErrorLog
from pipeline.errors import SampleError, TooManyErrorsError
from pipeline.feeds import graph
from pipeline.feeds.layout import EpochLayout
from pipeline.images.decode_requests import DecodedSample, ReadSample
from pipeline.images.stacking import ElementSpec, FinishedSample, Reserve, allocate
from pipeline.images.stages import Batch, Stages
from pipeline.images.timer import STAGES
from pipeline.sampling.order import Indices
from pipeline.sources.base import Sample, Source

if TYPE_CHECKING:
    from pipeline.loader import Loader

_MOST_BYTES = 2**28  # of decoded pixels that a probe keeps in memory


class Chunk(NamedTuple):
    """A batch of samples that have been read and decoded.

    Attributes:
        read: the samples that could be read.
        params: the parameters of their augmentation.
        decoded: the samples that could be decoded.
    """

    read: list[ReadSample]
    params: Any
    decoded: list[DecodedSample]

    @property
    def samples(self) -> list[Sample]:
        """The good samples, as their source returned them."""
        return [sample.request.item.sample for sample in self.decoded]


class Probe:
    """Times a loader's dataset.

    Args:
        loader: the dataset's definition.
        pass_s: how long one measurement should take, in seconds.
    """

    def __init__(self, loader: "Loader", pass_s: float = 1.0) -> None:
        cv2.setNumThreads(0)  # as in tf.data, which calls from many threads
        self.stages: Stages = loader._stages
        self.layout: EpochLayout = loader._layout(with_keys=False)
        self.calls = self.layout.num_parallel_calls
        self._epoch = 0
        per_batch_s = self.layout.block * self.rate_s(self.stages, self.layout, 2 * self.calls)
        self.steps = min(max(2 * self.calls, round(pass_s / per_batch_s)), 4096)

    def in_place(self) -> tuple[float, dict[str, float]]:
        """Run the dataset: return wall-clock seconds per image, and those that its calls spend in each of `STAGES`.

        The latter are the time of all calls divided by their number, and need not add up to the whole: calls wait for
        each other, and no timer in them sees the work of tf.data around them (of "batch" it sees the rest).
        """
        clock = StageClock()
        timed = replace(self._divided_stages, timer=clock)
        whole = self.rate_s(timed, self.layout, self.steps)
        images = clock.blocks["batch"] * min(self.layout.block, len(self.stages.order))
        return whole, {stage: clock.seconds[stage] / max(images, 1) / self.calls for stage in STAGES}

    def alone(self, chunks: Sequence[Chunk]) -> dict[str, float]:
        """Run each of `STAGES` alone: return wall-clock seconds per image."""
        stages, count = self._divided_stages, sum(len(chunk.decoded) for chunk in chunks)
        epoch, self._epoch = self._epoch, self._epoch + 1
        selected = [self._select(epoch, step)[:2] for step in range(len(chunks))]
        read_s = self._threaded(lambda part: stages.read_all(*(numbers.tolist() for numbers in part)), selected)
        ready = [image for chunk in chunks for image in self._augment(chunk)]
        return {
            "read": read_s / (len(chunks) * self.layout.block),
            "decode": self._threaded(self._decode, chunks) / count,
            "augment": self._threaded(self._augment, chunks) / count,
            "batch": self.rate_s(_ready_stages(stages, ready), self.layout, self.steps),
        }

    def sample(self) -> list[Chunk]:
        """Read and decode some batches: at least one per parallel call, and as many as memory allows.

        Raises:
            SampleError: a sample is bad, and `on_error` is "raise".
            TooManyErrorsError: more are bad than allowed, or all.
        """
        stages, chunks, nbytes = self._divided_stages, list[Chunk](), 0
        for step in range(self.steps):
            indices, repeat_index, sample_keys = self._select(0, step)
            read = stages.read_all(indices.tolist(), repeat_index.tolist())
            params = stages.draw_params(read, sample_keys)
            decoded = list(stages.decode(stages.decode_requests(read, params)))
            for index, item in zip(indices.tolist(), decoded, strict=True):
                if isinstance(item, SampleError):
                    stages.error_log.record(index, item)
            good = [item for item in decoded if isinstance(item, DecodedSample)]
            if not good:
                continue
            chunks.append(Chunk([item for item in read if isinstance(item, ReadSample)], params, good))
            nbytes += sum(materialize(item.image).nbytes for item in good)
            if nbytes > _MOST_BYTES and len(chunks) >= self.calls:
                break
        if not chunks:
            raise TooManyErrorsError("all samples that were tried are bad; `loader.errors` lists them")
        return chunks[: max(1, len(chunks) // self.calls) * self.calls]  # so that every thread has work

    def rate_s(self, stages: Stages, layout: EpochLayout, steps: int) -> float:
        """Iterate over batches of a dataset and do nothing else: return seconds per image.

        Epochs follow each other without an end, and the first batch of each call is not counted, so that the steady
        state is measured.
        """
        calls = layout.num_parallel_calls
        ahead = 2 * calls + layout.prefetch + 1  # so that every call has work until the last batch
        endless = _EndlessBatches(stages, layout.block)
        length = (steps + ahead) * layout.block
        layout = replace(layout, length=length, with_labels=True, static_batch=False)
        dataset = graph.build(endless, layout, self._epoch, 0)
        self._epoch += 1 + (steps + ahead) // endless.steps_per_epoch
        begin, images = 0.0, 0
        for step, (batch, _) in enumerate(dataset.take(steps + calls)):
            if step >= calls:
                images += 1 if layout.batch_size is None else len(batch)
            if step == calls - 1:
                begin = time.perf_counter()
        return (time.perf_counter() - begin) / max(images, 1)

    def _threaded(self, work: Callable[[Any], Any], batches: Sequence[Any]) -> float:
        """Run work on batches in threads: return wall-clock seconds."""
        with ThreadPoolExecutor(self.calls) as pool:
            begin = time.perf_counter()
            for _ in pool.map(work, batches):
                pass
            return time.perf_counter() - begin

    @cached_property
    def _divided_stages(self) -> Stages:
        """The stages with decoding and augmentation in two calls, so that each can be timed."""
        return replace(self.stages, defers_decoding=False, known_spec=self.stages.element_spec)

    def _select(self, epoch: int, step: int) -> tuple[Indices, Indices, keys.Key]:
        """Select the samples of a batch; after the end of the epoch, continue at its beginning."""
        block = self.layout.block
        return self.stages.select(epoch, np.arange(step * block, (step + 1) * block) % len(self.stages.order))

    def _decode(self, chunk: Chunk) -> list[DecodedSample | SampleError]:
        return list(self._divided_stages.decode(self._divided_stages.decode_requests(chunk.read, chunk.params)))

    def _augment(self, chunk: Chunk) -> list[Image]:
        augmented = self.stages.augment_and_label(chunk.decoded, chunk.params)
        return [materialize(sample.image) for sample in augmented if not isinstance(sample, SampleError)]


class _EndlessBatches:
    """The full batches of one epoch after the other, in place of the stages (see `pipeline.feeds.layout.Batches`).

    Args:
        stages: compute the batches.
        block: number of samples per batch; an epoch with fewer samples is one batch.
    """

    def __init__(self, stages: Stages, block: int) -> None:
        self._stages = stages
        self._block = block
        self.steps_per_epoch = max(1, len(stages.order) // block)

    @property
    def error_log(self) -> ErrorLog:
        return self._stages.error_log

    @property
    def source(self) -> Source:
        return self._stages.source

    @property
    def label_mode(self) -> str | None:
        return self._stages.label_mode

    @property
    def element_spec(self) -> ElementSpec:
        return self._stages.element_spec

    def batch(self, epoch: int, start: int, stop: int) -> Batch:
        epochs, step = divmod(start // self._block, self.steps_per_epoch)
        first = step * self._block
        return self._stages.batch(epoch + epochs, first, min(first + stop - start, len(self._stages.order)))


@dataclass(frozen=True, kw_only=True)
class _ReadyStages(Stages):
    """Stages whose samples are finished: only the work per batch remains."""

    ready: Sequence[Image] = field(repr=False)

    def samples(
        self, indices: Indices, repeat_index: Indices, sample_keys: keys.Key, reserve: Reserve = allocate
    ) -> Iterator[FinishedSample | SampleError]:
        del repeat_index, reserve
        images = [self.ready[index % len(self.ready)] for index in indices.tolist()]
        if self.plan is not None:
            self.plan.draw(sample_keys, [image.shape[:2] for image in images])
        return (FinishedSample(image, 0, "") for image in images)


def _ready_stages(stages: Stages, ready: Sequence[Image]) -> _ReadyStages:
    return _ReadyStages(**{one.name: getattr(stages, one.name) for one in fields(stages)}, ready=ready)


class MemorySource:
    """A source that returns a few samples in memory repeatedly, instead of those of another source.

    Args:
        source: the other source.
        samples: the samples to return.
    """

    def __init__(self, source: Source, samples: Sequence[Sample]) -> None:
        self._source = source
        self._samples = samples

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> Sample:
        """Return a sample."""
        return self._samples[index % len(self._samples)]
