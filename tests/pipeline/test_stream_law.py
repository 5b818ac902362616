"""The law of streams, over a few random compositions; `python -m tests.pipeline.soak_streams` tries many."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.composed_transforms import draw_composition
from tests.pipeline.soak_streams import check_streams, write_sources


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder, and TFRecords made from it."""
    return write_sources(tmp_path_factory.mktemp("streams"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(5))
def test_a_stream_is_the_same_everywhere(number: int, sources: dict[str, Path]) -> None:
    """Compositions three deep: threads, folder and TFRecords, and a resume by a loader that was built anew."""

    def make() -> Any:
        return draw_composition(random.Random(f"stream {number}"))  # noqa: S311  # no secret

    failures = [line for line in check_streams(make, sources, workers=False) if not line.startswith("refused resume")]
    assert not failures, make()
