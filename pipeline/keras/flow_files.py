"""What iterators over image files share: Keras's attributes, and the targets of class modes."""

from typing import Any

import numpy as np

from pipeline.errors import OptionError
from pipeline.keras.files import FileSource
from pipeline.keras.flow import Files, Flow
from pipeline.keras.iterators import FlowIterator
from pipeline.keras.targets import BatchTargets, TargetColumn, encode_multi_hot


class FilesIterator(FlowIterator):
    """Batches of images from files.

    Attributes:
        filenames: paths of the files, relative to the directory.
        filepaths: paths of the files, with the directory.
        samples: number of files.
        target_size: (height, width) of the images.
        color_mode: "rgb", "grayscale" or "rgba".
        image_shape: shape of an image in a batch.
        class_mode: form of the targets.
        dtype: dtype of the images.
        data_format: "channels_last" or "channels_first".
    """

    def __init__(
        self, flow: Flow, files: Files, source: FileSource, filepaths: list[str], targets: BatchTargets, class_mode: Any
    ) -> None:
        may_be_wide = files.color_mode == "grayscale"
        stream = flow.stream(source, files.decoder, files.shape, targets, may_be_wide=may_be_wide)
        super().__init__(stream, flow.shuffle)
        self.filepaths = filepaths
        self.filenames = [source.peek(index).key for index in range(len(source))]
        self.samples = len(source)
        self.target_size = files.target_size
        self.color_mode = files.color_mode
        self.interpolation = files.interpolation
        self.keep_aspect_ratio = files.keep_aspect_ratio
        self.image_shape = stream.batches.shape
        self.class_mode = class_mode
        self.dtype = flow.normalizer.dtype.name
        self.data_format = "channels_first" if flow.normalizer.channels_first else "channels_last"


def make_class_targets(class_mode: str | None, classes: list[Any], count: int, dtype: np.dtype[Any]) -> Any:
    """Return the targets of the samples in the form of a class mode.

    Args:
        class_mode: "categorical", "binary", "sparse", "input" or None.
        classes: class index of every sample, or a list of several.
        count: number of classes.
        dtype: dtype of the targets; as in Keras, that of the images.
    """
    if class_mode in (None, "input"):
        return class_mode
    if class_mode == "categorical" and any(isinstance(label, list) for label in classes):
        return encode_multi_hot(classes, count, dtype)
    if class_mode == "categorical":
        return TargetColumn(np.array(classes, np.int64), count, dtype)
    return TargetColumn(np.array(classes, dtype))


def get_subset_bounds(subset: str | None, validation_split: float) -> tuple[float, float]:
    """Return the fractions at which a subset begins and ends; the validation subset comes first.

    Raises:
        OptionError: the subset is unknown.
    """
    bounds = {None: (0.0, 1.0), "validation": (0.0, validation_split), "training": (validation_split, 1.0)}
    if subset not in tuple(bounds):
        raise OptionError(f'invalid `subset` {subset!r}; expected "training" or "validation"')
    return bounds[subset]
