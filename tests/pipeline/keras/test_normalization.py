"""Normalization and its statistics: `standardize`, `fit`, `save` and `load`."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline
from pipeline import ImageDataGenerator
from pipeline.errors import OptionError, SampleError, SourceError
from pipeline.keras.statistics import Moments, Statistics, compute_whitening

SWITCHES = ("featurewise_center", "featurewise_std_normalization", "samplewise_center", "samplewise_std_normalization")


def pictures(count: int, shape: tuple[int, ...] = (6, 5, 3), seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    """Return noise with another mean in each channel."""
    noise = np.random.default_rng(seed).integers(0, 200, (count, *shape))
    return (noise + np.arange(shape[-1]) * 20).astype(dtype)


def make_generator(**arguments: Any) -> ImageDataGenerator:
    """Return a generator without the warnings of implied arguments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ImageDataGenerator(**arguments)


@settings(max_examples=60, deadline=None)
@given(
    switches=st.sets(st.sampled_from(SWITCHES)),
    rescale=st.sampled_from([None, 1 / 255, 2.5]),
    squares=st.booleans(),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
    integers=st.booleans(),
)
def test_standardize_and_flow_are_those_of_the_legacy_class(
    legacy: Callable[..., Any],
    switches: set[str],
    rescale: float | None,
    squares: bool,
    data_format: str,
    integers: bool,
) -> None:
    """After `fit`, `standardize` and `flow` equal the legacy class, within 1e-5 of the largest level."""
    arguments: dict[str, Any] = dict.fromkeys(switches, True) | {"rescale": rescale, "data_format": data_format}
    if squares:
        arguments["preprocessing_function"] = lambda image: image * image / 255
    images = pictures(12)
    if data_format == "channels_first":
        images = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    ours, theirs = make_generator(**arguments), legacy(**arguments)
    ours.fit(images)
    theirs.fit(images)
    flow_images = images.astype(np.uint8) if integers else images
    (batch,) = [next(ours.flow(flow_images, batch_size=12, shuffle=False))]
    for image, normalized in zip(images, batch, strict=True):
        expected = theirs.standardize(image.copy())
        tolerance = 1e-5 * max(1, np.abs(expected).max())
        assert np.abs(ours.standardize(image.copy()) - expected).max() <= tolerance
        assert np.abs(normalized - expected).max() <= tolerance
    assert batch.dtype == np.float32


def test_standardize_changes_floating_point_in_place() -> None:
    """As in Keras, a floating-point image is normalized in place; an integer one is copied."""
    generator, image = make_generator(rescale=0.5, samplewise_center=True), pictures(1)[0]
    assert generator.standardize(image) is image
    integers = pictures(1, dtype=np.uint8)[0]
    generator.standardize(integers)
    assert np.array_equal(integers, pictures(1, dtype=np.uint8)[0])


def test_missing_statistics_warn_and_are_skipped() -> None:
    """Without `fit` the image is unchanged, and a warning names the missing statistics."""
    generator, image = make_generator(featurewise_center=True), pictures(1)[0]
    with pytest.warns(UserWarning, match=r"hasn't been fit.*\.fit"):
        assert np.array_equal(generator.standardize(image.copy()), image)


def test_statistics_can_be_set_as_in_keras() -> None:
    """`generator.mean = ...` and `.std = ...` work with any shape that broadcasts."""
    images = pictures(4, dtype=np.uint8)
    for mean, std in (([10.0, 20.0, 30.0], [2.0, 3.0, 4.0]), (images.mean(axis=0), np.float32(7))):
        generator = make_generator(featurewise_center=True, featurewise_std_normalization=True)
        generator.mean, generator.std = np.array(mean), np.array(std)
        expected = (images - np.array(mean)) / (np.array(std) + 1e-6)
        batch = next(generator.flow(images, shuffle=False))
        assert np.allclose(batch, expected, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6), offset=st.sampled_from([0, 1e4]), seed=st.integers(0, 99)
)
def test_moments_do_not_depend_on_the_batches(sizes: list[int], offset: float, seed: int) -> None:
    """For any division into batches, mean and deviation equal NumPy's, to 1e-6."""
    images = np.random.default_rng(seed).normal(offset, 3, (sum(sizes) + 1, 4, 3, 2))
    moments = Moments()
    for batch in np.split(images, np.cumsum(sizes)):
        moments.update(batch)
    assert moments.images == len(images)
    assert np.allclose(moments.mean, images.mean(axis=(0, 1, 2)), rtol=1e-6)
    assert np.allclose(moments.std, images.std(axis=(0, 1, 2)), rtol=1e-6)


def test_fit_takes_arrays_directories_loaders_and_datasets(photos: Path, quietly: Callable[..., Any]) -> None:
    """The statistics of the same images from any kind of data equal NumPy's, to 1e-6."""
    arguments = {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 1 / 255}
    flow = quietly(make_generator().flow_from_directory, photos, target_size=(32, 32), shuffle=False, batch_size=21)
    images = flow[0][0]
    loader = pipeline.Loader((images.astype(np.uint8), None), image_size=(32, 32), batch_size=8)
    dataset = make_generator().flow(images, images, batch_size=4, seed=1).dataset()
    scaled = images.astype(np.float64) / 255
    for data, options in ((images, {}), (photos, {"target_size": (32, 32)}), (loader, {}), (dataset, {})):
        generator = make_generator(**arguments)
        generator.fit(data, **options)
        assert np.allclose(generator.mean.ravel(), scaled.mean(axis=(0, 1, 2)), rtol=1e-6)
        assert np.allclose(generator.std.ravel(), scaled.std(axis=(0, 1, 2)), rtol=1e-6)
        assert generator.statistics is not None
        assert generator.statistics.count == 21


def test_fit_takes_a_loader_with_channels_first() -> None:
    """A generator with channels first computes the same statistics from a Loader, which yields channels last."""
    images = pictures(20, dtype=np.uint8)
    generator = make_generator(featurewise_center=True, data_format="channels_first")
    generator.fit(pipeline.Loader((images, None), image_size=(6, 5), batch_size=8))
    assert np.allclose(generator.mean, images.mean(axis=(0, 1, 2)).reshape(3, 1, 1))


def test_fit_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A damaged image below a directory is named."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(SampleError, match=r"a/bad\.jpg"):
        make_generator(featurewise_center=True).fit(tmp_path)


def test_fit_refuses_an_infinite_dataset() -> None:
    """A dataset that repeats endlessly is refused."""
    dataset = make_generator().flow(pictures(4), batch_size=2).dataset().repeat()
    with pytest.raises(OptionError, match="finite dataset"):
        make_generator(featurewise_center=True).fit(dataset)


def test_fit_on_augmented_images_is_reproducible(legacy: Callable[..., Any]) -> None:
    """With `augment` and `rounds`, the statistics are near the legacy class's."""
    images = pictures(150, (12, 12, 3))
    arguments = {"featurewise_center": True, "rotation_range": 40, "fill_mode": "constant"}
    one, other, oracle = make_generator(**arguments), make_generator(**arguments), legacy(**arguments)
    for generator in (one, other, oracle):
        generator.fit(images, augment=True, rounds=3, seed=5)
    assert np.array_equal(one.mean, other.mean)
    assert one.statistics is not None
    assert one.statistics.count == 450
    assert np.allclose(one.mean, oracle.mean, rtol=0.02)
    assert not np.allclose(one.mean.ravel(), images.mean(axis=(0, 1, 2)), rtol=0.02)


def test_fit_augments_by_the_methods_of_a_subclass() -> None:
    """As in Keras, `fit(augment=True)` calls a subclass's methods."""

    class Halved(ImageDataGenerator):
        def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
            return super().apply_transform(x, transform_parameters) / 2

    generator, images = Halved(featurewise_center=True), pictures(9)
    generator.fit(images, augment=True)
    assert np.allclose(generator.mean.ravel(), images.mean(axis=(0, 1, 2)) / 2)


@pytest.mark.parametrize("count", [200, 30])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_exact_zca_is_the_legacy_class(count: int, data_format: str, legacy: Callable[..., Any]) -> None:
    """With more images than pixels, and with fewer, whitened images equal the legacy class's."""
    images = pictures(count)
    if data_format == "channels_first":
        images = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    ours, theirs = (
        make_generator(zca_whitening=True, data_format=data_format),
        legacy(zca_whitening=True, data_format=data_format),
    )
    ours.fit(images)
    theirs.fit(images)
    expected = np.stack([theirs.standardize(image.copy()) for image in images])
    batch = next(ours.flow(images, batch_size=count, shuffle=False))
    assert np.abs(batch - expected).max() < 1e-3 * np.abs(expected).max()
    assert ours.zca_whitening_matrix is not None
    assert np.allclose(ours.zca_whitening_matrix, theirs.zca_whitening_matrix, atol=1e-4)


def test_low_rank_zca_is_the_leading_part_of_the_exact_one() -> None:
    """If the spectrum decays, the randomized whitening of rank r is that of the r largest singular values."""
    rng = np.random.default_rng(0)
    spectrum = np.concatenate([np.linspace(50, 20, 8), np.full(52, 0.1)])
    images = rng.normal(size=(300, 60)) * spectrum @ np.linalg.qr(rng.normal(size=(60, 60))).Q
    left, singular, _ = np.linalg.svd(images.T, full_matrices=False)
    expected = (left[:, :8] * (np.sqrt(300) / (singular[:8] + 1e-6))) @ left[:, :8].T
    low = compute_whitening(lambda: np.array_split(images, 7), 300, 60, 1e-6, rank=8)
    assert not low.is_exact
    assert np.abs(low.matrix - expected).max() < 1e-3 * np.abs(expected).max()


def test_zca_is_of_low_rank_if_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the covariance does not fit into memory, the rank is 512 or the number of images."""
    monkeypatch.setattr("pipeline.keras.statistics.get_available_memory", lambda: 1000)
    generator = make_generator(zca_whitening=True)
    generator.fit(pictures(40))
    assert generator.statistics is not None
    assert generator.statistics.whitening is not None
    assert not generator.statistics.whitening.is_exact
    assert generator.statistics.whitening.components.shape == (90, 40)
    with pytest.raises(OptionError, match="zca_rank"):
        generator.fit(pictures(40), zca_rank=0)


@pytest.mark.parametrize(("arguments", "name"), [({}, "s.json"), ({}, "s.npz"), ({"zca_whitening": True}, "s.npz")])
def test_statistics_survive_a_file(arguments: dict[str, Any], name: str, tmp_path: Path) -> None:
    """A generator that loads saved statistics normalizes with equal results."""
    arguments = {"featurewise_center": True, "rescale": 0.5, **arguments}
    if "zca_whitening" not in arguments:
        arguments["featurewise_std_normalization"] = True
    train, test, images = make_generator(**arguments), make_generator(**arguments), pictures(9)
    train.fit(images)
    train.save(tmp_path / name)
    test.load(tmp_path / name)
    for image in images:
        assert np.array_equal(train.standardize(image.copy()), test.standardize(image.copy()))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_statistics_of_other_images_are_refused(tmp_path: Path) -> None:
    """A file of another `rescale`, without a needed statistic, damaged, or hostile is refused with a reason."""
    generator = make_generator(featurewise_center=True)
    with pytest.raises(OptionError, match="fit first"):
        generator.save(tmp_path / "s.json")
    generator.fit(pictures(5))
    generator.save(tmp_path / "s.json")
    with pytest.raises(OptionError, match="rescale"):
        make_generator(featurewise_center=True, rescale=0.1).load(tmp_path / "s.json")
    with pytest.raises(OptionError, match=r"lacks.*std"):
        make_generator(featurewise_std_normalization=True).load(tmp_path / "s.json")
    with pytest.raises(OptionError, match=r"\.json or \.npz"):
        generator.save(tmp_path / "s.txt")
    zca = make_generator(zca_whitening=True)
    zca.fit(pictures(5))
    with pytest.raises(OptionError, match="npz"):
        zca.save(tmp_path / "z.json")
    head = json.loads((tmp_path / "s.json").read_text())
    (tmp_path / "nan.json").write_text(json.dumps(head | {"mean": [float("nan")] * 3}))
    (tmp_path / "other.json").write_text('{"mean": [1, 2, 3]}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "hostile.npz", head=np.array([{"a": 1}], dtype=object))
    for name in ("nan.json", "other.json", "list.json", "cut.npz", "hostile.npz", "absent.npz"):
        with pytest.raises(SourceError, match=name):
            Statistics.load(tmp_path / name)


@pytest.mark.parametrize("data", [np.zeros((3, 3)), 5, "nowhere"])
def test_fit_refuses_invalid_data(data: Any) -> None:
    """Arrays of another rank, missing directories and other objects are refused."""
    with pytest.raises((OptionError, SourceError), match=r"rank 4|takes an array|nowhere"):
        make_generator(featurewise_center=True).fit(data)
