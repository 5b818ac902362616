"""`caudal inspect`."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.images.decode import Decoder


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


def test_inspect_decodes_every_file_whole_if_asked(
    caudal: Callable[..., Any], folders: Callable[..., Path], encode: Callable[..., bytes]
) -> None:
    """A JPEG that is cut where a crop does not reach is listed with its reason; the status stays that of a listing."""
    root = folders(ants=2)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cut = encode(image, ".jpg")[:-200]
    (root / "ants" / "cut.jpg").write_bytes(cut)
    window = Decoder().window(cut, Decoder().header(cut), (0, 0, 16, 16), 1)
    assert window.shape == (16, 16, 3)
    outcome = caudal("inspect", root)
    assert outcome.status == 0
    assert "0 unreadable (headers only; --decode checks the pixels)" in outcome.out
    outcome = caudal("inspect", root, "--decode")
    assert outcome.status == 0
    assert "unreadable: ants/cut.jpg (decode): damaged JPEG" in outcome.out
    assert "1 unreadable\n" in outcome.out
    found = json.loads(caudal("inspect", root, "--decode", "--json").out)
    assert [row["sample"] for row in found["unreadable"]] == ["ants/cut.jpg"]
