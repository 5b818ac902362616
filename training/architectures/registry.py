"""The architectures by name, for the command line and the search."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from training.architectures import parts
from training.architectures.all_convolutional import VARIANTS as ALL_CONVOLUTIONAL
from training.architectures.all_convolutional import all_convolutional
from training.architectures.graph import graph
from training.architectures.inception_v1 import inception_v1
from training.architectures.mobilenet import mobilenet
from training.architectures.vgg import VARIANTS as VGG
from training.architectures.vgg import vgg

if TYPE_CHECKING:
    import keras


def _mobilenet(variant: Any, *, width: float, **options: Any) -> "keras.Model":
    return mobilenet(width, variant, **options)


_BUILDERS: dict[str, Callable[..., "keras.Model"]] = {
    **{f"all-convolutional-{variant.lower()}": partial(all_convolutional, variant) for variant in ALL_CONVOLUTIONAL},  # type: ignore[arg-type]  # the table's names are the variants
    "graph": graph,
    "inception-v1": inception_v1,
    "inception-v1-simplified": partial(inception_v1, "simplified"),
    "mobilenet": partial(_mobilenet, "paper"),
    "mobilenet-simplified": partial(_mobilenet, "simplified"),
    **{f"vgg-{variant.lower()}": partial(vgg, variant) for variant in VGG},  # type: ignore[arg-type]  # the same
}

NAMES = tuple(_BUILDERS)
"""Every architecture and variant, as `build` takes them."""


def build(
    name: str, *, input_shape: parts.InputShape, classes: int, width: float = 1.0, **options: Any
) -> "keras.Model":
    """Build an architecture by its name.

    Args:
        name: one of `NAMES`.
        input_shape: (height, width, channels).
        classes: the number of classes.
        width: factor for the number of filters; MobileNet's alpha.
        **options: further options of the architecture's own function.

    Returns:
        The model; see the architecture's own function.

    Raises:
        ValueError: the name or an option is unknown, or an argument is invalid.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown model {name!r}; use one of {', '.join(NAMES)}")
    if name == "graph" and options.pop("dropout", False):
        raise ValueError("model 'graph' has no dropout; omit the option")
    try:
        inspect.signature(_BUILDERS[name]).bind(input_shape=input_shape, classes=classes, width=width, **options)
    except TypeError as error:
        raise ValueError(f"model {name!r}: {error}") from None
    return _BUILDERS[name](input_shape=input_shape, classes=classes, width=width, **options)
