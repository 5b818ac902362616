"""The recipe: optimizer, schedule, regularization and early stopping of a training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from training.checks import check_count, is_number
from training.errors import TrainingError

if TYPE_CHECKING:
    import keras

OPTIMIZERS = ("adam", "sgd", "rmsprop")
SCHEDULES = ("constant", "cosine", "step")

_NOT_DECAYED = ("bias", "gamma", "beta")  # as usual since Goyal et al. 2017 (arXiv:1706.02677), section 5.3


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Optimizer, schedule, regularization and early stopping.

    Attributes:
        optimizer: "adam"; "sgd" (Nesterov's momentum of 0.9); or "rmsprop".
        schedule: of the learning rate: "constant"; "cosine", down to 0; or "step", a tenth after half of the steps
            and a hundredth after three quarters.
        warmup: the fraction of all steps in which the learning rate rises linearly from 0.
        weight_decay: decoupled weight decay of all kernels: each step subtracts it times rate and weight (Loshchilov
            and Hutter 2017, arXiv:1711.05101).
        label_smoothing: the fraction of each label that is spread evenly over the classes, from 0 to below 1.
        class_weights: factor per class for the loss of its samples: one number per class; "balanced" (inverse to the
            class's fraction, with a mean of 1 over the samples); or None.
        patience: epochs without a lower validation loss (training loss without validation) after which the training
            ends and restores its best weights; None never ends early.

    Raises:
        TrainingError: a value is unknown or out of range.
    """

    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    class_weights: Sequence[float] | Literal["balanced"] | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise TrainingError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}")
        for name, limit in (("warmup", 1.0), ("label_smoothing", 1.0), ("weight_decay", float("inf"))):
            if not (is_number(getattr(self, name)) and 0 <= getattr(self, name) < limit):
                raise TrainingError(f"{name} must be at least 0 and below {limit:g}, got {getattr(self, name)}")
        if self.schedule == "step" and self.warmup:
            raise TrainingError("schedule='step' has no warmup; use 'cosine'")
        if self.patience is not None:
            check_count("patience", self.patience)
        if self.class_weights is not None and self.class_weights != "balanced":
            _check_class_weights(self.class_weights)

    def make_optimizer(self, learning_rate: "float | Schedule", steps: int | None) -> "keras.Optimizer":
        """Create the optimizer.

        Args:
            learning_rate: the peak rate, or a schedule over the steps that replaces this recipe's.
            steps: of the whole training, for the schedule; None if unknown.

        Raises:
            TrainingError: a schedule needs the number of steps, which is unknown; or the rate is not positive.
        """
        from keras import optimizers

        if isinstance(learning_rate, (int, float)):
            learning_rate = self._make_schedule(learning_rate, steps)
        options: dict[str, Any] = {"learning_rate": learning_rate, "weight_decay": self.weight_decay or None}
        optimizer = {
            "adam": optimizers.Adam,
            "sgd": lambda **chosen: optimizers.SGD(momentum=0.9, nesterov=True, **chosen),
            "rmsprop": optimizers.RMSprop,
        }[self.optimizer](**options)
        if self.weight_decay:
            optimizer.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
        return optimizer

    def _make_schedule(self, rate: float, steps: int | None) -> "float | Schedule":
        from keras.optimizers import schedules

        if not 0 < rate < math.inf:
            raise TrainingError(f"the learning rate must be positive, got {rate}")
        if self.schedule == "constant" and not self.warmup:
            return rate
        if steps is None:
            raise TrainingError("a schedule needs the number of steps; use a loader, or a dataset with a known length")
        warmup = round(self.warmup * steps)
        rest = max(1, steps - warmup)
        if self.schedule == "step":
            boundaries = [warmup + rest // 2, warmup + 3 * rest // 4]
            return schedules.PiecewiseConstantDecay(boundaries, [rate, rate / 10, rate / 100])
        return schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=rest,
            alpha=1.0 if self.schedule == "constant" else 0.0,
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )


def _check_class_weights(weights: object) -> None:
    is_list = isinstance(weights, Sequence) and not isinstance(weights, str)
    if not (is_list and all(is_number(weight) and 0 <= weight < math.inf for weight in weights)):  # type: ignore[attr-defined]
        raise TrainingError(f"class_weights must be one number from 0 per class, 'balanced' or None; got {weights!r}")


Schedule = Any
"""`keras.optimizers.schedules.LearningRateSchedule`."""


def compute_balanced_weights(counts: Sequence[int]) -> list[float]:
    """Weight each class inversely to its fraction; a class without samples gets 0.

    Args:
        counts: samples per class.

    Returns:
        Weights whose mean over the samples is 1.
    """
    present = sum(count > 0 for count in counts)
    total = sum(counts)
    return [total / (present * count) if count else 0.0 for count in counts]
