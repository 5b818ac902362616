"""The `tf.data` graph around the stages: the only file of the packages that calls `tf.numpy_function`.

The graph is small: a range of positions, one parallel map that calls `Stages.batch`, and a prefetch. The kernels of
OpenCV, TensorFlow and this project do the work and release the GIL, so a map over batches keeps the cores busy with
one Python call per batch instead of several per sample.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import shutdown
from pipeline.feeds.layout import Batches, EpochCounter, EpochLayout, compute_batch, find_element_spec

if TYPE_CHECKING:
    import tensorflow as tf

_Function = TypeVar("_Function", bound=Callable[..., Any])


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

    def begin() -> NDArray[np.int64]:
        iteration = get_stages().error_log.begin_iteration()
        epoch, start = take_epoch()
        starts = np.arange(start, layout.stop, layout.block)
        return np.stack([np.full_like(starts, iteration), np.full_like(starts, epoch), starts], axis=1)

    with tf.init_scope():  # in a function that tf.data maps, the first sample is still decoded eagerly
        shape, dtype = find_element_spec(stages, epoch)
    is_full = layout.static_batch and not layout.has_variable_batches and layout.stop % layout.block == 0
    size = layout.batch_size if is_full else None
    label_dtype = tf.int32 if stages.label_mode in ("int", None) else tf.float32
    label_shape = {"categorical": [len(stages.source.class_names)], "binary": [1]}.get(stages.label_mode or "", [])

    def compute(position: Any) -> Any:
        with shutdown.callback():
            return compute_batch(get_stages(), layout, *position.tolist())

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
