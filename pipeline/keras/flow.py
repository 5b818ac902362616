"""Turn a source into a stream of normalized batches, for all `flow*` methods."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from augment import keys
from pipeline.error_log import ErrorLog
from pipeline.errors import OptionError
from pipeline.feeds.layout import EpochLayout
from pipeline.images.decode import CHANNELS, Decoder
from pipeline.images.stages import Batch, Stages
from pipeline.keras.checks import check_batch_size, check_flags, check_on_error, is_positive_integer, resolve_seed
from pipeline.keras.decoding import PILLOW_INTERPOLATIONS, ResizingDecoder
from pipeline.keras.normalizer import Normalizer
from pipeline.keras.saving import SaveOptions
from pipeline.keras.stream import FinishedStages, Stream
from pipeline.keras.targets import BatchTargets
from pipeline.keras.transform import FloatTransform, FlowTransform
from pipeline.memory.malloc import keep_freed_memory
from pipeline.processors import count_processors
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
        check_flags(keep_aspect_ratio=self.keep_aspect_ratio)
        if self.color_mode not in tuple(CHANNELS):
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

    transform: Callable[[int], FlowTransform]
    normalizer: Normalizer
    batch_size: int = 32
    shuffle: bool = True
    seed: int | None = None
    saving: SaveOptions = field(default_factory=SaveOptions)
    on_error: str = "raise"

    def __post_init__(self) -> None:
        check_flags(shuffle=self.shuffle)
        check_on_error(self.on_error)
        check_batch_size(self.batch_size, may_be_none=False)

    def stream(
        self,
        source: Source,
        decoder: Decoder,
        shape: tuple[int, int, int],
        targets: BatchTargets,
        *,
        may_be_wide: bool = False,
    ) -> Stream:
        """Return the stream of the images and their targets.

        Args:
            source: source whose labels are the samples' indices.
            decoder: decoder that returns images of one shape.
            shape: that shape, (height, width, channels).
            targets: targets by the samples' indices.
            may_be_wide: whether the decoder returns float32 for some images, and uint8 for the others.
        """
        keep_freed_memory()
        self.saving.check_channels(shape[2])
        seed = resolve_seed(self.seed)
        root = keys.root(seed)
        transform, normalizer = self.transform(shape[2]), self.normalizer
        if may_be_wide and not transform.yields_float:
            transform, normalizer = FloatTransform(transform), replace(normalizer, restores_uint8=True)
        stages = Stages(
            order=Order(size=len(source), key=root, shuffle=bool(self.shuffle)),
            members=None,
            source=source,
            decoder=decoder,
            pixel_cache=None,
            plan=transform,
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
            finish=partial(_finish, normalizer, self.saving, root),
            channels_first=self.normalizer.channels_first,
        )
        layout = EpochLayout(
            length=len(source),
            batch_size=int(self.batch_size),
            drop_remainder=False,
            has_variable_batches=self.on_error == "skip",
            num_parallel_calls=count_processors(),
            prefetch=2,
            with_keys=self.saving.is_on,
            with_labels=True,
        )
        return Stream(finished, layout, seed, targets, self.saving)


def _finish(normalizer: Normalizer, saving: SaveOptions, root: keys.Key, batch: Batch, epoch: int) -> Batch:
    """Normalize a batch. Its keys become the names of its pictures, if they are written."""
    names = saving.make_names(root, epoch, batch.labels) if saving.is_on else batch.keys
    return Batch(normalizer.batch(batch.images), batch.labels, names)
