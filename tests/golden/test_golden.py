"""Streams keep their bytes from release to release, or have another version.

The digests are in `digests.json`; `python -m tests.golden` writes them.
"""

import json
from pathlib import Path

import pytest

import tests.golden.__main__ as program
from pipeline import identity
from pipeline.identity import STREAM_VERSION
from tests.golden.configurations import CONFIGURATIONS, Sources
from tests.golden.digests import describe_platform, digest_configuration, read


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Data, which each test writes when it is the first to use them."""
    return Sources(tmp_path_factory.mktemp("golden"))


def test_there_are_forty_configurations() -> None:
    """All of them have golden digests, which are of this version, and the changelog names it."""
    stored = read()
    assert stored["digests"].keys() == CONFIGURATIONS.keys(), "run `python -m tests.golden`"
    assert len(CONFIGURATIONS) == 40
    assert stored["stream_version"] == STREAM_VERSION, "run `python -m tests.golden`"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_streams_are_those_of_this_version(name: str, sources: Sources) -> None:
    """Order, keys, labels and what is drawn everywhere; pixels with equal libraries, on processors that round alike."""
    golden, digests = read(), digest_configuration(name, sources)
    for kind in ("order", "draws"):
        assert digests.get(kind) == golden["digests"][name].get(kind), f"{kind} of {name!r} changed. {program.REMEDY}"
    here, differing = describe_platform(), []
    for part, expected in golden["platform"].items():
        differing += [f"{part} ({here.get(part)}, golden {expected})"] if here.get(part) != expected else []
    if differing and "pixels" in digests:
        pytest.skip(f"order and draws are equal; pixels are not compared, because here differ {', '.join(differing)}")
    assert digests.get("pixels") == golden["digests"][name].get("pixels"), f"pixels changed. {program.REMEDY}"


def test_the_changelog_names_the_version(project_root: Path) -> None:
    """Whoever raises the version says there which streams have other bytes."""
    assert f"`STREAM_VERSION` {STREAM_VERSION}" in (project_root / "CHANGELOG.md").read_text(), program.REMEDY


def test_changed_digests_need_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program refuses to write them, and says what to do; it adds new configurations without one."""
    path = tmp_path / "digests.json"
    name = "seed of 63 bits"
    monkeypatch.setattr(program, "CONFIGURATIONS", [name])
    monkeypatch.setattr(program, "PATH", path)
    monkeypatch.setattr(program, "read", lambda: json.loads(path.read_text()))
    assert program.main() == 0
    assert program.read()["digests"][name]["order"] == read()["digests"][name]["order"]
    changed = program.read()
    changed["digests"][name]["order"] = "other"
    path.write_text(json.dumps(changed))
    assert program.main() == 1
    assert f"order of '{name}' changed. An equal definition now yields other bytes." in capsys.readouterr().err
    monkeypatch.setattr(program, "STREAM_VERSION", STREAM_VERSION + 1)
    assert program.main() == 0
    assert program.read()["stream_version"] == STREAM_VERSION + 1


def test_digests_see_a_change(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the order: one round less of its permutation."""
    from pipeline.sampling import order

    order._permute_block.cache_clear()
    monkeypatch.setattr(order, "_ROUNDS", 7)
    changed = digest_configuration("seed of 63 bits", sources)
    order._permute_block.cache_clear()
    assert changed["order"] != read()["digests"]["seed of 63 bits"]["order"]
    assert identity.digest_arithmetic() == identity.digest_arithmetic.__wrapped__()
