"""An experiment: data, model and recipe in one value that can be repeated, searched over and compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pipeline import Loader
from pipeline.sources import AlignedSource
from training import devices
from training.architectures import build
from training.checks import check_count, is_number
from training.errors import TrainingError
from training.fit import Checkpoints, fit
from training.initialize import initialize
from training.recipe import Recipe
from training.validation_data import count_classes, format_ignored, open_validation

if TYPE_CHECKING:
    import os

    import keras

    from pipeline import Cache

VALIDATION_SPLIT = 0.2
"""The fraction of the source for validation, by default."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Data, model and recipe of a training; everything random follows from `seed`.

    Attributes:
        source: the training data, as for a `Loader`.
        validation: the validation data, as for a `Loader`. Its classes are matched by name. None splits
            `validation_split` off the source, stratified by class.
        validation_split: the fraction of the source for validation; by default a fifth, without `validation`.
        image_size: (height, width) of the model's input, in pixels.
        color_mode: "rgb" or "grayscale".
        dct: the inverse cosine transform of JPEGs, "fast" or "accurate", as for a `Loader`.
        batch_size: samples per batch.
        augment: an Albumentations transform for the training samples, or None. It must return uint8 images: the models
            scale pixels themselves.
        cache: None, "ram", a directory or a `Cache`, as for a `Loader`.
        limit: maximum number of training samples: a count, a fraction, or None for all.
        on_error: handling of bad samples: "raise", "skip" or "replace".
        model: the name of an architecture, as in `architectures.build`.
        width: factor for the number of filters.
        dropout: whether to use dropout layers; None keeps the architecture's default.
        epochs: number of epochs.
        learning_rate: the peak learning rate.
        recipe: optimizer, schedule, regularization, early stopping.
        seed: of split, limit, order, augmentation, initial weights and dropout.
    """

    source: Any
    validation: Any = None
    validation_split: float | None = None
    image_size: tuple[int, int] = (64, 64)
    color_mode: Literal["rgb", "grayscale"] = "rgb"
    dct: Literal["fast", "accurate"] = "fast"
    batch_size: int = 32
    augment: Any = None
    cache: "str | os.PathLike[str] | Cache | None" = None
    limit: float | None = None
    on_error: Literal["raise", "skip", "replace"] = "raise"
    model: str = "all-convolutional-c"
    width: float = 1.0
    dropout: bool | None = None
    epochs: int = 10
    learning_rate: float = 1e-3
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.validation is not None and self.validation_split is not None:
            raise TrainingError("validation and validation_split exclude each other; use one")
        check_count("epochs", self.epochs)
        check_count("seed", self.seed, least=0)
        if not (is_number(self.learning_rate) and 0 < self.learning_rate < math.inf):
            raise TrainingError(f"the learning rate must be positive, got {self.learning_rate}")

    def make_loaders(self) -> tuple[Loader, Loader]:
        """Create the loaders of training and validation; validation is neither augmented nor shuffled."""
        common: dict[str, Any] = {
            "image_size": self.image_size,
            "color_mode": self.color_mode,
            "dct": self.dct,
            "batch_size": self.batch_size,
            "on_error": self.on_error,
            "cache": self.cache,
            "seed": self.seed,
        }
        training: dict[str, Any] = {**common, "augment": self.augment, "limit": self.limit}
        validation: dict[str, Any] = {**common, "shuffle": False}
        if self.on_error == "replace":  # a replacement would count twice
            validation["on_error"] = "skip"
        if self.validation is None:
            fraction = VALIDATION_SPLIT if self.validation_split is None else self.validation_split
            split = {"validation_split": fraction, "stratify": True}
            training |= {**split, "subset": "training"}
            validation |= {**split, "subset": "validation"}
        train = Loader(self.source, **training)
        self._check_classes(train)
        if self.validation is None:
            held_out = Loader(self.source, class_names=train.class_names, **validation)
        elif isinstance(source := open_validation(self.validation, train), AlignedSource):
            held_out = Loader(source, **validation)
        else:
            held_out = Loader(source, class_names=train.class_names, **validation)
        if (dtype := train.dataset().element_spec[0].dtype.name) != "uint8":
            raise TrainingError(
                f"the augmentation yields {dtype} pixels, but validation images are uint8; remove Normalize and "
                "ToFloat: the models scale pixels themselves"
            )
        return train, held_out

    def _check_classes(self, train: Loader) -> None:
        """Refuse training data whose samples all have one class."""
        names = train.class_names or ()
        if len(names) < 2:
            raise TrainingError(f"the source has one class, {', '.join(names)}; use a source with two or more classes")
        # A small limit may leave one class: learning curves measure that.
        counts = dict(zip(names, count_classes(train), strict=True)) if self.limit is None else {}
        empty = [name for name, count in counts.items() if not count] if counts else train.empty_classes
        if len(empty) > len(names) - 2:
            raise TrainingError(
                f"all training samples have one class; no samples have the classes {', '.join(empty)}"
                + format_ignored(train.ignored_files, "; ignored files: ")
            )

    def build(self, classes: int) -> "keras.Model":
        """Build the model with its initial weights, for the available devices."""
        options: dict[str, Any] = {} if self.dropout is None else {"dropout": self.dropout}
        channels = {"rgb": 3, "grayscale": 1}[self.color_mode]
        with devices.precision(), devices.strategy().scope():
            try:
                model = build(
                    self.model,
                    input_shape=(*self.image_size, channels),
                    classes=classes,
                    width=self.width,
                    **options,
                )
            except ValueError as error:
                raise TrainingError(str(error)) from None
            initialize(model, self.seed)
        return model

    def run(
        self, checkpoints: Checkpoints | None = None, callbacks: "Sequence[keras.callbacks.Callback]" = ()
    ) -> "Outcome":
        """Create the loaders and the model, and train it.

        Raises:
            CaudalError: the loaders, the model or `fit` refuse an option.
        """
        train, validation = self.make_loaders()
        model = self.build(len(train.class_names or ()))
        history = fit(
            model,
            train,
            validation,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            callbacks=callbacks,
            recipe=self.recipe,
            checkpoints=checkpoints,
        )
        return Outcome(self, model, train, validation, dict(history.history), list(history.waiting))

    def with_changes(self, **changes: Any) -> "Experiment":
        """Return the experiment with some attributes changed, its own or its recipe's.

        Raises:
            TrainingError: an attribute is unknown.
        """
        recipe = {name: changes.pop(name) for name in list(changes) if hasattr(self.recipe, name)}
        try:
            return replace(self, **changes, recipe=replace(self.recipe, **recipe))
        except TypeError:
            unknown = [name for name in changes if not hasattr(self, name)]
            raise TrainingError(f"unknown attributes of an experiment: {', '.join(unknown)}") from None


@dataclass(frozen=True)
class Outcome:
    """The result of an experiment.

    Attributes:
        experiment: the experiment.
        model: the trained model.
        train: the loader of the training samples.
        validation: the loader of the validation samples.
        history: for each log, one value per epoch.
        waiting: the input wait of each epoch, from 0 to 1.
    """

    experiment: Experiment
    model: "keras.Model"
    train: Loader
    validation: Loader
    history: dict[str, list[float]]
    waiting: list[float]
