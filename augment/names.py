"""Reading what is written as a call: NAME, or NAME(ARGUMENT, KEYWORD=ARGUMENT), whose arguments are literals."""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from augment.errors import AugmentError, TransformError

_T = TypeVar("_T")


def make(text: str, makers: Mapping[str, Callable[..., _T]], what: str, example: str) -> _T:
    """Call one of some functions by its name.

    Args:
        text: such as "grid(3)".
        makers: the functions by name.
        what: they make, for messages: "policy".
        example: of how arguments are written, for messages.

    Raises:
        TransformError: there is no such function, its arguments cannot be read, or it does not take them.
    """
    found = re.fullmatch(r"\s*(\w+)\s*(\(.*\))?\s*", text, re.DOTALL)
    if found is None or found[1] not in makers:
        raise TransformError(f"there is no {what} {text.strip()!r}; there are {', '.join(makers)}")
    arguments, keywords = _arguments(found[2] or "()", f"the arguments of {text!r} cannot be read; write {example}")
    try:
        return makers[found[1]](*arguments, **keywords)
    except AugmentError:
        raise
    except (TypeError, ValueError) as error:
        raise TransformError(f"{text!r}: {error}") from None


def _arguments(text: str, refusal: str) -> tuple[list[Any], dict[str, Any]]:
    try:
        call = ast.parse(f"call{text}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise TransformError(refusal)
        keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg}
        return [ast.literal_eval(argument) for argument in call.args], keywords
    except (SyntaxError, ValueError):
        raise TransformError(refusal) from None
