"""`save_to_dir`: write pictures of the batches that `ImageDataGenerator.flow*` returned, for inspection."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.errors import OptionError
from pipeline.keras.checks import read_path

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, kw_only=True)
class SaveOptions:
    """Where pictures of the batches are written: the arguments of `flow*` of these names.

    Raises:
        OptionError: the directory does not exist, or a name or format is invalid.
    """

    save_to_dir: str | os.PathLike[str] | None = None
    save_prefix: str = ""
    save_format: str = "png"

    def __post_init__(self) -> None:
        if not self.save_to_dir:
            return
        directory = read_path("save_to_dir", self.save_to_dir)
        if not os.path.isdir(directory):
            raise OptionError(f"`save_to_dir` must be an existing directory, got {directory!r}")
        if not isinstance(self.save_prefix, str) or os.path.basename(self.save_prefix) != self.save_prefix:
            raise OptionError(f"`save_prefix` must be text without a directory, got {self.save_prefix!r}")
        if not isinstance(self.save_format, str) or _find_format(self.save_format) is None:
            raise OptionError(
                f'`save_format` must be a format that Pillow writes, such as "png"; got {self.save_format!r}'
            )

    @property
    def is_on(self) -> bool:
        """Whether pictures are written."""
        return bool(self.save_to_dir)

    def check_channels(self, channels: int) -> None:
        """Refuse images that are not pictures.

        Raises:
            OptionError: pictures are written, and the images have another number of channels.
        """
        if self.is_on and channels not in _CHANNELS:
            raise OptionError(f"`save_to_dir` needs images of 1, 3 or 4 channels, got {channels}")

    def make_names(self, root: keys.Key, epoch: int, indices: NDArray[Any]) -> NDArray[np.object_]:
        """Return file names `prefix_index_hash.format` for the samples of an epoch, bytes [B]; the hash is keyed."""
        hashes = keys.fold_in(root, "save", epoch, indices) % np.uint64(10**7)
        names = [
            os.fsencode(f"{self.save_prefix}_{index}_{number}.{self.save_format}")
            for index, number in zip(indices.tolist(), hashes.tolist(), strict=True)
        ]
        return np.array(names, object)

    def save(self, images: NDArray[Any], names: NDArray[np.object_]) -> None:
        """Write images [B, H, W, C], each stretched to 0 to 255. A file of these names is always complete.

        Raises:
            OSError: a file cannot be written.
        """
        for image, name in zip(images, names, strict=True):
            self._save(image, Path(read_path("save_to_dir", self.save_to_dir)) / os.fsdecode(name))

    def _save(self, image: NDArray[Any], path: Path) -> None:
        from PIL import Image as PillowImage

        stretched = image - image.min()  # in Keras's order
        stretched /= stretched.max() or 1
        levels = (stretched * 255).astype(np.uint8)
        picture = PillowImage.fromarray(levels[..., 0] if image.shape[2] == 1 else levels)
        image_format = _find_format(self.save_format)
        if image_format == "JPEG" and image.shape[2] == 4:
            picture = picture.convert("RGB")
        scratch = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            picture.save(scratch, format=image_format)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


def _find_format(extension: str) -> str | None:
    """Return Pillow's name of the format that it writes for an extension; None if there is none."""
    from PIL import Image as PillowImage

    image_format = PillowImage.registered_extensions().get(f".{extension.lower()}")
    return image_format if image_format in PillowImage.SAVE else None
