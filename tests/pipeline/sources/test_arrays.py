"""Arrays: images and labels in memory, of every shape and dtype that makes sense, and never written to."""

import numpy as np
import pytest

from pipeline.errors import OptionError, SourceError
from pipeline.sources import open_source


def images(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    """Make distinguishable images."""
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


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


def test_images_need_no_labels() -> None:
    """An array alone, or `None` for the labels, is a dataset of one class."""
    for given in (images(3, 4, 6, 3), (images(3, 4, 6, 3), None)):
        source = open_source(given)
        assert source.labels().tolist() == [0, 0, 0]
        assert source.class_names == ("0",)


def test_class_names_name_the_labels() -> None:
    """Names stand in the order of the labels, and there may be more names than labels occur."""
    source = open_source((images(2, 4, 6, 3), [0, 1]), class_names=["cat", "dog", "fox"])
    assert source.class_names == ("cat", "dog", "fox")


def test_a_label_without_a_name_is_refused() -> None:
    """Too few class names are an error that says which label has none."""
    with pytest.raises(OptionError, match=r"^label 2 has no name: class_names has 2$"):
        open_source((images(2, 4, 6, 3), [0, 2]), class_names=["cat", "dog"])


@pytest.mark.parametrize(
    ("array", "labels", "message"),
    [
        (images(0, 4, 6, 3), [], "the arrays hold no image"),
        (images(3, 4, 6, 3), [0, 1], "there are 3 images, but labels of shape (2,)"),
        (images(3, 4, 6, 3), np.zeros((3, 2, 2)), "there are 3 images, but labels of shape (3, 2, 2)"),
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
            "images must be uint8 (0 to 255) or floating point, got int64",
        ),
        (images(3, 4, 6, 3, dtype=bool), [0, 1, 0], "images must be uint8 (0 to 255) or floating point, got bool"),
        (
            images(3, 4, 6, 3),
            [0, -1, 0],
            "labels must be integers from 0 on, or one-hot rows; got int64 from -1 on",
        ),
        (
            images(3, 4, 6, 3),
            [0.0, 0.5, 1.0],
            "labels must be integers from 0 on, or one-hot rows; got float64 from 0.0 on",
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
    with pytest.raises(SourceError, match=r"labels must be integers from 0 on"):
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
