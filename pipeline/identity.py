"""The identity of a stream: its version, and everything else that determines its bytes, by names for people.

A stream can resume where another one stopped if both have one identity. Where they differ, `Differences` says in what,
and whether the order of the samples is still the same.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from augment.plan import compiled
from pipeline.errors import OptionError
from pipeline.options import check_choice, raise_first
from pipeline.sources.base import digest

STREAM_VERSION = 1
"""The version of all streams, a part of each fingerprint.

A change after which a definition yields other bytes raises it, and CHANGELOG.md says so; `tests/golden` finds such
changes. States that name no version are of version 1.
"""

RESUMES = ("exact", "same-order")
"""What a resumed stream must share with the one that stopped: all its bytes, or the order of its samples."""

_MAX_SHOWN = 40
"""Longer values are stored as digests."""


@dataclass(frozen=True)
class Differences:
    """In what the identity of a stream differs from a stored one.

    Attributes:
        order: what decides the samples, their order and their labels: options by name with both values, and the data.
        contents: what alters pixels (or texts) only: options by name.
        environment: libraries, kernels and the processor, which alter pixels only.
    """

    order: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        """Yield all differences, for people."""
        return iter((*self.order, *self.contents, *self.environment))

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def forbid(self, resume: str) -> bool:
        """Return whether a stream with these differences cannot resume in this way (one of `RESUMES`)."""
        return bool(self.order) or (resume == "exact" and bool(self.contents or self.environment))


@dataclass(frozen=True, kw_only=True)
class StreamIdentity:
    """What determines the bytes of a stream; each value is short enough to be shown, or a digest.

    Attributes:
        version: the stream's version.
        fingerprint: the loader's; it also changes with what no name tells.
        order: what decides the samples, their order and their labels, by name.
        contents: the options that alter pixels (or texts) only, by name.
        environment: the versions of libraries and the like, which alter pixels only, by name.
    """

    version: int = field(default_factory=lambda: STREAM_VERSION)
    fingerprint: str
    order: Mapping[str, str]
    contents: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the identity as JSON stores it."""
        return {
            "version": self.version,
            "fingerprint": self.fingerprint,
            "order": dict(self.order),
            "contents": dict(self.contents),
            "environment": dict(self.environment),
        }

    @classmethod
    def from_dict(cls, stored: Any) -> "StreamIdentity":
        """Read what `to_dict` returned.

        Raises:
            ValueError: it is something else.
        """
        if not isinstance(stored, dict):
            raise ValueError("it does not describe a stream")
        version, fingerprint = stored.get("version", 1), stored.get("fingerprint")
        groups: dict[str, Any] = {name: stored.get(name, {}) for name in _GROUPS}
        are_texts = all(isinstance(group, dict) and all(map(_is_text, group.items())) for group in groups.values())
        if type(version) is not int or not isinstance(fingerprint, str) or not are_texts:
            raise ValueError("it does not describe a stream")
        return cls(version=version, fingerprint=fingerprint, **groups)

    def compare(self, stored: "StreamIdentity") -> Differences:
        """Find in what this stream differs from a stored one."""
        order, contents, environment = (
            tuple(_describe_differences(getattr(stored, name), getattr(self, name))) for name in _GROUPS
        )
        version = (f"stream version ({stored.version}, now {self.version})",) * (stored.version != self.version)
        order = version + order
        if self.fingerprint != stored.fingerprint and not (order or contents):
            order = ("fingerprint",)
        return Differences(order, contents, environment)


def _is_text(pair: tuple[object, object]) -> bool:
    return all(isinstance(part, str) for part in pair)


_GROUPS = ("order", "contents", "environment")


def make_fingerprint(parts: Iterable[object]) -> str:
    """Return the fingerprint of a stream: a digest of its parts, and of the version where it is not the first."""
    return digest((*parts, *((("stream version", STREAM_VERSION),) if STREAM_VERSION != 1 else ())))


def describe_value(value: Any) -> str:
    """Return the `repr` of an option's value, or a digest of it where it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{_DIGEST}{digest((text,))}"


_DIGEST = "digest "


def _describe_differences(stored: Mapping[str, str], current: Mapping[str, str]) -> Iterator[str]:
    for name, now in current.items():
        before = stored.get(name, now)  # a name that one side lacks is of another version, or does not apply
        if before != now:
            is_shown = not (before.startswith(_DIGEST) or now.startswith(_DIGEST))
            yield f"{name} ({before}, now {now})" if is_shown else name


def make_state(identity: StreamIdentity, epoch: int, step: int) -> dict[str, Any]:
    """Return a position in a stream, and the stream's identity, as JSON stores them."""
    return {"epoch": int(epoch), "step": int(step), "stream": identity.to_dict()}


def check_state(identity: StreamIdentity, state: Any, resume: str) -> tuple[int, int]:
    """Check that a stream can resume from a state; return the position: (epoch, step).

    Raises:
        OptionError: the state is none, or of another stream; the message names what differs.
    """
    raise_first(check_choice("resume", resume, RESUMES))
    try:
        stored, epoch, step = StreamIdentity.from_dict(state["stream"]), state["epoch"], state["step"]
    except (KeyError, TypeError, ValueError):
        raise OptionError(f"state must be what `loader.state(epoch, step)` returned, got {state!r}") from None
    found = identity.compare(stored)
    if found.forbid(resume):
        remedy = "" if found.order else ', or use resume="same-order", which accepts what alters pixels only'
        raise OptionError(f"state is of another stream, which differs in {', '.join(found)}; restore them{remedy}")
    return epoch, step


def describe_environment(*, is_augmented: bool) -> dict[str, str]:
    """Describe what pixels depend on besides the options: libraries, kernels, and how the processor rounds.

    Args:
        is_augmented: whether transforms run; else only decoders and resizes do.
    """
    import tensorflow as tf

    versions = {"TensorFlow": tf.__version__, "OpenCV": cv2.__version__}
    if is_augmented:
        import albumentations

        versions |= {"Albumentations": albumentations.__version__, "NumPy": np.__version__}
        versions["compiled kernels"] = "off" if compiled.load_kernels() is None else "on"
    return versions | {"arithmetic": digest_arithmetic()}


@lru_cache(1)
def digest_arithmetic() -> str:
    """Digest the results of some operations whose last digit may depend on the processor; takes milliseconds."""
    return "-".join(f"{hashlib.sha256(run().tobytes()).hexdigest()[:6]}" for run in _PROBES)


def _make_ramp() -> Any:
    """Make an image, uint8 [61, 67, 3], by integer arithmetic."""
    return (np.arange(61 * 67 * 3, dtype=np.int64).reshape(61, 67, 3) * 7919 % 251).astype(np.uint8)


def _warp() -> Any:
    return cv2.warpAffine(_make_ramp(), np.array([[0.9, 0.2, 3.3], [-0.1, 1.1, 2.7]]), (59, 53), flags=cv2.INTER_LINEAR)


def _resize() -> Any:
    return cv2.resize(_make_ramp().astype(np.float32), (37, 41), interpolation=cv2.INTER_CUBIC)


def _convert_colors() -> Any:
    return cv2.cvtColor(cv2.cvtColor(_make_ramp(), cv2.COLOR_RGB2HSV), cv2.COLOR_HSV2RGB)


def _compute_floats() -> Any:
    values = np.linspace(0.1, 9.7, 999, dtype=np.float32)
    return np.concatenate([np.exp(-values), np.power(values, np.float32(0.3)), values.cumsum(dtype=np.float32)])


def _decode() -> Any:
    import tensorflow as tf

    encoded = cv2.imencode(".jpg", _make_ramp())[1].tobytes()
    return tf.io.decode_jpeg(encoded, dct_method="INTEGER_FAST").numpy()


_PROBES: tuple[Callable[[], Any], ...] = (_warp, _resize, _convert_colors, _compute_floats, _decode)
