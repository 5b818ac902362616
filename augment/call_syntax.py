"""Reading what is written as a call: NAME, or NAME(ARGUMENT, KEYWORD=ARGUMENT), whose arguments are literals."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from augment.errors import AugmentError, TransformError

_T = TypeVar("_T")

_MAX_SHOWN = 80  # characters of a text that messages repeat


def evaluate_call(text: str, makers: Mapping[str, Callable[..., _T]], what: str, example: str) -> _T:
    """Call one of some functions by its name.

    Args:
        text: such as "grid(3)".
        makers: the functions by name.
        what: they make, for messages: "policy".
        example: of how arguments are written, for messages.

    Raises:
        TransformError: there is no such function, its arguments cannot be read, or it does not take them.
    """
    text = text.strip()
    name = text.partition("(")[0]
    maker = makers.get(name.rstrip())
    if maker is None:
        raise TransformError(f"there is no {what} {_truncate(text)!r}; there are {', '.join(makers)}")
    arguments, keywords = _parse_arguments(
        text[len(name) :] or "()", f"{_truncate(text)!r} cannot be read; write {example}"
    )
    try:
        inspect.signature(maker).bind(*arguments, **keywords)
        return maker(*arguments, **keywords)
    except AugmentError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise TransformError(f"{_truncate(text)!r}: {_summarize_error(error)}; write {example}") from None


def _summarize_error(error: Exception) -> str:
    """Give an error in one line; Pydantic, which checks Albumentations' arguments, writes several and an address."""
    listed = getattr(error.__cause__, "errors", None)
    return "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in listed()) if callable(listed) else str(error)


def _truncate(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _parse_arguments(text: str, refusal: str) -> tuple[list[Any], dict[str, Any]]:
    try:
        call = ast.parse(f"call{text}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise TransformError(refusal)  # as in "name(1)(2)"
        keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg}
        return [ast.literal_eval(argument) for argument in call.args], keywords
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the latter two where it is nested too deeply
        raise TransformError(refusal) from None
