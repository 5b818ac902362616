"""Errors between processes: class, arguments, attributes and message survive, or the message names the class."""

import builtins
import errno
import inspect
import json

import pytest

import training.errors as _training_errors  # noqa: F401  # the tree holds all classes that are imported
from augment.errors import CaudalError
from pipeline import errors
from pipeline.workers.error_transport import decode_error, encode_error


def tree(kind: type[CaudalError] = CaudalError) -> list[type[CaudalError]]:
    """List a class and all below it."""
    return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]


OWN = [kind for kind in dict.fromkeys(tree()) if not kind.__module__.startswith("test")]
BUILTIN = [
    kind
    for kind in vars(builtins).values()
    if inspect.isclass(kind)
    and issubclass(kind, Exception)
    and not issubclass(kind, (UnicodeError, SyntaxError, ExceptionGroup))
]
"""Those whose arguments JSON can hold."""


def transported(error: BaseException) -> Exception:
    """Send an error as workers do."""
    return decode_error(json.loads(json.dumps(encode_error(error))))


def state(error: BaseException) -> tuple[object, ...]:
    """Collect what a handler can see of an error."""
    own = vars(error)
    system = (error.errno, error.strerror, error.filename, error.filename2) if isinstance(error, OSError) else ()
    return type(error), error.args, str(error), own, system


def test_the_tree_is_there() -> None:
    """The law below is about something."""
    assert {errors.DecodeError, errors.ConvertError, errors.ColumnTypeError} <= set(OWN)
    assert {OSError, MemoryError, ValueError, TypeError, KeyError, FileNotFoundError} <= set(BUILTIN)


@pytest.mark.parametrize("text", ["what is wrong", "", "é\n\udc80"])
@pytest.mark.parametrize("kind", [*OWN, *BUILTIN], ids=lambda kind: kind.__name__)
def test_every_class_survives(kind: type[Exception], text: str) -> None:
    """Those of our tree, and the built-in ones."""
    error = kind("ants/\udc80.jpg", text) if issubclass(kind, errors.SampleError) else kind(text)
    assert state(transported(error)) == state(error)


@pytest.mark.parametrize("arguments", [(), ("a", 2), (None, 1.5, True), (errno.ENOENT, "no such file")])
@pytest.mark.parametrize("kind", [OSError, ValueError, KeyError, errors.OptionError, errors.SourceError])
def test_every_argument_survives(kind: type[Exception], arguments: tuple[object, ...]) -> None:
    """Also none at all."""
    error = kind(*arguments)
    assert state(transported(error)) == state(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "no space left", "a.tfrecord"),
        OSError(errno.EXDEV, "another device", "a", None, "b"),
        errors.ConvertError(errno.EACCES, "denied", "a.tfrecord"),
    ],
)
def test_files_of_system_errors_survive(error: OSError) -> None:
    """They stand in no argument."""
    assert state(transported(error)) == state(error)


def test_names_of_missing_modules_survive() -> None:
    """Callers propose what to install by them."""
    assert transported(ImportError("no module", name="ray")).name == "ray"  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [("a", 1), b"bytes", object])
def test_arguments_that_json_lacks_become_the_message(value: object) -> None:
    """Class and message stay."""
    error = transported(ValueError(value))
    assert (type(error), str(error)) == (ValueError, str(value))


class ForeignError(Exception):
    """One that no other process knows."""


class StubbornError(CaudalError):
    """One that is made of other arguments than its message."""

    def __str__(self) -> str:
        return f"made of {self.args[0]['part']}"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ForeignError("lost"), f"{__name__}.ForeignError: lost"),
        (StubbornError({"part": 3}), f"{__name__}.StubbornError: made of 3"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff"),
        (KeyError(("a", 1)), r"KeyError: \('a', 1\)"),
        (ExceptionGroup("several", [ValueError()]), r"ExceptionGroup: several \(1 sub-exception\)"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
    ],
)
def test_other_errors_become_a_runtime_error_that_names_them(error: BaseException, message: str) -> None:
    """With their message."""
    decoded = transported(error)
    assert type(decoded) is RuntimeError
    with pytest.raises(RuntimeError, match=f"^{message}"):
        raise decoded
