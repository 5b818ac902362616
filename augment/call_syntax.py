"""Parsing of call syntax: NAME, or NAME(ARGUMENT, KEYWORD=ARGUMENT), with literals as arguments."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from augment.errors import AugmentError, TransformError

_T = TypeVar("_T")

_MAX_SHOWN = 80  # characters of a text that a message repeats


def evaluate_call(text: str, makers: Mapping[str, Callable[..., _T]], what: str, example: str) -> _T:
    """Call one of several functions by name.

    Args:
        text: a call such as "grid(3)".
        makers: the functions by name.
        what: what the functions make, for messages: "policy".
        example: how to write arguments, for messages.

    Raises:
        TransformError: the name is unknown, the arguments cannot be parsed, or the function does not accept them.
    """
    text = text.strip()
    name = text.partition("(")[0]
    maker = makers.get(name.rstrip())
    if maker is None:
        raise TransformError(f"unknown {what} {_truncate(text)!r}; choose from {', '.join(makers)}")
    arguments, keywords = _parse_arguments(
        text[len(name) :] or "()", f"cannot parse {_truncate(text)!r}; write {example}"
    )
    try:
        inspect.signature(maker).bind(*arguments, **keywords)
        return maker(*arguments, **keywords)
    except AugmentError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise TransformError(f"{_truncate(text)!r}: {error}; write {example}") from None


def _truncate(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _parse_arguments(text: str, refusal: str) -> tuple[list[Any], dict[str, Any]]:
    try:
        call = ast.parse(f"call{text}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise TransformError(refusal)  # as in "name(1)(2)"
        keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg}
        return [ast.literal_eval(argument) for argument in call.args], keywords
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two: nested too deeply
        raise TransformError(refusal) from None
