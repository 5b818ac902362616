"""The accurate cosine transform of JPEGs: the pixels of Pillow and OpenCV, by an option that is off by default."""

import io
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Loader, image_dataset
from pipeline.errors import OptionError
from pipeline.images.decode import Decoder
from training import Experiment

ARRAYS = (np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3).astype(np.uint8), np.array([0, 1]))


def draw_saturated(seed: int, height: int, width: int, sampling: str, quality: int, progressive: bool) -> bytes:
    """Write a JPEG of saturated colors with sharp edges."""
    rng = np.random.default_rng(seed)
    small = rng.choice(np.array([0, 255], np.uint8), (-(-height // 3), -(-width // 3), 3))
    image = np.kron(small, np.ones((3, 3, 1), np.uint8))[:height, :width]
    written = io.BytesIO()
    PIL.Image.fromarray(image).save(written, "JPEG", subsampling=sampling, quality=quality, progressive=progressive)
    return written.getvalue()


@settings(max_examples=30)
@given(
    seed=st.integers(0, 99),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    sampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    quality=st.integers(20, 100),
    progressive=st.booleans(),
)
def test_accurate_pixels_are_those_of_pillow_and_opencv(seed: int, height: int, width: int, **options: Any) -> None:
    """Bit for bit, in color; and the gray levels are OpenCV's."""
    encoded = draw_saturated(seed, height, width, **options)
    image = Decoder(dct="accurate")(encoded)
    np.testing.assert_array_equal(image, np.asarray(PIL.Image.open(io.BytesIO(encoded))))
    gray = Decoder(dct="accurate", color_mode="grayscale")(encoded)
    np.testing.assert_array_equal(gray[..., 0], cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE))


def test_the_fast_transform_differs_at_saturated_edges() -> None:
    """The default is TensorFlow's own, which the option is there to change."""
    encoded = draw_saturated(0, 60, 80, "4:4:4", 75, False)
    fast, accurate = (Decoder(dct=dct)(encoded).astype(int) for dct in ("fast", "accurate"))
    np.testing.assert_array_equal(Decoder()(encoded), fast)
    assert 4 <= np.abs(fast - accurate).max() <= 30


def test_windows_are_decoded_accurately_too(tmp_path: Path) -> None:
    """A crop in the decoder has the pixels of the whole image, and workers decode as threads do."""
    (tmp_path / "a").mkdir()
    for number in range(3):
        (tmp_path / "a" / f"{number}.jpg").write_bytes(draw_saturated(number, 70, 90, "4:2:0", 80, False))
    options: dict[str, Any] = {"image_size": None, "batch_size": None, "shuffle": False, "dct": "accurate"}
    loader = Loader(tmp_path, augment=A.Compose([A.CenterCrop(32, 32)]), **options)
    for number, (image, _) in enumerate(loader.dataset().as_numpy_iterator()):
        whole = np.asarray(PIL.Image.open(tmp_path / "a" / f"{number}.jpg"))
        np.testing.assert_array_equal(image, whole[19:51, 29:61])


def test_only_the_accurate_transform_enters_fingerprints() -> None:
    """Fingerprints that checkpoints hold, of before the option, stay valid."""
    options: dict[str, Any] = {"image_size": (4, 5), "seed": 1}
    assert Loader(ARRAYS, **options).fingerprint == Loader(ARRAYS, dct="fast", **options).fingerprint
    assert Loader(ARRAYS, **options).fingerprint == "6dae7c37fa222ba1"
    assert Loader(ARRAYS, dct="accurate", **options).fingerprint != "6dae7c37fa222ba1"


def test_cached_pixels_of_the_two_are_kept_apart(tmp_path: Path) -> None:
    """A cache directory that one loader has filled does not answer the other."""
    (tmp_path / "source" / "a").mkdir(parents=True)
    encoded = draw_saturated(0, 60, 80, "4:4:4", 75, False)
    (tmp_path / "source" / "a" / "0.jpg").write_bytes(encoded)
    options: dict[str, Any] = {"image_size": (60, 80), "batch_size": None, "cache": tmp_path / "cache"}
    for dct in ("fast", "accurate", "fast"):
        (image,) = [image for image, _ in Loader(tmp_path / "source", dct=dct, **options).dataset().as_numpy_iterator()]
        np.testing.assert_array_equal(image, Decoder(dct=dct)(encoded))


def test_other_words_are_refused() -> None:
    """The message lists the choices."""
    with pytest.raises(OptionError, match="dct must be one of 'fast', 'accurate'; got 'slow'"):
        Loader(ARRAYS, dct="slow")  # type: ignore[arg-type]
    assert image_dataset(ARRAYS, dct="accurate").loader.dct == "accurate"


def test_an_experiment_decodes_training_and_validation_alike() -> None:
    """Both loaders of a training get the option."""
    images, labels = np.repeat(ARRAYS[0], 10, axis=0), np.repeat(ARRAYS[1], 10)
    loaders = Experiment(source=(images, labels), image_size=(4, 5), dct="accurate").make_loaders()
    assert [loader.dct for loader in loaders] == ["accurate", "accurate"]
