"""The learning curve: the error on held-out samples against the number of training samples.

For each seed, the training sets are nested and stratified (`Loader(limit=...)`). A shallow model, multinomial logistic
regression on the pixels, is compared with a deep one; with an augmentation, the deep model is measured with it too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline import Loader
from training.checks import check_count
from training.errors import TrainingError
from training.experiment import Experiment
from training.fit import fit
from training.power_law import PowerLaw, evaluate_power_law, fit_power_law, invert
from training.predictions import predict

SHALLOW = "logistic regression"
AUGMENTED = "with augmentation"

SIZES = 6
"""Default number of training sets; their sizes grow by a constant factor."""

LARGEST = 2048
"""Default size of the largest training set: more would take hours."""


@dataclass(frozen=True)
class Point:
    """One measurement.

    Attributes:
        curve: name of the model.
        examples: number of training samples.
        seed: of the subset and everything else random.
        error: on the held-out samples, from 0 to 1.
    """

    curve: str
    examples: int
    seed: int
    error: float


@dataclass(frozen=True)
class Worth:
    """The number of samples without augmentation that equals a number with it.

    Attributes:
        examples: number of training samples.
        equivalent: number of samples without augmentation for the same error, and its 95 % bounds; inf where the plain
            curve's floor is above that error.
    """

    examples: int
    equivalent: tuple[float, float, float]


@dataclass(frozen=True)
class LearningCurve:
    """Measured learning curves, and the power laws fitted to them.

    Attributes:
        points: all measurements.
        laws: the power law of each curve.
        held_out: number of held-out samples.
    """

    points: tuple[Point, ...]
    laws: dict[str, PowerLaw]
    held_out: int

    @property
    def sizes(self) -> list[int]:
        """The numbers of training samples."""
        return sorted({point.examples for point in self.points})

    def errors(self, curve: str, examples: int) -> list[float]:
        """Return a curve's errors at a number of examples, one per seed."""
        return [point.error for point in self.points if (point.curve, point.examples) == (curve, examples)]

    def worth(self) -> list[Worth]:
        """Return the augmentation's worth in examples: the horizontal distance between its curve and the plain one.

        It compares the fitted laws, not the measurements; the bounds come from both bootstraps. Empty without
        augmentation.
        """
        augmented = next((name for name in self.laws if name.endswith(AUGMENTED)), None)
        if augmented is None:
            return []
        plain, other = self.laws[augmented.removesuffix(f" {AUGMENTED}")], self.laws[augmented]
        return [
            Worth(size, (float(invert(plain.params, other([size])[0])), *_compute_bounds(plain, other, size)))
            for size in self.sizes
        ]


def _compute_bounds(plain: PowerLaw, other: PowerLaw, size: int) -> tuple[float, float]:
    draws = invert(plain.draws, evaluate_power_law(other.draws, [size])[:, 0])
    low, high = np.quantile(draws, [0.025, 0.975], method="closest_observation")
    return float(low), float(high)


def learning_curve(
    experiment: Experiment,
    *,
    sizes: Sequence[int] | None = None,
    seeds: int = 3,
    steps: int = 500,
    augment: Any = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> LearningCurve:
    """Measure the error of a shallow and a deep model against the number of training samples, and fit power laws.

    The deep model makes about the same number of steps on every training set: with equal epochs, small sets would get
    fewer steps.

    Args:
        experiment: data, deep model and recipe; this function sets `augment`, `limit`, `epochs` and `seed`.
        sizes: numbers of training samples, at least three; by default six, up to all or 2,048.
        seeds: repetitions, each with its own subsets, order and initial weights; and with its own split, unless the
            experiment has validation data.
        steps: training steps of the deep model.
        augment: an Albumentations transform: the deep model is also measured with it.
        progress: called with the number of finished measurements and the total.

    Raises:
        TrainingError: there are fewer than three sizes.
        CaudalError: the loaders, the model or `fit` refuse an option.
    """
    for name, count in (("seeds", seeds), ("steps", steps), *(("sizes", size) for size in sizes or ())):
        check_count(name, count)
    plain = replace(experiment, augment=None, limit=None)
    train, _ = plain.make_loaders()
    chosen = sorted(set(sizes)) if sizes is not None else _choose_sizes(train)
    if len(chosen) < 3:
        raise TrainingError(f"a learning curve needs at least three sizes, got {chosen}")
    replace(plain, limit=chosen[-1]).make_loaders()  # refuses a size above the number of samples before any training
    variants = [(SHALLOW, plain), (experiment.model, plain)]
    if augment is not None:
        variants.append((f"{experiment.model} {AUGMENTED}", replace(plain, augment=augment)))
    points: list[Point] = []
    total, held_out = seeds * len(chosen) * len(variants), 0
    progress(0, total)
    for seed in range(seeds):
        for size in chosen:
            for name, variant in variants:
                one = replace(variant, limit=size, seed=experiment.seed + seed)
                error, held_out = _measure_shallow(one) if name == SHALLOW else _measure_deep(one, steps)
                points.append(Point(name, size, seed, error))
                progress(len(points), total)
    laws = {
        name: _fit_law([point for point in points if point.curve == name], held_out, seed=0) for name, _ in variants
    }
    return LearningCurve(tuple(points), laws, held_out)


def _fit_law(points: Sequence[Point], held_out: int, seed: int) -> PowerLaw:
    sizes, errors = [point.examples for point in points], [point.error for point in points]
    return fit_power_law(sizes, errors, smallest=0.5 / held_out, seed=seed)


def _choose_sizes(train: Loader) -> list[int]:
    largest = min(train.num_examples, LARGEST)
    smallest = max(len(train.class_names or ()) * 3, largest // 64, 4)
    if smallest * 4 > largest:
        raise TrainingError(f"{largest} training samples are too few for a learning curve; give sizes, or more samples")
    return sorted({round(size) for size in np.geomspace(smallest, largest, SIZES)})


def _measure_shallow(experiment: Experiment) -> tuple[float, int]:
    """Fit multinomial logistic regression to the pixels, and return its error."""
    from sklearn.linear_model import LogisticRegression

    train, held_out = experiment.make_loaders()
    model = LogisticRegression(max_iter=1000)
    pixels, labels = _collect_arrays(train)
    if len(np.unique(labels)) < 2:  # scikit-learn refuses a single class
        return float((_collect_arrays(held_out)[1] != labels[0]).mean()), held_out.num_examples
    model.fit(pixels, labels)
    pixels, labels = _collect_arrays(held_out)
    return float((model.predict(pixels) != labels).mean()), len(labels)


def _collect_arrays(loader: Loader) -> tuple[Any, Any]:
    """Return an epoch: pixels float32 [N, H * W * C] from 0 to 1, and labels."""
    batches = [(images.numpy(), labels.numpy()) for images, labels in loader.dataset()]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return images.reshape(len(images), -1) / np.float32(255), labels


def _measure_deep(experiment: Experiment, steps: int) -> tuple[float, int]:
    """Train the experiment's model for about `steps` steps, and return its error."""
    train, held_out = experiment.make_loaders()
    model = experiment.build(len(train.class_names or ()))
    epochs = max(1, round(steps / train.steps_per_epoch))
    fit(model, train, epochs=epochs, learning_rate=experiment.learning_rate, recipe=experiment.recipe)
    predictions = predict(model, held_out)
    return predictions.error, len(predictions.labels)
