"""Errors travel between processes as JSON: class, arguments, attributes and message.

Pickle fails on errors whose constructors take other arguments than `args` holds, and workers answer in JSON.
"""

import builtins
from typing import Any

from augment.errors import CaudalError

_Scalar = bool | int | float | str | None


def encode_error(error: BaseException) -> dict[str, Any]:
    """Return an error as a dict for JSON."""
    _, arguments, *state = tuple(error.__reduce__())  # includes what `args` lacks: the file name of an `OSError`
    attributes = state[0] if state and isinstance(state[0], dict) else {}
    message = str(error)
    return {
        "class": _name(type(error)),
        "message": message,
        "arguments": list(arguments) if all(isinstance(value, _Scalar) for value in arguments) else [message],
        "attributes": {name: value for name, value in attributes.items() if isinstance(value, _Scalar)},
    }


def decode_error(encoded: dict[str, Any]) -> Exception:
    """Create the error again: of its class, if that is a built-in one or a known `CaudalError`.

    Any other error, and one that cannot be created again with the same message, becomes a `RuntimeError` whose message
    names the class.
    """
    name, message = encoded["class"], encoded["message"]
    kind = _known_classes().get(name)
    if kind is not None:
        try:
            error = kind.__new__(kind, *encoded["arguments"])  # our constructors take other arguments
            if not isinstance(error, OSError):  # its `args` lack the file name, and are set already
                error.args = tuple(encoded["arguments"])
            for attribute, value in encoded["attributes"].items():
                setattr(error, attribute, value)
            if str(error) == message:
                return error
        except (TypeError, ValueError, AttributeError):
            pass
    return RuntimeError(f"{name.removeprefix('builtins.')}: {message}")


def _known_classes() -> dict[str, type[Exception]]:
    known: list[Any] = [kind for kind in vars(builtins).values() if isinstance(kind, type)]
    known.append(CaudalError)
    for kind in known:
        if issubclass(kind, CaudalError):
            known += kind.__subclasses__()  # the list grows while it is iterated
    return {_name(kind): kind for kind in known if issubclass(kind, Exception)}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
