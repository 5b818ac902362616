"""The architectures by name: what the command line and the search build."""

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
        width: factor of the number of filters, MobileNet's alpha.
        **options: what the architecture's own function takes besides.

    Returns:
        The model; see the function of the family.

    Raises:
        ValueError: there is no such architecture, or it cannot be built like this.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown model {name!r}; known are {', '.join(NAMES)}")
    if name == "graph" and "dropout" in options:
        raise ValueError("the model 'graph' has no dropout; leave the choice out")
    return _BUILDERS[name](input_shape=input_shape, classes=classes, width=width, **options)
