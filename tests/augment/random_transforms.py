"""Transforms of every class of Albumentations, with arguments that are not their defaults; random compositions."""

import functools
import inspect
import random
import typing
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it

from tests.augment.own_transforms import Shift, darken
from tests.augment.test_transform import ARGUMENTS, all_transforms

UNUSED = {("Equalize", "mask_params"), ("PlasmaShadow", "plasma_size")}
"""Arguments that the transforms do not use: an empty list of names, and one that is deprecated."""


def list_arguments(kind: Any) -> list[str]:
    """List the names of a transform's arguments."""
    parameters = inspect.signature(kind.__init__).parameters.values()
    return [one.name for one in parameters if one.name != "self" and one.kind is not one.VAR_KEYWORD]


def make(kind: Any, arguments: dict[str, Any]) -> Any:
    """Make a transform; None if it refuses its arguments, or warns that it ignores some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", ".* not valid for transform")
        try:
            return kind(**ARGUMENTS.get(kind.__name__, {}) | {"p": 1} | arguments)
        except Exception:  # whatever it raises
            return None


def vary(kind: Any, name: str) -> Iterator[Any]:
    """Yield values of an argument other than the one it has; the transform may refuse them."""
    value = ARGUMENTS.get(kind.__name__, {}).get(name, inspect.signature(kind.__init__).parameters[name].default)
    fields = getattr(kind.InitSchema, "model_fields", {})
    if name in fields:
        yield from (choice for choice in _iter_choices(fields[name].annotation) if choice != value)
    yield from (other for other in _vary_value(value) if other != value)


def _iter_choices(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    else:
        for part in typing.get_args(annotation):
            yield from _iter_choices(part)


def _vary_value(value: Any) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 2, value + 1, value - 1, value / 2 + 0.25)
        case float():
            yield from (value / 2 + 0.13, value + 0.2, value / 2)
        case tuple() | list():
            for index, item in enumerate(value):
                for other in _vary_value(item):
                    yield type(value)([*value[:index], other, *value[index + 1 :]])
            yield type(value)(next(_vary_value(item), item) for item in value)
        case None:
            yield from (1, 0.3, (0.1, 0.2), (1, 2), (2.0, 3.0, 4.0), "xy", 7, {"x": 0.1, "y": 0.2})


def iter_variations(seed: int = 0) -> Iterator[tuple[Any, str, Any, Any]]:
    """Yield for each argument of each class (class, argument, value, transform), where a value is accepted."""
    draw = random.Random(seed)  # noqa: S311  # not for cryptography
    for kind in sorted({type(transform) for transform in all_transforms()}, key=lambda kind: kind.__name__):
        for name in list_arguments(kind):
            values = list(vary(kind, name))
            for value in draw.sample(values, len(values)) if seed else values:
                if (transform := make(kind, {name: value})) is not None:
                    yield kind, name, value, transform
                    break


LEAVES: list[Callable[[], Any]] = [
    *(A.HorizontalFlip, A.Blur, A.RandomRotate90, A.ColorJitter, A.CoarseDropout),
    lambda: Shift(2),
    lambda: Shift((1, 2)),
    lambda: Shift({"b", "a"}),
    lambda: A.Lambda(image=darken, p=0.5),
    lambda: A.Lambda(image=functools.partial(darken, unused=3), name="partial"),
]
COMPOSITIONS: list[Callable[..., Any]] = [
    *(A.Compose, A.OneOf, A.Sequential, A.SomeOf, A.RandomOrder, A.ReplayCompose),
    *(functools.partial(kind, n=2, replace=True) for kind in (A.SomeOf, A.RandomOrder)),
    lambda parts: A.OneOrOther(parts[0], parts[-1], p=0.3),
    lambda parts: A.SelectiveChannelTransform(parts, channels=(0, 2)),
    lambda parts: A.Compose(parts, additional_targets={"second": "image"}, mask_interpolation=1),
]


def make_pipeline_at_random(draw: random.Random, depth: int = 3) -> Any:
    """Make a composition of compositions, of Albumentations' transforms, own ones and functions."""
    if depth == 0 or draw.random() < 0.25:
        return draw.choice(LEAVES)()
    return draw.choice(COMPOSITIONS)([make_pipeline_at_random(draw, depth - 1) for _ in range(draw.randint(1, 3))])
