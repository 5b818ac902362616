"""Caches: encoded bytes in memory, or decoded pixels of one size in a file.

Both compute and log their size before anything is read, and refuse what does not fit.
"""

import logging
import math
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from augment.transform import Image
from pipeline.errors import CacheError, OptionError, SampleError
from pipeline.options import check_integer, check_size, raise_first
from pipeline.sampling.order import Indices
from pipeline.sources.base import Labels, Sample, Source, read_samples

_log = logging.getLogger(__name__)

RAM = "ram"

_NOT_DIRECTORIES = {"ram", "memory", "mem", "disk", "file", "files", "auto", "none", "true", "false", "yes", "no"}
"""Strings, in any case, that users write for a kind of cache: the directory of that name would surprise them."""


@dataclass(frozen=True)
class Cache:
    """Where a loader stores images for later epochs, and how many bytes it may use.

    Attributes:
        directory: "ram" keeps the encoded images in memory; a path keeps decoded images of one size in that directory.
        size: (height, width) in pixels of the images in a directory; by default the loader's `image_size`.
        limit_bytes: maximum size of the cache in bytes; by default the free memory or disk space.

    Raises:
        OptionError: a value is out of range, or contradicts another.
    """

    directory: str | os.PathLike[str]
    _: KW_ONLY
    size: tuple[int, int] | None = None
    limit_bytes: int | None = None

    def __post_init__(self) -> None:
        raise_first(self._check_options())
        if self.size is not None:
            height, width = self.size
            object.__setattr__(self, "size", (int(height), int(width)))

    def _check_options(self) -> Iterator[str]:
        if not _is_path(self.directory):
            yield f'Cache: directory must be "ram" or a path, got {self.directory!r}'
        elif isinstance(self.directory, str) and not self.is_ram and self.directory.lower() in _NOT_DIRECTORIES:
            yield (
                f'cache={self.directory!r} looks like a kind of cache, not a directory; use "ram" for memory, or '
                f"{f'./{self.directory}'!r} for a directory of that name"
            )
        yield from check_size("Cache: size", self.size)
        yield from check_integer("Cache: limit_bytes", self.limit_bytes, 0, most=math.inf, may_be_none=True)
        if self.is_ram and self.size is not None:
            yield f'Cache("ram") keeps encoded images, which have no common size; got size={self.size}; use a directory'

    @classmethod
    def from_option(cls, value: Any) -> "Cache | None":
        """Read the option `cache`: None, "ram", a directory, or a `Cache`.

        Raises:
            OptionError: it is none of these.
        """
        if value is None or isinstance(value, cls):
            return value
        if not _is_path(value):
            raise OptionError(f'cache must be None, "ram", a directory or a Cache; got {value!r}')
        return cls(value)

    @property
    def is_ram(self) -> bool:
        """Whether the cache keeps encoded images in memory, rather than decoded ones in a directory."""
        return self.directory == RAM


class RamCache:
    """A source that keeps every sample in memory once it has been read.

    Args:
        source: the source to read from.
        members: the indices that may be read, int64; None for all.
        limit_bytes: maximum memory in bytes; by default what the system has available.

    Raises:
        CacheError: all samples together would not fit.
    """

    def __init__(self, source: Source, members: Indices | None = None, limit_bytes: int | None = None) -> None:
        sizes = source.sizes() if members is None else source.sizes()[members]
        _check_fits(
            f"{len(sizes)} samples", int(sizes.sum()), limit_bytes, get_available_memory(), "of memory are available"
        )
        self._source = source
        self._samples: dict[int, Sample] = {}
        self.ignored_files: Counter[str] = source.ignored_files

    def __len__(self) -> int:
        return len(self._source)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""
        return self._source.class_names

    def sizes(self) -> Labels:
        """Return the number of bytes of each sample, int64 [N]."""
        return self._source.sizes()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the source."""
        return self._source.fingerprint

    def labels(self) -> Labels:
        """Return the class of each sample, int64 [N]."""
        return self._source.labels()

    def peek(self, index: int) -> Sample:
        """Return one sample's key and label."""
        return self._samples.get(index) or self._source.peek(index)

    def read(self, index: int) -> Sample:
        """Return one sample, from memory if it has been read before."""
        sample = self._samples.get(index)
        if sample is None:
            sample = self._samples[index] = self._source.read(index)
        return sample

    def read_samples(self, indices: Sequence[int]) -> list[Sample | SampleError]:
        """Return samples, or their errors, from memory if they have been read before."""
        missing = [index for index in indices if index not in self._samples]
        read = dict(zip(missing, read_samples(self._source, missing), strict=True))
        self._samples |= {index: sample for index, sample in read.items() if isinstance(sample, Sample)}
        return [self._samples.get(index) or read[index] for index in indices]


class PixelCache:
    """Decoded images of one size in one file, each valid by itself, so that an interrupted epoch loses nothing.

    One file has a slot per sample for its pixels; a second one holds the CRC-32C of each written slot. An incomplete
    slot fails its checksum and is decoded again. Any number of threads and processes may share a cache.

    Args:
        directory: the directory of the cache; each `fingerprint` gets a subfolder.
        fingerprint: names the samples and how they were decoded.
        count: the number of samples.
        shape: the shape of each image, (height, width, channels); uint8.
        limit_bytes: maximum disk space in bytes; by default what is free.

    Raises:
        CacheError: all images together would not fit, or the files cannot be created.
    """

    def __init__(
        self,
        directory: Path,
        fingerprint: str,
        count: int,
        shape: tuple[int, int, int],
        limit_bytes: int | None = None,
    ) -> None:
        self.shape = shape
        self._slot = math.prod(shape)
        folder = directory / fingerprint
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._pixels = os.open(folder / "pixels.u8", os.O_RDWR | os.O_CREAT, 0o644)
            self._checksums = os.open(folder / "checksums.u64", os.O_RDWR | os.O_CREAT, 0o644)
            size = count * self._slot
            if os.fstat(self._pixels).st_size != size:
                free = shutil.disk_usage(folder).free
                _check_fits(f"{count} images of {shape}", size, limit_bytes, free, f"are free in {directory}")
                # Reserve all now, so that a full disk shows here and not in the middle of an epoch.
                os.posix_fallocate(self._pixels, 0, max(size, 1))
                os.ftruncate(self._pixels, size)
                os.ftruncate(self._checksums, 8 * count)
        except OSError as error:
            if isinstance(error, CacheError):
                raise
            raise CacheError(f"cannot create the cache in {directory}: {error.strerror}") from None

    def get(self, index: int) -> Image | None:
        """Return one image, uint8 [H, W, C], or None if it has not been stored."""
        stored = os.pread(self._checksums, 8, 8 * index)
        if not any(stored):
            return None
        pixels = os.pread(self._pixels, self._slot, index * self._slot)
        return (
            np.frombuffer(pixels, np.uint8).reshape(self.shape).copy() if stored == _compute_checksum(pixels) else None
        )

    def put(self, index: int, image: Image) -> None:
        """Store one image, uint8 [H, W, C].

        Raises:
            CacheError: writing fails.
        """
        pixels = image.tobytes()
        try:
            os.pwrite(self._pixels, pixels, index * self._slot)
            os.pwrite(self._checksums, _compute_checksum(pixels), 8 * index)
        except OSError as error:
            raise CacheError(f"cannot write to the cache: {error.strerror}") from None

    def __del__(self) -> None:
        for descriptor in ("_pixels", "_checksums"):
            if hasattr(self, descriptor):
                os.close(getattr(self, descriptor))


def get_available_memory() -> int:
    """Return the bytes that can be used without swapping; Linux includes what it can free of its own caches."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) and bool(os.fspath(value))


def _compute_checksum(pixels: bytes) -> bytes:
    # The high bit is set so that no checksum is zero, which means "not stored".
    return int(google_crc32c.value(pixels) | 1 << 63).to_bytes(8, "little")


def _check_fits(what: str, size: int, limit: int | None, available: int, where: str) -> None:
    _log.info("caching %s needs %.1f MiB", what, size / 2**20)
    if limit is not None and size > limit:
        raise CacheError(f"caching {what} needs {size:,} bytes, more than limit_bytes={limit:,}; raise limit_bytes")
    if size > available:
        raise CacheError(f"caching {what} needs {size:,} bytes, but only {available:,} bytes {where}")
