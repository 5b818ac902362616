"""A source with the classes of another one."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import Loader
from pipeline.errors import OptionError, SourceError
from pipeline.sources import AlignedSource, open_source


def test_samples_keep_their_keys_and_get_new_labels(folders: Callable[..., Path]) -> None:
    """Samples of other classes are dropped and counted; an absent class is empty."""
    source = open_source(folders(a=2, b=3, c=1))
    aligned = AlignedSource(source, ("c", "x", "a"))
    assert len(aligned) == 3
    assert aligned.labels().tolist() == [2, 2, 0]
    assert aligned.dropped == {"b": 3}
    assert aligned.empty_classes == ("x",)
    for index, position in enumerate([0, 1, 5]):
        original, sample = source.read(position), aligned.read(index)
        assert (sample.key, sample.encoded) == (original.key, original.encoded)
        assert sample.label == aligned.labels()[index] == aligned.peek(index).label
        assert aligned.sizes()[index] == source.sizes()[position]


def test_a_loader_takes_it(folders: Callable[..., Path]) -> None:
    """With its own classes only; the fingerprint depends on the classes."""
    source = open_source(folders(a=2, b=3))
    loader = Loader(AlignedSource(source, ("b", "a")), image_size=(4, 4))
    assert loader.class_names == ("b", "a")
    assert loader.fingerprint != Loader(AlignedSource(source, ("a", "b")), image_size=(4, 4)).fingerprint
    copy = pickle.loads(pickle.dumps(loader.source))  # noqa: S301  # our own bytes
    assert copy.labels().tolist() == loader.source.labels().tolist()
    with pytest.raises((OptionError, SourceError)):
        open_source(loader.source, class_names=("a",))
