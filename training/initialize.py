"""Initial weights as a pure function of a seed: no global generator is read or seeded."""

from typing import TYPE_CHECKING

import numpy as np

from augment import keys

if TYPE_CHECKING:
    import keras

_INITIALIZERS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer", "recurrent_initializer")


def initialize(model: "keras.Model", seed: int) -> None:
    """Draw a model's weights and reset its random layers, each from its own key.

    Layers keep their initializers; constant weights do not change. The model must be built and not trained.

    Args:
        model: the model; it is changed in place.
        seed: at least 0.
    """
    root = keys.fold_in(keys.root(seed), "initialise")
    for number, layer in enumerate(model._flatten_layers(include_self=False)):
        key = keys.fold_in(root, number)
        for position, name in enumerate(_INITIALIZERS):
            weight, initializer = _find_weight(layer, name), getattr(layer, name, None)
            if weight is not None and initializer is not None and "seed" in initializer.get_config():
                config = initializer.get_config() | {"seed": _to_keras_seed(keys.fold_in(key, position))}
                weight.assign(type(initializer).from_config(config)(weight.shape, dtype=weight.dtype))
        for position, generator in enumerate(layer._seed_generators):
            generator.state.assign(
                np.array([_to_keras_seed(keys.fold_in(key, "state", position)), 0], generator.state.dtype)
            )


def _find_weight(layer: "keras.Layer", initializer: str) -> "keras.Variable | None":
    """Find the weight that an initializer belongs to; a depthwise layer names it `kernel`."""
    if getattr(layer, initializer, None) is None:
        return None
    named: keras.Variable | None = getattr(layer, initializer.replace("_initializer", "_kernel"), None)
    return named if named is not None else getattr(layer, "kernel", None)


def _to_keras_seed(key: keys.Key) -> int:
    return int(key) % 2**31  # Keras's range of seeds
