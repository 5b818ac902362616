"""Audited benchmarks: `python -m benchmarks COMMAND --help`."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.harness import Method

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


def main() -> None:
    """Run the command line: status 0 done, 1 a contender failed, 2 unusable input, 130 interrupted."""
    from augment.errors import CaudalError

    try:
        if sys.argv[1:2] == ["convert"]:  # has its own options
            from benchmarks.conversion import main as convert

            convert(sys.argv[2:])
            sys.exit(0)
        arguments = _make_parser().parse_args()
        sys.exit(arguments.run(arguments))
    except (CaudalError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        sys.exit(130)


def run(arguments: argparse.Namespace) -> int:
    """Measure the rate of workloads."""
    from benchmarks.run import choose_contenders, keep, measure, print_table
    from benchmarks.workloads import RECIPES, WORKLOADS

    failed = False
    for name in arguments.workload or RECIPES:
        recipe = WORKLOADS[name]
        contenders = choose_contenders(arguments.contender, recipe, name)
        workload, results = measure(
            name, recipe, contenders, arguments.data, _make_method(arguments), _say, arguments.count
        )
        failed = failed or any(result.failed for result in results)
        if not results:
            return _refuse("no contender can run: install its packages, or name their environment with --peers")
        if arguments.json:
            for result in results:
                print(json.dumps(result.row(name)), flush=True)
        else:
            print_table(workload, results, recipe.unit)
        if arguments.keep:
            keep(name, [result.make_kept_row(workload, page_cache=_name_page_cache(arguments)) for result in results])
    return int(failed)


def first_batch(arguments: argparse.Namespace) -> int:
    """Measure the time to the first batch of many files."""
    from benchmarks.run import choose_contenders, keep, measure, print_first_batches
    from benchmarks.workloads import FIRST_BATCH

    contenders = choose_contenders(arguments.contender, FIRST_BATCH, "first-batch")
    workload, results = measure(
        "first-batch", FIRST_BATCH, contenders, arguments.data, _make_method(arguments), _say, arguments.count
    )
    if arguments.json:
        for result in results:
            print(json.dumps(result.make_kept_row(workload)))
    else:
        print_first_batches(workload, results)
    if arguments.keep:
        keep("first-batch", [result.make_kept_row(workload) for result in results])
    return int(any(result.failed for result in results))


def scaling(arguments: argparse.Namespace) -> int:
    """Measure the rate against the number of parallel calls and the number of images."""
    from benchmarks.run import keep
    from benchmarks.scaling import line
    from benchmarks.scaling import measure as measure_curves

    rows = measure_curves(
        arguments.data, arguments.contender, arguments.calls, arguments.images, _make_method(arguments), _say
    )
    _print_rows(rows, arguments.json, line)
    if arguments.keep:
        keep("scaling", rows)
    return int(any("failed" in row for row in rows))


def waiting(arguments: argparse.Namespace) -> int:
    """Measure `model.fit` on a loader and on a batch in memory."""
    from benchmarks.run import keep
    from benchmarks.waiting import line
    from benchmarks.waiting import measure as measure_models

    rows = measure_models(arguments.data, arguments.model, arguments.epochs, arguments.steps, _say)
    _print_rows(rows, arguments.json, line)
    if arguments.keep:
        keep("waiting", rows)
    return 0


def cores(arguments: argparse.Namespace) -> int:
    """Measure the rate of Caudal's threads on real or simulated processors."""
    from benchmarks.cores import WORKLOADS, line
    from benchmarks.cores import measure as measure_cores
    from benchmarks.run import keep

    names = arguments.workload or WORKLOADS
    rows = measure_cores(arguments.data, names, arguments.simulate, arguments.epochs, _say)
    _print_rows(rows, arguments.json, line)
    if arguments.keep:
        keep("cores", rows)
    return 0


def gil(arguments: argparse.Namespace) -> int:
    """Measure the time for which an image needs the GIL, and how often it is acquired."""
    from benchmarks.gil import WORKLOADS, line
    from benchmarks.gil import measure as measure_gil
    from benchmarks.run import keep

    rows = measure_gil(arguments.data, arguments.workload or WORKLOADS, arguments.count, arguments.epochs, _say)
    _print_rows(rows, arguments.json, line)
    if arguments.keep:
        keep("gil", rows)
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Write the page, the charts and the tables of the READMEs."""
    from benchmarks.report import write

    for path in write(arguments.results, arguments.out, readme=arguments.readme):
        print(path)
    return 0


def run_all(arguments: argparse.Namespace) -> int:
    """Measure everything, keep the rows, and write the report and the READMEs' tables."""
    arguments.workload = arguments.contender = arguments.count = arguments.model = None
    arguments.keep, arguments.steps = True, 30
    arguments.calls, arguments.images, arguments.simulate = _CALLS, _IMAGES, _SIMULATED
    status = [command(arguments) for command in (run, first_batch, cores, gil)]
    arguments.contender = _SCALED
    status += [command(arguments) for command in (scaling, waiting)]
    arguments.results, arguments.out, arguments.readme = _FOLDER / "results", _FOLDER / "report", True
    return max(*status, report(arguments))


_FOLDER = Path(__file__).parent
_CALLS = [1, 2, 4, 8]
_SIMULATED = 16
_IMAGES = [1_000, 10_000, 100_000]
_SCALED = ["caudal", "numpy-function"]


def _make_parser() -> argparse.ArgumentParser:
    from benchmarks.workloads import RECIPES, WORKLOADS

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    everyone = "default: all whose packages are installed; also your own module:function"

    one = _add_command(commands, "run", run, "rates of workloads")
    described = "; ".join(f"{name}: {recipe.about}" for name, recipe in WORKLOADS.items())
    about = f"default: all but the last three. {described}"
    one.add_argument("--workload", choices=tuple(WORKLOADS), action="append", help=about)
    one.add_argument("--contender", action="append", metavar="NAME", help=everyone)
    one.add_argument("--count", type=_parse_positive, help="number of images: a subset, or repeated images")
    one.add_argument("--cold", action="store_true", help="drop the files from the page cache before each epoch")

    one = _add_command(commands, "first-batch", first_batch, "time to the first batch of 60,000 files")
    one.add_argument("--contender", action="append", metavar="NAME", help=everyone)
    one.add_argument("--count", type=_parse_positive, default=60_000, help="number of files")

    commands.add_parser("convert", add_help=False, help="conversions against tar and OpenCV, with and without start")

    one = _add_command(commands, "scaling", scaling, "rate against parallel calls and number of images")
    one.add_argument("--contender", action="append", metavar="NAME", help=f"default: {', '.join(_SCALED)}")
    one.add_argument("--calls", type=_parse_positive, nargs="+", default=_CALLS, help="numbers of parallel calls")
    one.add_argument("--images", type=_parse_positive, nargs="*", default=_IMAGES, help="numbers of images")

    one = _add_command(commands, "waiting", waiting, "model.fit on a loader and on a batch in memory")
    one.add_argument("--model", action="append", metavar="NAME", help="model of training.architectures; default: all")
    one.add_argument("--steps", type=_parse_positive, default=30, help="training steps per measurement")

    one = _add_command(
        commands, "cores", cores, "rate against parallel calls on real or simulated processors", drawn=True
    )
    one.add_argument("--simulate", type=_parse_positive, metavar="N", help="simulate N processors: native calls sleep")
    one.add_argument("--workload", choices=tuple(RECIPES), action="append", help="default: full, light, resize")

    one = _add_command(commands, "gil", gil, "time with the GIL and its acquisitions, per image", drawn=True)
    one.add_argument("--workload", choices=tuple(RECIPES), action="append", help="default: all of these")
    one.add_argument("--count", type=_parse_positive, help="number of images: a subset, or repeated images")

    _add_command(
        commands, "all", run_all, "measure everything, keep the rows, write the report and the READMEs' tables"
    )

    one = commands.add_parser("report", help="one HTML page and charts of the kept results")
    one.set_defaults(run=report)
    one.add_argument("--results", type=Path, default=_FOLDER / "results", metavar="DIR")
    one.add_argument("--out", type=Path, default=_FOLDER / "report", metavar="DIR")
    one.add_argument("--readme", action="store_true", help="update the tables and charts of the READMEs")
    return parser


def _add_command(
    commands: Any, name: str, function: Any, about: str, *, drawn: bool = False
) -> argparse.ArgumentParser:
    """Add a command; if it can do without photographs, on drawn images, it also does without other contenders."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=function.__doc__)
    parser.set_defaults(run=function)
    about_data = "class-folders of images" + (" (default: 40 drawn images)" if drawn else "")
    parser.add_argument("--data", type=Path, required=not drawn, metavar="DIR", help=about_data)
    parser.add_argument(
        "--epochs", type=_parse_positive, default=5, help="measured rounds, after one warm-up round (default: 5)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per row instead of a table")
    parser.add_argument("--keep", action="store_true", help="append the rows to benchmarks/results/")
    if name != "waiting" and not drawn:
        parser.add_argument(
            "--peers",
            metavar="PYTHON",
            default=os.environ.get("CAUDAL_PEERS"),
            help="Python interpreter of an environment with benchmarks/peers.txt (default: CAUDAL_PEERS)",
        )
    return parser


def _make_method(arguments: argparse.Namespace) -> "Method":
    from benchmarks.harness import Method

    cold = getattr(arguments, "cold", False)
    return Method(rounds=arguments.epochs, peers=arguments.peers, cold=cold)


def _name_page_cache(arguments: argparse.Namespace) -> str:
    return "cold" if getattr(arguments, "cold", False) else "warm"


def _print_rows(rows: list[dict[str, Any]], as_json: bool, line: Any) -> None:
    for row in rows:
        print(json.dumps(row) if as_json else line(row))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _refuse(message: str) -> int:
    print(f"benchmarks: {message}", file=sys.stderr)
    return 2


def _parse_positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _exit_on_signal(number: int, frame: object) -> None:
    """Exit as by Ctrl-C, so that the contenders end, too: stopped processes would never end."""
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit_on_signal)
    main()
