"""`caudal verify`, and its agreement with `inspect` and `convert`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_inspect_convert_and_verify_agree(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """`inspect`, `convert` and `verify` agree, in text and in JSON."""
    source, target = folders(ants=3, bees=4), tmp_path / "out"
    assert json.loads(caudal("inspect", source, "--json").out)["classes"] == {"ants": 3, "bees": 4}
    assert "7 images, " in caudal("inspect", source, "--decode").out
    manifest = json.loads(caudal("convert", source, target, "--shards", 2, "--json").out)
    assert [shard["examples"] for shard in manifest["shards"]] == [3, 4]
    assert "7 images in 2 shards" in caudal("convert", source, target, "--shards", 2, "--overwrite").out
    assert caudal("verify", target) == (0, "ok: every file, record and checksum matches the manifest\n", "")
    assert json.loads(caudal("verify", target, "--json", "--decode").out) == {"ok": True, "faults": []}


def test_faults_give_status_1(caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path) -> None:
    """Each fault has one line, and the exit status is 1."""
    caudal("convert", folders(ants=3), tmp_path / "out")
    (tmp_path / "out" / "stray").touch()
    outcome = caudal("verify", tmp_path / "out")
    assert outcome.status == 1
    assert outcome.out.splitlines()[0] == "stray: is not listed in dataset.json"
    assert json.loads(caudal("verify", tmp_path / "out", "--json").out)["ok"] is False
