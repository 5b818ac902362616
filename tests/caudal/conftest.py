"""Running the command line."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest


class Outcome(NamedTuple):
    """What a command ended with."""

    status: int
    out: str
    err: str


@pytest.fixture
def caudal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Return `caudal(*arguments)`: runs the command line in this process."""
    from caudal.__main__ import main

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["caudal", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Outcome(int(ended.value.code or 0), *capfd.readouterr())

    return run
