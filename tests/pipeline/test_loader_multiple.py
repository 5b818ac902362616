"""Copies, views and mixing in the loader: more samples, each keyed, in one global order."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import augment
from augment import views
from pipeline import Loader
from pipeline.errors import OptionError
from pipeline.images.decode import Decoder

NOISE = A.GaussNoise(std_range=(0.2, 0.4), p=1)


@pytest.fixture
def source(folders: Callable[..., Path]) -> Path:
    """Give 9 images in two classes."""
    return folders(ants=4, bees=5, height=12, width=16)


def stream(loader: Loader, epoch: int = 0, step: int = 0) -> list[tuple[np.ndarray, Any, str]]:
    """Collect (image, label, key) of the rest of an epoch."""
    batches = loader.dataset(epoch, step, with_keys=True).as_numpy_iterator()
    return [(image, label, key.decode()) for batch in batches for image, label, key in zip(*batch, strict=True)]


def options(**given: Any) -> dict[str, Any]:
    """Give the options of the tests."""
    return {"image_size": (12, 16), "batch_size": 4, "seed": 3} | given


def test_copies_are_samples_with_keys_of_their_own(source: Path) -> None:
    """Three copies: three times the length, each sample thrice, no two alike; one is that of a single copy."""
    loader = Loader(source, augment=NOISE, copies=3, **options())
    delivered = stream(loader)
    assert (loader.num_examples, loader.steps_per_epoch, len(delivered)) == (27, 7, 27)
    assert set(Counter(key for *_, key in delivered).values()) == {3}
    assert len({image.tobytes() for image, *_ in delivered}) == 27
    single = {image.tobytes() for image, *_ in stream(Loader(source, augment=NOISE, **options()))}
    assert single < {image.tobytes() for image, *_ in delivered}


def test_copies_stand_in_one_global_order(source: Path) -> None:
    """Copies of a sample are not neighbours as a rule; each epoch has another order and other values."""
    loader = Loader(source, augment=NOISE, copies=3, **options())
    first, second = stream(loader, 0), stream(loader, 1)
    neighbors = sum(one[2] == other[2] for one, other in pairwise(first))
    assert neighbors < 9
    assert [key for *_, key in first] != [key for *_, key in second]
    assert not {image.tobytes() for image, *_ in first} & {image.tobytes() for image, *_ in second}


@pytest.mark.parametrize("given", [{"copies": 3}, {"views": "ten_crop"}, {"views": "flip", "copies": 2}])
def test_streams_resume_anywhere_and_shards_partition_them(source: Path, given: dict[str, Any]) -> None:
    """From any step on the stream is that of the whole; two shards deliver every copy once; calls change nothing."""
    loader = Loader(source, augment=NOISE, **given, **options())
    whole = [image.tobytes() for image, *_ in stream(loader, 2)]
    for step in (1, 3, loader.steps_per_epoch - 1):
        assert [image.tobytes() for image, *_ in stream(loader, 2, step)] == whole[4 * step :]
    parts = [stream(Loader(source, augment=NOISE, shard=(part, 2), **given, **options()), 2) for part in range(2)]
    assert sorted(image.tobytes() for part in parts for image, *_ in part) == sorted(whole)
    eight = Loader(source, augment=NOISE, num_parallel_calls=8, **given, **options())
    assert [image.tobytes() for image, *_ in stream(eight, 2)] == whole


@pytest.mark.parametrize("name", ["flip", "five_crop", "ten_crop", "grid(2)", "multi_scale"])
def test_views_are_those_of_the_decoded_image(source: Path, name: str) -> None:
    """Unshuffled, the views of each image stand side by side, each cut from the image and resized."""
    import cv2

    loader = Loader(source, views=name, shuffle=False, **options())
    delivered, chosen = stream(loader), views.parse_views(name)
    assert loader.samples_per_image == len(chosen)
    assert len(delivered) == 9 * len(chosen)
    for number, (image, _, key) in enumerate(delivered):
        whole = Decoder()((source / key).read_bytes())
        window = chosen.windows(whole.shape[:2], (12, 16))[number % len(chosen)].crop(whole)
        np.testing.assert_array_equal(image, cv2.resize(window, (16, 12), interpolation=cv2.INTER_LINEAR))


def test_views_of_an_image_are_read_and_decoded_once(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of all views of an image decodes it once; so it is with a cache of pixels and with arrays."""
    calls = []
    original = Decoder.__call__
    monkeypatch.setattr(Decoder, "__call__", lambda self, *given: calls.append(1) or original(self, *given))
    loader = Loader(source, views="ten_crop", shuffle=False, **options(batch_size=30))
    _ = loader._stages.element_spec
    calls.clear()
    assert len(stream(loader)) == 90
    assert len(calls) == 9


def test_views_come_from_caches_and_arrays(source: Path, tmp_path: Path) -> None:
    """A directory of decoded images and arrays in memory have views as well."""
    plain = stream(Loader(source, views="flip", shuffle=False, **options()))
    images = np.stack([image for image, *_ in plain[::2]])
    cached = Loader(source, views="flip", shuffle=False, cache=tmp_path / "cache", **options())
    arrays = Loader((images, np.zeros(9, int)), views="flip", shuffle=False, **options())
    for _ in range(2):
        for loader in (cached, arrays):
            for (expected, *_), (image, *_) in zip(plain, stream(loader), strict=True):
                np.testing.assert_array_equal(image, expected)


def test_each_view_is_augmented_with_a_key_of_its_own(source: Path) -> None:
    """The view is cut first, and the augmentation sees its size."""
    transform = A.Compose([A.RandomCrop(6, 8), A.RandomBrightnessContrast(p=1)])
    delivered = stream(Loader(source, views="grid(2)", augment=transform, shuffle=False, **options(image_size=(6, 8))))
    assert {image.shape for image, *_ in delivered} == {(6, 8, 3)}
    assert len({image.tobytes() for image, *_ in delivered}) == 36


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_bad_samples_lose_all_their_copies_and_count_once(source: Path, on_error: Any) -> None:
    """The error log has one entry per sample, and `max_errors` is a fraction of the samples."""
    (source / "ants" / "1.png").write_bytes(b"")
    given: dict[str, Any] = {"views": "ten_crop", "on_error": on_error, "max_errors": 0.12}
    loader = Loader(source, **given, **options())
    delivered = stream(loader)
    assert [row.sample for row in loader.errors] == ["ants/1.png"]
    assert len(delivered) == (80 if on_error == "skip" else 90)
    (source / "ants" / "2.png").write_bytes(b"")
    loader = Loader(source, **given, **options())
    with pytest.raises(Exception, match="2 of 9 samples are bad"):
        stream(loader)


def test_an_image_without_such_a_view_is_a_bad_sample(source: Path) -> None:
    """Its tiles would be empty."""
    loader = Loader(source, views="grid(13)", on_error="skip", **options())
    with pytest.raises(Exception, match="all 1521 samples are bad"):
        loader.dataset()
    assert "into 13 x 13 tiles" in loader.errors[0].reason


@pytest.mark.parametrize("mix", [augment.MixUp(0.5), augment.CutMix(), [augment.Mosaic(1.0), augment.CutMix()]])
def test_batches_are_mixed_by_seed_epoch_and_step(source: Path, mix: Any) -> None:
    """The same batch from anywhere in the stream; another epoch mixes otherwise; labels keep their shape."""
    loader = Loader(source, mix=mix, label_mode="categorical", shuffle=False, **options())
    whole, later = stream(loader), stream(loader, 0, 1)
    assert [image.tobytes() for image, *_ in whole[4:]] == [image.tobytes() for image, *_ in later]
    assert {image.tobytes() for image, *_ in whole} != {image.tobytes() for image, *_ in stream(loader, 1)}
    labels = np.stack([label for _, label, _ in whole])
    assert (labels.shape, labels.dtype) == ((9, 2), np.float32)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    plain = stream(Loader(source, label_mode="categorical", shuffle=False, **options()))
    assert any((one[0] != other[0]).any() for one, other in zip(whole, plain, strict=True))


def test_mixed_batches_are_those_of_the_mixer(source: Path) -> None:
    """What is delivered is the plain batch, mixed by a key of seed, epoch and position."""
    mix = augment.CutMix()
    mixed = Loader(source, mix=mix, label_mode="binary", **options())
    plain = Loader(source, label_mode="binary", **options())
    images, labels, _ = mixed._stages.batch(1, 4, 8)
    given = plain._stages.batch(1, 4, 8)
    key = augment.keys.fold_in(plain._stages.augment_key, "mix", 1, 4)
    expected, shares = mix(given.images, given.labels, key)
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(labels, shares)
    assert labels.shape == (4, 1)


def test_models_train_on_mixed_batches(source: Path) -> None:
    """The dataset goes into `fit` as it is, with the loss for shares."""
    import keras

    import pipeline

    dataset = pipeline.image_dataset(source, mix=augment.MixUp(), label_mode="categorical", copies=2, **options())
    assert len(dataset) == 5
    model = keras.Sequential([keras.Input((12, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    history = model.fit(dataset, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_fingerprints_tell_multiplied_streams_apart(source: Path) -> None:
    """Copies, views and mixing change the fingerprint; their defaults do not."""
    given: list[dict[str, Any]] = [
        {},
        {"copies": 2},
        {"views": "flip"},
        {"views": "ten_crop"},
        {"mix": augment.MixUp(), "label_mode": None},
        {"mix": augment.MixUp(0.3), "label_mode": None},
    ]
    assert len({Loader(source, **one, **options()).fingerprint for one in given}) == len(given)
    assert Loader(source, copies=1, **options()).fingerprint == Loader(source, **options()).fingerprint


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"copies": 0}, "copies must be an integer of at least 1; got 0"),
        ({"copies": None}, "copies must be an integer of at least 1"),
        ({"views": "eleven_crop"}, "unknown set of views 'eleven_crop'"),
        ({"views": 5}, "views must be a name"),
        ({"mix": augment.MixUp()}, 'but label_mode="int" holds one; use label_mode="categorical"'),
        ({"mix": "mixup", "label_mode": "categorical"}, "mix must be MixUp, CutMix, Mosaic"),
        ({"mix": augment.MixUp(), "label_mode": None, "batch_size": None}, "mix needs batches"),
    ],
)
def test_options_that_cannot_be_are_refused(source: Path, given: dict[str, Any], message: str) -> None:
    """When the loader is made, with what to do."""
    with pytest.raises(OptionError, match=message):
        Loader(source, **options(**given))
