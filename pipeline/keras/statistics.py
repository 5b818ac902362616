"""Compute a training set's statistics in few passes and constant memory, and save and load them.

Mean and variance are updated batch by batch in float64 (Chan, Golub and LeVeque 1983, "Algorithms for computing the
sample variance", the pairwise form of Welford's update). ZCA whitening (Bell and Sejnowski 1997) needs the covariance
of all pixels of an image: exactly if it fits into memory, else its leading part by a randomized range finder with
one power iteration (Halko, Martinsson and Tropp 2011, "Finding structure with randomness").
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.stored_files import get_value, name_damage, read_arrays, read_json
from pipeline.errors import OptionError, SourceError
from pipeline.images.cache import get_available_memory

Floats = NDArray[np.float64]
StartPass = Callable[[], Iterable[NDArray[Any]]]
"""Starts one pass over a dataset in batches of images [B, ...]; every pass must yield the same images."""

DEFAULT_RANK = 512
"""Default rank of a low-rank ZCA."""

_OVERSAMPLING = 10  # additional random directions, as Halko et al. advise
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Whitening:
    """A ZCA whitening: `x @ (components * scale) @ components.T`.

    Attributes:
        components: orthonormal directions in the space of flattened images, float64 [D, R].
        scale: factor of each direction, float64 [R].
        is_exact: False for the leading part of rank R of a whitening that does not fit into memory.
    """

    components: Floats
    scale: Floats
    is_exact: bool = True

    @property
    def matrix(self) -> Floats:
        """The whitening matrix, [D, D]."""
        return (self.components * self.scale) @ self.components.T

    def __call__(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Whiten flattened images [B, D] in their dtype."""
        components = self.components.astype(flat.dtype, copy=False)
        scaled = flat @ components * self.scale.astype(flat.dtype, copy=False)
        return cast(NDArray[Any], scaled @ components.T)


@dataclass(frozen=True, eq=False, kw_only=True)
class Statistics:
    """The statistics of a training set. Those that were not computed are None.

    Attributes:
        count: number of images.
        mean: mean per channel, float64 [C].
        std: standard deviation per channel over all pixels (of the population, as NumPy's default), float64 [C].
        whitening: ZCA whitening.
        settings: options that shaped the images; a generator with other options refuses the file.
    """

    count: int
    mean: Floats | None = None
    std: Floats | None = None
    whitening: Whitening | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file: `.json` for mean and standard deviation, `.npz` for all. The file is complete or absent.

        Raises:
            OptionError: the extension is neither, or is `.json` with a whitening.
        """
        target = Path(path)
        if target.suffix not in (".json", ".npz"):
            raise OptionError(f"the file name of statistics must end in .json or .npz, got {target.name}")
        if target.suffix == ".json" and self.whitening is not None:
            raise OptionError(
                f"a ZCA whitening is too large for JSON, got {target.name}; use {target.with_suffix('.npz').name}"
            )
        scratch = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with open(scratch, "wb") as file:
                if target.suffix == ".json":
                    vectors = {name: vector.tolist() for name, vector in self._collect_vectors().items()}
                    file.write(json.dumps({**self._make_head(), **vectors}, indent=1).encode())
                else:
                    arrays: dict[str, Any] = {**self._collect_vectors(), **self._collect_whitening()}
                    np.savez(file, allow_pickle=False, head=np.array(json.dumps(self._make_head())), **arrays)
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Statistics":
        """Read a file that `save` wrote; no code in the file is executed.

        Raises:
            SourceError: the file cannot be read, or is not a statistics file.
        """
        with name_damage(path, "a statistics file", SourceError, "compute the statistics again"):
            if Path(path).suffix == ".json":
                head = read_json(path)
                arrays: dict[str, NDArray[Any]] = {
                    name: np.array(head[name], np.float64) for name in ("mean", "std") if name in head
                }
            else:
                arrays = read_arrays(path)
                head = json.loads(str(arrays.pop("head")))
            return cls._from_arrays(head, arrays)

    @classmethod
    def _from_arrays(cls, head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> "Statistics":
        if not isinstance(head, dict) or (head.get("format"), head.get("version")) != ("caudal-statistics", _VERSION):
            raise ValueError(f"expected format caudal-statistics, version {_VERSION}")
        for name, array in arrays.items():
            if array.dtype.kind not in "fiu" or array.ndim != (2 if name == "components" else 1):
                raise ValueError(f"{name!r} has the dtype {array.dtype} and the shape {array.shape}")
            if not np.isfinite(array).all():
                raise ValueError("it contains non-finite numbers")
        whitening = None
        if "components" in arrays:
            whitening = Whitening(arrays["components"], arrays["scale"], get_value(head, "zca_is_exact", bool))
            if len(whitening.scale) != whitening.components.shape[1]:
                raise ValueError(f"it has {len(whitening.scale)} scales of {whitening.components.shape[1]} components")
        return cls(
            count=get_value(head, "count", int),
            mean=arrays.get("mean"),
            std=arrays.get("std"),
            whitening=whitening,
            settings=get_value(head, "settings", dict),
        )

    def _make_head(self) -> dict[str, Any]:
        head = {"format": "caudal-statistics", "version": _VERSION, "count": self.count, "settings": self.settings}
        return head if self.whitening is None else {**head, "zca_is_exact": self.whitening.is_exact}

    def _collect_vectors(self) -> dict[str, Floats]:
        return {name: vector for name in ("mean", "std") if (vector := getattr(self, name)) is not None}

    def _collect_whitening(self) -> dict[str, Floats]:
        whitening = self.whitening
        return {} if whitening is None else {"components": whitening.components, "scale": whitening.scale}


class Moments:
    """Mean and variance per channel, updated batch by batch.

    Attributes:
        images: number of images so far.
    """

    def __init__(self) -> None:
        self.images = 0
        self._pixels = 0
        self._mean: Floats = np.zeros(1)
        self._squares: Floats = np.zeros(1)

    def update(self, batch: NDArray[Any]) -> None:
        """Add a batch of images [B, ..., C]."""
        pixels = batch.reshape(-1, batch.shape[-1]).astype(np.float64)
        if not len(pixels):
            return
        mean = pixels.mean(axis=0)
        total, delta = self._pixels + len(pixels), mean - self._mean
        self._squares = (
            self._squares + ((pixels - mean) ** 2).sum(axis=0) + delta**2 * (self._pixels * len(pixels) / total)
        )
        self._mean = self._mean + delta * (len(pixels) / total)
        self._pixels, self.images = total, self.images + len(batch)

    @property
    def mean(self) -> Floats:
        """The mean per channel, float64 [C]."""
        return self._mean

    @property
    def std(self) -> Floats:
        """The standard deviation per channel, float64 [C]."""
        return np.sqrt(self._squares / max(self._pixels, 1))


def compute_whitening(batches: StartPass, count: int, size: int, epsilon: float, rank: int | None = None) -> Whitening:
    """Compute a ZCA whitening of centered images.

    Args:
        batches: starts a pass over flattened and centered images, [B, D].
        count: number of images.
        size: D.
        epsilon: number added to the singular values, as in Keras.
        rank: rank of the whitening. None computes the exact whitening if it fits into memory, and else one of rank
            `DEFAULT_RANK`. A low-rank whitening maps the other directions to 0, as Keras does with fewer images than
            pixels.

    Raises:
        OptionError: the rank is out of range.
    """
    most = min(count, size)
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, (int, np.integer)) or rank < 1):
        raise OptionError(f"`zca_rank` must be an integer of at least 1, or None; got {rank!r}")
    if rank is None and 4 * 8 * size**2 <= get_available_memory():  # LAPACK needs about three times the matrix
        components, squares = _decompose_exactly(batches, size)
        is_exact = True
    else:
        rank = min(rank or DEFAULT_RANK, most)
        components, squares = _decompose_leading(batches, size, min(rank + _OVERSAMPLING, most))
        most, is_exact = rank, False
    components, squares = components[:, -most:], squares[-most:]  # in ascending order
    singular = np.sqrt(np.maximum(squares, 0))
    return Whitening(np.ascontiguousarray(components), np.sqrt(count) / (singular + epsilon), is_exact)


def _decompose_exactly(batches: StartPass, size: int) -> tuple[Floats, Floats]:
    covariance = np.zeros((size, size))
    for batch in _iter_float64(batches):
        covariance += batch.T @ batch
    squares, components = np.linalg.eigh(covariance)
    return components, squares


def _decompose_leading(batches: StartPass, size: int, width: int) -> tuple[Floats, Floats]:
    """Find the leading eigenvectors of the covariance, in three passes."""
    basis: Floats = keys.generator(keys.fold_in(keys.root(0), "zca")).standard_normal((size, width))
    for _ in range(2):
        image: Floats = np.zeros((size, width))
        for batch in _iter_float64(batches):
            image += batch.T @ (batch @ basis)
        basis = np.linalg.qr(image).Q
    small: Floats = np.zeros((width, width))
    for batch in _iter_float64(batches):
        projected = batch @ basis
        small += projected.T @ projected
    squares, rotation = np.linalg.eigh(small)
    return basis @ rotation, squares


def _iter_float64(batches: StartPass) -> Iterator[Floats]:
    for batch in batches():
        yield cast(Floats, batch.astype(np.float64, copy=False))
