"""Arrays: images and labels in memory, of every shape and dtype that makes sense, and never written to."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline
from pipeline.errors import OptionError, SourceError
from pipeline.sources import open_source
from pipeline.sources.base import NO_LABEL
from pipeline.workers.serialization import deserialize, serialize


def images(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    """Make distinguishable images: 0 to 255, or 0 to 1 in floating point."""
    levels = np.random.default_rng(0).integers(0, 256, shape)
    return (levels / 255 if np.issubdtype(dtype, np.floating) else levels).astype(dtype)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_images_of_every_shape_and_dtype_are_taken(shape: tuple[int, ...], dtype: type) -> None:
    """Grey images with and without a third dimension, RGB and RGBA come out as they are, floating point as float32."""
    array = images(5, *shape, dtype=dtype)
    source = open_source((array, [0, 1, 2, 1, 0]))
    assert len(source) == 5
    sample = source.read(3)
    assert (sample.key, sample.label, sample.encoded) == ("3", 1, None)
    assert sample.pixels.dtype == (np.uint8 if dtype is np.uint8 else np.float32)
    np.testing.assert_allclose(sample.pixels, array[3].reshape(4, 6, -1))
    assert source.sizes().sum() == array.nbytes


def test_images_of_different_sizes_come_as_a_list() -> None:
    """A list of arrays needs no common size."""
    source = open_source(([images(4, 6, 3), images(5, 3, 3)], [0, 1]))
    assert [source.read(index).pixels.shape for index in range(2)] == [(4, 6, 3), (5, 3, 3)]


@pytest.mark.parametrize(
    "labels",
    [
        [2, 0, 1],
        np.array([2, 0, 1], np.uint8),
        np.array([[2], [0], [1]]),
        np.eye(3)[[2, 0, 1]],
        np.eye(3, dtype=np.int32)[[2, 0, 1]],
    ],
    ids=["list", "bytes", "column", "one-hot floats", "one-hot integers"],
)
def test_labels_of_every_form_are_integers(labels: object) -> None:
    """Lists, arrays, columns and one-hot rows say the same; the classes are named by number."""
    source = open_source((images(3, 4, 6, 3), labels))
    assert source.labels().tolist() == [2, 0, 1]
    assert source.labels().dtype == np.int64
    assert [source.peek(index).label for index in range(3)] == [2, 0, 1]
    assert source.class_names == ("0", "1", "2")


@pytest.mark.parametrize("alone", [True, False])
def test_images_without_labels_yield_none(alone: bool) -> None:
    """An array alone, or `None` for the labels, has no classes; a loader of it yields images only, copied or not."""
    array = images(3, 4, 6, 3)
    source = open_source(array if alone else (array, None))
    assert source.labels().tolist() == [NO_LABEL] * 3
    assert source.class_names == ()
    loader = pipeline.Loader(array if alone else (array, None), image_size=None, shuffle=False)
    copies = pickle.loads(pickle.dumps(loader)), deserialize(*serialize(loader))  # noqa: S301  # what was just made
    for again in (loader, *copies):
        assert again.label_mode is None
        (batch,) = again.dataset().as_numpy_iterator()
        np.testing.assert_array_equal(batch, array)
    assert pipeline.inspect(array).classes == {"(no class)": 3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_mode": "categorical"}, r"^label_mode='categorical' needs labels, but the arrays have none; pass \("),
        ({"label_mode": "binary"}, "label_mode='binary' needs 2 classes"),
        ({"class_names": ["a", "b"]}, r"^class_names needs labels, but the arrays have none; pass \(images, labels\)$"),
        ({"label_offset": 1}, "^label_offset applies to TFRecords, but the source holds arrays; drop label_offset$"),
    ],
)
def test_options_of_labels_are_refused_without_labels(options: dict[str, Any], message: str) -> None:
    """No label is invented for an option."""
    with pytest.raises(OptionError, match=message):
        pipeline.Loader(images(3, 4, 6, 3), **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
def test_one_hot_rows_have_as_many_classes_as_columns(dtype: type) -> None:
    """Also where the last classes have no sample."""
    source = open_source((images(3, 4, 6, 3), np.eye(5, dtype=dtype)[[0, 1, 0]]))
    assert source.labels().tolist() == [0, 1, 0]
    assert source.class_names == ("0", "1", "2", "3", "4")
    dataset = pipeline.image_dataset((images(3, 4, 6, 3), np.eye(5, dtype=dtype)[[0, 1, 0]]), label_mode="categorical")
    assert dataset.element_spec[1].shape[-1] == 5


@given(
    rows=st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 0.5, 2.0, -1.0, float("nan"), float("inf")]), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_rows_are_one_hot_to_the_bit_or_refused(rows: list[list[float]]) -> None:
    """Rows with several ones, none, fractions or anything else are never cut to one class."""
    is_one_hot = [sorted(row) == [0.0, 0.0, 1.0] for row in rows]
    if all(is_one_hot):
        assert open_source((images(len(rows), 4, 6), rows)).labels().tolist() == [row.index(1.0) for row in rows]
        return
    with pytest.raises(SourceError, match=rf"one-hot rows \(a single 1, else 0\); row {is_one_hot.index(False)} is \["):
        open_source((images(len(rows), 4, 6), rows))


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c", "d"]])
def test_class_names_are_as_many_as_columns(names: list[str]) -> None:
    """A column without a name, or a name without a column, is a mistake."""
    with pytest.raises(OptionError, match=f"^labels have 3 columns, but class_names has {len(names)} entries$"):
        open_source((images(2, 4, 6), np.eye(3)[[0, 1]]), class_names=names)


def test_a_huge_label_makes_no_names() -> None:
    """A label of 10^12 is refused before a name for each class is made."""
    with pytest.raises(SourceError, match=f"^labels reach {10**12}, too large to count classes from them; set class"):
        open_source((images(2, 4, 6), [0, 10**12]))


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("value", [255.0, 1.004, -0.001, float("nan"), float("inf"), float("-inf")])
def test_float_images_are_checked_whole(value: float, as_list: bool) -> None:
    """One pixel of one image beyond 0 to 1 + 1/255 refuses all: transforms would clip it."""
    array = images(4, 5, 6, 3, dtype=np.float32)
    array[3, 4, 5, 2] = value
    with pytest.raises(SourceError) as caught:
        open_source((list(array) if as_list else array, [0, 1, 0, 1]))
    if not np.isfinite(value):
        assert str(caught.value).endswith("; replace NaN and infinite values")
    else:
        remedy = (
            "give uint8, or divide by 255" if value > 0 else "scale to 0 to 1, e.g. (x + 1) / 2 for values from -1 to 1"
        )
        least, most = f"{array[3].min():.6g}", f"{array[3].max():.6g}"
        assert str(caught.value) == (
            f"floating-point images must be in 0 to 1; image 3 has values from {least} to {most}; {remedy}"
        )


def test_float_images_may_overshoot_by_one_level() -> None:
    """As a cubic resize does."""
    array = np.full((2, 3, 3, 1), 1 + 1 / 255)
    assert len(open_source((array, [0, 1]))) == 2


def test_class_names_name_the_labels() -> None:
    """Names stand in the order of the labels, and there may be more names than labels occur."""
    source = open_source((images(2, 4, 6, 3), [0, 1]), class_names=["cat", "dog", "fox"])
    assert source.class_names == ("cat", "dog", "fox")


def test_a_label_without_a_name_is_refused() -> None:
    """Too few class names are an error that says which label has none."""
    with pytest.raises(OptionError, match=r"^label 2 has no class name: class_names has 2 entries; name every class$"):
        open_source((images(2, 4, 6, 3), [0, 2]), class_names=["cat", "dog"])


@pytest.mark.parametrize(
    ("array", "labels", "message"),
    [
        (images(0, 4, 6, 3), [], "the array of images is empty"),
        (images(3, 4, 6, 3), [0, 1], "3 images need labels of shape (3,) or (3, classes); got (2,)"),
        (images(3, 4, 6, 3), np.zeros((3, 2, 2)), "3 images need labels of shape (3,) or (3, classes); got (3, 2, 2)"),
        (
            images(3, 4, 6, 2),
            [0, 1, 0],
            "images must be [N, H, W, C] with 1, 3 or 4 channels, or [N, H, W]; one has shape (4, 6, 2)",
        ),
        (
            images(3, 4),
            [0, 1, 0],
            "images must be [N, H, W, C] with 1, 3 or 4 channels, or [N, H, W]; one has shape (4,)",
        ),
        (
            images(3, 4, 6, 3, dtype=np.int64),
            [0, 1, 0],
            "images must be uint8 (0 to 255) or floating point (0 to 1); got int64",
        ),
        (
            images(3, 4, 6, 3, dtype=bool),
            [0, 1, 0],
            "images must be uint8 (0 to 255) or floating point (0 to 1); got bool",
        ),
        (
            images(3, 4, 6, 3),
            [0, -1, 0],
            "labels must be integers of at least 0, or one-hot rows; got int64 with minimum -1",
        ),
        (
            images(3, 4, 6, 3),
            [0.0, 0.5, 1.0],
            "labels must be integers of at least 0, or one-hot rows; got float64 with minimum 0.0",
        ),
        (
            images(3, 4, 6, 3),
            [0.0, 2.0, 1.0],
            "labels must be integers of at least 0, or one-hot rows; got float64 with minimum 0.0; use "
            "labels.astype(int)",
        ),
        (
            images(3, 4, 6, 3),
            np.array([True, False, True]),
            "labels must be integers of at least 0, or one-hot rows; got bool with minimum False; use "
            "labels.astype(int)",
        ),
        (
            images(3, 4, 6, 3),
            [0.0, np.nan, 1.0],
            "labels must be integers of at least 0, or one-hot rows; got float64 with minimum nan",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(array: np.ndarray, labels: object, message: str) -> None:
    """Shapes, dtypes and lengths are checked at once, and the error says what was expected and what came."""
    with pytest.raises(SourceError) as caught:
        open_source((array, labels))
    assert str(caught.value) == message


def test_labels_that_are_names_are_refused() -> None:
    """Texts for labels are refused as other wrong labels are, and not by an error of NumPy's."""
    with pytest.raises(
        SourceError, match=r"labels must be integers of at least 0, or one-hot rows; got <U3; map class names"
    ):
        open_source((images(3, 4, 6, 3), ["cat", "dog", "cat"]))


def test_what_is_read_cannot_be_written_to() -> None:
    """The user's array is handed on without a copy, and cannot be changed through what is handed on."""
    array = images(2, 4, 6, 3)
    sample = open_source((array, [0, 1])).read(1)
    assert np.shares_memory(sample.pixels, array)
    with pytest.raises(ValueError, match="read-only"):
        sample.pixels[:] = 0
    assert array.flags.writeable


def test_arrays_that_cannot_be_written_to_are_read() -> None:
    """A read-only array, such as a memory-mapped file, is a source."""
    array = images(3, 4, 6, 3)
    array.setflags(write=False)
    np.testing.assert_array_equal(open_source((array, [0, 1, 0])).read(2).pixels, array[2])


def test_the_fingerprint_is_made_of_pixels_labels_and_names() -> None:
    """One pixel, one label or one name makes it another dataset; the same values in other memory do not."""
    array = images(3, 4, 6, 3)
    changed = array.copy()
    changed[2, 3, 5, 2] ^= 1
    fingerprints = [
        open_source((one, labels), class_names=names).fingerprint
        for one, labels, names in [
            (array, [0, 1, 0], None),
            (array.copy(), np.array([0, 1, 0]), None),
            (changed, [0, 1, 0], None),
            (array, [0, 0, 1], None),
            (array, [0, 1, 0], ["a", "b"]),
        ]
    ]
    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 4


def test_the_shape_is_part_of_the_fingerprint() -> None:
    """The same bytes as wider images are another dataset."""
    array = images(2, 4, 6, 3)
    assert open_source((array, [0, 1])).fingerprint != open_source((array.reshape(2, 6, 4, 3), [0, 1])).fingerprint
