"""The loader and Keras: what `model.fit` sees is the stream, epoch by epoch, on one device and on several."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it
import keras
import numpy as np
import pytest

import pipeline
from pipeline import Loader

Make = Callable[..., Any]

# Keras warns that it cannot shuffle a tf.data.Dataset, which nobody asked it to.
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")


class Recorder(keras.Model):
    """A model that learns nothing and notes down the batches that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, bytes, list[int]]] = []

    def train_step(self, data: Any) -> dict[str, float]:
        """Note down a training batch."""
        images, labels = data
        self.seen.append(("train", images.numpy().tobytes(), labels.numpy().tolist()))
        return {"loss": 0.0}

    def test_step(self, data: Any) -> dict[str, float]:
        """Note down a validation batch."""
        images, labels = data
        self.seen.append(("test", images.numpy().tobytes(), labels.numpy().tolist()))
        return {"loss": 0.0}


def batches(kind: str, loader: Loader, epoch: int) -> list[tuple[str, bytes, list[int]]]:
    """List what a recorder has seen after one epoch of a loader."""
    return [(kind, images.numpy().tobytes(), labels.numpy().tolist()) for images, labels in loader.dataset(epoch)]


@pytest.fixture
def loader(folders: Make) -> Loader:
    """Define a stream of ten augmented samples, four a batch."""
    return Loader(folders(ants=4, bees=6), image_size=(8, 10), batch_size=4, augment=A.HorizontalFlip())


@pytest.fixture
def recorder() -> Recorder:
    """Give a model whose steps run eagerly."""
    model = Recorder()
    model.compile(run_eagerly=True)
    return model


def small_model(classes: int, *shape: int) -> keras.Model:
    """Build a model that takes uint8 images."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=4),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


@pytest.mark.filterwarnings("error:Your input ran out of data")
def test_fit_sees_the_epochs_in_turn(loader: Loader, recorder: Recorder) -> None:
    """A fit of three epochs sees exactly epochs 0, 1 and 2, no batch more or less."""
    recorder.fit(loader.dataset(), epochs=3, verbose=0)
    assert recorder.seen == [batch for epoch in range(3) for batch in batches("train", loader, epoch)]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras expects epochs of one length
def test_a_resumed_fit_loses_no_batch_of_any_epoch(loader: Loader, recorder: Recorder) -> None:
    """A fit on `dataset(epoch=1, step=2)` sees the rest of epoch 1, and then epoch 2."""
    recorder.fit(loader.dataset(epoch=1, step=2), epochs=2, verbose=0)
    assert recorder.seen == batches("train", loader, 1)[2:] + batches("train", loader, 2)


def test_a_second_fit_continues(loader: Loader, recorder: Recorder) -> None:
    """Fitting again on the same dataset goes on with the next epoch."""
    dataset = loader.dataset()
    recorder.fit(dataset, epochs=1, verbose=0)
    recorder.fit(dataset, epochs=1, verbose=0)
    assert recorder.seen == batches("train", loader, 0) + batches("train", loader, 1)


def test_validation_sees_its_own_epochs(loader: Loader, recorder: Recorder) -> None:
    """Training and validation data each count their own epochs, however they alternate."""
    recorder.fit(loader.dataset(), validation_data=loader.dataset(), epochs=2, verbose=0)
    wanted = [batch for epoch in range(2) for kind in ("train", "test") for batch in batches(kind, loader, epoch)]
    assert recorder.seen == wanted


def test_steps_per_epoch_cut_an_endless_stream(loader: Loader, recorder: Recorder) -> None:
    """With `.repeat()`, Keras's epochs may have any length; the stream behind them goes on unbroken."""
    recorder.fit(loader.dataset().repeat(), epochs=3, steps_per_epoch=2, verbose=0)
    assert recorder.seen == [batch for epoch in range(2) for batch in batches("train", loader, epoch)]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # under "skip" the length is not known
@pytest.mark.parametrize("options", [{}, {"drop_remainder": True}, {"on_error": "skip"}], ids=str)
def test_a_compiled_model_trains_evaluates_and_predicts(folders: Make, options: dict[str, Any]) -> None:
    """The dataset goes straight into a model in graph mode, with static and with open batch shapes."""
    dataset = pipeline.image_dataset(folders(ants=4, bees=6), image_size=(8, 10), batch_size=4, **options)
    model = small_model(2, 8, 10, 3)
    history = model.fit(dataset, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert len(history.history["loss"]) == 2
    assert np.isfinite(model.evaluate(dataset, verbose=0)).all()
    assert len(model.predict(dataset, verbose=0)) == (8 if "drop_remainder" in options else 10)


TWO_DEVICES = """
import json
import numpy as np
import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras
from pipeline import Loader

images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
loader = Loader((images, list(range(10))), image_size=(1, 1), color_mode="grayscale", batch_size=4)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
seen = []


class Recorder(keras.losses.Loss):
    def call(self, labels, predictions):
        tf.numpy_function(lambda labels: seen.append(labels.ravel().astype(int).tolist()), [labels], [])
        return keras.ops.sum(predictions * 0.0, axis=-1)


distributed = strategy.experimental_distribute_dataset(loader.dataset())
loop = [
    [[part.numpy().tolist() for part in strategy.experimental_local_results(labels)] for _, labels in distributed]
    for _ in range(2)
]
with strategy.scope():
    model = keras.Sequential([keras.Input((1, 1, 1), dtype="uint8"), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", Recorder())
model.fit(loader.dataset(), epochs=3, verbose=0)
wanted = [[labels.numpy().tolist() for _, labels in loader.dataset(epoch)] for epoch in range(5)]
print(json.dumps({"loop": loop, "fit": seen, "wanted": wanted}))
"""


@pytest.fixture(scope="module")
def two_devices(run_python: Make) -> dict[str, Any]:
    """Run a loop and a fit under a strategy of two logical devices, which a process must configure first of all."""
    return json.loads(run_python(TWO_DEVICES).splitlines()[-1])


def test_two_devices_share_each_batch_of_a_loop(two_devices: dict[str, Any]) -> None:
    """In a plain loop under `MirroredStrategy` the devices have between them the batches of epochs 0 and 1."""
    for epoch in range(2):
        for (first, second), batch in zip(two_devices["loop"][epoch], two_devices["wanted"][epoch], strict=True):
            assert first + second == batch


def test_a_fit_on_two_devices_sees_consecutive_epochs(two_devices: dict[str, Any]) -> None:
    """Keras draws one iteration ahead to build the model, so that a fit of three epochs sees epochs 1, 2 and 3."""
    seen = iter(two_devices["fit"])
    for epoch in (1, 2, 3):
        for batch in two_devices["wanted"][epoch]:
            assert sorted(next(seen) + next(seen)) == sorted(batch)
    assert list(seen) == []


@pytest.fixture(scope="module")
def photos(caudal_data: Path) -> Path:
    """Give the folder of real photographs, or skip."""
    path = caudal_data / "photos" / "hymenoptera" / "val"
    if not path.is_dir():
        pytest.skip(f"{path} is absent")
    return path


def test_real_photographs_go_straight_into_fit(photos: Path) -> None:
    """Two folders of photographs of all sizes train a model, augmented and split, in the README's few lines."""
    options: dict[str, Any] = {"image_size": (64, 64), "batch_size": 8, "validation_split": 0.3, "stratify": True}
    augment = A.Compose([A.RandomResizedCrop((64, 64)), A.HorizontalFlip(), A.ColorJitter()])
    train = pipeline.image_dataset(photos, augment=augment, subset="training", **options)
    validation = pipeline.image_dataset(photos, subset="validation", **options)
    assert train.class_names == validation.class_names == ["ants", "bees"]
    model = small_model(2, 64, 64, 3)
    history = model.fit(train, validation_data=validation, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(history["val_loss"]).all()
    assert sum(len(labels) for _, labels in train) == train.loader.num_examples > 50
    assert train.loader.errors == ()


def test_real_photographs_stream_alike_at_any_number_of_threads(photos: Path) -> None:
    """A class of photographs gives the same bits with one and with eight parallel calls, and differs between epochs."""
    streams = []
    for num_parallel_calls in (1, 8):
        loader = Loader(
            photos,
            image_size=(32, 32),
            batch_size=16,
            class_names=["ants"],
            augment=[A.RandomResizedCrop((64, 64)), A.HorizontalFlip(), A.ColorJitter()],
            on_error="replace",
            num_parallel_calls=num_parallel_calls,
        )
        dataset = loader.dataset()
        streams.append([[images.numpy().tobytes() for images, _ in dataset] for _ in range(2)])
    assert streams[0] == streams[1]
    assert not set(streams[0][0]) & set(streams[0][1])
