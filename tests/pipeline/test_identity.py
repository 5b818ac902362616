"""The identity of a stream: what a state contains, which states a loader restores, and what a refusal names."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.text import EDA
from pipeline import Loader, TextLoader, identity
from pipeline.errors import OptionError

Make = Callable[..., Any]

BASE: dict[str, Any] = {"image_size": (8, 10), "batch_size": 2, "augment": A.HorizontalFlip()}
RESOURCES: list[dict[str, Any]] = [{"num_parallel_calls": 1}, {"prefetch": 7}, {"cache": "ram"}, {"workers": 1}]
CONTENTS: list[dict[str, Any]] = [
    {"image_size": (8, 8)},
    {"augment": A.HorizontalFlip(p=0.4)},
    {"augment": None},
    {"color_mode": "grayscale"},
    {"interpolation": "area"},
    {"dct": "accurate"},
]
ORDER: list[dict[str, Any]] = [
    {"batch_size": 3},
    {"label_mode": "categorical"},
    {"class_names": ["bees", "ants"]},
    {"shuffle": False},
    {"seed": 1},
    {"validation_split": 0.5, "subset": "training"},
    {"validation_split": 0.5, "subset": "validation"},
    {"validation_split": 0.5, "subset": "validation", "stratify": True},
    {"limit": 3},
    {"shard": (0, 2)},
    {"drop_remainder": True},
    {"on_error": "skip"},
    {"max_pixels": 5000},
    {"copies": 2},
    {"views": "flip"},
]


@pytest.fixture
def folder(folders: Make) -> Path:
    """Class-folders of two classes."""
    root: Path = folders(ants=3, bees=4)
    return root


def restore(loader: Any, state: Any, resume: Any = "exact") -> list[Any]:
    """Restore a state that was written as JSON, and read the rest of its epoch."""
    dataset = loader.restore(json.loads(json.dumps(state)), resume=resume, with_keys=True)
    return list(dataset.as_numpy_iterator())


def test_a_state_restores_its_position(folder: Path) -> None:
    """In another loader of equal definition, with other resources: the batches that would have followed."""
    loader = Loader(folder, **BASE)
    expected = list(loader.dataset(2, with_keys=True).as_numpy_iterator())[1:]
    found = restore(Loader(folder, **BASE, num_parallel_calls=1), loader.state(2, 1))
    for batch, other in zip(expected, found, strict=True):
        for values, others in zip(batch, other, strict=True):
            np.testing.assert_array_equal(values, others)
    with pytest.raises(OptionError, match="epoch=0, step=99 is out of range: an epoch has 4 steps"):
        loader.state(0, 99)


def test_identities_differ_where_fingerprints_do(folder: Path) -> None:
    """Each option that shapes the stream, and no other; alone, it is what a refusal names."""
    loader = Loader(folder, **BASE)
    for options in RESOURCES:
        other = Loader(folder, **{**BASE, **options})
        assert (other.fingerprint, other.identity) == (loader.fingerprint, loader.identity)
    assert {name for options in (*RESOURCES, *CONTENTS, *ORDER) for name in options} | {"source", "mix"} == {
        field.name for field in dataclasses.fields(Loader)
    } - {"max_errors", "label_offset"}
    for options in (*CONTENTS, *ORDER):
        other = Loader(folder, **{**BASE, **options})
        assert other.fingerprint != loader.fingerprint
        found = other.identity.compare(loader.identity)
        assert {name.split()[0] for name in found} - {"data", "Albumentations", "NumPy", "compiled"} == set(options)


@pytest.mark.parametrize("options", CONTENTS, ids=str)
def test_the_same_order_accepts_what_alters_pixels_only(folder: Path, options: dict[str, Any]) -> None:
    """The same samples follow; an exact resume is refused, and the message says how to accept it."""
    state = Loader(folder, **BASE).state(1, 2)
    other = Loader(folder, **{**BASE, **options})
    with pytest.raises(
        OptionError, match=rf'differs in {next(iter(options))}.*, or use resume="same-order", which acc'
    ):
        other.restore(state)
    expected = [own for *_, own in Loader(folder, **BASE).dataset(1, 2, with_keys=True).as_numpy_iterator()]
    assert [own.tolist() for *_, own in restore(other, state, "same-order")] == [own.tolist() for own in expected]


@pytest.mark.parametrize("options", ORDER, ids=str)
def test_another_order_is_never_accepted(folder: Path, options: dict[str, Any]) -> None:
    """Nor does the message propose it."""
    state = Loader(folder, **BASE).state()
    for resume in ("exact", "same-order"):
        with pytest.raises(OptionError, match=rf"another stream, which differs in .*{next(iter(options))}") as caught:
            Loader(folder, **{**BASE, **options}).restore(state, resume=resume)  # type: ignore[arg-type]  # one of two
        assert "same-order" not in str(caught.value)


def test_other_data_are_named(folders: Make) -> None:
    """As data."""
    state = Loader(folders(ants=3, bees=4), **BASE).state()
    with pytest.raises(OptionError, match=r"differs in data; restore them$"):
        Loader(folders(ants=4, bees=4), **BASE).restore(state, resume="same-order")


def test_libraries_and_kernels_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What alters pixels besides the options: with its versions, and accepted in the same order."""
    state = Loader(folder, **BASE).state()
    now = state["stream"]["environment"]
    assert set(now) == {"TensorFlow", "OpenCV", "Albumentations", "NumPy", "compiled kernels", "arithmetic"}
    assert set(Loader(folder, image_size=None).identity.environment) == {"TensorFlow", "OpenCV", "arithmetic"}
    monkeypatch.setattr("cv2.__version__", "4.0.1")
    monkeypatch.setattr("augment.plan.compiled.load_kernels", lambda: None)
    loader = Loader(folder, **BASE)
    with pytest.raises(OptionError) as caught:
        loader.restore(state)
    kernels = ", compiled kernels (on, now off)" if now["compiled kernels"] == "on" else ""
    assert str(caught.value) == (
        f"state is of another stream, which differs in OpenCV ({now['OpenCV']}, now 4.0.1){kernels}; restore them, "
        'or use resume="same-order", which accepts what alters pixels only'
    )
    assert len(restore(loader, state, "same-order")) == 4


def test_streams_have_a_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the fingerprint and of states; states without one, and fingerprints of before, are of version 1."""
    before, state = Loader(folder, **BASE).fingerprint, Loader(folder, **BASE).state()
    assert identity.STREAM_VERSION == state["stream"].pop("version") == 1
    assert len(restore(Loader(folder, **BASE), state)) == 4
    monkeypatch.setattr(identity, "STREAM_VERSION", 2)
    loader = Loader(folder, **BASE)
    assert loader.fingerprint != before
    with pytest.raises(OptionError, match=r"differs in stream version \(1, now 2\); restore them$"):
        Loader(folder, **BASE).restore(state, resume="same-order")


def test_texts_are_restored(tmp_path: Path) -> None:
    """As images; what alters the texts only is the augmentation."""
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{number % 2} this is text {number}\n" for number in range(9)))
    options: dict[str, Any] = {"batch_size": 2, "augment": EDA(), "workers": 0}
    state = TextLoader(path, **options).state(1, 3)
    assert len(restore(TextLoader(path, **options, format="label text"), state)) == 2
    with pytest.raises(OptionError, match=r'augment; restore them, or use resume="same-order"'):
        TextLoader(path, **options | {"augment": None}).restore(state)
    with pytest.raises(OptionError, match=r"num_aug \(None, now 2\), augment; restore them$|num_aug \(None, now 2\)"):
        TextLoader(path, **options, num_aug=2).restore(state)


STATE = ("version", "fingerprint", "order", "contents", "environment")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(["epoch", "step", "stream", *STATE]), values)
    ),
    max_leaves=8,
)


@given(JSON, st.booleans())
def test_what_is_no_state_is_refused(stored: Any, inside: bool) -> None:
    """By an error of Caudal's, whatever it is."""
    state = {"epoch": 0, "step": 0, "stream": stored} if inside else stored
    with pytest.raises(OptionError, match=r"state must be what|state is of another stream"):
        identity.check_state(identity.StreamIdentity(fingerprint="a", order={"seed": "0"}, contents={}), state, "exact")


def test_an_unknown_way_to_resume_is_refused(folder: Path) -> None:
    """The message lists both."""
    loader = Loader(folder, **BASE)
    with pytest.raises(OptionError, match="resume must be one of 'exact', 'same-order'; got 'pixels'"):
        loader.restore(loader.state(), resume="pixels")  # type: ignore[arg-type]  # the point of the test


def test_what_no_name_tells_changes_the_fingerprint() -> None:
    """An option of another version of Caudal, which one side does not name."""
    stream = identity.StreamIdentity(fingerprint="a", order={"seed": "0", "new": "1"}, contents={})
    assert not stream.compare(identity.StreamIdentity(fingerprint="a", order={"seed": "0"}, contents={"old": "2"}))
    found = stream.compare(identity.StreamIdentity(fingerprint="b", order={"seed": "0"}, contents={}))
    assert (list(found), found.forbid("same-order")) == (["fingerprint"], True)
