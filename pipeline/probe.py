"""Timing the stages of a dataset, in place and alone, and what another source, augmentation or batch size would give.

*In place*: the dataset runs as always, and a clock in its stages adds up how long its calls spend in each. *Alone*: one
stage runs on samples for which all before it is done, in as many threads. *Exchanged*: the dataset runs with another
stage in place of its own, so that an advice is tried before it is given.

tf.data's own model of a dataset (`tf.data.experimental.get_model_proto`) does not help here: it exists only where the
autotuner runs, and it sees one map. The probe times the methods of `Stages` themselves, private ones as well, because a
copy of what they do could drift from it.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike

from augment import keys
from augment.plan.draft import Draft
from augment.plan.plan import Window
from augment.transform import Image
from pipeline import graph
from pipeline.decode import Decoder
from pipeline.errors import SampleError, TooManyErrorsError
from pipeline.header import Header
from pipeline.order import Indices
from pipeline.resize import resize
from pipeline.sources.base import Sample, Source
from pipeline.stages import Batch, Row, Stages
from pipeline.taken import Request, Taken, decoded, requests

if TYPE_CHECKING:
    from pipeline.loader import Loader

STAGES = ("read", "decode", "augment", "batch")
"""What the time of a dataset is divided into: reading the bytes and the header; decoding; augmenting and resizing; and
all that is done once a batch: order, keys, drawing the parameters, stacking, labels, and handing over by tf.data."""

_MOST_BYTES = 2**28  # of decoded pixels that a probe keeps in memory


class Chunk(NamedTuple):
    """A batch of samples that have been read and decoded.

    Attributes:
        items: as they were read.
        params: of their augmentation.
        pixels: each image, and which part of the whole it is (None: all of it).
    """

    items: list[Taken]
    params: Any
    pixels: list[tuple[Image, Window | None]]


class Probe:
    """Times a loader's dataset.

    Args:
        loader: the dataset's definition.
        pass_s: how long one pass over a part of it should take, in seconds.
    """

    def __init__(self, loader: "Loader", pass_s: float = 1.0) -> None:
        cv2.setNumThreads(0)  # as in tf.data, which calls from many threads
        self.stages: Stages = _Lasting(**_known(loader._stages))
        self.layout: graph.EpochLayout = loader._layout(with_keys=False)
        self.calls = self.layout.num_parallel_calls
        self._epoch = 0
        per_batch_s = self.layout.block * self.rate_s(self.stages, self.layout, 2 * self.calls)
        self.steps = min(max(2 * self.calls, round(pass_s / per_batch_s)), 4096)

    def in_place(self) -> tuple[float, dict[str, float]]:
        """Run the dataset: seconds per image of the clock, and those that its calls spend in each of `STAGES`.

        They are those of one call divided by the number of calls, and need not add up to the whole: calls wait for
        their turn, and what tf.data does around them ("batch" is all but that) is seen by no clock of theirs.
        """
        clock = Clock()
        timed = _TimedStages(
            **_known(replace(self.stages, decoder=_TimedDecoder(**_known(self.stages.decoder), clock=clock))),
            clock=clock,
        )
        _ = timed.element_spec
        clock.reset()
        whole = self.rate_s(timed, self.layout, self.steps)
        return whole, {name: clock.seconds[name] / max(clock.images, 1) / self.calls for name in STAGES}

    def alone(self, chunks: Sequence[Chunk]) -> dict[str, float]:
        """Run each of `STAGES` alone: seconds per image of the clock."""
        count = sum(len(chunk.items) for chunk in chunks)
        stages = self.stages
        epoch, self._epoch = self._epoch, self._epoch + 1
        drawn = [self._drawn(epoch, step)[:2] for step in range(len(chunks))]
        read = self._threaded(lambda batch: stages._all_taken(*(part.tolist() for part in batch)), drawn)
        ready = [image for images in map(self._augmented, chunks) for image in images]
        return {
            "read": read / (len(chunks) * self.layout.block),
            "decode": self._threaded(self._decoded, chunks) / count,
            "augment": self._threaded(self._augmented, chunks) / count,
            "batch": self.rate_s(_ReadyStages(**_known(stages), ready=ready), self.layout, self.steps),
        }

    def sample(self) -> list[Chunk]:
        """Read and decode some batches, one for each parallel call at least, and as many as memory allows.

        Raises:
            SampleError: a sample is bad, and `on_error` is "raise".
            TooManyErrorsError: more are bad than allowed, or all.
        """
        stages, chunks, nbytes = self.stages, list[Chunk](), 0
        for step in range(self.steps):
            indices, which, own = self._drawn(0, step)
            items, good = [], []
            for place, item in enumerate(stages._all_taken(indices.tolist(), which.tolist())):
                if isinstance(item, Taken):
                    items.append(item)
                    good.append(place)
                else:
                    stages.ledger.record(int(indices[place]), item)
            if not items:
                continue
            params = stages._params(own[good], [item.size for item in items])
            chunk = Chunk(items, params, [])
            chunk.pixels.extend(self._decoded(chunk))
            chunks.append(chunk)
            nbytes += sum(image.nbytes for image, _ in chunk.pixels)
            if nbytes > _MOST_BYTES and len(chunks) >= self.calls:
                break
        if not chunks:
            raise TooManyErrorsError("none of the samples that were tried can be read")
        return chunks[: max(1, len(chunks) // self.calls) * self.calls]  # so that no thread is left without work

    def rate_s(self, stages: Stages, layout: graph.EpochLayout, steps: int) -> float:
        """Take batches of a dataset as a consumer that does nothing else: seconds per image.

        Epoch follows epoch without an end, and the batches with which the calls fill up do not count: what is measured
        is how it runs on and on.
        """
        calls = layout.num_parallel_calls
        ahead = 2 * calls + layout.prefetch + 1  # so that no call is without work before the last batch is taken
        lasting = replace(layout, length=(steps + ahead) * layout.block, with_labels=True)
        dataset = graph.build(stages, lasting, self._epoch, 0)
        self._epoch += 1 + lasting.length // len(stages.order)
        begin, images = 0.0, 0
        for taken, (part, _) in enumerate(dataset.take(steps + calls)):
            if taken >= calls:
                images += 1 if layout.batch_size is None else len(part)
            if taken == calls - 1:
                begin = time.perf_counter()
        return (time.perf_counter() - begin) / max(images, 1)

    def _threaded(self, work: Callable[[Any], Any], batches: Sequence[Any]) -> float:
        """Run some work on batches in threads: seconds of the clock."""
        with ThreadPoolExecutor(self.calls) as pool:
            begin = time.perf_counter()
            for _ in pool.map(work, batches):
                pass
            return time.perf_counter() - begin

    def _drawn(self, epoch: int, step: int) -> tuple[Indices, Indices, keys.Key]:
        """Draw a batch: indices in the source, which of a sample's copies and views, and keys; each [N]."""
        stages, block = self.stages, self.layout.block
        positions = np.arange(step * block, (step + 1) * block) % len(stages.order)
        indices, which = np.divmod(stages.order(epoch, positions), stages.per_sample)
        if stages.members is not None:
            indices = stages.members[indices]
        return indices, which, stages.augment_keys(epoch, indices, which)

    def _decoded(self, chunk: Chunk) -> list[tuple[Image, Window | None]]:
        decoder, images = self.stages.decoder, []
        asked = requests(chunk.items, decoder, self.stages.window_of(chunk.params))
        for item, request in zip(chunk.items, asked, strict=True):
            image = decoded(item, request, decoder)
            images.append((image if item.view is None else item.view.of(image), request.window))
        return images

    def _augmented(self, chunk: Chunk) -> list[Image]:
        plan, size, images = self.stages.plan, self.stages.image_size, []
        for row, (image, window) in enumerate(chunk.pixels):
            if plan is not None and chunk.params is not None:
                image = plan.apply(image, chunk.params, row, window)
            images.append(image if size is None else resize(image, size, self.stages.interpolation))
        return images


class Clock:
    """Adds up the seconds that threads spend in named parts of the work; a part within another counts for itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inner = threading.local()
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self.seconds: Counter[str] = Counter()
        self.images = 0

    @contextmanager
    def __call__(self, name: str, images: int = 0) -> Iterator[None]:
        """Time a block; `images` are finished by it."""
        outer = getattr(self._inner, "seconds", 0.0)
        self._inner.seconds = 0.0
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            with self._lock:
                self.seconds[name] += spent - self._inner.seconds
                self.images += images
            self._inner.seconds = outer + spent


@dataclass(frozen=True, kw_only=True)
class _Lasting(Stages):
    """Stages for which the positions beyond an epoch are those of the next ones."""

    def _drawn(self, epoch: int, positions: ArrayLike) -> tuple[Indices, Iterator[Row | SampleError]]:
        places = np.asarray(positions)
        epochs = epoch + places // len(self.order)
        drawn = [
            super(_Lasting, self)._drawn(one, places[epochs == one] % len(self.order))
            for one in np.unique(epochs).tolist()
        ]
        return np.concatenate([indices for indices, _ in drawn]), chain.from_iterable(rows for _, rows in drawn)


@dataclass(frozen=True, kw_only=True)
class _TimedStages(_Lasting):
    clock: Clock

    def batch(self, epoch: int, start: int, stop: int) -> Batch:
        with self.clock("batch", images=stop - start):
            return super().batch(epoch, start, stop)

    def _taken(self, index: int) -> Any:
        with self.clock("read"):
            return super()._taken(index)

    def _finished(self, item: Taken, request: Request, params: Any, row: int) -> Row:
        with self.clock("augment"):
            return super()._finished(item, request, params, row)

    def _finish(self, drafts: Sequence[tuple[Draft, Image]]) -> None:
        with self.clock("augment"):
            super()._finish(drafts)


@dataclass(frozen=True, kw_only=True)
class _TimedDecoder(Decoder):
    clock: Clock

    def hand_over(self, items: Sequence[Any]) -> Sequence[Any]:
        with self.clock("decode"):
            return super().hand_over(items)

    def __call__(self, encoded: Any, header: Header | None = None) -> Image:
        with self.clock("decode"):
            return super().__call__(encoded, header)

    def window(self, encoded: Any, header: Header, window: Any, ratio: int) -> Image:
        with self.clock("decode"):
            return super().window(encoded, header, window, ratio)


@dataclass(frozen=True, kw_only=True)
class _ReadyStages(_Lasting):
    """Stages whose samples are there already: what is left is the work on batches."""

    ready: Sequence[Image] = field(repr=False)

    def samples(self, indices: Indices, which: Indices, sample_keys: keys.Key) -> Iterator[Row | SampleError]:
        del which
        images = [self.ready[index % len(self.ready)] for index in indices.tolist()]
        if self.plan is not None:
            self._params(sample_keys, [image.shape[:2] for image in images])
        return (Row(image, 0, "") for image in images)


class Memory:
    """A source whose samples are in memory: some of another's, again and again.

    Args:
        source: the other one.
        samples: what is delivered instead of its own.
    """

    def __init__(self, source: Source, samples: Sequence[Sample]) -> None:
        self._source = source
        self._samples = samples

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> Sample:
        """Give a sample."""
        return self._samples[index % len(self._samples)]


def _known(value: Any) -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in fields(value)}
