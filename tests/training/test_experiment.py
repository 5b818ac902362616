"""Experiments and their reports: reproducible without global seeds, on several devices, with pictures of mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.errors import OptionError
from training import Recipe
from training.architectures import build
from training.architectures.registry import NAMES
from training.confusion import confusion_matrix
from training.errors import TrainingError
from training.experiment import Experiment
from training.initialize import initialize
from training.predictions import Predictions, predict
from training.report import write_report

Make = Callable[..., Path]


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_are_a_function_of_the_seed(name: str) -> None:
    """Every kernel and every state of dropout, whatever the global generators are at."""
    models = [build(name, input_shape=(32, 32, 3), classes=3, width=1 / 32) for _ in range(3)]
    for number, (model, seed) in enumerate(zip(models, (0, 0, 1), strict=True)):
        keras.utils.set_random_seed(number)
        initialize(model, seed)
    one, same, other = ([np.asarray(variable) for variable in model.variables] for model in models)
    assert all(np.array_equal(*pair) for pair in zip(one, same, strict=True))
    kernels = [pair for pair in zip(one, other, strict=True) if pair[0].ndim > 1]
    assert kernels
    assert all(np.ptp(pair[0]) == 0 or not np.array_equal(*pair) for pair in kernels)


def test_initializing_keeps_the_initializers_spread() -> None:
    """He's normal distribution, after as before."""
    model = build("all-convolutional-c", input_shape=(32, 32, 3), classes=10, width=0.25)
    before = [np.std(weight) for weight in model.get_weights() if weight.ndim > 1]
    initialize(model, 5)
    after = [np.std(weight) for weight in model.get_weights() if weight.ndim > 1]
    np.testing.assert_allclose(after, before, rtol=0.15)


def test_a_report_tells_what_came_out(folders: Make, tmp_path: Path) -> None:
    """Page, pictures, numbers and a model that loads; a bad sample is skipped and named."""
    root = folders(ants=12, bees=12)
    (root / "bees" / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    experiment = Experiment(source=root, model="graph", image_size=(8, 8), epochs=1, on_error="skip", batch_size=4)
    outcome = experiment.run()
    report = write_report(outcome, tmp_path / "r")
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    assert result["validation_error"] == report.predictions.error
    assert report.predictions.confusion.sum() == len(report.predictions.labels)
    assert result["validation_error"] == pytest.approx(1 - result["history"]["val_accuracy"][-1])
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in report.pictures)
    page = (tmp_path / "r" / "report.html").read_text()
    assert all(name in page for name in ("training.png", "confusion.png", "worst.png", result["weights_sha256"]))
    again = predict(keras.saving.load_model(tmp_path / "r" / "model.keras"), outcome.validation)
    np.testing.assert_allclose(again.probabilities, report.predictions.probabilities, rtol=1e-5)


def test_predictions_know_the_worst() -> None:
    """The least probable of their own class come first; the rows of the confusion matrix are the labels."""
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], np.float32)
    made = Predictions(("a", "b"), np.array([1, 1, 0]), probabilities, ("x", "y", "z"))
    assert made.find_worst(2) == [0, 2]
    assert made.error == pytest.approx(2 / 3)
    assert made.confusion.tolist() == [[0, 1], [1, 1]]


def test_many_classes_and_strange_names_fit_the_matrix(tmp_path: Path) -> None:
    """Markup, bytes that are no text, and long names are drawn as they are."""
    names = ["$x_{", "\udcff", "n" * 60, *(str(number) for number in range(37))]
    assert confusion_matrix(tmp_path / "c.png", np.eye(40, dtype=np.int64), names).stat().st_size > 1000


def test_normalized_pixels_are_refused(folders: Make) -> None:
    """Validation images are not augmented, and would differ from the training ones."""
    import albumentations as A  # noqa: N812  # the usual name

    experiment = Experiment(source=folders(ants=5, bees=5), augment=A.Compose([A.Normalize()]), image_size=(8, 8))
    with pytest.raises(TrainingError, match="yields float32 pixels, but validation images are uint8; remove Normalize"):
        experiment.make_loaders()


def test_a_single_class_is_refused(folders: Make) -> None:
    """Its model would have one output, and every answer would be right."""
    with pytest.raises(TrainingError, match="the source has one class, ants; use a source with two or more"):
        Experiment(source=folders(ants=5), image_size=(8, 8)).make_loaders()


def test_a_split_of_nothing_is_refused(folders: Make) -> None:
    """0 is not taken for "not given"."""
    with pytest.raises(OptionError, match=r"validation_split must be a fraction in \(0, 1\); got 0\.0"):
        Experiment(source=folders(ants=5, bees=5), image_size=(8, 8), validation_split=0.0).make_loaders()


def test_bad_validation_samples_are_skipped_where_others_are_replaced(folders: Make) -> None:
    """A replacement would count twice; and a bad sample is listed once, not once per epoch."""
    root = folders(ants=6, bees=6)
    (root / "bees" / "9.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    experiment = Experiment(
        source=root, validation=root, model="graph", image_size=(8, 8), epochs=2, on_error="replace"
    )
    outcome = experiment.run()
    keys = predict(outcome.model, outcome.validation).keys
    assert len(set(keys)) == len(keys) == 12
    assert [row.sample for row in outcome.validation.errors] == ["bees/9.png"]


TWO_DEVICES = """
import json
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from training import devices, fit, Recipe
from training.architectures import build
from training.initialize import initialize
from pipeline import Loader
labels = np.arange(25) % 2
images = (np.random.default_rng(0).integers(0, 100, (25, 4, 4, 3)) + 150 * labels[:, None, None, None]).astype(np.uint8)
recipe = Recipe(optimizer="sgd", label_smoothing=0.1, class_weights=[1.0, 2.0])
weights = []
for strategy in (devices.strategy("CPU"), tf.distribute.get_strategy()):
    with strategy.scope():
        model = build("all-convolutional-a", input_shape=(4, 4, 3), classes=2, width=0.05, dropout=False)
        initialize(model, 0)
    loader = Loader((images, labels), image_size=(4, 4), batch_size=4)
    held_out = Loader((images, labels), image_size=(4, 4), batch_size=4, shuffle=False)
    history = fit(model, loader, held_out, epochs=2, recipe=recipe).history
    weights.append((strategy.num_replicas_in_sync, history, [w.tolist() for w in model.get_weights()]))
print(json.dumps(weights))
"""


def test_two_devices_train_as_one(run_python: Callable[..., str]) -> None:
    """Each batch, a last one of a single sample too, divided between two logical CPUs gives what one gives."""
    (replicas, several, divided), (_, single, whole) = json.loads(run_python(TWO_DEVICES).splitlines()[-1])
    assert replicas == 2
    for name, values in single.items():
        # Of the single sample in the last batch the accuracy counts a copy as well, which changes it not.
        assert several[name] == pytest.approx(values, rel=1e-4)
    for one, other in zip(divided, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_changes_reach_the_recipe() -> None:
    """What an experiment does not have is refused by name."""
    changed = Experiment(source="x").with_changes(width=0.5, weight_decay=0.1)
    assert (changed.width, changed.recipe) == (0.5, Recipe(weight_decay=0.1))
    with pytest.raises(TrainingError, match="unknown attributes of an experiment: depth"):
        Experiment(source="x").with_changes(depth=3)
