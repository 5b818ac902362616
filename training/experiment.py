"""An experiment: data, model and recipe in one value, so that it can be repeated, searched over and compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pipeline import Loader
from training import devices
from training.architectures import build
from training.errors import TrainingError
from training.fit import Checkpoints, fit
from training.initialize import initialize
from training.recipe import Recipe

if TYPE_CHECKING:
    import os

    import keras

    from pipeline import Cache

VALIDATION_SPLIT = 0.2
"""The share that validates where nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What is trained on what, and how; everything random in it follows from `seed`.

    Attributes:
        source: what a `Loader` takes.
        validation: the same; None splits `validation_split` off the source, each class by itself.
        validation_split: a share; by default a fifth, where there is no `validation`.
        image_size: (height, width) that the model sees, in pixels.
        color_mode: "rgb" or "grayscale".
        batch_size: samples in a batch.
        augment: an Albumentations transform for the training samples, or None. Its images stay uint8: the models scale
            pixels themselves.
        cache: None, "ram", a directory or a `pipeline.Cache`, as for a `Loader`.
        limit: how many training samples take part: a number, a share, or all (None).
        on_error: what a bad sample does: "raise", "skip" or "replace".
        model: the name of an architecture, as `architectures.build` takes it.
        width: factor of its filters.
        dropout: whether it drops; None leaves that to the architecture.
        epochs: passes over the training samples.
        learning_rate: the highest.
        recipe: optimizer, schedule, regularisation, early stopping.
        seed: of the split, the limit, the order, the augmentation, the first weights and dropout.
    """

    source: Any
    validation: Any = None
    validation_split: float | None = None
    image_size: tuple[int, int] = (64, 64)
    color_mode: Literal["rgb", "grayscale"] = "rgb"
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
            raise TrainingError("give validation data or a validation split, not both")
        if self.epochs < 1:
            raise TrainingError(f"epochs must be at least 1, got {self.epochs}")

    def make_loaders(self) -> tuple[Loader, Loader]:
        """Make the loaders of the training and the validation samples; the latter are not augmented or shuffled."""
        common: dict[str, Any] = {
            "image_size": self.image_size,
            "color_mode": self.color_mode,
            "batch_size": self.batch_size,
            "on_error": self.on_error,
            "cache": self.cache,
            "seed": self.seed,
        }
        training: dict[str, Any] = {**common, "augment": self.augment, "limit": self.limit}
        validation: dict[str, Any] = {**common, "shuffle": False}
        if self.on_error == "replace":  # another in the place of a bad sample would count twice
            validation["on_error"] = "skip"
        source = self.validation
        if source is None:
            source = self.source
            fraction = VALIDATION_SPLIT if self.validation_split is None else self.validation_split
            split = {"validation_split": fraction, "stratify": True}
            training |= {**split, "subset": "training"}
            validation |= {**split, "subset": "validation"}
        train = Loader(self.source, **training)
        if len(names := train.class_names or ()) < 2:
            raise TrainingError(
                f"the samples have one class, {', '.join(names)}: there is nothing to tell apart; give those of two or "
                "more"
            )
        held_out = Loader(source, class_names=train.class_names, **validation)
        if (dtype := train.dataset().element_spec[0].dtype.name) != "uint8":
            raise TrainingError(
                f"the augmentation yields {dtype} pixels, which validation images are not: leave out Normalize and "
                "ToFloat, the models scale pixels themselves"
            )
        return train, held_out

    def build(self, classes: int) -> "keras.Model":
        """Build the model with its first weights, for the devices that are there."""
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
        """Make the loaders and the model, and fit it.

        Raises:
            CaudalError: what the loaders, the model or `fit` refuse.
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
        """Give the experiment with some attributes changed, those of the recipe among them.

        Raises:
            TrainingError: there is no such attribute.
        """
        recipe = {name: changes.pop(name) for name in list(changes) if hasattr(self.recipe, name)}
        try:
            return replace(self, **changes, recipe=replace(self.recipe, **recipe))
        except TypeError:
            unknown = [name for name in changes if not hasattr(self, name)]
            raise TrainingError(f"an experiment has no {', '.join(unknown)}") from None


@dataclass(frozen=True)
class Outcome:
    """What came of an experiment.

    Attributes:
        experiment: what was run.
        model: trained.
        train: the loader of the training samples.
        validation: that of the validation samples.
        history: for each log, one value an epoch.
        waiting: for each epoch, the share of the time in which the model waited for data.
    """

    experiment: Experiment
    model: "keras.Model"
    train: Loader
    validation: Loader
    history: dict[str, list[float]]
    waiting: list[float]
