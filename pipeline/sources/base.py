"""Samples, and the interface of their sources."""

import contextlib
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from augment.regular_files import ChangedError, NotRegularError
from augment.transform import Image
from pipeline.errors import OptionError, ReadError, SampleError, SourceError
from pipeline.records.example import Raw

Labels = NDArray[np.int64]

NO_LABEL = -(2**63)
"""The label of a sample that has none."""

MAX_CLASSES = 1_000_000
"""A larger label counts as damage where the number of classes is counted from the labels."""

_warned: set[str] = set()


class Sample(NamedTuple):
    """One sample as its source stores it.

    Attributes:
        key: the sample's path relative to the root, with "/" between its parts. Bytes that are not UTF-8 are surrogate
            escapes (`os.fsencode` restores the bytes).
        label: the class index, from 0; `NO_LABEL` where the source has none.
        encoded: the bytes of the image file; None where the source holds pixels.
        pixels: [H, W, C]; None where the source holds encoded images.
        extra: other features of a TFRecord, by name: a conversion copies them.
        label_fault: why a sample without a label has none that can be used; "" if it simply has none.
    """

    key: str
    label: int
    encoded: bytes | None = None
    pixels: Image | None = None
    extra: tuple[tuple[str, Raw], ...] = ()
    label_fault: str = ""


class Source(Protocol):
    """A fixed sequence of samples with random access, safe to read from any number of threads.

    Attributes:
        class_names: the classes, in the order of their labels.
        ignored_files: the number of ignored files (or lines), by reason.
        fingerprint: changes when the samples change, as far as sizes and modification times show it.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102  # described above
    @property
    def ignored_files(self) -> Counter[str]: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def __len__(self) -> int: ...

    def labels(self) -> Labels:
        """Return the class of every sample, int64 [N]; may read the whole dataset."""
        ...

    def sizes(self) -> NDArray[np.int64]:
        """Return the number of bytes of every sample as stored (encoded, or pixels), int64 [N]."""
        ...

    def peek(self, index: int) -> Sample:
        """Return one sample without its image: its key and label, with as little reading as possible.

        Raises:
            ReadError: its record is damaged.
        """
        ...

    def read(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            ReadError: its bytes cannot be read or fail their checksum.
        """
        ...


def read_samples(source: Source, indices: Sequence[int]) -> list[Sample | SampleError]:
    """Read samples [N], or their errors; a source that reads many at once has a method of this name."""
    if hasattr(type(source), "read_samples"):  # not that of a source to which this one delegates
        return source.read_samples(indices)  # type: ignore[attr-defined,no-any-return]
    return [read_sample(source, index) for index in indices]


def read_sample(source: Source, index: int) -> Sample | SampleError:
    """Read one sample, or its error."""
    try:
        return source.read(index)
    except SampleError as error:
        return error


def check_names(class_names: Sequence[str] | None) -> None:
    """Check the option `class_names`.

    Raises:
        OptionError: it is not a list of names, is empty, or has duplicates.
    """
    if class_names is None:
        return
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names) or not len(class_names):
        raise OptionError(f"class_names must be a list of names, got {class_names!r}")
    if len(set(class_names)) != len(class_names):
        raise OptionError(f"class_names has duplicates: {list(class_names)}")


def describe_unknown_label(label: int, classes: int) -> str:
    """Return a message about a label that no class has."""
    actual = "no label" if label == NO_LABEL else f"the label {label}"
    known = f"the {classes} classes are numbered 0 to {classes - 1}" if classes else "there are no classes"
    remedy = "give it one, or use label_mode=None" if label == NO_LABEL else "set class_names"
    return f"has {actual}, but {known}; {remedy}"


@contextlib.contextmanager
def raise_source_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise what goes wrong with a source's file as a `SourceError`."""
    try:
        yield
    except SourceError:
        raise
    except NotRegularError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}; give a regular file") from None
    except ChangedError:
        raise SourceError(f"{path} changed while it was read; open it again when it is complete") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None


def make_read_error(key: str, error: OSError) -> ReadError:
    """Make the error of a sample whose file cannot be read, or is not the one that was listed."""
    if isinstance(error, ChangedError):
        return ReadError(key, str(error.strerror), "open the source again, which lists its files anew")
    return ReadError(key, f"cannot be read: {error.strerror}")


def warn_once(log: logging.Logger, message: str, unreported: str | None = None) -> None:
    """Log a warning, unless this process logged the same before: each subset of a dataset opens its source.

    Args:
        log: the module's log.
        message: the warning; "" for none.
        unreported: the part of it that the reports of commands do not contain, maybe ""; None if they contain nothing
            of it. The log record has it as an attribute.
    """
    if message and message not in _warned:
        _warned.add(message)
        log.warning("%s", message, extra={"unreported": message if unreported is None else unreported})


def digest(parts: Iterable[object]) -> str:
    """Return a short fingerprint of a sequence of values, from their `repr`."""
    state = hashlib.sha256()
    for part in parts:
        state.update(f"{part!r}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()[:16]
