"""Programs end: on their last line, on an error, on Ctrl-C, with any iterator alive, and with their own status."""

import pytest

from tests.programs.run import run
from tests.programs.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_a_program_that_holds_an_iterator_ends_with_its_own_status(name: str) -> None:
    """It does not hang, and does not abort."""
    end = run(SHAPES[name].body)
    assert end.status == SHAPES[name].status, f"{end.seconds:.1f} s after its last line: {end.output[-4000:]}"


@pytest.mark.parametrize("name", ["global", "stuck", "slow", "workers, started", "daemon thread"])
def test_a_program_that_ends_says_nothing(name: str) -> None:
    """What stops at its end is no error: nothing of it stands on standard error."""
    assert run(SHAPES[name].body).output == ""
