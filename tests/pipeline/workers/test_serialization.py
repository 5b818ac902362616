"""A loader arrives in another process exactly as it is, or it is refused when it is made."""

import functools
import random
import threading
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline
from augment import KeyedTransform, contents, keys
from augment.backgrounds import ReplaceBackground
from augment.errors import TransformError
from augment.plan.plan import Plan
from pipeline import Loader
from pipeline.errors import OptionError
from pipeline.workers.serialization import deserialize, serialize
from tests.augment.own_transforms import Forgetful, Global, Reverse, Shift, darken, make_pipeline
from tests.augment.random_transforms import iter_variations, make_pipeline_at_random

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ARRAYS = np.random.default_rng(0).integers(0, 256, (6, 40, 48, 3), np.uint8), np.arange(6) % 3

SLOW = {A.PiecewiseAffine, A.Superpixels}
"""Transforms of which one image takes a tenth of a second."""


def send(augment: Any) -> Any:
    """Return the augmentation that another process gets."""
    return deserialize(*serialize(Loader(ARRAYS, image_size=None, augment=augment))).augment  # type: ignore[attr-defined]


def assert_equal_pixels(one: Any, other: Any, number: int = 0) -> None:
    """Check that two transforms do the same, by the originals of Albumentations."""
    results = []
    for transform in map(KeyedTransform, (one, other)):
        image = ARRAYS[0][number % 6]
        try:
            results.append(transform(image, keys.fold_in(keys.root(number), "test")))
        except Exception as error:  # of a crop that is larger than the image
            results.append(np.frombuffer(str(error).encode(), np.uint8))
    np.testing.assert_array_equal(*results)


def test_transforms_of_every_class_arrive_exactly() -> None:
    """With arguments that are not the defaults: equal attributes, and equal pixels."""
    made = {kind: transform for kind, *_, transform in iter_variations(seed=5) if kind not in {A.Lambda, *SLOW}}
    transforms = list(made.values())
    sent = send(A.Compose(transforms, p=0.0)).transforms
    assert len(sent) > 90
    for one, other in zip(transforms, sent, strict=True):
        assert contents.read(one).data == contents.read(other).data
        assert_equal_pixels(one, other)


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_random_compositions_arrive_exactly(draw: random.Random) -> None:
    """Nested, replaced, reordered, with own transforms and functions."""
    transform = make_pipeline_at_random(draw)
    sent = send(A.Compose([transform]))
    assert contents.read(sent).data == contents.read(A.Compose([transform])).data
    for number in range(3):
        assert_equal_pixels(transform, sent.transforms[0], number)
    assert Plan(sent).to_dict() == Plan(A.Compose([transform])).to_dict()


def test_all_options_arrive() -> None:
    """Loaders of both processes have one fingerprint, and one stream."""
    options: dict[str, Any] = {"image_size": (12, 12), "label_mode": "categorical", "seed": 3, "limit": 5, "copies": 2}
    loader = Loader(
        ARRAYS, augment=make_pipeline(), mix=Reverse(), views="flip", class_names=["a", "b", "c"], **options
    )
    sent = deserialize(*serialize(loader))
    assert isinstance(sent, Loader)
    assert sent.fingerprint == loader.fingerprint
    for one, other in zip(loader._stages.batch(0, 0, 5), sent._stages.batch(0, 0, 5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_samples_are_not_copied() -> None:
    """Arrays of the source are beside the bytes; those of a transform are its own, which it may write to."""
    serialized, arrays = serialize(Loader(ARRAYS, augment=Shift(np.arange(9))))
    assert any(array is ARRAYS[0] for array in arrays)
    assert len(serialized) < ARRAYS[0].nbytes
    frozen = [np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape) for array in arrays]
    assert deserialize(serialized, frozen).augment.own.flags.writeable  # type: ignore[attr-defined]


def test_backgrounds_arrive(tmp_path: Path) -> None:
    """The files that this process has found are those of the others, whatever is added meanwhile."""
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), ARRAYS[0][number])
    transform = ReplaceBackground(tmp_path, mask=find_bright, p=1)
    serialized = serialize(Loader(ARRAYS, image_size=None, augment=transform))
    cv2.imwrite(str(tmp_path / "added.png"), ARRAYS[0][4])
    sent = deserialize(*serialized).augment  # type: ignore[attr-defined]
    assert contents.read(sent).data == contents.read(transform).data
    for number in range(4):
        assert_equal_pixels(transform, sent, number)


def find_bright(image: Any) -> Any:
    """Return the mask of the bright pixels."""
    return image.mean(axis=2) > 128


class Shared:
    """A lock that all threads of a process share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Shared":
        return self


def of_the_script(image: Any, **_: Any) -> Any:
    """Stand for a function that the script defines."""
    return image


of_the_script.__module__ = "__main__"

REMEDY = "use a module-level class, or workers=0"


@pytest.mark.parametrize(
    ("augment", "reason"),
    [
        (A.Lambda(image=lambda image, **_: image), "a lambda"),
        (A.OneOf([A.Lambda(image=functools.partial(lambda image, **_: image, by=1)), A.Blur()]), "a lambda"),
        (A.Lambda(image=functools.wraps(darken)(lambda image, **_: image)), "PicklingError: "),
        (A.Lambda(image=of_the_script), "of_the_script is defined in the script; move it to a module"),
        (Shift(Shared()), "TypeError: cannot pickle '_thread.lock' object"),
        (Forgetful(4), "a copy of the augmentation makes other pixels: "),
    ],
)
def test_what_would_not_arrive_exactly_is_refused(augment: Any, reason: str) -> None:
    """When the loader is made, in one line with the reason and the way out; without workers it is no matter."""
    with pytest.raises(OptionError) as caught:
        Loader(ARRAYS, augment=augment, workers=2)
    message = str(caught.value)
    assert message.startswith(f"workers: option 'augment' cannot be sent to a worker process ({reason}")
    assert message.endswith(f"; {REMEDY}")
    assert "\n" not in message
    assert Loader(ARRAYS, augment=augment).plan is not None


@pytest.mark.parametrize("workers", [0, 2])
def test_global_random_generators_are_refused(workers: int) -> None:
    """With workers or without."""
    with pytest.raises(TransformError, match="Global: the same image becomes other pixels"):
        Loader(ARRAYS, augment=Global(4), workers=workers)


def test_a_class_of_a_function_is_refused() -> None:
    """No other process can import it."""

    class Own(Reverse):
        pass

    with pytest.raises(
        OptionError, match=r"^workers: option 'mix' .* \(Own is defined in a function\); use workers=0$"
    ):
        Loader(ARRAYS, mix=Own(), label_mode="categorical", workers=2)


def test_conversions_refuse_what_a_new_process_would_not_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where processes are not forked; one process, or forks, need no copy."""
    monkeypatch.setattr("pipeline.conversion.process_executor._NOT_TO_FORK", ("sys",))
    options: dict[str, Any] = {"augment": A.Lambda(image=lambda image, **_: image, p=1), "copies": 1, "shards": 2}
    message = r"^workers: option 'augment' cannot be sent .* \(a lambda\); use module-level functions.*, or workers=1$"
    with pytest.raises(OptionError, match=message):
        pipeline.convert(ARRAYS, tmp_path / "out", workers=2, **options)
    pipeline.convert(ARRAYS, tmp_path / "out", workers=1, **options)
