"""`caudal`: the entry point, the list of commands, and their exit status."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from augment.errors import CaudalError
from caudal.output import escape_unprintable, log_to_stderr
from pipeline.errors import SampleError, TooManyErrorsError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_UsageError: Any = typer.BadParameter.__mro__[1]  # click's class; newer versions of Typer contain their own click
_INTERRUPTED = 130  # 128 plus the number of the signal, as in shells

COMMANDS: Mapping[str, str] = {
    "demo": "Write, convert, stream, augment and train on real images: no download, three minutes on two cores.",
    "inspect": "Count classes, sizes and formats, and list files that cannot be read.",
    "preview": "Draw images before and after augmentation: originals on the left, network inputs to their right.",
    "stream": "Iterate a dataset: print images/s and, with --digest, SHA-256 digests of batches and stream.",
    "diagnose": "Measure a dataset stage by stage on this machine, and recommend what makes it faster.",
    "convert": "Convert between class-folders, TFRecords and texts; run the command again to resume.",
    "verify": "Check every file, record and checksum of a converted dataset; exit status 1 if anything is wrong.",
    "train": "Train a model, print its validation error, and write curves, a confusion matrix and a report.",
    "search": "Search for the experiment with the lowest error; run it again to resume, or several times in parallel.",
    "curve": "Measure learning curves of logistic regression and of a CNN, fit power laws, and extrapolate them.",
    "text": "Augment sentences (EDA: synonyms, insertions, swaps, deletions), or preview the result.",
}
"""The help of each command, in order: `caudal --help` shows it without importing the commands."""


class _LazyCommands(Mapping[str, Any]):
    """The commands by name; each is imported from `caudal.commands` on first use."""

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        command = getattr(import_module(f"caudal.commands.{name}"), name)
        if isinstance(command, typer.Typer):
            return typer.main.get_command(command)
        own_app = typer.Typer(add_completion=False, rich_markup_mode=None)
        own_app.command(name)(command)
        return typer.main.get_command(own_app)


class _Commands(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = _LazyCommands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


# Without Rich's help: it takes 0.2 s to import, and breaks words in 80 columns.
app = typer.Typer(
    cls=_Commands,
    name="caudal",
    help="Load images and texts at decoder speed, in a reproducible and resumable order.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _without_command(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and whether the native module is in use.")
    ] = False,
) -> None:
    if version:
        from augment.plan import compiled, encoded
        from caudal import __version__

        print(__version__)
        print(compiled.status())
        print(encoded.status())
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command line.

    Exit status: 0 done; 1 the answer is no; 2 unusable input, or a bug, with one line on standard error; 130
    interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow logs its build at every start
    sys.unraisablehook = _raise_again
    try:
        with log_to_stderr():
            status = app(standalone_mode=False)
    except _UsageError as error:
        status = _refuse(error.format_message())
    except TooManyErrorsError as error:
        _refuse(str(error))
        status = 1
    except SampleError as error:
        status = _refuse(f"{escape_unprintable(error.sample)}: {error.reason}")
    except CaudalError as error:
        status = _refuse(str(error))
    except MemoryError:
        status = _refuse("out of memory; use smaller images, batches or models")
    except ImportError as error:
        if os.environ.get("CAUDAL_TRACEBACK"):
            raise
        status = _refuse(f"a library cannot be loaded: {error}; install it again, or allow more memory and open files")
    except KeyboardInterrupt:  # before or after a command; within a command, Typer turns it into a status
        status = _INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        if os.environ.get("CAUDAL_TRACEBACK"):
            raise
        path = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        status = _refuse(f"{path}{error.strerror or error}")
    except Exception as error:
        if os.environ.get("CAUDAL_TRACEBACK"):
            raise
        # TensorFlow wraps an interrupt in its own error if native code was calling Python.
        status = (
            _INTERRUPTED
            if "KeyboardInterrupt" in str(error)
            else _refuse(
                f"unexpected {type(error).__name__}: {error} (set CAUDAL_TRACEBACK=1 for a traceback, and report it)"
            )
        )
    finally:
        sys.unraisablehook = sys.__unraisablehook__
    if status == _INTERRUPTED:
        print("caudal: interrupted", file=sys.stderr)
    sys.exit(status if isinstance(status, int) else 0)


def _raise_again(dropped: "UnraisableHookArgs") -> None:
    """Repeat an interrupt that Python dropped because it came within a finalizer, for example TensorFlow's."""
    if isinstance(dropped.exc_value, KeyboardInterrupt):
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(dropped)


def _refuse(message: str) -> int:
    """Print an error in one line: a message of a library may have several."""
    print(f"caudal: {escape_unprintable(' '.join(message.split()))}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
