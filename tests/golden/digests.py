"""Digests of streams: of their order, of what they draw, and of their pixels."""

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from augment.plan.params import Params
from pipeline import Loader, TextLoader
from pipeline.identity import describe_environment
from tests.golden.configurations import CONFIGURATIONS, Sources

PATH = Path(__file__).with_name("digests.json")

Digests = dict[str, str]
"""By kind: "order" (indices, keys, labels, batch sizes), "draws" (drawn parameters; texts) and "pixels"."""

_EPOCHS = (0, 3)
_DIGITS = 9
"""Significant digits of drawn numbers: the last ones depend on the processor's sines and logarithms."""


def digest_configuration(name: str, sources: Sources) -> Digests:
    """Compute the digests of one configuration."""
    stream = CONFIGURATIONS[name](sources)
    if isinstance(stream, Loader):
        return _digest_images(stream)
    if isinstance(stream, TextLoader):
        return _digest_texts(stream)
    batches = list(stream.as_numpy_iterator()) if hasattr(stream, "as_numpy_iterator") else list(islice(stream, 5))
    return {
        "order": _digest([getattr(stream, "file_paths", []), *(labels for _, labels in batches)], _strip),
        "pixels": _digest(images for images, _ in batches),
    }


def describe_platform() -> dict[str, str]:
    """Describe what pixels depend on; compiled kernels compute those of OpenCV."""
    environment = describe_environment(is_augmented=True)
    return {name: value for name, value in environment.items() if name != "compiled kernels"} | {
        name: importlib.metadata.version(name) for name in ("scipy", "albucore")
    }


def read() -> dict[str, Any]:
    """Read the golden digests: "stream_version", "platform" and "digests"."""
    contents: dict[str, Any] = json.loads(PATH.read_text())
    return contents


def _digest_images(loader: Loader) -> Digests:
    stages = loader._stages
    orders, draws, pixels = [], [], []
    for epoch in _EPOCHS:
        for start, stop in _list_bounds(loader):
            indices, repeat_index, own_keys = stages.select(epoch, np.arange(start, stop))
            params = stages.draw_params(stages.read_all(indices.tolist(), repeat_index.tolist()), own_keys)
            batch = stages.batch(epoch, start, stop)
            labels = np.zeros(0) if loader.mix is not None else batch.labels
            orders += [indices, repeat_index, own_keys, labels, batch.keys]
            draws += [] if params is None else _list_draws(params)
            pixels += [batch.images, batch.labels]
    return {"order": _digest(orders), "draws": _digest(draws), "pixels": _digest(pixels)}


def _digest_texts(loader: TextLoader) -> Digests:
    stages = loader._stages
    orders, found = [], []
    for epoch in _EPOCHS:
        for start, stop in _list_bounds(loader):
            texts, labels, own_keys = stages.batch(epoch, start, stop)
            orders += [*stages.select(epoch, np.arange(start, stop)), labels, own_keys]
            found.append(texts)
    return {"order": _digest(orders), "draws": _digest(found)}


def _list_bounds(loader: Loader | TextLoader) -> list[tuple[int, int]]:
    """List the positions of the first three batches, and of the last."""
    size, length = loader.batch_size or 1, loader.num_examples
    starts = range(0, loader.steps_per_epoch * size, size)
    return [(start, min(start + size, length)) for start in dict.fromkeys((*starts[:3], starts[-1]))]


def _list_draws(params: Params) -> list[Any]:
    """List what a batch drew: the leaves of each sample in order, and their parameters."""
    draws: list[Any] = [params.keys, params.decisions.entered, params.decisions.chosen_leaves, params.sizes]
    for leaf_index, drawn in sorted(params.leaf_params.items()):
        for rows, leaf_params in drawn:
            draws += [leaf_index, sorted((rows or {}).items()), leaf_params.sizes]
            draws += [value for name in sorted(leaf_params.columns) for value in (name, leaf_params.columns[name])]
    return draws


def _digest(values: Iterable[Any], prepare: Callable[[Any], Any] = lambda value: value) -> str:
    state = hashlib.sha256()
    for value in values:
        state.update(_encode(prepare(value)))
    return state.hexdigest()[:16]


def _strip(value: Any) -> Any:
    """Return the paths of files relative to their class-folders' directory."""
    return ["/".join(Path(path).parts[-2:]) for path in value] if isinstance(value, list) else value


def _encode(value: Any) -> bytes:
    """Encode a value with its type and shape; floats of drawn parameters in the digits that hold everywhere."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        if value.dtype == np.float64:
            rounded = [f"{number + 0.0:.{_DIGITS}g}" for number in value.ravel().tolist()]
            return f"{value.shape} {rounded}\n".encode()
        kind = "integers" if value.dtype.kind in "iub" and value.dtype.itemsize > 1 else str(value.dtype)
        return f"{kind} {value.shape}\n".encode() + (
            repr(value.tolist()).encode() if kind == "integers" else np.ascontiguousarray(value).tobytes()
        )
    return f"{value.tolist() if isinstance(value, np.ndarray) else value!r}\n".encode()
