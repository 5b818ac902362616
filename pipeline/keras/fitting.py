"""`ImageDataGenerator.fit`: compute statistics of arrays, a directory, a loader or a dataset."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.transform import Image
from pipeline.errors import DecodeError, OptionError, SourceError
from pipeline.images.augmentation import Augmentation
from pipeline.images.decode import Decoder
from pipeline.keras.arguments import Normalization
from pipeline.keras.checks import check_images
from pipeline.keras.decoding import PILLOW_EXTENSIONS
from pipeline.keras.files import FileSource
from pipeline.keras.flow import Files
from pipeline.keras.listing import walk_files
from pipeline.keras.statistics import Moments, Statistics, compute_whitening
from pipeline.loader import Loader
from pipeline.sources.base import Sample

StartPass = Callable[[], Iterator[NDArray[Any]]]

_INFINITE = -1
"""`tf.data.INFINITE_CARDINALITY`."""

_CHUNK = 64
"""Images in memory at a time: 64 of 224 x 224 x 3 take 77 MB as float64."""


@dataclass(frozen=True, kw_only=True)
class StatisticsFitter:
    """Computes the statistics of a training set.

    Attributes:
        normalization: which statistics are needed, and the `rescale` before them.
        channels_first: whether arrays are [N, C, H, W].
        augment: function from the number of channels to the random transform of the images; None for no transform.
        rounds: number of random transforms per image.
        seed: seed of the transforms.
        zca_rank: rank of a low-rank whitening; None chooses by the available memory.
    """

    normalization: Normalization
    channels_first: bool
    augment: Callable[[int], Augmentation] | None
    rounds: int
    seed: int
    zca_rank: int | None

    def __call__(self, images: StartPass) -> Statistics:
        """Compute the statistics.

        Args:
            images: starts one pass over batches [B, H, W, C], or [B, C, H, W] if `channels_first`.

        Raises:
            SourceError: there are no images.
        """

        def start_pass() -> Iterator[NDArray[Any]]:
            return self._prepare(images)

        moments, shape = Moments(), (0, 0, 0)
        for batch in start_pass():
            moments.update(batch)
            shape = batch.shape[1:]
        if not moments.images:
            raise SourceError("no images to fit on")
        white = None
        if self.normalization.zca_whitening:
            mean = moments.mean

            def flatten() -> Iterator[NDArray[Any]]:
                for batch in start_pass():
                    centered = batch - mean  # ZCA and a standard deviation exclude each other
                    moved = np.moveaxis(centered, -1, 1) if self.channels_first else centered
                    yield moved.reshape(len(moved), -1)

            size, epsilon = int(np.prod(shape)), self.normalization.zca_epsilon
            white = compute_whitening(flatten, moments.images, size, epsilon, self.zca_rank)
        return Statistics(
            count=moments.images,
            mean=moments.mean if self.normalization.featurewise_center else None,
            std=moments.std if self.normalization.featurewise_std_normalization else None,
            whitening=white,
        )

    def _prepare(self, images: StartPass) -> Iterator[NDArray[Any]]:
        """Yield the images as the statistics need them: rescaled, transformed, channels last."""
        for number in range(self.rounds if self.augment else 1):
            first = 0
            for batch in images():
                ready = np.moveaxis(batch, 1, -1) if self.channels_first else batch
                if self.normalization.rescale:
                    ready = ready.astype(np.float32) * np.float32(self.normalization.rescale)
                if self.augment is not None:
                    path = (number, np.arange(first, first + len(ready)))
                    ready = _augment(
                        self.augment(ready.shape[3]), ready, keys.fold_in(keys.root(self.seed), "fit", *path)
                    )
                first += len(batch)
                yield ready


def open_batches(data: Any, files: Files, channels_first: bool) -> StartPass:
    """Return a function that starts a pass over the data of `fit`.

    Args:
        data: images [N, H, W, C]; a directory, with images at any depth; a `pipeline.Loader` (one epoch); or a finite
            `tf.data.Dataset` of batches, or of (batch, ...).
        files: how image files are read.
        channels_first: whether arrays are [N, C, H, W].

    Raises:
        OptionError: the data is of another type or rank, or infinite.
        SourceError: the directory has no images.
    """
    if isinstance(data, (str, os.PathLike)):
        return _open_directory(os.fspath(data), files, channels_first)
    if isinstance(data, Loader):
        return lambda: _lay_out(_iter_images(data.dataset().as_numpy_iterator()), channels_first)
    if hasattr(data, "as_numpy_iterator"):
        if int(data.cardinality()) == _INFINITE:
            raise OptionError("`.fit()` needs a finite dataset, got an infinite one; remove its `.repeat()`")
        return lambda: _iter_images(data.as_numpy_iterator())
    if isinstance(data, (np.ndarray, list, tuple)):
        array = np.asarray(data)
        check_images("the data of `.fit()`", array)
        return lambda: (array[start : start + _CHUNK] for start in range(0, len(array), _CHUNK))
    raise OptionError(
        f"`.fit()` takes an array of images, a directory, a Loader or a tf.data.Dataset; got {type(data).__name__}"
    )


def _open_directory(root: str, files: Files, channels_first: bool) -> StartPass:
    found = list(walk_files(root, PILLOW_EXTENSIONS, follow_links=True)) if os.path.isdir(root) else []
    if not found:
        raise SourceError(f"{root} is not a directory with images; extensions: {', '.join(PILLOW_EXTENSIONS)}")
    source, decode = FileSource(root, found, max_bytes=files.decoder.max_bytes), files.decoder

    def batches() -> Iterator[NDArray[Any]]:
        for start in range(0, len(source), _CHUNK):
            indices = range(start, min(start + _CHUNK, len(source)))
            yield np.stack([_decode(source.read(index), decode) for index in indices])

    return lambda: _lay_out(batches(), channels_first)


def _decode(sample: Sample, decode: Decoder) -> Image:
    try:
        return decode(sample.encoded or b"")
    except ValueError as error:
        raise DecodeError(sample.key, str(error)) from None


def _lay_out(batches: Iterator[NDArray[Any]], channels_first: bool) -> Iterator[NDArray[Any]]:
    """Move the channels of batches [B, H, W, C] to the front, if they must be there."""
    for images in batches:
        yield np.moveaxis(images, -1, 1) if channels_first else images


def _iter_images(elements: Iterable[Any]) -> Iterator[NDArray[Any]]:
    for element in elements:
        images = element[0] if isinstance(element, tuple) else element
        yield images if images.ndim == 4 else images[np.newaxis]


def _augment(transform: Augmentation, images: NDArray[Any], sample_keys: keys.Key) -> NDArray[Any]:
    drawn = transform.draw(sample_keys, [images.shape[1:3]] * len(images))
    images = np.ascontiguousarray(images, np.float32)
    return np.stack([transform.apply(image, drawn, row) for row, image in enumerate(images)])
