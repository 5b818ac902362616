"""Turn a source into a stream of normalized batches, for all `flow*` methods."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.error_log import ErrorLog
from pipeline.errors import OptionError
from pipeline.feeds import graph
from pipeline.images.augmentation import Augmentation
from pipeline.images.decode import CHANNELS, Decoder
from pipeline.images.stages import Batch, Stages
from pipeline.keras.decoding import PILLOW_INTERPOLATIONS, ResizingDecoder
from pipeline.keras.image_directory import check_on_error, is_positive_integer, resolve_seed
from pipeline.keras.normalizer import Normalizer
from pipeline.keras.stream import FinishedStages, Stream
from pipeline.memory.malloc import keep_freed_memory
from pipeline.sampling.order import Order
from pipeline.sources.base import Source


@dataclass(frozen=True, kw_only=True)
class Files:
    """How image files become arrays: the arguments of `flow_from_directory` of these names.

    Raises:
        OptionError: a value is invalid.
    """

    target_size: tuple[int, int] = (256, 256)
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    keep_aspect_ratio: bool = False

    def __post_init__(self) -> None:
        is_pair = isinstance(self.target_size, tuple) and len(self.target_size) == 2
        if not is_pair or not all(map(is_positive_integer, self.target_size)):
            raise OptionError(f"`target_size` must be (height, width) in pixels, got {self.target_size!r}")
        if self.color_mode not in CHANNELS:
            raise OptionError(f'invalid `color_mode` {self.color_mode!r}; expected "rgb", "rgba" or "grayscale"')
        if self.interpolation not in PILLOW_INTERPOLATIONS:
            raise OptionError(
                f"invalid `interpolation` {self.interpolation!r}; expected one of {', '.join(PILLOW_INTERPOLATIONS)}"
            )

    @property
    def decoder(self) -> ResizingDecoder:
        """The decoder of these files."""
        return ResizingDecoder(
            color_mode=self.color_mode,
            target_size=self.target_size,
            interpolation=self.interpolation,
            keep_aspect_ratio=self.keep_aspect_ratio,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of an image, (height, width, channels)."""
        return (*self.target_size, CHANNELS[self.color_mode])


def make_files(target_size: Any, color_mode: str, interpolation: str, keep_aspect_ratio: bool = False) -> Files:
    """Return `Files` of Keras's arguments: the size may be a list.

    Raises:
        OptionError: a value is invalid.
    """
    return Files(
        target_size=tuple(target_size) if isinstance(target_size, (tuple, list)) else target_size,
        color_mode=color_mode,
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect_ratio,
    )


@dataclass(frozen=True, kw_only=True)
class SaveOptions:
    """Where pictures of the batches are written: the arguments of `flow*` of these names."""

    save_to_dir: str | os.PathLike[str] | None = None
    save_prefix: str = ""
    save_format: str = "png"

    def __post_init__(self) -> None:
        if self.save_to_dir and not os.path.isdir(self.save_to_dir):
            raise OptionError(f"`save_to_dir` must be an existing directory, got {os.fspath(self.save_to_dir)!r}")

    def save(self, images: NDArray[Any], indices: NDArray[Any], hashes: NDArray[Any]) -> None:
        """Write images [B, H, W, C], each stretched to 0 to 255, as `prefix_index_hash.format`."""
        from PIL import Image as PillowImage

        for image, index, number in zip(images, indices.tolist(), hashes.tolist(), strict=True):
            low = image.min()
            levels = ((image - low) * (255 / ((image.max() - low) or 1))).astype(np.uint8)
            picture = PillowImage.fromarray(levels[..., 0] if image.shape[2] == 1 else levels)
            if self.save_format.lower() in ("jpg", "jpeg") and image.shape[2] == 4:
                picture = picture.convert("RGB")
            picture.save(Path(self.save_to_dir or "") / f"{self.save_prefix}_{index}_{number}.{self.save_format}")


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How the samples of a source become batches.

    Attributes:
        transform: function from the number of channels to the random transform.
        normalizer: normalization after the transform.
        batch_size: number of samples per batch.
        shuffle: whether each epoch has its own order.
        seed: seed of the order and the transforms; None draws one.
        saving: where pictures of the batches are written.
        on_error: what happens at a bad file: "raise", "skip" or "replace".
    """

    transform: Callable[[int], Augmentation]
    normalizer: Normalizer
    batch_size: int = 32
    shuffle: bool = True
    seed: int | None = None
    saving: SaveOptions = SaveOptions()
    on_error: str = "raise"

    def __post_init__(self) -> None:
        check_on_error(self.on_error)
        if not is_positive_integer(self.batch_size):
            raise OptionError(f"`batch_size` must be an integer of at least 1, got {self.batch_size!r}")

    def stream(self, source: Source, decoder: Decoder, shape: tuple[int, int, int]) -> Stream:
        """Return the stream of the images and the samples' indices.

        Args:
            source: source whose labels are the samples' indices.
            decoder: decoder that returns images of one shape.
            shape: that shape, (height, width, channels).
        """
        keep_freed_memory()
        seed = resolve_seed(self.seed)
        root = keys.root(seed)
        stages = Stages(
            order=Order(size=len(source), key=root, shuffle=self.shuffle),
            members=None,
            source=source,
            decoder=decoder,
            pixel_cache=None,
            plan=self.transform(shape[2]),
            augment_key=keys.fold_in(root, "augment"),
            image_size=None,
            interpolation="bilinear",  # unused: the decoder resizes
            label_mode=None,
            error_log=ErrorLog(self.on_error, None, len(source)),
            replaces=self.on_error == "replace",
        )
        finished = FinishedStages(
            stages=stages,
            shape=(shape[2], *shape[:2]) if self.normalizer.channels_first else shape,
            dtype=self.normalizer.dtype,
            label_mode=None,
            finish=partial(_finish, self, root),
        )
        layout = graph.EpochLayout(
            length=len(source),
            batch_size=int(self.batch_size),
            drop_remainder=False,
            has_variable_batches=self.on_error == "skip",
            num_parallel_calls=len(os.sched_getaffinity(0)),
            prefetch=2,
            with_keys=False,
            with_labels=True,
        )
        return Stream(finished, layout, seed)


def _finish(flow: Flow, root: keys.Key, batch: Batch, epoch: int) -> Batch:
    images = flow.normalizer.batch(batch.images)
    if flow.saving.save_to_dir:
        pictures = np.moveaxis(images, 1, -1) if flow.normalizer.channels_first else images
        hashes = keys.fold_in(root, "save", epoch, batch.labels) % np.uint64(10**7)
        flow.saving.save(pictures, batch.labels, hashes)
    return Batch(images, batch.labels, batch.keys)
