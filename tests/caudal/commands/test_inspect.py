"""`caudal inspect`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_inspect_shows_names_that_would_break_a_line(caudal: Callable[..., Any], folders: Callable[..., Path]) -> None:
    """Line breaks, bytes that are no text, and markup in names are shown, not obeyed."""
    root = folders(ants=1)
    for name in ("new\nline", os.fsdecode(b"\xff"), "[red]x"):
        os.rename(root / "ants", root / name)
        outcome = caudal("inspect", root)
        assert outcome.status == 0
        shown = {"new\nline": "new\\nline", os.fsdecode(b"\xff"): "\\xff"}.get(name, name)
        assert shown in outcome.out
        os.rename(root / name, root / "ants")
