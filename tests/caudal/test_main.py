"""What all commands share: help, version, errors in one line, and interrupts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMANDS = ("demo", "inspect", "preview", "stream", "convert", "verify", "text", "train", "search", "curve", "diagnose")


def test_help_lists_every_command(caudal: Callable[..., Any]) -> None:
    """`caudal`, `caudal --help` and `caudal -h` show the commands."""
    for arguments in ((), ("--help",), ("-h",)):
        outcome = caudal(*arguments)
        assert outcome.status == 0
        assert all(command in outcome.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(caudal: Callable[..., Any], command: str) -> None:
    """`--help` of a command shows how it is used."""
    outcome = caudal(command, "--help")
    assert outcome.status == 0
    assert f"caudal {command}" in outcome.out


def test_help_imports_neither_libraries_nor_commands(run_python: Callable[..., str]) -> None:
    """`caudal --help` answers within a quarter of a second: what takes time to import is imported where it is used."""
    code = (
        "import sys; sys.argv = ['caudal', '--help']\n"
        "from caudal.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'tensorflow', 'keras', 'albumentations', 'matplotlib', 'numpy', 'cv2', 'rich', 'training'}\n"
        "commands = {name for name in sys.modules if name.startswith('caudal.commands.')}\n"
        "print('\\n' + ','.join(sorted(slow & set(sys.modules) | commands)))"
    )
    assert run_python(code).splitlines()[-1] == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_what_the_commands_say(caudal: Callable[..., Any], command: str) -> None:
    """`caudal --help` does not import the commands: what it says of them is what `caudal COMMAND --help` says."""
    from caudal.__main__ import COMMANDS as HELP

    assert set(HELP) == set(COMMANDS)
    # Lines break at spaces and hyphens.
    assert "".join(HELP[command].split()) in "".join(caudal(command, "--help").out.split())


def test_version_is_that_of_the_distribution(caudal: Callable[..., Any]) -> None:
    """`caudal --version` prints the version, and whether the native module is in use."""
    from importlib.metadata import version

    import caudal as package
    from augment.plan import compiled, encoded

    assert caudal("--version") == (0, f"{version('caudal')}\n{compiled.status()}\n{encoded.status()}\n", "")
    assert package.__version__ == version("caudal")


def test_version_says_why_the_native_module_is_not_in_use(project_root: Path) -> None:
    """The lines behind it have the reason."""
    finished = subprocess.run(
        [sys.executable, "-m", "caudal", "--version"],
        cwd=project_root,
        env={**os.environ, "CAUDAL_COMPILED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.splitlines()[1:] == [
        "compiled kernels: not in use (CAUDAL_COMPILED=0); OpenCV replaces them",
        "native decoder: not in use (CAUDAL_COMPILED=0); TensorFlow replaces it",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["strem"], "No such command 'strem'"),
        (["stream"], "Missing argument 'SRC'"),
        (["stream", "SRC", "--batch-size", "0"], "--batch-size"),
        (["stream", "SRC", "--image-size", "22"], "an image size must be HEIGHTxWIDTH in pixels"),
        (["stream", "SRC", "--shard", "3/3"], "a shard must be INDEX/COUNT"),
        (["stream", "SRC", "--augment", "flop"], "'flop' is neither a file nor a policy (none, flip,"),
        (
            ["stream", "SRC", "--label-mode", "x"],
            "--label-mode must be int, categorical, binary or none, got 'x'",
        ),
        (["stream", "SRC", "--on-error", "x"], "on_error must be one of"),
        (["stream", "SRC", "--max-errors", "x"], "--max-errors must be a count (20) or a fraction (0.01), got 'x'"),
        (["stream", "SRC", "--step", "99"], "epoch=0, step=99 is out of range: an epoch has 1 steps"),
        (["stream", "SRC", "--cache", "/dev/null/x"], "cannot create the cache in /dev/null/x: Not a directory"),
        (["stream", "nowhere"], "nowhere does not exist, and matches no file as a glob"),
        (["inspect", "nowhere"], "nowhere does not exist"),
        (["convert", "nowhere", "out"], "nowhere does not exist"),
        (["convert", "SRC", "SRC"], "must not contain each other"),
        (["convert", "SRC", "/dev/null/x"], "cannot write /dev/null/x: "),
        (["convert", "SRC", "out", "--on-error", "replace"], "--on-error is raise or skip, got 'replace'"),
        (["verify", "SRC"], "is not a converted dataset: dataset.json is missing; create one with `caudal convert`"),
        (["demo", "--out", "SRC"], "exists and was not created by the demo"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(
    caudal: Callable[..., Any], folders: Callable[..., Path], arguments: list[str], message: str
) -> None:
    """The line says what is wrong; nothing is on standard output, and there is no traceback."""
    source = folders(ants=1, bees=1)
    outcome = caudal(*(source if argument == "SRC" else argument for argument in arguments))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("caudal: ")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_file_that_holds_no_transform_is_refused(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """`--augment` of another JSON file says how to write one."""
    (tmp_path / "x.json").write_text("{}")
    outcome = caudal("stream", folders(ants=1), "--augment", tmp_path / "x.json")
    assert outcome.status == 2
    assert f"{tmp_path / 'x.json'} is not an Albumentations transform: 'transform' is missing" in outcome.err
    assert "albumentations.save" in outcome.err


def cpu_seconds(process: int) -> float:
    """Return the processor time that a process has used, user and system."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_an_interrupt_within_native_code_is_one_too(
    caudal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow makes an error of its own of it, with the name of the exception and Python's stack."""

    def interrupt(**_: object) -> None:
        raise RuntimeError("KeyboardInterrupt: <EMPTY MESSAGE> At: core.py(332): _main")

    monkeypatch.setattr("caudal.__main__.app", interrupt)
    outcome = caudal("curve")
    assert (outcome.status, outcome.err) == (130, "caudal: interrupted\n")


def test_an_interrupt_within_a_finalizer_is_one_too(
    caudal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python drops it and continues."""

    class Finalized:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def interrupt(**_: object) -> None:
        Finalized()
        time.sleep(30)

    monkeypatch.setattr("caudal.__main__.app", interrupt)
    outcome = caudal("stream")
    assert (outcome.status, outcome.err) == (130, "caudal: interrupted\n")


@pytest.mark.alone
def test_interrupt_ends_without_a_traceback(
    start: Callable[..., Any], project_root: Path, folders: Callable[..., Path]
) -> None:
    """Ctrl-C in the middle of a long stream ends with status 130 and one line."""
    command = [sys.executable, "-m", "caudal", "stream", str(folders(ants=2)), "--epochs", "1000000", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(project_root)}
    process = start(command, env=environment)
    # Importing TensorFlow takes 3 to 4 seconds of processor time: with 8 it streams.
    while process.poll() is None and cpu_seconds(process.pid) < 8:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.strip().splitlines()[-1] == "caudal: interrupted"
    assert "Traceback" not in err
