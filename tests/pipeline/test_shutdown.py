"""Programs end: on their last line, on an error, on Ctrl-C, with any iterator alive, and with their own status."""

import pytest

from tests.programs.run import run
from tests.programs.shapes import SHAPES

# One shape of each kind; `make soak` runs all of them, three times each.
KINDS = (
    *("global", "generator", "cycle", "two devices", "exit status", "exception in loop", "frozen"),
    *("interrupt", "terminate", "fit, interrupt", "workers, stuck", "slower", "stuck", "texts, workers"),
    *("numpy, workers, stuck", "Keras generator, slow", "thread", "fork in a function"),
)


@pytest.mark.parametrize("name", KINDS)
def test_a_program_that_holds_an_iterator_ends_with_its_own_status(name: str) -> None:
    """It does not hang, does not abort, and does not report what stops at its end as an error."""
    end = run(SHAPES[name].body)
    assert end.status == SHAPES[name].status, f"{end.seconds:.1f} s after its last line: {end.output[-4000:]}"
    assert "ShutdownError" not in end.output
    assert "terminate called" not in end.output
