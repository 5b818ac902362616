"""The `tf.data` graph around the stages: the only file of the packages that calls `tf.numpy_function`.

The graph is small: a range of positions, one parallel map that calls `Stages.batch`, and a prefetch. The kernels of
OpenCV, TensorFlow and this project do the work and release the GIL, so a map over batches keeps the cores busy with
one Python call per batch instead of several per sample.
"""

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import shutdown
from pipeline.error_log import ErrorLog
from pipeline.errors import OptionError
from pipeline.options import check_integer, raise_first
from pipeline.sources.base import Source

if TYPE_CHECKING:
    import tensorflow as tf

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Batches(Protocol):
    """Computes the batches of a dataset: the stages of images or texts, or an object around them.

    Attributes:
        error_log: records the bad samples.
        source: its `class_names` determine the width of categorical labels.
        label_mode: "int", "categorical", "binary" or None.
        element_spec: the shape and dtype of the features of one sample; a side that may differ is None.
    """

    @property
    def error_log(self) -> ErrorLog: ...  # noqa: D102  # described above
    @property
    def source(self) -> Source: ...  # noqa: D102
    @property
    def label_mode(self) -> str | None: ...  # noqa: D102
    @property
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]: ...  # noqa: D102

    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Return a batch of the samples at positions start to stop of an epoch: (features, labels, keys)."""
        ...


class EpochCounter:
    """Counts the epochs of a dataset's iterations: the first starts at any position, each further one the next epoch.

    Args:
        epoch: the epoch of the first iteration.
        position: the sample at which the first iteration starts.
    """

    def __init__(self, epoch: int, position: int) -> None:
        self._next = (epoch, position)
        self._lock = threading.Lock()

    def __call__(self) -> tuple[int, int]:
        """Return the next epoch and its first position."""
        with self._lock:
            epoch, position = self._next
            self._next = (epoch + 1, 0)
        return epoch, position


@dataclass(frozen=True, kw_only=True)
class EpochLayout:
    """How an epoch is divided into batches.

    Attributes:
        length: number of samples per epoch.
        batch_size: number of samples per batch; None for single samples.
        drop_remainder: whether a last batch that is not full is dropped.
        has_variable_batches: whether bad samples are skipped, so that a batch may be smaller than `batch_size`.
        num_parallel_calls: number of batches that are computed at once.
        prefetch: number of batches that are kept ready.
        with_keys: whether the samples' keys follow the labels.
        with_labels: whether there are labels.
        static_batch: whether the graph declares the batch size if all batches are full.
    """

    length: int
    batch_size: int | None
    drop_remainder: bool
    has_variable_batches: bool
    num_parallel_calls: int
    prefetch: int
    with_keys: bool
    with_labels: bool
    static_batch: bool = True

    @property
    def block(self) -> int:
        """The number of samples per call."""
        return self.batch_size or 1

    @property
    def steps(self) -> int:
        """The number of steps per epoch."""
        return self.length // self.block if self.drop_remainder else -(-self.length // self.block)

    def check_position(self, epoch: int, step: int) -> tuple[int, int]:
        """Check a position of the stream, and return it as integers of Python.

        Raises:
            OptionError: it is out of range, or not of integers.
        """
        raise_first((*check_integer("epoch", epoch, 0), *check_integer("step", step, 0)))
        epoch, step = int(epoch), int(step)
        if step > self.steps:
            raise OptionError(f"{epoch=}, {step=} is out of range: an epoch has {self.steps} steps")
        return epoch, step


def build(stages: Batches, layout: EpochLayout, epoch: int, step: int) -> "tf.data.Dataset":
    """Build the dataset whose first iteration starts at a step of an epoch, and whose further ones take further epochs.

    Returns:
        A `tf.data.Dataset` of features (images [B, H, W, C] or texts [B]), (features, labels) or
        (features, labels, keys).
    """
    import tensorflow as tf

    cv2.setNumThreads(0)  # tf.data calls from many threads; OpenCV's own pool would compete with them
    take_epoch = EpochCounter(epoch, step * layout.block)
    stages_ref = (lambda: stages) if tf.inside_function() else weakref.ref(stages)

    def get_stages() -> Batches:
        alive = stages_ref()
        if alive is None:
            raise RuntimeError("the dataset was deleted while it is iterated; keep a reference to it")
        return alive

    stop = min(layout.steps * layout.block, layout.length)

    def begin() -> NDArray[np.int64]:
        iteration = get_stages().error_log.begin_iteration()
        epoch, start = take_epoch()
        starts = np.arange(start, stop, layout.block)
        return np.stack([np.full_like(starts, iteration), np.full_like(starts, epoch), starts], axis=1)

    try:
        with tf.init_scope():  # in a function that tf.data maps, the first sample is still decoded eagerly
            shape, dtype = stages.element_spec
    except Exception as error:
        stages.error_log.record_failure(stages.error_log.begin_iteration(), epoch, 0, error)
        raise
    is_full = layout.static_batch and not layout.has_variable_batches and stop % layout.block == 0
    size = layout.batch_size if is_full else None
    label_dtype = tf.int32 if stages.label_mode in ("int", None) else tf.float32
    label_shape = {"categorical": [len(stages.source.class_names)], "binary": [1]}.get(stages.label_mode or "", [])

    def compute(position: Any) -> Any:
        with shutdown.callback():
            stages, (iteration, epoch, start) = get_stages(), position.tolist()
            try:
                return stages.batch(epoch, start, min(start + layout.block, layout.length))
            except Exception as error:
                stages.error_log.record_failure(iteration, epoch, start, error)
                raise

    @without_autograph
    def batch(position: Any) -> Any:
        features, labels, keys = tf.numpy_function(compute, [position], [dtype, label_dtype, tf.string])
        features.set_shape([size, *shape])
        labels.set_shape([size, *label_shape])
        keys.set_shape([size])
        element = (features, *([labels] if layout.with_labels else []), *([keys] if layout.with_keys else []))
        return element if len(element) > 1 else features

    @without_autograph
    def is_not_empty(*batch: Any) -> Any:
        return tf.shape(tf.nest.flatten(batch)[0])[0] > 0

    dataset = iterate_rows(begin, [3]).map(batch, num_parallel_calls=layout.num_parallel_calls, deterministic=True)
    if layout.batch_size is None:
        dataset = dataset.unbatch()
    elif layout.has_variable_batches:
        dataset = dataset.filter(is_not_empty)
    dataset = dataset.prefetch(layout.prefetch)
    if step == 0 and not layout.has_variable_batches:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(layout.steps))
    dataset = dataset.with_options(_make_options(layout))
    if step != 0 or layout.has_variable_batches:
        # Iterations differ in length here, which tf.data cannot express. Keras would assume the length of the first for
        # all and cut later ones short; with the length of a whole epoch, it continues after an iteration ends early.
        dataset.cardinality = lambda: tf.constant(layout.steps, tf.int64)
    # TensorFlow never frees a function passed to `numpy_function`, nor what it refers to: arrays, workers. So the
    # functions refer to the stages weakly. The dataset keeps them alive, and derived datasets keep the dataset alive.
    dataset.batches = stages
    return dataset


def iterate_rows(compute: Callable[[], NDArray[np.int64]], shape: Sequence[int]) -> "tf.data.Dataset":
    """Build a dataset of the rows of an array that is computed when an iteration begins.

    Args:
        compute: returns int64 [N, *shape].
        shape: the shape of a row.
    """
    import tensorflow as tf

    shutdown.end_with_program()

    def guarded() -> NDArray[np.int64]:
        with shutdown.callback():
            return compute()

    @without_autograph
    def rows(_: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(guarded, [], tf.int64, stateful=True), [None, *shape])

    # `flat_map` over a range would do the same, but takes 9 ms longer to start.
    return tf.data.Dataset.from_tensors(0).map(rows).unbatch()


def observe(dataset: "tf.data.Dataset", function: Callable[..., object]) -> "tf.data.Dataset":
    """Call a function with the arrays of each element at the moment when the element is consumed, not ahead of it.

    Args:
        dataset: its elements are tuples, and stay as they are.
        function: TensorFlow keeps it, and what it refers to, for as long as the program runs.
    """
    import tensorflow as tf

    def guarded(*arrays: NDArray[Any]) -> None:
        with shutdown.callback():
            function(*arrays)

    @without_autograph
    def call(*element: Any) -> Any:
        tf.numpy_function(guarded, element, [], stateful=True)
        return element

    return dataset.map(call)


def without_autograph(function: _Function) -> _Function:
    """Keep Autograph from converting a function that tf.data maps: it has no Python control flow.

    Autograph would take 29 us per batch, and write a file per function, which a killed program leaves behind.
    """
    import tensorflow as tf

    return cast(_Function, tf.autograph.experimental.do_not_convert(function))


def _make_options(layout: EpochLayout) -> "tf.data.Options":
    import tensorflow as tf

    options = tf.data.Options()
    # The autotuner delays the closing of an iterator to its next round, up to 10 s after the epoch's begin (tf.data
    # 2.21).
    options.autotune.enabled = False
    # A separate pool: Python calls must not occupy the threads that run the model's operations.
    options.threading.private_threadpool_size = layout.num_parallel_calls + 1
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
