"""Named augmentation policies: compositions of Albumentations transforms, which are compiled, explained and saved.

A policy draws its operations per image, and a plan runs only the drawn ones.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from augment import call_syntax
from augment.checks import is_integer
from augment.errors import TransformError
from augment.policies.aug_mix import aug_mix as aug_mix
from augment.policies.auto_augment import auto_augment as auto_augment
from augment.policies.basic import NAMES as BASIC
from augment.policies.basic import make_basic
from augment.policies.rand_augment import rand_augment as rand_augment
from augment.policies.trivial_augment import trivial_augment as trivial_augment

PUBLISHED: dict[str, Callable[..., Any]] = {
    "rand_augment": rand_augment,
    "trivial_augment": trivial_augment,
    "auto_augment": auto_augment,
    "aug_mix": aug_mix,
}
"""The policies that take arguments, by name."""

NAMES = (*BASIC, *PUBLISHED)
"""The names of all policies."""


def policy(name: str, image_size: tuple[int, int]) -> Any:
    """Make a policy from its name.

    Args:
        name: "none"; "flip" (horizontal, half of the images); "crop_flip" (a random crop of 30 to 100 % of the area,
            and a flip); "light" (crop, flip, and brightness and contrast by 20 %); "full" (crop, flip, rotation by
            up to 30 degrees for 70 %, color jitter by 20 % for 80 %, and an occlusion for half of the images); or
            "rand_augment", "trivial_augment", "auto_augment" or "aug_mix", with optional arguments, as in
            "rand_augment(2, 9)" or "auto_augment('cifar10')". Policies joined by "+" run one after another:
            "crop_flip + rand_augment(n=2, m=5)".
        image_size: (height, width) of a crop's result in pixels. The published policies resize the image to this size
            first, so that shifts and rotations are relative to the resulting image.

    Returns:
        An `albumentations.Compose`, or None if there is nothing to do.

    Raises:
        TransformError: the policy is unknown, or its arguments are wrong.
    """
    import albumentations as A  # noqa: N812  # its users know it by this name

    if not isinstance(name, str):
        raise TransformError(f"a policy must be a name such as 'flip' or 'rand_augment(2, 9)', got {name!r}")
    is_pair = isinstance(image_size, Sequence) and len(image_size) == 2 and all(map(is_integer, image_size))
    if not is_pair or min(image_size) < 1:
        raise TransformError(f"image_size must be (height, width) in whole pixels, got {image_size!r}")
    parts = [part.strip() for part in re.split(r"\+(?![^(]*\))", name)]
    transforms = [transform for part in parts for transform in _make_transforms(part, image_size)]
    return A.Compose(transforms) if transforms else None


def is_policy(name: str) -> bool:
    """Return whether a text begins with the name of a policy; its arguments may still be wrong."""
    return re.split(r"[(+]", name)[0].strip() in NAMES


def _make_transforms(part: str, image_size: tuple[int, int]) -> Sequence[Any]:
    import albumentations as A  # noqa: N812  # its users know it by this name

    def prepend_resize(make: Callable[..., Any]) -> Callable[..., Sequence[Any]]:
        @wraps(make)
        def transforms(*arguments: Any, **keywords: Any) -> Sequence[Any]:
            return [A.Resize(*image_size), *make(*arguments, **keywords).transforms]

        return transforms

    makers: dict[str, Callable[..., Sequence[Any]]] = {name: partial(make_basic, name, image_size) for name in BASIC}
    makers |= {name: prepend_resize(make) for name, make in PUBLISHED.items()}
    return call_syntax.evaluate_call(part, makers, "policy", "arguments as in rand_augment(2, 9)")
