"""What a sample is, and what every source of samples offers."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from augment.transform import Image
from pipeline.errors import OptionError
from pipeline.records.example import Raw

Labels = NDArray[np.int64]

NO_LABEL = -(2**63)
"""Stands for the label of a sample that has none."""


class Sample(NamedTuple):
    """One sample as its source holds it.

    Attributes:
        key: names the sample in its dataset: the path relative to the root, with "/" between its parts. Bytes that are
            no UTF-8 stand as surrogate escapes (`os.fsencode` gives the bytes back).
        label: the class, 0-based; `NO_LABEL` where the source has none.
        encoded: the bytes of the image file; None where the source holds pixels.
        pixels: [H, W, C]; None where the source holds encoded images.
        extra: further features that a TFRecord holds, by name: a conversion passes them on.
    """

    key: str
    label: int
    encoded: bytes | None = None
    pixels: Image | None = None
    extra: tuple[tuple[str, Raw], ...] = ()


class Source(Protocol):
    """A fixed sequence of samples with random access, safe to read from any number of threads.

    Attributes:
        class_names: the classes, in the order of their labels.
        ignored_files: how many files were passed over, by reason.
        fingerprint: changes when the samples change, as far as sizes and times of modification tell.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102  # described above
    @property
    def ignored_files(self) -> Counter[str]: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def __len__(self) -> int: ...

    def labels(self) -> Labels:
        """Give the class of every sample, int64 [N]; may have to read the whole dataset."""
        ...

    def sizes(self) -> NDArray[np.int64]:
        """Give the bytes of every sample as its source holds it (encoded, or pixels), int64 [N]."""
        ...

    def peek(self, index: int) -> Sample:
        """Give one sample without its image: its key and label, with as little reading as the source allows.

        Raises:
            ReadError: what had to be read for it is damaged.
        """
        ...

    def read(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            ReadError: its bytes cannot be read or fail their checksum.
        """
        ...


def check_names(class_names: Sequence[str] | None) -> None:
    """Check the classes that were asked for.

    Raises:
        OptionError: they are no list of names, or name nothing, or a class twice.
    """
    if class_names is None:
        return
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names) or not len(class_names):
        raise OptionError(f"class_names must be a list of names, got {class_names!r}")
    if len(set(class_names)) != len(class_names):
        raise OptionError(f"class_names names a class twice: {list(class_names)}")


def digest(parts: Iterable[object]) -> str:
    """Make a short fingerprint of a sequence of values, by their text."""
    state = hashlib.sha256()
    for part in parts:
        state.update(f"{part!r}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()[:16]
