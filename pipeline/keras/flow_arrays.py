"""`ImageDataGenerator.flow`: batches of images in memory."""

import warnings
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError
from pipeline.images.decode import CHANNELS, Decoder
from pipeline.keras.checks import check_flags, check_images
from pipeline.keras.flow import Flow
from pipeline.keras.iterators import FlowIterator
from pipeline.keras.targets import BatchTargets, TargetColumn
from pipeline.sources.base import Labels, Sample, digest


class ImageArrays:
    """A source of images [N, H, W, C]; its labels are the images' indices."""

    def __init__(self, images: NDArray[Any]) -> None:
        self.class_names: tuple[str, ...] = ()
        self.ignored_files: Counter[str] = Counter()
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    @property
    def fingerprint(self) -> str:
        """A hash of the shape alone: nothing is cached by it."""
        return digest(("arrays", self._images.shape))

    def labels(self) -> Labels:
        """Return the images' indices."""
        return np.arange(len(self))

    def sizes(self) -> Labels:
        """Return the number of bytes of every image, int64 [N]."""
        return np.full(len(self), self._images[0].nbytes, np.int64)

    def peek(self, index: int) -> Sample:
        """Return an image's index as key and label."""
        return Sample(str(index), index)

    def read(self, index: int) -> Sample:
        """Return one image, uint8 or float32 [H, W, C]."""
        dtype = np.uint8 if self._images.dtype == np.uint8 else np.float32
        return Sample(str(index), index, pixels=np.ascontiguousarray(self._images[index], dtype))


class ArrayIterator(FlowIterator):
    """Batches of images in memory, with further inputs, targets and weights.

    Attributes:
        x: images.
        x_misc: further inputs.
        y: targets, or None.
        sample_weight: weights, or None.
    """

    def __init__(self, flow: Flow, x: Any, y: Any, sample_weight: Any, subset: "ArraySubset") -> None:
        check_flags(ignore_class_split=subset.ignores_classes)
        images, inputs = _split_inputs(x)
        arrays = {
            "x": np.asarray(images),
            **{f"x[1][{number}]": np.asarray(array) for number, array in enumerate(inputs)},
        }
        optional = {"y": y, "sample_weight": sample_weight}
        check_images("`x`", arrays["x"])
        arrays |= {name: np.asarray(array) for name, array in optional.items() if array is not None}
        for name, array in arrays.items():
            if len(array) != len(arrays["x"]):
                raise OptionError(
                    f"`x` and `{name}` must have the same length; got shapes {arrays['x'].shape} and {array.shape}"
                )
        if sample_weight is not None and y is None:
            raise OptionError("`sample_weight` needs `y`, got y=None")
        arrays = subset.select(arrays)
        self.x, self.y, self.sample_weight = arrays.pop("x"), arrays.pop("y", None), arrays.pop("sample_weight", None)
        self.x_misc = list(arrays.values())
        images = _to_channels_last(self.x, flow.normalizer.channels_first)
        color_mode = {channels: mode for mode, channels in CHANNELS.items()}.get(images.shape[3], "rgb")
        targets = BatchTargets(
            inputs=tuple(map(TargetColumn, self.x_misc)),
            targets=None if self.y is None else TargetColumn(self.y),
            weights=None if self.sample_weight is None or self.y is None else TargetColumn(self.sample_weight),
        )
        stream = flow.stream(ImageArrays(images), Decoder(color_mode=color_mode), images.shape[1:], targets)
        super().__init__(stream, flow.shuffle)


class ArraySubset:
    """The rows of the arrays that are used.

    Args:
        subset: "training", "validation" (the first rows), or None for all.
        validation_split: fraction of the rows in the validation subset.
        ignore_class_split: tolerate different classes in the two subsets.
    """

    def __init__(self, subset: str | None, validation_split: float, ignore_class_split: bool) -> None:
        if subset not in ("training", "validation", None):
            raise OptionError(f'invalid `subset` {subset!r}; expected "training" or "validation"')
        self._subset = subset
        self._validation_split = validation_split
        self.ignores_classes = ignore_class_split

    def select(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the used rows of each array.

        Raises:
            OptionError: the two subsets have different classes.
        """
        if self._subset is None:
            return arrays
        first = int(len(arrays["x"]) * self._validation_split)
        if "y" in arrays and not self.ignores_classes:
            classes = np.unique(arrays["y"][:first]), np.unique(arrays["y"][first:])
            if not np.array_equal(*classes):
                raise OptionError(
                    "the training and validation subsets have different classes: validation takes the first rows; "
                    "shuffle the arrays, or set ignore_class_split=True"
                )
        rows = slice(None, first) if self._subset == "validation" else slice(first, None)
        return {name: array[rows] for name, array in arrays.items()}


def _split_inputs(x: Any) -> tuple[Any, list[Any]]:
    """Split `x` into images and further inputs."""
    if not isinstance(x, (tuple, list)):
        return x, []
    if len(x) != 2:
        raise OptionError(
            f"`x` must be images, or (images, further inputs); got a {type(x).__name__} of length {len(x)}"
        )
    return x[0], x[1] if isinstance(x[1], list) else [x[1]]


def _to_channels_last(images: NDArray[Any], is_first: bool) -> NDArray[Any]:
    images = np.moveaxis(images, 1, -1) if is_first else images
    if images.shape[3] not in (1, 3, 4):
        warnings.warn(
            f"expected 1, 3 or 4 channels on the {'second' if is_first else 'last'} axis, by `data_format`; got "
            f"{images.shape[3]}",
            stacklevel=4,
        )
    return images
