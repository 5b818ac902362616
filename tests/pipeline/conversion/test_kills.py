"""A killed conversion leaves no partial destination, and the same command finishes it."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import make_folders


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Return a folder in memory where possible: thousands of flushes to a disk take minutes."""
    memory = Path("/dev/shm")  # noqa: S108  # the folder made in it has a name of its own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def killing(run_python: Callable[..., str], scratch: Path) -> Callable[[str], Any]:
    """Return a function that evaluates an iterator over the names of `killing` in a new interpreter, as a list."""
    make_folders(scratch / "source", {"ants": 4, "bees": 3})
    make_folders(scratch / "old", {"wasps": 2})
    (scratch / "target").mkdir()

    def run(expression: str) -> list[Any]:
        code = (
            "import json\n"
            "from pathlib import Path\n"
            "from tests.pipeline.conversion.killing import every_step, random_instants\n"
            f"root = Path({str(scratch)!r})\n"
            "source, old, out = root / 'source', root / 'old', root / 'target' / 'out'\n"
            f"print(json.dumps(list({expression})))\n"
        )
        return list(json.loads(run_python(code)))

    return run


@pytest.mark.parametrize(
    ("expression", "least"),
    [
        ("every_step(source, out, shards=2)", 40),
        ("every_step(source, out, shards=2, old=old)", 40),
        ("every_step(source, out, to='folder', shard_size=1500)", 40),
        ("every_step(source, out, split={'a': .6, 'b': .4}, shards=1)", 40),
    ],
    ids=["fresh", "overwrite", "folder", "split"],
)
def test_a_kill_at_any_write_flush_or_rename_can_be_finished(
    killing: Callable[[str], Any], expression: str, least: int
) -> None:
    """After each kill the destination is absent, unchanged or complete; resumed, no finished shard is written again."""
    steps = killing(expression)
    assert steps == list(range(len(steps)))
    assert len(steps) >= least


def test_kills_at_random_instants_with_two_workers_can_be_finished(killing: Callable[[str], Any]) -> None:
    """Fifty kills of a conversion in two processes; some of them leave no destination."""
    left = killing("random_instants(source, out, 50, shards=4, workers=2)")
    assert len(left) == 50
    assert "absent" in left
