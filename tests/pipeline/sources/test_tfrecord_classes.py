"""Labels and class names of TFRecords that contradict each other, and records without labels."""

from pathlib import Path

import numpy as np
import pytest

import pipeline
from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.records.tfrecord import example, frame
from pipeline.sampling.labels import check_label
from pipeline.sources import open_source
from pipeline.sources.base import NO_LABEL
from pipeline.sources.text import open_text_source


def write(path: Path, *pairs: tuple[int | None, bytes | None]) -> Path:
    """Write texts with a label and the name of a class."""
    examples = []
    for number, (label, name) in enumerate(pairs):
        features: dict[str, bytes | int] = {"text": b"text %d" % number}
        features |= {} if label is None else {"label": label}
        examples.append(features if name is None else features | {"label/text": name})
    path.write_bytes(b"".join(frame(example(features)) for features in examples))
    return path


def test_a_name_that_contradicts_its_label_is_a_bad_sample(tmp_path: Path) -> None:
    """The name that most examples have is the label's, wherever the odd one is; without labels, all are samples."""
    path = write(tmp_path / "x.tfrecord", (0, b"dog"), (0, b"cat"), (1, b"dog"), (0, b"cat"), (1, None), (1, b""))
    source = open_text_source(path)
    assert source.class_names == ("cat", "dog")
    assert source.labels().tolist() == [NO_LABEL, 0, 1, 0, 1, 1]
    assert [source.read(index).label for index in range(6)] == source.labels().tolist()
    fault = (
        "label 0 and label/text 'dog' contradict each other: other examples name label 0 'cat'; correct one, or set "
        "class_names"
    )
    assert source.read(0).label_fault == fault
    loader = pipeline.TextLoader(path, on_error="skip")
    assert sum(len(labels) for _, labels in loader.dataset()) == 5
    assert [bad.reason for bad in loader.errors] == [fault]
    assert sum(len(texts) for texts in pipeline.TextLoader(path, label_mode=None).dataset()) == 6
    with pytest.raises(ReadError, match="contradict each other"):
        pipeline.convert(path, tmp_path / "out")


def test_two_labels_with_one_name_are_refused(tmp_path: Path) -> None:
    """Unless class_names says what the labels are; a label without a name must not get that of another either."""
    path = write(tmp_path / "x.tfrecord", (0, b"cat"), (0, b"dog"), (1, b"cat"))
    with pytest.raises(SourceError, match=r"the labels 0 and 1 both have the name 'cat'; set class_names$"):
        pipeline.TextLoader(path)
    with pytest.raises(SourceError, match="the labels 0 and 1 both have the name 'cat'"):
        pipeline.convert(path, tmp_path / "out")
    assert open_text_source(path, class_names=["a", "b"]).labels().tolist() == [0, 0, 1]
    other = write(tmp_path / "y.tfrecord", (0, b"1"), (1, None))
    with pytest.raises(SourceError, match="the labels 0 and 1 both have the name '1'"):
        pipeline.TextLoader(other)


def test_a_missing_label_has_a_fitting_remedy(tmp_path: Path) -> None:
    """Only messages about TFRecords whose label is no class mention label_offset."""
    none = write(tmp_path / "none.tfrecord", (None, None))
    source = open_text_source(none)
    with pytest.raises(ReadError, match=r"has no label; use label_mode=None$"):
        check_label(source.read(0), source.class_names)
    some = write(tmp_path / "some.tfrecord", (None, None), (0, None), (1, None))
    fault = "has no label, but the 2 classes are numbered 0 to 1; give it one, or use label_mode=None"
    assert open_text_source(some).read(0).label_fault == fault
    beyond = write(tmp_path / "beyond.tfrecord", (2, None))
    assert open_text_source(beyond, class_names=["a", "b"]).read(0).label_fault == (
        "has the label 2, but the 2 classes are numbered 0 to 1; set class_names, or label_offset if the labels start "
        "at 1"
    )


def test_arrays_without_labels_become_records_without_labels(tmp_path: Path) -> None:
    """The report says so; class-folders need labels."""
    from pipeline.conversion.reporting import describe_source_gaps

    array = np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3)
    manifest = pipeline.convert((array, None), tmp_path / "out")
    assert (manifest["class_names"], manifest["num_examples"]) == ([], 3)
    assert list(describe_source_gaps(manifest)) == ["no labels: the source has none, so that the records have none"]
    back = open_source(tmp_path / "out")
    assert back.labels().tolist() == [NO_LABEL] * 3
    (batch,) = pipeline.Loader(tmp_path / "out", label_mode=None, image_size=None, shuffle=False).dataset()
    np.testing.assert_array_equal(batch, array)
    with pytest.raises(OptionError, match=r'the source has none; use "tfrecord", or pass \(images, labels\)$'):
        pipeline.convert((array, None), tmp_path / "folders", to="folder")


@pytest.mark.parametrize(
    ("name", "what"), [("a.csv.gz", "is a gzip archive"), ("a.csv", "in UTF-16"), ("a.txt", "UTF-16")]
)
def test_a_conversion_says_what_a_file_of_rows_is(tmp_path: Path, name: str, what: str) -> None:
    """As `text_dataset` does."""
    import gzip

    content = "label,text\n0,x\n1,y\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode("utf-16"))
    messages = []
    for attempt in (lambda: pipeline.convert(path, tmp_path / "out"), lambda: pipeline.text_dataset(path)):
        with pytest.raises(SourceError, match=what) as caught:
            attempt()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
