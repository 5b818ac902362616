"""The stream: the same at any number of threads and from any source, resumed anywhere, shared among shards."""

import itertools
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline
from augment.plan import compiled
from pipeline import Loader, image_dataset
from pipeline.images import stacking

Make = Callable[..., Any]
Stream = list[tuple[Any, ...]]

AUGMENT = [A.RandomResizedCrop((8, 8)), A.HorizontalFlip(), A.Rotate((-20, 20)), A.ColorJitter(), A.CoarseDropout()]
OPTIONS: dict[str, Any] = {"image_size": (8, 8), "batch_size": 3, "augment": AUGMENT}


def batches(dataset: Iterable[Any]) -> Stream:
    """List the batches of an iteration as bytes of pixels, labels and keys, which compare."""
    return [
        tuple(np.asarray(part).tolist() if part.dtype == tf.string else part.numpy().tobytes() for part in batch)
        for batch in dataset
    ]


def epoch_of(loader: Loader, epoch: int = 0, step: int = 0) -> Stream:
    """List the batches of one epoch from a step on."""
    return batches(loader.dataset(epoch, step, with_keys=True))


def keys_of(stream: Stream) -> list[bytes]:
    """List the keys of all samples of a stream."""
    return [key for *_, keys in stream for key in keys]


@pytest.fixture
def folder(folders: Make) -> Path:
    """Write class-folders of four ants and six bees, 12 x 14."""
    return folders(ants=4, bees=6, height=12, width=14)


@pytest.fixture
def loader(folder: Path) -> Loader:
    """Define an augmented, shuffled stream of ten samples, three a batch."""
    return Loader(folder, **OPTIONS)


def test_any_number_of_parallel_calls_gives_the_same_stream(folder: Path) -> None:
    """One, two and eight threads, with and without prefetching, deliver the same bits in the same order."""
    streams = []
    for num_parallel_calls, prefetch in ((1, 0), (2, 2), (8, 1)):
        dataset = Loader(folder, num_parallel_calls=num_parallel_calls, prefetch=prefetch, **OPTIONS).dataset(
            with_keys=True
        )
        streams.append([batches(dataset) for _ in range(3)])
    assert streams[0] == streams[1] == streams[2]


@pytest.mark.parametrize("epoch", range(3))
def test_every_epoch_has_every_sample_once(loader: Loader, epoch: int) -> None:
    """Shuffling neither loses nor doubles a sample."""
    keys = keys_of(epoch_of(loader, epoch))
    assert sorted(keys) == [b"ants/%d.png" % n for n in range(4)] + [b"bees/%d.png" % n for n in range(6)]


def test_epochs_differ_in_order_and_in_augmentation(loader: Loader, folder: Path) -> None:
    """Each epoch has an order of its own, and even in the same order each sample is augmented anew."""
    assert len({tuple(keys_of(epoch_of(loader, epoch))) for epoch in range(4)}) == 4
    ordered = Loader(folder, shuffle=False, **OPTIONS)
    epochs = [epoch_of(ordered, epoch) for epoch in range(3)]
    assert keys_of(epochs[0]) == keys_of(epochs[1]) == keys_of(epochs[2])
    for batch in zip(*epochs, strict=True):
        assert len({pixels for pixels, *_ in batch}) == 3


def test_runs_do_not_differ(folder: Path) -> None:
    """Another loader with the same options delivers the same, another seed something else."""
    one, same, other = (epoch_of(Loader(folder, seed=seed, **OPTIONS)) for seed in (5, 5, 6))
    assert one == same
    assert one != other


def test_samples_of_one_picture_are_augmented_differently(picture: Make) -> None:
    """Twelve copies of one picture become twelve different pictures, within a batch and across batches."""
    copies = np.repeat(picture(0, 12, 14)[np.newaxis], 12, axis=0)
    images = np.concatenate([image.numpy() for image, _ in Loader((copies, [0] * 12), **OPTIONS).dataset()])
    assert len({image.tobytes() for image in images}) == 12


def test_a_sample_s_augmentation_depends_neither_on_batch_nor_on_position(folder: Path) -> None:
    """Seed, epoch and sample alone decide: other batch sizes, orders and shards give a sample the same pixels."""

    def pixels_by_key(**options: Any) -> dict[bytes, bytes]:
        dataset = Loader(folder, **{**OPTIONS, **options}).dataset(epoch=2, with_keys=True)
        return {
            key: image.tobytes()
            for images, _, keys in dataset
            for image, key in zip(images.numpy(), keys.numpy().tolist(), strict=True)
        }

    wanted = pixels_by_key()
    assert len(wanted) == 10
    assert pixels_by_key(batch_size=10) == pixels_by_key(shuffle=False) == wanted
    assert pixels_by_key(shard=(0, 2)) | pixels_by_key(shard=(1, 2)) == wanted


def test_a_sample_s_augmentation_is_that_of_the_whole_dataset(folder: Path) -> None:
    """Choosing a part by a split does not give its samples other pixels than they have in the whole."""
    options = {**OPTIONS, "shuffle": False, "batch_size": None}
    whole = {key: pixels for pixels, _, key in batches_of_singles(Loader(folder, **options))}
    part = Loader(folder, validation_split=0.5, subset="validation", **options)
    chosen = {key: pixels for pixels, _, key in batches_of_singles(part)}
    assert len(chosen) == 5
    assert chosen.items() <= whole.items()


def batches_of_singles(loader: Loader) -> Stream:
    """List the samples of an epoch of single samples."""
    return [(image.numpy().tobytes(), int(label), key.numpy()) for image, label, key in loader.dataset(with_keys=True)]


def test_consecutive_iterations_are_consecutive_epochs(loader: Loader) -> None:
    """A plain loop over the dataset, again and again, gives epochs 0, 1, 2, ..."""
    dataset = loader.dataset(with_keys=True)
    for epoch in range(4):
        assert batches(dataset) == epoch_of(loader, epoch)


def test_an_iteration_that_is_left_early_still_counts(loader: Loader) -> None:
    """Whoever breaks off an epoch goes on with the next one."""
    dataset = loader.dataset(with_keys=True)
    assert batches([next(iter(dataset))]) == epoch_of(loader, 0)[:1]
    assert batches(dataset) == epoch_of(loader, 1)


def test_iterations_at_the_same_time_are_different_epochs(loader: Loader) -> None:
    """Four threads that iterate one dataset take four epochs between them, each from its beginning to its end."""
    dataset = loader.dataset(with_keys=True)
    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(lambda _: batches(dataset), range(4)))
    assert sorted(seen) == sorted(epoch_of(loader, epoch) for epoch in range(4))


def test_repeat_goes_on_with_the_next_epochs(loader: Loader) -> None:
    """`.repeat(3)` is epochs 0, 1 and 2, and `.repeat()` goes on for ever."""
    wanted = [batch for epoch in range(3) for batch in epoch_of(loader, epoch)]
    assert batches(loader.dataset(with_keys=True).repeat(3)) == wanted
    assert batches(loader.dataset(with_keys=True).repeat().take(9)) == wanted[:9]


def test_two_datasets_of_one_loader_do_not_disturb_each_other(loader: Loader) -> None:
    """Each counts its own epochs, also while both are iterated in turn."""
    wanted = epoch_of(loader)
    one, other = iter(loader.dataset(with_keys=True)), iter(loader.dataset(with_keys=True))
    turns = [(next(one), next(other)) for _ in range(4)]
    assert batches(first for first, _ in turns) == batches(second for _, second in turns) == wanted


def test_a_dataset_works_behind_further_operations(loader: Loader) -> None:
    """`map` and `unbatch` of tf.data see the same stream."""
    dataset = loader.dataset(with_keys=True)
    mapped = dataset.map(lambda images, _, keys: (tf.cast(images, tf.float32) / 255, keys))
    assert [key for _, keys in mapped for key in keys.numpy()] == keys_of(epoch_of(loader))
    assert [key.numpy() for *_, key in loader.dataset(with_keys=True).unbatch()] == keys_of(epoch_of(loader))


def test_a_dataset_works_inside_a_tf_function(loader: Loader) -> None:
    """A loop in a graph counts the epochs as a loop in Python does."""
    dataset = loader.dataset()

    @tf.function
    def total() -> tf.Tensor:
        count = tf.constant(0, tf.int64)
        for images, _ in dataset:
            count += tf.reduce_sum(tf.cast(images, tf.int64))
        return count

    def wanted(epoch: int) -> int:
        return sum(int(tf.reduce_sum(tf.cast(images, tf.int64))) for images, _ in loader.dataset(epoch))

    assert [int(total()) for _ in range(2)] == [wanted(0), wanted(1)]


@pytest.mark.parametrize(
    ("drop_remainder", "batch_size"), [(False, None), *itertools.product((False, True), (3, 5, 10))]
)
def test_every_position_can_be_resumed(folder: Path, batch_size: int | None, drop_remainder: bool) -> None:
    """From every epoch and step, the stream goes on exactly as it would have without a break."""
    loader = Loader(folder, **{**OPTIONS, "batch_size": batch_size, "drop_remainder": drop_remainder})
    dataset = loader.dataset(with_keys=True)
    uninterrupted = [batches(dataset) for _ in range(3)]
    for epoch in range(2):
        for step in range(loader.steps_per_epoch + 1):
            resumed = loader.dataset(epoch, step, with_keys=True)
            assert batches(resumed) == uninterrupted[epoch][step:]
            assert batches(resumed) == uninterrupted[epoch + 1]


@settings(max_examples=15)
@given(
    size=st.integers(1, 12),
    batch_size=st.none() | st.integers(1, 5),
    count=st.integers(1, 3),
    shuffle=st.booleans(),
    data=st.data(),
)
def test_any_stream_can_be_resumed_anywhere(
    size: int, batch_size: int | None, count: int, shuffle: bool, data: st.DataObject
) -> None:
    """Whatever the sizes, shards and order, a resumed stream is the tail of the whole one."""
    pixels = np.arange(size, dtype=np.uint8).reshape(size, 1, 1, 1)
    index = data.draw(st.integers(0, min(count, size) - 1))
    loader = Loader(
        (pixels, [0] * size), image_size=(1, 1), batch_size=batch_size, shuffle=shuffle, shard=(index, count), seed=9
    )
    epoch = data.draw(st.integers(0, 2))
    step = data.draw(st.integers(0, loader.steps_per_epoch))
    dataset = loader.dataset()
    epochs = [[image.numpy().tolist() for image, _ in dataset] for _ in range(epoch + 2)]
    resumed = loader.dataset(epoch, step)
    assert [image.numpy().tolist() for image, _ in resumed] == epochs[epoch][step:]
    assert [image.numpy().tolist() for image, _ in resumed] == epochs[epoch + 1]


@pytest.mark.filterwarnings("ignore:Using lambda")
def test_a_late_position_starts_at_once(picture: Make) -> None:
    """Epoch 10^9 starts as epoch 0 does, and computes no sample that it does not deliver."""
    calls = []
    note = A.Lambda(image=lambda image, **_: calls.append(1) or image, name="note", p=1)
    images = np.stack([picture(number) for number in range(40)])
    loader = Loader((images, [0] * 40), image_size=None, batch_size=4, augment=note, shuffle=False)
    calls.clear()  # the transform has been tried out
    dataset = loader.dataset(epoch=10**9, step=9)
    assert len(calls) == 1  # what the augmentation yields has been looked at
    assert len(list(dataset)) == 1
    assert len(calls) == 1 + 4


@pytest.mark.parametrize("count", [2, 3, 10])
@pytest.mark.parametrize("shuffle", [True, False])
def test_shards_partition_every_epoch(folder: Path, count: int, shuffle: bool) -> None:
    """Together the shards have every sample once, with the pixels of the unsharded stream, in each epoch."""
    options = {**OPTIONS, "shuffle": shuffle}
    shards = [Loader(folder, shard=(index, count), **options).dataset(with_keys=True) for index in range(count)]
    whole = Loader(folder, **options).dataset(with_keys=True)
    for _ in range(2):
        keys = [key for dataset in shards for key in keys_of(batches(dataset))]
        assert len(keys) == len(set(keys)) == 10
        assert sorted(keys) == sorted(keys_of(batches(whole)))


def test_the_batches_of_all_shards_are_the_larger_batch(folder: Path) -> None:
    """At each step, two shards deliver between them what one loader with twice the batch size delivers."""
    shards = [epoch_of(Loader(folder, shard=(index, 2), **{**OPTIONS, "batch_size": 2})) for index in range(2)]
    whole = epoch_of(Loader(folder, **{**OPTIONS, "batch_size": 4}))
    for first, second, larger in zip(*shards, whole, strict=True):
        assert sorted(first[2] + second[2]) == sorted(larger[2])


@pytest.mark.parametrize("manifest", [True, False], ids=["converted", "foreign"])
def test_folder_and_records_give_the_same_stream(folder: Path, records: Make, manifest: bool) -> None:
    """TFRecords made of the files deliver the same pixels, labels and keys, epoch by epoch, bit by bit."""
    converted = records(folder, shards=3, manifest=manifest)
    for options in ({}, {"shard": (1, 2)}, {"validation_split": 0.4, "subset": "training", "stratify": True}):
        from_folder, from_records = (Loader(source, **OPTIONS, **options) for source in (folder, converted))
        for epoch in range(2):
            assert epoch_of(from_records, epoch) == epoch_of(from_folder, epoch)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".gif", ".bmp", ".webp"])
def test_every_format_is_streamed(folders: Make, extension: str) -> None:
    """A folder of any of the five formats goes through, and so does one that mixes them."""
    folder = folders(a=2, extension=extension)
    images = np.concatenate([image.numpy() for image, _ in Loader(folder, image_size=(8, 10)).dataset()])
    assert images.shape == (2, 8, 10, 3)
    assert images[0].tobytes() != images[1].tobytes()


def test_odd_keys_are_delivered_byte_by_byte(tmp_path: Path, picture: Make, encode: Make) -> None:
    """A sample's key is its file's name in bytes, whatever it is encoded in."""
    (tmp_path / "a").mkdir()
    with open(bytes(tmp_path / "a") + b"/\xff\n.png", "wb") as file:
        file.write(encode(picture(0)))
    assert keys_of(epoch_of(Loader(tmp_path, image_size=(8, 10)))) == [b"a/\xff\n.png"]


def test_threads_share_a_loader(loader: Loader) -> None:
    """Four threads that iterate datasets of one loader each see the whole stream."""
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: epoch_of(loader), range(4))) == [epoch_of(loader)] * 4


def test_the_global_generators_are_left_alone(loader: Loader) -> None:
    """A stream neither draws from nor seeds `random`, `numpy.random` or TensorFlow's generator."""
    tf.random.set_seed(1)
    wanted = float(tf.random.uniform([]))
    tf.random.set_seed(1)
    random.seed(97531)
    np.random.seed(97531)  # noqa: NPY002  # the global state is the subject
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    epoch_of(loader)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    assert float(tf.random.uniform([])) == wanted


def test_a_stream_is_the_same_in_every_version(picture: Make) -> None:
    """Golden keys of two epochs: were they to change, no recorded run could be resumed."""
    images = np.stack([picture(number) for number in range(6)])
    loader = Loader((images, [0] * 6), image_size=(8, 10), batch_size=4)
    assert [int(key) for key in keys_of(epoch_of(loader, 0))] == [0, 4, 1, 5, 2, 3]
    assert [int(key) for key in keys_of(epoch_of(loader, 1))] == [2, 3, 0, 4, 5, 1]


def test_image_dataset_starts_at_the_beginning(folder: Path, loader: Loader) -> None:
    """The short form is epoch 0 of the loader, and then epoch 1."""
    dataset = pipeline.image_dataset(folder, **OPTIONS)
    for epoch in range(2):
        assert batches(dataset) == [batch[:2] for batch in epoch_of(loader, epoch)]


def test_a_loader_that_was_used_can_be_sent_away(folders: Callable[..., Path]) -> None:
    """Pickled and unpickled, it delivers the same stream."""
    import pickle

    loader = Loader(folders(ants=3, bees=3), image_size=(8, 8), batch_size=2, cache="ram", seed=4)
    before = [images.tobytes() for images, _ in loader.dataset(1).as_numpy_iterator()]
    again = pickle.loads(pickle.dumps(loader))  # noqa: S301  # our own bytes
    assert [images.tobytes() for images, _ in again.dataset(1).as_numpy_iterator()] == before


def test_many_images_of_an_array_are_augmented_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each counts by its own pixels, not by those of the whole array."""
    if compiled.load_kernels() is None:
        pytest.skip("the kernels were not compiled, or are not used on this processor")
    materialize_all, together = stacking.materialize_all, []

    def count_and_finish(deferred: Any) -> Any:
        together.append(len(deferred))
        return materialize_all(deferred)

    monkeypatch.setattr(stacking, "materialize_all", count_and_finish)
    arrays = np.zeros((100, 32, 32, 3), np.uint8), np.zeros(100, np.int64)
    for _ in image_dataset(arrays, image_size=(32, 32), batch_size=50, augment=A.ColorJitter(p=1)):
        pass
    assert together == [1, 50, 50]


def test_few_images_that_were_decoded_whole_wait_to_be_augmented(
    folders: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small crop keeps its whole image in memory: what waits is counted by that."""
    if compiled.load_kernels() is None:
        pytest.skip("the kernels were not compiled, or are not used on this processor")
    materialize_all, together = stacking.materialize_all, []

    def count_and_finish(deferred: Any) -> Any:
        together.append(len(deferred))
        return materialize_all(deferred)

    monkeypatch.setattr(stacking, "materialize_all", count_and_finish)
    crop = A.Compose([A.RandomCrop(8, 8), A.ColorJitter(p=1)])
    for _ in image_dataset(folders(a=6, b=6, height=500, width=500), image_size=(8, 8), batch_size=12, augment=crop):
        pass
    assert together == [1] + [2] * 6  # one shows the shape; then those of 750,000 bytes each, of which a MiB may wait
