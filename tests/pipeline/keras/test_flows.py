"""`flow`, `flow_from_directory` and `flow_from_dataframe` against the legacy class, as iterators and as datasets."""

import shutil
import struct
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from pipeline import ImageDataGenerator
from pipeline.errors import OptionError, SampleError, SourceError

Quietly = Callable[..., Any]


def assert_alike(one: Any, other: Any, tolerance: float = 0) -> None:
    """Check that two batches have the same structure, dtypes, shapes and values."""
    assert type(one) is type(other)
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_alike(first, second, tolerance)
        return
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert np.abs(one.astype(float) - other).max(initial=0) <= tolerance


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"class_mode": "sparse", "interpolation": "bilinear"},
        {"class_mode": "binary", "color_mode": "grayscale", "target_size": (50, 41)},
        {"class_mode": "input", "color_mode": "rgba", "interpolation": "lanczos"},
        {"class_mode": None, "keep_aspect_ratio": True, "subset": "training"},
        {"classes": ["bees", "ants"], "keep_aspect_ratio": True, "interpolation": "box", "subset": "validation"},
        {"classes": ["bees"], "interpolation": "hamming"},
    ],
    ids=str,
)
def test_directory_equals_the_legacy_class(
    arguments: dict[str, Any], photos: Path, legacy: Callable[..., Any], quietly: Quietly
) -> None:
    """Without random transforms, all batches of an epoch and a half, and the attributes, are equal."""
    options = {"target_size": (33, 40), "batch_size": 4, "shuffle": False} | arguments
    settings = {"validation_split": 0.4, "rescale": 0.5}
    ours = quietly(ImageDataGenerator(**settings).flow_from_directory, photos, **options)
    theirs = quietly(legacy(**settings).flow_from_directory, str(photos), **options)
    for name in ("filenames", "filepaths", "class_indices", "num_classes", "samples", "n", "batch_size", "image_shape"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("target_size", "color_mode", "class_mode", "dtype", "data_format", "shuffle", "directory"):
        assert str(getattr(ours, name)) == str(getattr(theirs, name)), name
    assert np.array_equal(ours.classes, theirs.classes)
    assert np.array_equal(ours.labels, theirs.labels)
    assert len(ours) == len(theirs)
    for _ in range(len(theirs) * 3 // 2):
        assert_alike(next(ours), next(theirs))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_fixed_transforms_are_those_of_the_legacy_class(
    data_format: str, photos: Path, legacy: Callable[..., Any], quietly: Quietly
) -> None:
    """A fixed zoom returns the legacy class's pixels within 1 level, except at the sharpest edges."""
    arguments: dict[str, Any] = {"zoom_range": (0.9, 0.9), "data_format": data_format}
    options: dict[str, Any] = {"target_size": (32, 32), "shuffle": False, "batch_size": 21}
    theirs, _ = next(quietly(legacy(**arguments).flow_from_directory, str(photos), **options))
    for exact, fraction in ((True, 0), (False, 0.02)):
        ours, _ = next(quietly(ImageDataGenerator(**arguments, exact=exact).flow_from_directory, photos, **options))
        assert (np.abs(ours - theirs) > 1).mean() <= fraction


@pytest.fixture
def flow(photos: Path, quietly: Quietly) -> Any:
    """Return a flow from a directory with random transforms."""
    generator = ImageDataGenerator(rotation_range=30, horizontal_flip=True, rescale=1 / 255)
    return quietly(generator.flow_from_directory, photos, target_size=(16, 16), batch_size=8, seed=3)


def test_iterator_dataset_and_index_are_one_stream(flow: Any) -> None:
    """`next`, `it[step]`, and the dataset's epochs yield the same batches; the dataset starts at any position."""
    batches = [next(flow) for _ in range(6)]
    from_dataset = [*flow.dataset().as_numpy_iterator()]
    assert len(from_dataset) == len(flow) == len(flow.dataset()) == 3
    for one, other in zip(batches[:3], from_dataset, strict=True):
        assert all(map(np.array_equal, one, other))
    for one, other in zip(batches[4:], flow.dataset(epoch=1, step=1).as_numpy_iterator(), strict=True):
        assert all(map(np.array_equal, one, other))
    assert (flow.epoch, flow.batch_index, flow.total_batches_seen) == (2, 0, 6)
    assert_alike(flow[1], (next(flow), next(flow))[1])
    with pytest.raises(OptionError, match="batch 3 is out of range"):
        flow[3]


def test_reset_begins_an_epoch(flow: Any) -> None:
    """In the middle of an epoch `reset` advances to the next one; at its beginning it stays."""
    next(flow)
    flow.reset()
    assert (flow.epoch, flow.batch_index) == (1, 0)
    first = next(flow)
    flow.reset()
    assert flow.epoch == 2
    assert not np.array_equal(first[0], next(flow)[0])
    flow.on_epoch_end()
    assert (flow.epoch, flow.batch_index) == (3, 0)


def test_every_epoch_has_every_file_in_a_new_order(photos: Path, quietly: Quietly) -> None:
    """Sample by sample, three epochs are permutations of the files."""
    flow = quietly(ImageDataGenerator().flow_from_directory, photos, target_size=(8, 8), batch_size=5, seed=1)
    orders = [[image.tobytes() for images, _ in islice(flow, len(flow)) for image in images] for _ in range(3)]
    assert len({frozenset(order) for order in orders}) == 1
    assert len({tuple(order) for order in orders}) == 3


def test_index_array_is_the_order_of_an_epoch(photos: Path, quietly: Quietly) -> None:
    """`index_array` maps positions of this epoch to samples, so that predictions find their files."""
    flow = quietly(ImageDataGenerator().flow_from_directory, photos, target_size=(4, 4), class_mode="sparse", seed=3)
    for _ in range(3):
        order = flow.index_array
        assert sorted(order) == list(range(21))
        assert np.array_equal(next(flow)[1], flow.classes[order])


def test_a_missing_seed_is_drawn(photos: Path, quietly: Quietly) -> None:
    """Two flows without a seed differ; a flow's drawn seed reproduces its stream."""
    make = ImageDataGenerator(rotation_range=20).flow_from_directory
    one, other = (quietly(make, photos, target_size=(8, 8)) for _ in range(2))
    assert one.seed != other.seed
    assert not np.array_equal(one[0][0], other[0][0])
    again = quietly(make, photos, target_size=(8, 8), seed=one.seed)
    assert np.array_equal(one[0][0], again[0][0])


def test_batches_can_be_written_to(flow: Any) -> None:
    """Callers may change a batch in place, as wrappers around generators do."""
    images, labels = next(flow)
    images += 1
    labels *= 0


def test_keras_trains_evaluates_and_predicts(flow: Any) -> None:
    """The iterator and its dataset go into Keras unchanged; class weights are applied."""
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    assert len(model.fit(flow, epochs=2, verbose=0).history["loss"]) == 2
    assert len(model.fit(flow.dataset(), epochs=2, verbose=0, class_weight={0: 1.0, 1: 2.0}).history["loss"]) == 2
    model.fit(flow, steps_per_epoch=2, epochs=2, validation_data=flow, verbose=0, class_weight={0: 1.0, 1: 2.0})
    assert model.predict(flow, verbose=0).shape == (21, 2)
    assert model.evaluate(flow, verbose=0) > 0


def test_returned_images_are_saved(photos: Path, tmp_path: Path, quietly: Quietly) -> None:
    """`save_to_dir` gets one picture per sample, named by prefix, index and a hash, stretched to 0 to 255."""
    make = ImageDataGenerator(rescale=1 / 255, samplewise_center=True).flow_from_directory
    flow = quietly(
        make, photos, target_size=(9, 7), batch_size=21, shuffle=False, save_to_dir=tmp_path, save_prefix="a", seed=0
    )
    flow[0]
    files = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.split("_")[1]))
    assert [path.name.split("_")[:2] for path in files] == [["a", str(number)] for number in range(21)]
    saved = cv2.imread(str(files[0]))
    assert saved.shape == (9, 7, 3)
    assert (saved.min(), saved.max()) == (0, 255)
    with pytest.raises(OptionError, match="save_to_dir"):
        quietly(make, photos, save_to_dir=tmp_path / "absent")


def test_formats_that_only_pillow_knows(
    photos: Path, tmp_path: Path, legacy: Callable[..., Any], quietly: Quietly
) -> None:
    """TIFF, PPM, CMYK and palettes with transparency are read as the legacy class reads them."""
    from PIL import Image

    (tmp_path / "all").mkdir()
    with Image.open(photos / "ants" / "ants0.jpg") as image:
        image.save(tmp_path / "all" / "a.tif")
        image.save(tmp_path / "all" / "b.ppm")
        image.convert("CMYK").save(tmp_path / "all" / "c.jpg")
        image.convert("P").save(tmp_path / "all" / "d.png")
        image.convert("LA").save(tmp_path / "all" / "e.png")
        image.rotate(0).save(
            tmp_path / "all" / "f.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        )
    for color_mode in ("rgb", "grayscale", "rgba"):
        options: dict[str, Any] = {"target_size": (20, 20), "shuffle": False, "color_mode": color_mode}
        ours = next(quietly(ImageDataGenerator().flow_from_directory, tmp_path, **options))
        theirs = next(quietly(legacy().flow_from_directory, str(tmp_path), **options))
        assert_alike(ours, theirs)


def test_rare_kinds_are_read_as_pillow_reads_them(tmp_path: Path, legacy: Callable[..., Any], quietly: Quietly) -> None:
    """Few bits a pixel keep their transparency, and BMPs of 16 bits their levels, as in the legacy class."""
    from PIL import Image

    rng, folder = np.random.default_rng(0), tmp_path / "all"
    folder.mkdir()
    Image.fromarray(rng.integers(0, 2, (9, 8)) > 0).save(folder / "bits1.png")
    palette = Image.fromarray(rng.integers(0, 16, (9, 8)).astype(np.uint8), "P")
    palette.putpalette(rng.integers(0, 256, 48).astype(np.uint8).tobytes())
    palette.save(folder / "palette4.png", bits=4)
    palette.save(folder / "palette8.bmp")
    header = struct.pack("<2sIII", b"BM", 14 + 40 + 2 * 8 * 9, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 8, 9, 1, 16, 0, 2 * 8 * 9, 0, 0, 0, 0)
    (folder / "rgb555.bmp").write_bytes(header + rng.integers(0, 2**15, 8 * 9).astype("<u2").tobytes())
    for color_mode in ("rgb", "grayscale", "rgba"):
        options: dict[str, Any] = {"target_size": (9, 8), "shuffle": False, "color_mode": color_mode}
        ours = next(quietly(ImageDataGenerator().flow_from_directory, tmp_path, **options))
        theirs = next(quietly(legacy().flow_from_directory, str(tmp_path), **options))
        assert_alike(ours, theirs)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_methods_of_a_subclass_are_called(data_format: str, legacy: Callable[..., Any]) -> None:
    """As in Keras, `flow` calls a subclass's methods to draw, transform and normalize; the arrays are not changed."""
    images = ARRAYS.astype(np.float32)
    images = np.ascontiguousarray(np.moveaxis(images, -1, 1)) if data_format == "channels_first" else images
    before = images.copy()

    def own(base: type) -> Any:
        class Own(base):  # type: ignore[misc]
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                assert img_shape == images.shape[1:]
                return super().get_random_transform(img_shape, seed) | {"theta": 33.0, "zx": 1.2}

            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                x = super().apply_transform(x, transform_parameters)
                x[:2, :2] = 9
                return x

            def standardize(self, x: Any) -> Any:
                return super().standardize(x) - 3

        return Own(data_format=data_format, rescale=0.5, samplewise_center=True)

    ours = own(ImageDataGenerator).flow(images, batch_size=4, shuffle=False)
    theirs = own(type(legacy())).flow(images, batch_size=4, shuffle=False)
    for _ in range(3):
        assert_alike(next(ours), next(theirs), 0.01)
    assert np.array_equal(images, before)


def test_a_method_may_be_replaced_from_outside() -> None:
    """A function set on a generator draws, also without a seed argument; with one the draw is keyed."""
    generator, images = ImageDataGenerator(), ARRAYS.astype(np.uint8)
    generator.get_random_transform = lambda _: {"flip_horizontal": True}  # type: ignore[method-assign, misc]
    assert np.array_equal(next(generator.flow(images, shuffle=False)), images[:, :, ::-1])
    keyed = ImageDataGenerator(rotation_range=90)
    draw = keyed.get_random_transform
    keyed.get_random_transform = lambda shape, seed=None: draw(shape, seed)  # type: ignore[method-assign, misc]
    one, other = (keyed.flow(images, batch_size=3, seed=4) for _ in range(2))
    assert np.array_equal(one[2], other[2])


def test_a_method_that_changes_the_shape_is_refused() -> None:
    """A crop in `apply_transform` is refused with both shapes."""
    generator = ImageDataGenerator()
    generator.apply_transform = lambda x, transform_parameters: x[1:]  # type: ignore[method-assign, misc] # noqa: ARG005
    with pytest.raises(OptionError, match=r"image shape \(7, 6, 3\), got \(6, 6, 3\)"):
        next(generator.flow(ARRAYS))


def test_a_damaged_file_is_named(photos: Path, tmp_path: Path, quietly: Quietly) -> None:
    """A cut-off file ends the iteration with an error that names it."""
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "cut.jpg").write_bytes((photos / "ants" / "ants0.jpg").read_bytes()[:300])
    (tmp_path / "all" / "text.png").write_text("no image")
    flow = quietly(ImageDataGenerator().flow_from_directory, tmp_path, batch_size=1, shuffle=False, target_size=(8, 8))
    for name in ("cut.jpg", "text.png"):
        with pytest.raises(SampleError, match=name):
            next(flow)


@pytest.fixture
def damaged_photos(photos: Path, tmp_path: Path) -> Path:
    """Return a copy of the photographs with two damaged files: the first, and one in the middle."""
    root = Path(shutil.copytree(photos, tmp_path / "damaged"))
    for name in ("ants/ants0.jpg", "bees/bees2.png"):
        (root / name).write_bytes((root / name).read_bytes()[:100])
    return root


@pytest.mark.parametrize(("on_error", "sizes"), [("skip", [7, 8, 4]), ("replace", [8, 8, 5])])
def test_bad_files_are_governed_by_on_error(
    on_error: str, sizes: list[int], damaged_photos: Path, quietly: Quietly
) -> None:
    """Bad files are skipped or replaced with their targets, in iterator and dataset; `errors` lists them."""
    options: dict[str, Any] = {"target_size": (9, 7), "batch_size": 8, "shuffle": False, "class_mode": "sparse"}
    flow = quietly(ImageDataGenerator().flow_from_directory, damaged_photos, **options, on_error=on_error)
    batches = [next(flow) for _ in range(3)]
    assert [len(images) for images, _ in batches] == [len(labels) for _, labels in batches] == sizes
    for one, other in zip(flow.dataset().as_numpy_iterator(), batches, strict=True):
        assert all(map(np.array_equal, one, other))
    assert sorted(row.sample for row in flow.errors) == ["ants/ants0.jpg", "bees/bees2.png"]
    table = {"filename": flow.filenames, "class": [name.split("/")[0] for name in flow.filenames]}
    from_frame = quietly(ImageDataGenerator().flow_from_dataframe, table, damaged_photos, **options, on_error=on_error)
    for one, other in zip(batches, from_frame, strict=False):
        assert all(map(np.array_equal, one, other))


def test_keras_trains_over_bad_files(damaged_photos: Path, quietly: Quietly) -> None:
    """With bad files skipped, `model.fit` runs all epochs, and no batch is empty: the loss is a number."""
    generator = ImageDataGenerator(rescale=1 / 255)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    options: dict[str, Any] = {"target_size": (8, 8), "batch_size": 4, "on_error": "skip", "seed": 1}
    flow = quietly(generator.flow_from_directory, damaged_photos, **options)
    for data in (flow, flow.dataset()):
        losses = model.fit(data, epochs=3, verbose=0).history["loss"]
        assert len(losses) == 3
        assert np.isfinite(losses).all()
    single = quietly(generator.flow_from_directory, damaged_photos, **options | {"batch_size": 1, "shuffle": False})
    with pytest.raises(SampleError, match=r"ants0\.jpg.*on_error=\"replace\""):
        single[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_error": "ignore"}, "on_error"),
        ({"class_mode": "raw"}, "class_mode"),
        ({"color_mode": "bgr"}, "color_mode"),
        ({"interpolation": "area"}, "interpolation"),
        ({"subset": "test"}, "subset"),
        ({"batch_size": 0}, "batch_size"),
        ({"target_size": (8,)}, "target_size"),
        ({"target_size": 8}, "target_size"),
        ({"seed": 1.5}, "seed"),
        ({"subset": "validation"}, "no images .* subset='validation'"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str, photos: Path, quietly: Quietly) -> None:
    """A wrong argument is named when the flow is created."""
    with pytest.raises(OptionError, match=message):
        quietly(ImageDataGenerator().flow_from_directory, photos, **arguments)


def test_missing_folders_are_named(tmp_path: Path) -> None:
    """A missing directory, and one without subfolders or images, is refused."""
    with pytest.raises(SourceError, match="nowhere"):
        ImageDataGenerator().flow_from_directory(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="one subfolder per class"):
        ImageDataGenerator().flow_from_directory(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match=r"no images .*test_missing_folders.*\.png"):
        ImageDataGenerator().flow_from_directory(tmp_path)


ARRAYS = np.random.default_rng(0).integers(0, 256, (10, 7, 6, 3))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    ("x", "options"),
    [
        (ARRAYS, {}),
        (ARRAYS, {"y": np.arange(10) % 2, "sample_weight": np.linspace(0, 1, 10)}),
        (ARRAYS, {"y": np.arange(10) % 2, "subset": "validation"}),
        (ARRAYS, {"y": np.eye(10), "subset": "training", "ignore_class_split": True}),
        ((ARRAYS, np.arange(10)), {"y": np.arange(10)}),
        ([ARRAYS, [np.arange(10), np.ones((10, 2))]], {}),
        (ARRAYS[..., :1], {}),
        (np.concatenate([ARRAYS, ARRAYS], axis=3), {}),
    ],
    ids=range(8),
)
def test_arrays_equal_the_legacy_class(dtype: str, x: Any, options: dict[str, Any], legacy: Callable[..., Any]) -> None:
    """Structure, dtypes and values of every batch, for two generators."""
    x = x.astype(dtype) if isinstance(x, np.ndarray) else (type(x))([x[0].astype(dtype), x[1]])
    settings = {"validation_split": 0.4, "rescale": 1 / 255, "dtype": "float64" if dtype == "float64" else "float32"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = ImageDataGenerator(**settings).flow(x, batch_size=4, shuffle=False, **options)
        theirs = legacy(**settings).flow(x, batch_size=4, shuffle=False, **options)
    assert (len(ours), ours.n) == (len(theirs), theirs.n)
    for _ in range(4):
        assert_alike(next(ours), next(theirs), 1e-7)


def test_large_targets_are_outside_the_graph() -> None:
    """Targets of any size work in a dataset: a graph holds at most 2 GB, and masks are often larger."""
    masks = np.arange(10 * 64 * 64, dtype=np.float64).reshape(10, 64, 64, 1)
    flow = ImageDataGenerator().flow(ARRAYS, masks, batch_size=5, sample_weight=np.arange(10), shuffle=False)
    dataset = flow.dataset()
    assert sum(one.function.function_def.ByteSize() for one in dataset._functions()) < masks.nbytes / 10
    for one, other in zip(dataset.as_numpy_iterator(), flow, strict=False):
        assert all(map(np.array_equal, one, other))


def test_images_and_masks_stay_in_step() -> None:
    """Two generators with one seed transform images and masks alike, though one of them draws brightness as well."""
    masks = ARRAYS[..., :1].astype(np.uint8)
    common: dict[str, Any] = {"rotation_range": 90, "zoom_range": 0.3, "horizontal_flip": True}
    images = ImageDataGenerator(**common, channel_shift_range=0.0).flow(masks, seed=4, batch_size=3)
    both = ImageDataGenerator(**common, preprocessing_function=lambda image: image / 2).flow(
        masks, seed=4, batch_size=3
    )
    for one, other in islice(zip(images, both, strict=False), 6):
        assert np.allclose(one / 2, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": ARRAYS[0]}, "rank 4"),
        ({"x": [1, 2, 3]}, "further inputs"),
        ({"x": ARRAYS, "y": np.arange(3)}, "same length"),
        ({"x": ARRAYS, "sample_weight": np.arange(3)}, "same length"),
        ({"x": ARRAYS[:0]}, "no images"),
        ({"x": ARRAYS, "y": np.arange(10), "subset": "training"}, "different classes"),
    ],
)
def test_wrong_arrays_are_named(arguments: dict[str, Any], message: str) -> None:
    """Arrays that do not match are refused when the flow is created."""
    with pytest.raises(OptionError, match=message):
        ImageDataGenerator(validation_split=0.4).flow(**arguments)


@pytest.fixture
def frame(photos: Path) -> pd.DataFrame:
    """Return a data frame of all photographs, with columns of all kinds, and one missing file."""
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.*g"))
    count = len(names)
    return pd.DataFrame(
        {
            "filename": [*names, "bees/absent.jpg"],
            "class": [name.split("/")[0] for name in names] + ["bees"],
            "several": [["a", "b"] if number % 3 else ["c"] for number in range(count)] + [["a"]],
            "number": np.linspace(0, 1, count + 1),
            "other": np.arange(count + 1),
            "weight": np.linspace(1, 2, count + 1),
        }
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"class_mode": "sparse", "weight_col": "weight"},
        {"class_mode": "binary"},
        {"class_mode": "input"},
        {"class_mode": None, "subset": "validation"},
        {"class_mode": "raw", "y_col": "number"},
        {"class_mode": "raw", "y_col": ["number", "weight"], "subset": "training"},
        {"class_mode": "multi_output", "y_col": ["number", "other"]},
        {"class_mode": "categorical", "y_col": "several"},
        {"class_mode": "categorical", "y_col": "several", "classes": ["b", "c"]},
        {"class_mode": "categorical", "classes": ["bees"]},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Found 1 invalid")
def test_data_frames_equal_the_legacy_class(
    arguments: dict[str, Any], frame: pd.DataFrame, photos: Path, legacy: Callable[..., Any], quietly: Quietly
) -> None:
    """Structure, dtypes and values of every batch, for every class mode; the dataset has the same values."""
    options = {"target_size": (16, 12), "batch_size": 6, "shuffle": False} | arguments
    ours = quietly(ImageDataGenerator(validation_split=0.3).flow_from_dataframe, frame, photos, **options)
    theirs = quietly(legacy(validation_split=0.3).flow_from_dataframe, frame, str(photos), **options)
    assert ours.filenames == theirs.filenames
    assert getattr(ours, "class_indices", None) == getattr(theirs, "class_indices", None)
    expected = [next(theirs) for _ in range(len(theirs))]
    for batch in expected:
        assert_alike(next(ours), batch)
    for one, other in zip(ours.dataset().as_numpy_iterator(), expected, strict=True):
        flat = keras.tree.flatten(other)
        assert all(map(np.array_equal, keras.tree.flatten(one), flat))


def test_a_table_needs_no_pandas(frame: pd.DataFrame, photos: Path, quietly: Quietly) -> None:
    """A dict of lists is a data frame; rows with missing files are dropped with a warning."""
    table = {name: frame[name].tolist() for name in ("filename", "class")}
    with pytest.warns(UserWarning, match="Found 1 invalid"):
        flow = quietly(ImageDataGenerator().flow_from_dataframe, table, photos, target_size=(8, 8))
    assert flow.samples == len(frame) - 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"class_mode": "other_mode"}, OptionError, "class_mode"),
        ({"class_mode": "multi_output"}, TypeError, "must be a list"),
        ({"x_col": "number"}, TypeError, "must be strings"),
        ({"y_col": "number"}, TypeError, "must be str"),
        ({"weight_col": "class"}, TypeError, "numeric"),
        ({"class_mode": "binary", "classes": ["bees"]}, OptionError, "2 classes"),
        ({"y_col": "absent"}, OptionError, "absent"),
        ({"surprise": 1}, TypeError, "surprise"),
    ],
)
def test_wrong_tables_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str, frame: pd.DataFrame, photos: Path
) -> None:
    """A wrong column is named when the flow is created, with Keras's type of error."""
    with pytest.raises(error, match=message):
        ImageDataGenerator().flow_from_dataframe(frame, photos, **arguments)
