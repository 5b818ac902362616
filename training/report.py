"""The report of a training: an HTML page with pictures, and the numbers as JSON."""

import hashlib
import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.views import Views
from training import canvas
from training.confusion import confusion_matrix, image_grid
from training.evaluate import Reduce, evaluate
from training.experiment import Outcome
from training.figures import training_curves
from training.files import replace_atomically
from training.predictions import Predictions, collect_images, predict
from training.validation_data import describe_data, format_ignored

if TYPE_CHECKING:
    import keras

PAGE = "report.html"
RESULT = "result.json"
MODEL = "model.keras"
CURVES, CONFUSION, WORST = "training.png", "confusion.png", "worst.png"

_WORST = 18
"""Number of samples in the picture, in rows of six."""

_STYLE = (
    "body{font:16px/1.5 sans-serif;color:#333;max-width:60em;margin:2em auto;padding:0 1em}"
    "img{max-width:100%}table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left}"
)


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        directory: contains the page, the pictures and the numbers.
        result: the numbers.
        predictions: for the validation samples.
    """

    directory: Path
    result: dict[str, Any]
    predictions: Predictions

    @property
    def pictures(self) -> list[Path]:
        """The written PNGs."""
        return [self.directory / name for name in (CURVES, CONFUSION, WORST)]


def write_report(
    outcome: Outcome, directory: str | Path, *, views: str | Views | None = None, reduce: Reduce = "mean"
) -> Report:
    """Evaluate an experiment's model, and write "report.html", the pictures, "result.json" and "model.keras".

    Args:
        outcome: of the experiment.
        directory: created if missing.
        views: for test-time augmentation, as in `evaluate`; its error is added to the report.
        reduce: how to reduce the predictions of an image's views.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    predictions = predict(outcome.model, outcome.validation)
    experiment, history = outcome.experiment, outcome.history
    result: dict[str, Any] = {
        "model": experiment.model,
        "parameters": outcome.model.count_params(),
        "classes": list(predictions.class_names),
        "training_examples": outcome.train.num_examples,
        "validation_examples": len(predictions.labels),
        "epochs": len(outcome.waiting),
        "validation_error": predictions.error,
        "history": history,
        "waiting": outcome.waiting,
        "views": None if views is None else _evaluate_views(outcome, views, reduce),
        "training_data": describe_data(outcome.train),
        "validation_data": describe_data(outcome.validation),
        "skipped": [row.sample for row in (*outcome.train.errors, *outcome.validation.errors)],
        "weights_sha256": hash_weights(outcome.model),
    }
    training_curves(directory / CURVES, {experiment.model: history})
    confusion_matrix(directory / CONFUSION, predictions.confusion, predictions.class_names)
    _draw_worst(directory / WORST, outcome, predictions)
    with replace_atomically(directory / MODEL) as partial:
        outcome.model.save(partial)
    for name, text in ((RESULT, json.dumps(result, indent=2) + "\n"), (PAGE, _render_page(result))):
        with replace_atomically(directory / name) as partial:
            partial.write_text(text, errors="backslashreplace")
    return Report(directory, result, predictions)


def _evaluate_views(outcome: Outcome, views: str | Views, reduce: Reduce) -> dict[str, Any]:
    found = evaluate(outcome.model, outcome.validation, views=views, reduce=reduce)
    return {
        "views": str(views),
        "reduce": reduce,
        "validation_error": 1 - found.accuracy,
        "error_of_each": [1 - float(accuracy) for accuracy in found.accuracy_of_views],
    }


def hash_weights(model: "keras.Model") -> str:
    """Return the digest of a model's weights: equal digests mean bitwise equal weights."""
    hashed = hashlib.sha256()
    for weight in model.get_weights():
        hashed.update(np.ascontiguousarray(weight).tobytes())
    return hashed.hexdigest()


def _draw_worst(path: Path, outcome: Outcome, predictions: Predictions) -> None:
    indices = predictions.find_worst(_WORST)
    names = predictions.class_names
    captions = [
        f"{canvas.shorten(names[predictions.labels[index]])}\n"
        f"predicted: {canvas.shorten(names[predictions.predicted_classes[index]])}\n"
        f"{predictions.probabilities[index, predictions.labels[index]]:.1%} probability of its label"
        for index in indices
    ]
    images = collect_images(outcome.validation, [predictions.keys[index] for index in indices])
    title = f"The {len(indices)} validation samples with the lowest probability of their label"
    image_grid(path, images, captions, title)


def _render_page(result: dict[str, Any]) -> str:
    facts = {
        "model": f"{result['model']}, {result['parameters']:,} parameters",
        "classes": ", ".join(result["classes"]),
        "samples": f"{result['training_examples']:,} for training, {result['validation_examples']:,} for validation",
        "epochs": str(result["epochs"]),
        "validation error": f"{result['validation_error']:.2%}",
        **_describe_views(result["views"]),
        "waited for data": f"{max(result['waiting'], default=0):.1%} of the time at most, per epoch",
        **_describe_data("training", result["training_data"]),
        **_describe_data("validation", result["validation_data"]),
        "skipped samples": str(len(result["skipped"])),
        "weights (SHA-256)": result["weights_sha256"],
    }
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in facts.items()
    )
    pictures = "".join(
        f'<h2>{title}</h2><img src="{name}" alt="{title}">'
        for title, name in (
            ("Loss and accuracy", CURVES),
            ("Confusion matrix", CONFUSION),
            ("Worst samples", WORST),
        )
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Training report</title><style>{_STYLE}</style>'
        f"<h1>Training report</h1><table>{rows}</table>{pictures}</html>\n"
    )


def _describe_data(name: str, data: dict[str, Any]) -> dict[str, str]:
    facts = {
        f"ignored {name} files": format_ignored(data["ignored_files"]),
        f"classes without {name} samples": ", ".join(data["empty_classes"]),
        f"dropped {name} samples, by class": format_ignored(data["dropped_classes"]),
    }
    return {label: text for label, text in facts.items() if text}


def _describe_views(views: dict[str, Any] | None) -> dict[str, str]:
    if views is None:
        return {}
    count = len(views["error_of_each"])
    error = f"{views['validation_error']:.2%}, {views['reduce']} of {count} predictions"
    return {f"test-time augmentation ({views['views']})": error}
