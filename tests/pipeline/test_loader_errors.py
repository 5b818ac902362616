"""Bad samples: named with stage and reason, left out or replaced as asked, counted, bounded, and never lost."""

import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import albumentations as A  # noqa: N812  # the name that its users give it
import numpy as np
import pytest
import tensorflow as tf

from augment import TransformError
from augment.plan.encoded import load_decoder
from pipeline import Loader
from pipeline.error_log import BadSample
from pipeline.errors import AugmentationError, DecodeError, OptionError, ReadError, TooManyErrorsError
from pipeline.records import tfrecord

Make = Callable[..., Any]

BAD = {b"ants/1.png": "decode", b"ants/3.png": "decode", b"bees/0.png": "read"}
OPTIONS: dict[str, Any] = {"image_size": (8, 10), "batch_size": 3}


@pytest.fixture
def folder(folders: Make) -> Path:
    """Write class-folders of five ants and six bees, of which one is no image, one is cut off, one far too large."""
    made = folders(ants=5, bees=6)
    (made / "ants" / "1.png").write_bytes(b"<html>404</html>")
    whole = (made / "ants" / "3.png").read_bytes()
    (made / "ants" / "3.png").write_bytes(whole[: len(whole) // 2])
    with open(made / "bees" / "0.png", "wb") as file:
        file.truncate(1 << 40)
    return made


def keys_of(dataset: tf.data.Dataset) -> list[bytes]:
    """List the keys of all samples that one iteration delivers."""
    return [key for *_, keys in dataset for key in np.atleast_1d(keys.numpy()).tolist()]


def good_keys(folder: Path) -> list[bytes]:
    """List the keys of all samples that are good."""
    return sorted(key for path in folder.glob("*/*") if (key := bytes(path.relative_to(folder))) not in BAD)


@pytest.mark.parametrize("batch_size", [None, 1, 3, 20])
def test_skipping_leaves_out_the_bad_and_nothing_else(folder: Path, batch_size: int | None) -> None:
    """In every epoch all good samples come once, and read + skipped is the number of examples."""
    loader = Loader(folder, on_error="skip", **{**OPTIONS, "batch_size": batch_size})
    dataset = loader.dataset(with_keys=True)
    for _ in range(2):
        assert sorted(keys_of(dataset)) == good_keys(folder)
        assert len(good_keys(folder)) + len(loader.errors) == loader.num_examples == 11


def test_the_ledger_says_sample_stage_and_reason(folder: Path) -> None:
    """Each bad sample stands in `loader.errors` once, however many epochs met it."""
    loader = Loader(folder, on_error="skip", **OPTIONS)
    assert loader.errors == ()
    for _ in range(3):
        keys_of(loader.dataset(with_keys=True))
    rows = {row.sample: row for row in loader.errors}
    assert len(rows) == len(loader.errors) == 3
    assert {key.encode(): row.stage for key, row in rows.items()} == BAD
    assert rows["ants/1.png"].reason == ("not a JPEG, PNG, GIF, BMP or WebP image: it begins with b'<html>404</h'")
    is_native = load_decoder() is not None
    damage = "the file ends before the image does" if is_native else "Invalid PNG data"
    assert rows["ants/3.png"].reason.startswith(f"damaged PNG: {damage}")
    assert rows["bees/0.png"].reason.startswith(f"the file has {1 << 40} bytes, too large for an image of max_pixels")
    assert all(isinstance(row, BadSample) for row in loader.errors)


def test_skipped_batches_are_smaller_and_never_empty(folder: Path) -> None:
    """Each batch holds the good ones of its samples; one that would be empty does not come."""
    loader = Loader(folder, on_error="skip", shuffle=False, **{**OPTIONS, "batch_size": 1})
    sizes = [len(labels) for _, labels in loader.dataset()]
    assert sizes == [1] * 8
    loader = Loader(folder, on_error="skip", shuffle=False, **OPTIONS)
    assert [len(labels) for _, labels in loader.dataset()] == [2, 1, 3, 2]


def test_without_labels_too_empty_batches_do_not_come(folder: Path) -> None:
    """Images alone are filtered as pairs are."""
    loader = Loader(folder, on_error="skip", label_mode=None, **{**OPTIONS, "batch_size": 1})
    assert [len(images) for images in loader.dataset()] == [1] * 8


def test_replacing_keeps_every_shape(folder: Path) -> None:
    """All batches are full, the length is exact, every good sample comes, and only good ones do."""
    loader = Loader(folder, on_error="replace", drop_remainder=False, **{**OPTIONS, "batch_size": 11})
    dataset = loader.dataset(with_keys=True)
    assert len(dataset) == 1
    assert dataset.element_spec[0].shape == (11, 8, 10, 3)
    for _ in range(2):
        keys = keys_of(dataset)
        assert len(keys) == 11
        assert sorted(set(keys)) == good_keys(folder)
    assert len(loader.errors) == 3


def test_the_next_good_sample_takes_a_bad_one_s_place(folder: Path) -> None:
    """Where several bad ones follow each other, the first good one behind them takes the place of each."""
    (folder / "ants" / "2.png").write_bytes(b"bad as well")
    loader = Loader(folder, on_error="replace", shuffle=False, **OPTIONS)
    keys = keys_of(loader.dataset(with_keys=True))
    assert keys[:5] == [b"ants/0.png", b"ants/4.png", b"ants/4.png", b"ants/4.png", b"ants/4.png"]


def test_the_last_sample_is_replaced_by_the_first(folders: Make) -> None:
    """Behind the end of an epoch its beginning follows."""
    folder = folders(a=3)
    (folder / "a" / "2.png").write_bytes(b"bad")
    loader = Loader(folder, on_error="replace", shuffle=False, **OPTIONS)
    assert keys_of(loader.dataset(with_keys=True)) == [b"a/0.png", b"a/1.png", b"a/0.png"]


def test_a_substitute_comes_from_the_same_shard(folder: Path) -> None:
    """No shard borrows a sample of another: each delivers its own, all of it and nothing else."""
    for index in range(2):
        whole = Loader(folder, on_error="skip", shard=(index, 2), **OPTIONS)
        replaced = Loader(folder, on_error="replace", shard=(index, 2), **OPTIONS)
        for epoch in range(3):
            wanted = set(keys_of(whole.dataset(epoch, with_keys=True)))
            assert set(keys_of(replaced.dataset(epoch, with_keys=True))) == wanted


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_the_stream_with_bad_samples_is_the_same_at_any_number_of_threads(folder: Path, on_error: Any) -> None:
    """Bad samples change neither order nor pixels of the others, whoever computes them."""
    streams = []
    for num_parallel_calls in (1, 8):
        loader = Loader(
            folder, on_error=on_error, num_parallel_calls=num_parallel_calls, augment=A.HorizontalFlip(), **OPTIONS
        )
        dataset = loader.dataset(with_keys=True)
        streams.append([(x.numpy().tobytes(), k.numpy().tolist()) for _ in range(2) for x, _, k in dataset])
    assert streams[0] == streams[1]


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_a_stream_with_bad_samples_is_resumed(folder: Path, on_error: Any) -> None:
    """A step counts the batches as laid out, and a resumed stream is the tail of the whole."""
    loader = Loader(folder, on_error=on_error, **{**OPTIONS, "batch_size": 4})
    whole = [keys.numpy().tolist() for *_, keys in loader.dataset(with_keys=True)]
    assert len(whole) == loader.steps_per_epoch == 3
    for step in range(4):
        resumed = [keys.numpy().tolist() for *_, keys in loader.dataset(step=step, with_keys=True)]
        assert resumed == whole[step:]


def test_the_first_bad_sample_ends_the_stream(folder: Path) -> None:
    """Under "raise", TensorFlow's error has the sample and reason in it, and the loader has the error itself."""
    loader = Loader(folder, shuffle=False, num_parallel_calls=1, **{**OPTIONS, "batch_size": 1})
    batches = iter(loader.dataset(with_keys=True))
    assert next(batches)[2].numpy().tolist() == [b"ants/0.png"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"ants/1\.png: not a JPEG, PNG, GIF, BMP or WebP image"):
        next(batches)
    assert loader.errors[0] == BadSample(
        "ants/1.png", "decode", "not a JPEG, PNG, GIF, BMP or WebP image: it begins with b'<html>404</h'"
    )
    assert isinstance(loader.failure, DecodeError)


def test_a_bad_sample_at_the_very_beginning_is_raised_as_it_is(folders: Make) -> None:
    """Before anything is iterated the loader looks at one sample, and its error is Caudal's own."""
    folder = folders(a=2)
    (folder / "a" / "0.png").write_bytes(b"bad")
    loader = Loader(folder, shuffle=False, **OPTIONS)
    with pytest.raises(DecodeError, match=r"^a/0\.png: not a JPEG") as caught:
        loader.dataset()
    assert loader.failure is caught.value


@pytest.mark.parametrize(
    ("shuffle", "copies", "count"), [(True, 1, 40), (True, 3, 40), (False, 1, 10), (False, 3, 30), (False, 8, 40)]
)
def test_a_fraction_of_errors_is_of_all_samples_that_a_shard_meets(
    folders: Make, shuffle: bool, copies: int, count: int
) -> None:
    """A shuffled shard meets all samples over the epochs, and all bad ones; otherwise always those at its positions."""
    folder = folders(a=40)
    for number in range(0, 40, 5):
        (folder / "a" / f"{number}.png").write_bytes(b"bad")
    options = {**OPTIONS, "on_error": "skip", "shuffle": shuffle, "shard": (0, 4), "copies": copies}
    dataset = Loader(folder, max_errors=0.25, **options).dataset()
    for _ in range(12):
        list(dataset)
    assert len(dataset.loader.errors) == 8 if count == 40 else 0 < len(dataset.loader.errors) < 8
    with pytest.raises(Exception, match=rf"1 of {count} samples are bad, more than max_errors=0.01"):
        list(Loader(folder, max_errors=0.01, **options).dataset().repeat(12))


def test_a_good_stream_has_neither_errors_nor_a_failure(folders: Make) -> None:
    """Where nothing is wrong, nothing is written down."""
    loader = Loader(folders(a=4), on_error="skip", **OPTIONS)
    list(loader.dataset())
    assert loader.errors == ()
    assert loader.failure is None


@pytest.mark.parametrize("on_error", ["skip", "replace"])
@pytest.mark.parametrize("max_errors", [3, 3 / 11, 0.5, None])
def test_as_many_as_allowed_are_borne(folder: Path, on_error: Any, max_errors: float | None) -> None:
    """Three bad samples of eleven are within a bound of three, or of that share, in any number of epochs."""
    loader = Loader(folder, on_error=on_error, max_errors=max_errors, **OPTIONS)
    dataset = loader.dataset()
    for _ in range(3):
        list(dataset)
    assert len(loader.errors) == 3


@pytest.mark.parametrize("on_error", ["skip", "replace"])
@pytest.mark.parametrize("max_errors", [0, 2, 0.2])
def test_one_more_than_allowed_ends_the_stream(folder: Path, on_error: Any, max_errors: float) -> None:
    """The error says how many are bad, of how many, what was allowed, and names the last."""
    options = {**OPTIONS, "batch_size": 1, "shuffle": False, "num_parallel_calls": 1}
    loader = Loader(folder, on_error=on_error, max_errors=max_errors, **options)
    count = int(max_errors if isinstance(max_errors, int) else max_errors * 11) + 1
    message = f"{count} of 11 samples are bad, more than max_errors={max_errors}; the last: "
    with pytest.raises(tf.errors.UnknownError) as caught:
        list(loader.dataset())
    assert message in str(caught.value)
    assert isinstance(loader.failure, TooManyErrorsError)
    assert str(loader.failure).startswith(message)


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_a_dataset_without_a_good_sample_is_refused(folders: Make, on_error: Any) -> None:
    """All bad is an error as soon as the dataset is built, with their number and the last reason."""
    folder = folders(a=3)
    for path in folder.glob("a/*"):
        path.write_bytes(b"bad")
    loader = Loader(folder, on_error=on_error, **OPTIONS)
    with pytest.raises(TooManyErrorsError, match=r"all 3 samples are bad; the last: .*begins with"):
        loader.dataset()
    assert len(loader.errors) == 3


def test_all_bad_under_raise_is_the_first_error(folders: Make) -> None:
    """Without tolerance the first bad sample is the error."""
    folder = folders(a=3)
    for path in folder.glob("a/*"):
        path.write_bytes(b"")
    with pytest.raises(DecodeError, match=r"^a/0\.png: the file is empty$"):
        Loader(folder, shuffle=False, **OPTIONS).dataset()


class FailsOnDark(A.ImageOnlyTransform):
    """A transform that fails on images whose first pixel is dark."""

    def apply(self, img: np.ndarray, **_: Any) -> np.ndarray:
        """Fail, or leave the image as it is."""
        if img[0, 0, 0] < 128:
            raise ZeroDivisionError("too dark")
        return img


def test_a_transform_that_fails_is_the_sample_s_error(picture: Make) -> None:
    """The stage is "augment"; sample, reason and the image's size are named; the others come."""
    images = np.stack([picture(number) for number in range(10)])
    dark = {str(number) for number in range(10) if images[number, 0, 0, 0] < 128}
    assert 0 < len(dark) < 10
    loader = Loader((images, [0] * 10), on_error="skip", augment=[A.HorizontalFlip(p=0), FailsOnDark(p=1)], **OPTIONS)
    keys = {key.decode() for key in keys_of(loader.dataset(with_keys=True))}
    assert keys == {str(number) for number in range(10)} - dark
    assert {row.sample for row in loader.errors} == dark
    assert {row.stage for row in loader.errors} == {"augment"}
    assert "ZeroDivisionError" in loader.errors[0].reason
    assert "too dark" in loader.errors[0].reason
    assert "(8, 10" in loader.errors[0].reason


class FailsInTurn(A.ImageOnlyTransform):
    """A transform that fails at once on a dark image, and on a bright one only when it is told to."""

    bright_may_fail: ClassVar[threading.Event] = threading.Event()

    def apply(self, img: np.ndarray, **_: Any) -> np.ndarray:
        """Fail on images of the values 1 and 2."""
        if img.max() == 2:
            self.bright_may_fail.wait(30)
        if img.max() > 0:
            raise ZeroDivisionError(f"value {img.max()}")
        return img


def test_the_failure_is_the_error_that_ended_the_iteration() -> None:
    """Another batch that fails at the same time, but was not delivered, does not take its place."""
    FailsInTurn.bright_may_fail.clear()
    images = np.repeat(np.array([0, 1, 2], np.uint8), 12).reshape(3, 2, 2, 3)
    options = {"image_size": None, "batch_size": 1, "shuffle": False, "num_parallel_calls": 3}
    loader = Loader((images, [0] * 3), augment=FailsInTurn(p=1), **options)
    batches = iter(loader.dataset())
    next(batches)
    with pytest.raises(tf.errors.InvalidArgumentError, match="value 1"):
        next(batches)
    FailsInTurn.bright_may_fail.set()
    del batches  # waits for the batches that are still computed
    assert "value 1" in str(loader.failure)


def test_a_transform_that_fails_on_the_first_image_is_raised_as_it_is(folders: Make) -> None:
    """A crop that is too large is an error when the dataset is built, and its cause is the transform's error."""
    with pytest.raises(AugmentationError, match=r"^a/0\.png: .*[Cc]rop.*\(8, 10") as caught:
        Loader(folders(a=1), augment=A.RandomCrop(100, 100), **OPTIONS).dataset()
    assert isinstance(caught.value.__cause__, TransformError)


def test_a_damaged_record_is_skipped_with_its_place(folders: Make, records: Make) -> None:
    """A TFRecord that fails its checksum costs one sample, named by shard and record."""
    converted = records(folders(a=4), shards=1)
    (shard,) = converted.glob("*.tfrecord")
    damaged = bytearray(shard.read_bytes())
    damaged[int(tfrecord.build_index(shard)[2, 0]) + 30] ^= 1
    shard.write_bytes(damaged)
    loader = Loader(converted, on_error="skip", **OPTIONS)
    assert sorted(keys_of(loader.dataset(with_keys=True))) == [b"a/0.png", b"a/1.png", b"a/3.png"]
    assert loader.errors == (BadSample(f"{shard.name}#2", "read", "the record fails its checksum"),)


@pytest.mark.parametrize(
    ("label", "offset", "reason"),
    [
        (None, 0, "has no label, but the 2 classes are numbered 0 to 1"),
        (2, 0, "has the label 2, but the 2 classes are numbered 0 to 1"),
        (-1, 0, None),
        (0, 1, None),
    ],
)
def test_a_label_without_a_class_is_a_bad_sample(
    tmp_path: Path, picture: Make, encode: Make, label: int | None, offset: int, reason: str | None
) -> None:
    """A label that is missing, negative, or beyond the classes is skipped as any bad sample, and never delivered."""
    path = tmp_path / "x.tfrecord"
    features = [{tfrecord.ENCODED: encode(picture(0)), tfrecord.LABEL: one + offset} for one in (0, 1)]
    features.append({tfrecord.ENCODED: encode(picture(1)), **({} if label is None else {tfrecord.LABEL: label})})
    path.write_bytes(b"".join(tfrecord.frame(tfrecord.example(one)) for one in features))
    loader = Loader(path, class_names=["a", "b"], label_offset=offset, on_error="skip", **OPTIONS)
    assert sorted(label for _, labels in loader.dataset() for label in labels.numpy().tolist()) == [0, 1]
    (row,) = loader.errors
    assert (row.sample, row.stage) == ("x.tfrecord#2", "read")
    assert reason is None or row.reason.startswith(reason)


def test_a_label_that_is_negative_is_not_called_missing(tmp_path: Path, picture: Make, encode: Make) -> None:
    """A stored label that the offset makes negative is shown, since a wrong `label_offset` is the likely reason."""
    path = tmp_path / "x.tfrecord"
    features = {tfrecord.ENCODED: encode(picture(0)), tfrecord.LABEL: 0}
    path.write_bytes(tfrecord.frame(tfrecord.example(features)))
    with pytest.raises(ReadError, match=r"the label -1"):
        Loader(path, class_names=["a", "b"], label_offset=1, **OPTIONS).dataset()


def test_unlabeled_records_are_streamed_without_labels(tmp_path: Path, picture: Make, encode: Make) -> None:
    """With `label_mode=None` no record needs a label."""
    path = tmp_path / "x.tfrecord"
    path.write_bytes(tfrecord.frame(tfrecord.example({tfrecord.ENCODED: encode(picture(0))})))
    (images,) = Loader(path, label_mode=None, **OPTIONS).dataset()
    np.testing.assert_array_equal(images[0], picture(0))


def test_bad_samples_of_the_same_key_are_counted_one_by_one(tmp_path: Path, picture: Make, encode: Make) -> None:
    """Foreign records whose file names repeat lose none of their bad samples: read + skipped is all."""
    path = tmp_path / "x.tfrecord"
    contents = [b"bad", b"worse", encode(picture(0)), encode(picture(1))]
    examples = [{tfrecord.ENCODED: one, tfrecord.LABEL: 0, tfrecord.FILENAME: b"same.png"} for one in contents]
    path.write_bytes(b"".join(tfrecord.frame(tfrecord.example(one)) for one in examples))
    loader = Loader(path, on_error="skip", **OPTIONS)
    assert sum(len(labels) for _, labels in loader.dataset()) == 2
    assert len(loader.errors) == 2
    assert 2 + len(loader.errors) == loader.num_examples


@pytest.mark.parametrize("name", [b"\xff.png", b"new\nline.png", "bös.png".encode()])
def test_the_error_of_an_oddly_named_file_says_what_is_wrong(tmp_path: Path, name: bytes) -> None:
    """A name that is no UTF-8 does not swallow the reason."""
    (tmp_path / "a").mkdir()
    with open(bytes(tmp_path / "a") + b"/" + name, "wb") as file:
        file.write(b"<html>")
    with open(bytes(tmp_path / "a") + b"/0.bmp", "wb") as file:
        file.write(b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(4))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"begins with b'<html>'"):
        list(Loader(tmp_path, shuffle=False, **{**OPTIONS, "batch_size": 1}).dataset())
    loader = Loader(tmp_path, on_error="skip", **OPTIONS)
    assert keys_of(loader.dataset(with_keys=True)) == [b"a/0.bmp"]
    assert loader.errors[0].sample.encode("utf-8", "surrogateescape") == b"a/" + name


def test_max_pixels_makes_large_images_bad_samples(tmp_path: Path, picture: Make, encode: Make) -> None:
    """An image above the limit is skipped with the reason; the others are not touched by it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "small.png").write_bytes(encode(picture(0, 8, 10)))
    (tmp_path / "a" / "large.png").write_bytes(encode(picture(0, 9, 10)))
    loader = Loader(tmp_path, on_error="skip", max_pixels=80, **OPTIONS)
    assert keys_of(loader.dataset(with_keys=True)) == [b"a/small.png"]
    assert loader.errors == (
        BadSample(
            "a/large.png",
            "decode",
            "the header claims 9 x 10 pixels, more than max_pixels=80; raise max_pixels if you trust the image",
        ),
    )


def test_wrong_options_are_no_bad_samples(folder: Path) -> None:
    """Tolerance for bad samples does not hide what is wrong with the whole: images of two sizes in a batch."""
    (folder / "ants" / "0.png").write_bytes((folder / "bees" / "1.png").read_bytes())
    loader = Loader(folder, on_error="skip", **{**OPTIONS, "image_size": None}, augment=A.RandomScale((-0.5, 0.5), p=1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="images of a batch need one size"):
        list(loader.dataset())
    assert isinstance(loader.failure, OptionError)
