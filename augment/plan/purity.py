"""Whether users' own transforms depend on their image and key alone.

Albumentations' transforms draw from generators of their own, which keys replace. A user's transform may draw from a
global generator, or count its calls: the stream would then depend on threads, and on what ran before. Such a transform
is found before the first batch: a few small images are augmented twice, in two orders.
"""

import hashlib
import random
import time
import warnings
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from augment import contents, keys
from augment.errors import TransformError
from augment.plan import witness
from augment.transform import Image, KeyedTransform

_TRIALS = 8
_MAX_SECONDS = 0.25
"""After which the images of a slow transform suffice."""


class _Result(NamedTuple):
    """What a transform did to an image.

    Attributes:
        digest: of the pixels, or of the errors.
        draws: whether a global random generator drew something meanwhile; other threads may do that, too.
    """

    digest: bytes
    draws: bool


_Trial = tuple[list[Image], keys.Key]
"""One image in several sizes, of which the first is taken that the transform does not reject; and a key."""


def check_pure(transform: Any) -> None:
    """Check that a transform depends on its image and key alone, if it contains code of the user.

    Raises:
        TransformError: the same image became other pixels when others had been augmented before it; or it cannot be
            copied, and each thread needs its own.
    """
    if not _is_own(transform):
        return
    trials = _make_trials()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an image that is not what a transform is best at
        found = _run(transform, trials, _MAX_SECONDS)
        again = _run(transform, trials[: len(found)][::-1], np.inf)[::-1]
    draws = all(one.draws or other.draws for one, other in zip(found, again, strict=True))
    if draws or [one.digest for one in found] != [other.digest for other in again]:
        raise TransformError(
            f"{type(transform).__name__}: the same image becomes other pixels in another order of images: it draws "
            "from a global random generator, or keeps something between calls; draw in get_params, from self.py_random "
            "or self.random_generator, and keep nothing between calls"
        )


def _is_own(transform: Any) -> bool:
    """Return whether a transform contains code of the user, or of a library that is not Albumentations."""
    own = type(transform).__module__.partition(".")[0] not in ("albumentations", "augment")
    return own or any(map(_is_own, getattr(transform, "transforms", ()))) or contents.read(transform).has_code


@lru_cache(1)
def _make_trials() -> list[_Trial]:
    images = [witness.make_image(*size) for size in witness.SIZES]
    own_keys = keys.fold_in(keys.root(0), "purity", np.arange(_TRIALS))
    return [([np.roll(image, number, axis=(0, 2)) for image in images], key) for number, key in enumerate(own_keys)]


def _run(transform: Any, trials: list[_Trial], most_seconds: float) -> list[_Result]:
    """Return the results of a new copy, two at least."""
    try:
        keyed = KeyedTransform(transform)
        keyed.copy_for_thread()
    except Exception as error:  # an object may refuse to be copied in any way
        raise TransformError(
            f"{type(transform).__name__} cannot be copied, and each thread needs its own: {type(error).__name__}: "
            f"{error}; define __deepcopy__, or make what cannot be copied where it is used"
        ) from error
    begin = time.perf_counter()
    results: list[_Result] = []
    for images, key in trials:
        if len(results) >= 2 and time.perf_counter() - begin > most_seconds:
            break
        before = _read_generators()
        digest = _digest_first(keyed, images, key)
        results.append(_Result(digest, _read_generators() != before))
    return results


def _read_generators() -> tuple[Any, ...]:
    numpy_state: Any = np.random.get_state()  # noqa: NPY002  # transforms may use it
    _, words, *rest = numpy_state
    return random.getstate(), words.tobytes(), *rest


def _digest_first(keyed: KeyedTransform, images: list[Image], key: keys.Key) -> bytes:
    found = b""
    for image in images:
        try:
            result = keyed.apply_to({"image": image}, key, force_apply=True)["image"]
        except TransformError as error:
            found += type(error.__cause__).__name__.encode()
        else:
            return found + f"{result.dtype} {result.shape}".encode() + hashlib.sha256(result.tobytes()).digest()
    return found
