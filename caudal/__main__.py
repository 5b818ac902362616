"""`caudal`: the entry point, and what every command shares about its end."""

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augment.errors import CaudalError
from caudal.convert import convert
from caudal.curve import curve
from caudal.demo import demo
from caudal.diagnose import diagnose
from caudal.inspect import inspect
from caudal.preview import preview
from caudal.search import search
from caudal.stream import stream
from caudal.text import text
from caudal.train import train
from caudal.verify import verify
from pipeline.errors import TooManyErrorsError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_UsageError: Any = typer.BadParameter.__mro__[1]  # click's class; newer versions of Typer carry a click of their own
_INTERRUPTED = 130  # 128 and the number of the signal, as shells have it

app = typer.Typer(
    name="caudal",
    help="Feed images and texts to a model as fast as they decode, in an order that can be reproduced and resumed.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, inspect, preview, stream, diagnose, convert, verify, train, search, curve):
    app.command()(command)
app.add_typer(text)


@app.callback(invoke_without_command=True)
def _without_command(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(installed("caudal"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command line.

    Exit status: 0 done; 1 the answer is no; 2 unusable input, or an error of ours, with one line on standard error; 130
    interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets every start with remarks on its build
    sys.unraisablehook = _raise_again
    try:
        status = app(standalone_mode=False)
    except _UsageError as error:
        status = _refuse(error.format_message())
    except TooManyErrorsError as error:
        _refuse(str(error))
        status = 1
    except CaudalError as error:
        status = _refuse(str(error))
    except KeyboardInterrupt:  # before or after a command; within one, Typer makes it a status
        status = _INTERRUPTED
    except BrokenPipeError:  # whoever reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:
        if os.environ.get("CAUDAL_TRACEBACK"):
            raise
        # TensorFlow makes an error of its own of an interrupt that comes while native code calls Python.
        status = (
            _INTERRUPTED
            if "KeyboardInterrupt" in str(error)
            else _refuse(
                f"unexpected {type(error).__name__}: {error} (CAUDAL_TRACEBACK=1 shows where; please report it)"
            )
        )
    finally:
        sys.unraisablehook = sys.__unraisablehook__
    if status == _INTERRUPTED:
        print("caudal: interrupted", file=sys.stderr)
    sys.exit(status if isinstance(status, int) else 0)


def _raise_again(dropped: "UnraisableHookArgs") -> None:
    """Interrupt once more where Python has dropped a Ctrl-C: it came within a finalizer, TensorFlow's for example."""
    if isinstance(dropped.exc_value, KeyboardInterrupt):
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(dropped)


def _refuse(message: str) -> int:
    print(f"caudal: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
