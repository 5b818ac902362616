"""Datasets of texts: the order, keys, parts, resuming and errors of images; augmentation on the fly or in copies."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import pipeline
from augment.text import EDA, Compose, NlpAug, RandomDeletion, RandomSwap
from pipeline.errors import OptionError
from pipeline.records.tfrecord import example, frame
from pipeline.sources.text import open_text_source
from pipeline.sources.text_format import TextFormat
from pipeline.texts.example import make_text_features
from pipeline.texts.stages import TextDecoder

SENTENCES = [f"sentence number {number} is about a good film and a bad day" for number in range(23)]
EDA_ONE = EDA()


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Write 23 `label text` lines of three classes."""
    path = tmp_path / "data.train"
    path.write_text("".join(f"{number % 3} {text}\n" for number, text in enumerate(SENTENCES)))
    return path


def elements(loader: pipeline.TextLoader, epoch: int = 0, step: int = 0) -> list[tuple[bytes, int, bytes]]:
    """List the samples of the rest of an epoch: (text, label, key)."""
    return [
        sample
        for batch in loader.dataset(epoch, step, with_keys=True).as_numpy_iterator()
        for sample in zip(*(part.tolist() for part in batch), strict=True)
    ]


def test_a_dataset_is_texts_and_labels(lines: Path) -> None:
    """Strings [B] and int32 [B], of known size; each sentence once an epoch, in another order."""
    dataset = pipeline.text_dataset(lines, batch_size=5)
    assert dataset.element_spec[0].dtype == tf.string
    assert dataset.element_spec[1].dtype == tf.int32
    assert len(dataset) == 5
    assert dataset.class_names == ["0", "1", "2"]
    epochs = [[text for texts, _ in dataset.as_numpy_iterator() for text in texts.tolist()] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(text.encode() for text in SENTENCES)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("options", [{}, {"augment": EDA_ONE}, {"augment": EDA_ONE, "num_aug": 3}])
def test_a_stream_is_the_same_at_any_number_of_calls_and_processes(lines: Path, options: dict[str, Any]) -> None:
    """One call in this process, and three with two workers."""
    one = pipeline.TextLoader(lines, batch_size=4, seed=5, num_parallel_calls=1, workers=0, **options)
    many = pipeline.TextLoader(lines, batch_size=4, seed=5, num_parallel_calls=3, workers=2, **options)
    assert elements(one) == elements(many)
    assert elements(one, 1) == elements(many, 1) != elements(one)
    assert one.fingerprint == many.fingerprint


def test_on_the_fly_each_text_is_augmented_once_by_its_key(lines: Path) -> None:
    """The text of a sample is `eda(text, key=(seed, epoch, index))`."""
    loader = pipeline.TextLoader(lines, augment=EDA(), seed=9, workers=0)
    for epoch in (0, 3):
        for text, label, key in elements(loader, epoch):
            index = int(key.decode().rsplit(":", 1)[1]) - 1
            assert text.decode() == EDA(num_aug=1)(SENTENCES[index], (9, epoch, index))[0]
            assert label == index % 3


def test_with_copies_each_text_comes_as_it_is_and_in_its_variants(lines: Path) -> None:
    """num_aug + 1 elements a text, the variants those of the EDA, new in each epoch."""
    loader = pipeline.TextLoader(lines, augment=EDA(), num_aug=4, seed=9, workers=0, batch_size=7)
    assert loader.num_examples == 5 * 23
    for epoch in (0, 1):
        found: dict[int, list[str]] = {}
        for text, _, key in elements(loader, epoch):
            place, _, copy = key.decode().rsplit(":", 1)[1].partition("+")
            found.setdefault(int(place) - 1, []).append(text.decode())
            assert (text.decode() == SENTENCES[int(place) - 1]) == (not copy)
        for index, sentence in enumerate(SENTENCES):
            expected = [sentence, *EDA(num_aug=4)(sentence, (9, epoch, index))]
            assert sorted(found[index]) == sorted(expected)


def test_transforms_work_like_eda(lines: Path) -> None:
    """A composition, on the fly and in copies."""
    transform = Compose([RandomSwap(), RandomDeletion(0.3)])
    loader = pipeline.TextLoader(lines, augment=transform, seed=2, workers=0, shuffle=False)
    assert [text.decode() for text, _, _ in elements(loader, 1)] == [
        transform(text, (2, 1, index)) for index, text in enumerate(SENTENCES)
    ]
    copies = pipeline.TextLoader(lines, augment=transform, num_aug=2, workers=0, shuffle=False)
    texts = [text.decode() for text, _, _ in elements(copies)]
    assert texts[::3] == SENTENCES
    assert len(set(texts)) > 60


@pytest.mark.parametrize("num_aug", [None, 2])
def test_it_starts_anywhere_and_shards_partition_it(lines: Path, num_aug: int | None) -> None:
    """From any step on; two shards make up the whole, batch by batch."""
    options: dict[str, Any] = {"augment": EDA(), "num_aug": num_aug, "workers": 0, "seed": 1}
    whole = pipeline.TextLoader(lines, batch_size=4, **options)
    stream = elements(whole, 2)
    for step in range(whole.steps_per_epoch + 1):
        assert elements(whole, 2, step) == stream[4 * step :]
    halves = [elements(pipeline.TextLoader(lines, batch_size=2, shard=(index, 2), **options), 2) for index in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted(stream)
    assert sorted(halves[0][:2] + halves[1][:2]) == sorted(stream[:4])


@pytest.mark.parametrize("stratify", [False, True])
def test_all_copies_of_a_text_are_in_one_part(lines: Path, stratify: bool) -> None:
    """A validation split goes by texts."""
    options: dict[str, Any] = {"validation_split": 0.3, "stratify": stratify, "workers": 0}
    train = pipeline.TextLoader(lines, augment=EDA(), num_aug=2, subset="training", **options)
    validation = pipeline.TextLoader(lines, subset="validation", **options)
    places = [{key.split(b"+")[0] for _, _, key in elements(loader)} for loader in (train, validation)]
    assert not places[0] & places[1]
    assert len(places[0] | places[1]) == 23
    assert train.num_examples == 3 * len(places[0])


def test_bad_rows_are_skipped_replaced_and_counted_once(tmp_path: Path) -> None:
    """One entry of the error log per bad sample, whatever its copies and epochs."""
    path = tmp_path / "a.tsv"
    path.write_text("label\ttext\n0\tone good day\n1\n1\ttwo bad days\n\tthree\n0\tfour\n")
    with pytest.raises(tf.errors.OpError, match="has 1 column instead of 2"):
        list(pipeline.text_dataset(path, class_names=["0", "1"], shuffle=False).as_numpy_iterator())
    skip = pipeline.TextLoader(path, augment=EDA(), num_aug=1, on_error="skip", workers=0, batch_size=2)
    assert len(elements(skip)) == len(elements(skip, 1)) == 6
    assert {(row.sample, row.stage) for row in skip.errors} == {("a.tsv:3", "read"), ("a.tsv:5", "read")}
    replace = pipeline.TextLoader(path, on_error="replace", batch_size=2, workers=0)
    assert len(elements(replace)) == 5
    strict = pipeline.TextLoader(path, on_error="skip", max_errors=0)
    with pytest.raises(tf.errors.OpError, match="more than max_errors=0"):
        elements(strict)


def test_text_in_another_encoding_is_read_by_the_rule_and_counted(tmp_path: Path) -> None:
    """UTF-8 first, then the fallback; without one it is a bad sample."""
    path = tmp_path / "a.txt"
    path.write_bytes("0 café\n".encode() + b"1 na\xefve\n0 plain\n")
    loader = pipeline.TextLoader(path, shuffle=False)
    assert [text.decode() for text, _, _ in elements(loader)] == ["café", "naïve", "plain"]
    assert loader.fallback_decoded == ("a.txt:2",)
    other = pipeline.TextLoader(path, shuffle=False, format=TextFormat(fallback="cp1251"))
    assert elements(other)[1][0].decode() == "naпve"
    strict = pipeline.TextLoader(path, format=TextFormat(fallback=None), on_error="skip")
    assert len(elements(strict)) == 2
    assert [(row.sample, row.stage) for row in strict.errors] == [("a.txt:2", "decode")]


def test_folders_may_hold_texts_in_utf_16(tmp_path: Path) -> None:
    """There are no rows in them to be told apart; a byte order mark before UTF-8 is no part of a text anywhere."""
    for name, encoding in (("utf-16", "utf-16"), ("utf-8-sig", "utf-8-sig"), ("utf-8-sig", "utf-8")):
        folder = tmp_path / f"{name} as {encoding}" / "a"
        folder.mkdir(parents=True)
        (folder / "one.txt").write_text("good\nfilm", name)
        ((texts, _),) = pipeline.text_dataset(folder.parent, format=TextFormat(encoding=encoding))
        assert texts.numpy().tolist() == [b"good\nfilm"]


def test_a_byte_order_mark_is_dropped_at_the_start_of_a_file_only(tmp_path: Path) -> None:
    """U+FEFF in a text, or at its start, stays: in rows, records, and files of any encoding."""
    texts = ["\ufeffone", "t\ufeffwo", "\ufeff\ufeffthree"]
    expected = [text.encode() for text in texts]
    (tmp_path / "a.csv").write_text("\ufefflabel,text\n" + "".join(f"0,{text}\n" for text in texts))
    (tmp_path / "a.txt").write_text("\ufeff" + "".join(f"0 {text}\n" for text in texts))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"label": 0, "text": text}) + "\n" for text in texts))
    (tmp_path / "a.tfrecord").write_bytes(b"".join(frame(example({"text": text, "label": 0})) for text in expected))
    for name in ("a.csv", "a.txt", "a.jsonl", "a.tfrecord"):
        for encoding in ("utf-8", "utf-8-sig"):
            loader = pipeline.TextLoader(tmp_path / name, shuffle=False, format=TextFormat(encoding=encoding))
            assert [text for text, _, _ in elements(loader)] == expected
    for encoding, mark in (("utf-8", "\ufeff"), ("utf-8-sig", "\ufeff"), ("utf-16-le", ""), ("utf-16", "")):
        for number, text in enumerate(texts):
            path = tmp_path / f"{encoding}{mark}" / "a" / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((mark + text).encode("utf-8" if mark else encoding))
        loader = pipeline.TextLoader(path.parent.parent, shuffle=False, format=TextFormat(encoding=encoding))
        assert [text for text, _, _ in elements(loader)] == expected


def test_texts_without_labels_can_be_pickled(lines: Path) -> None:
    """Their loader has no class names, and neither has its copy."""
    loader = pipeline.TextLoader(lines, format="text", label_mode=None, shuffle=False)
    again = pickle.loads(pickle.dumps(loader))  # noqa: S301  # what this test has just made
    assert again.class_names == ()
    streams = [[batch.tolist() for batch in one.dataset().as_numpy_iterator()] for one in (loader, again)]
    assert streams[0] == streams[1]
    with pytest.raises(OptionError, match="class_names must be a list of names"):
        pipeline.TextLoader(lines, class_names=[])


def test_folders_and_the_records_made_of_them_give_one_stream(tmp_path: Path) -> None:
    """Class-folders of .txt files, and TFRecords with `text`, `label`, `label/text`: equal texts, labels and keys."""
    root = tmp_path / "texts"
    for number, sentence in enumerate(SENTENCES):
        folder = root / ("pos" if number % 2 else "neg") / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02}.txt").write_text(sentence)
    (root / "neg" / "picture.png").write_bytes(b"no text")
    (root / "pos" / "latin.txt").write_bytes(b"\xef\xbb\xbfmarked caf\xc3\xa9")
    source = open_text_source(root)
    assert source.ignored_files == {"not a text: .png": 1}
    (tmp_path / "records").mkdir()
    with open(tmp_path / "records" / "data.tfrecord", "wb") as file:
        for index in range(len(source)):
            file.write(frame(example(make_text_features(source.read(index), source.class_names, TextDecoder()))))
    options: dict[str, Any] = {"augment": EDA(), "workers": 0, "seed": 3}
    folders = pipeline.TextLoader(root, **options)
    for place in (
        tmp_path / "records",
        tmp_path / "records" / "data.tfrecord",
        [tmp_path / "records" / "data.tfrecord"],
    ):
        records = pipeline.TextLoader(place, **options)
        assert records.class_names == folders.class_names == ("neg", "pos")
        assert elements(records) == elements(folders)


def test_label_modes_and_single_samples(lines: Path) -> None:
    """Categorical, none, two classes as one column, no batches."""
    categorical = pipeline.text_dataset(lines, label_mode="categorical", batch_size=4)
    assert categorical.element_spec[1].shape.as_list() == [None, 3]
    only_texts = pipeline.text_dataset(lines, label_mode=None, batch_size=None)
    assert next(only_texts.as_numpy_iterator()).decode() in SENTENCES
    binary = pipeline.text_dataset(lines, label_mode="binary", class_names=["2", "0"])
    assert {float(label) for _, labels in binary.as_numpy_iterator() for label in labels[:, 0]} == {0.0, 1.0}
    unlabeled = pipeline.TextLoader(lines, format="text", label_mode=None, shuffle=False)
    dataset = unlabeled.dataset()
    assert next(dataset.as_numpy_iterator())[0].decode() == f"0 {SENTENCES[0]}"


def test_nlpaug_runs_in_this_process(lines: Path) -> None:
    """What cannot be sent to another process is done here, and workers are refused."""
    import nlpaug.augmenter.char as nac

    transform = NlpAug(nac.KeyboardAug())
    loader = pipeline.TextLoader(lines, augment=transform, num_parallel_calls=2, shuffle=False)
    assert elements(loader)[4][0].decode() == transform(SENTENCES[4], (0, 0, 4))
    with pytest.raises(OptionError, match=r"workers=2: cannot serialize NlpAug.*workers=0"):
        pipeline.TextLoader(lines, augment=transform, workers=2)


def test_a_failing_augmentation_is_a_bad_sample(lines: Path) -> None:
    """Only the text on which it fails is lost."""
    import nlpaug.augmenter.word as naw

    def fail(text: str) -> list[str]:
        if " 7 " in text:
            raise RuntimeError("seven")
        return text.split()

    augment = NlpAug(naw.RandomWordAug(tokenizer=fail))
    loader = pipeline.TextLoader(lines, augment=augment, on_error="skip")
    assert len(elements(loader)) == 22
    assert [(row.sample, row.stage) for row in loader.errors] == [("data.train:8", "augment")]
    assert "seven" in loader.errors[0].reason


def test_it_goes_into_text_vectorization_and_fit(lines: Path) -> None:
    """A Keras model trains on it."""
    import keras

    from training.architectures import text_cnn

    dataset = pipeline.text_dataset(lines, augment=EDA(), num_aug=2, batch_size=8)
    layer = keras.layers.TextVectorization()
    layer.adapt(dataset.map(lambda texts, _: texts))
    model = text_cnn(len(layer.get_vocabulary()), classes=3, embedding=8, filters=4)
    model.compile("adam", "sparse_categorical_crossentropy")
    history = model.fit(dataset.map(lambda texts, labels: (layer(texts), labels)), epochs=2, verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"]).all()


def test_a_loader_can_be_pickled(lines: Path) -> None:
    """What is kept for speed is made again."""
    loader = pipeline.TextLoader(lines, augment=EDA(), seed=4, workers=0)
    again = pickle.loads(pickle.dumps(loader))  # noqa: S301  # what this test has just made
    assert elements(again) == elements(loader)
    assert again.fingerprint == loader.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augment": lambda text: text}, "augment must be an EDA or a transform"),
        ({"num_aug": 3}, "num_aug=3 needs augment: it sets the number of variants per text"),
        ({"augment": EDA_ONE, "num_aug": 0}, "num_aug must be an integer of at least 1"),
        ({"workers": -1}, "workers must be an integer of at least 0"),
        ({"format": "xml"}, "format must be one of"),
        ({"format": 3}, "format must be one of"),
        ({"format": TextFormat(encoding="utf-16")}, "encoding='utf-16' does not encode line ends as ASCII does"),
        ({"format": TextFormat(fallback="utf-16")}, "fallback='utf-16' does not encode line ends as ASCII does"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"label_mode": "binary"}, "needs 2 classes"),
        ({"shard": (2, 2)}, "shard must be"),
        ({"seed": None, "validation_split": 0.5, "subset": "training"}, "validation_split needs a seed"),
    ],
)
def test_options_are_checked_when_the_loader_is_made(lines: Path, options: dict[str, Any], message: str) -> None:
    """Unknown, out of range, or contradicting."""
    with pytest.raises(OptionError, match=message):
        pipeline.TextLoader(lines, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "xml"}, "format must be one of 'label text', 'text', 'tsv', 'csv', 'jsonl', None; got 'xml'"),
        ({"text_column": 1.5}, "text_column must be a column's name, its number from 0, or None; got 1.5"),
        ({"label_column": True}, "label_column must be a column's name, its number from 0, or None; got True"),
        ({"encoding": "klingon"}, "encoding must be a text encoding that Python knows; got 'klingon'"),
        ({"encoding": None}, "encoding must be a text encoding that Python knows; got None"),
        ({"fallback": "hex"}, "fallback must be a text encoding that Python knows; got 'hex'"),
        ({"fallback": "klingon"}, "fallback must be a text encoding that Python knows; got 'klingon'"),
    ],
)
def test_a_text_format_is_checked_when_it_is_made(options: dict[str, Any], message: str) -> None:
    """The error names the option, and what it got."""
    with pytest.raises(OptionError) as caught:
        TextFormat(**options)
    assert str(caught.value) == message


def test_the_name_of_a_format_is_that_format(tmp_path: Path) -> None:
    """`format="csv"` and `TextFormat("csv")` read alike; columns are chosen by name."""
    path = tmp_path / "a.dat"
    path.write_text("label,title,text\n0,one,two words\n1,two,three words\n")
    options: dict[str, Any] = {"shuffle": False, "workers": 0}
    named = pipeline.TextLoader(path, format="csv", class_names=["0", "1"], **options)
    valued = pipeline.TextLoader(path, format=TextFormat("csv"), class_names=["0", "1"], **options)
    assert named.fingerprint == valued.fingerprint
    assert elements(named) == elements(valued)
    assert [text for text, _, _ in elements(named)] == [b"two words", b"three words"]
    titles = pipeline.TextLoader(path, format=TextFormat("csv", text_column="title"), **options)
    assert [text for text, _, _ in elements(titles)] == [b"one", b"two"]
    assert elements(pickle.loads(pickle.dumps(titles))) == elements(titles)  # noqa: S301  # what was just made


@pytest.mark.parametrize(
    "changed",
    [{"augment": EDA(0.2)}, {"augment": EDA_ONE, "num_aug": 2}, {"seed": 1}, {"format": TextFormat(fallback=None)}],
)
def test_the_fingerprint_changes_with_the_stream(lines: Path, changed: dict[str, Any]) -> None:
    """Options that change what is delivered change it."""
    same = {"augment": EDA_ONE}
    assert pipeline.TextLoader(lines, **same).fingerprint == pipeline.TextLoader(lines, **same).fingerprint
    assert pipeline.TextLoader(lines, **same).fingerprint != pipeline.TextLoader(lines, **(same | changed)).fingerprint
