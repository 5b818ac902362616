"""Search: spaces, that trials are reproducible, resumable and shared, and the pictures."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import search_figures
from training.errors import TrainingError
from training.experiment import Experiment
from training.search import Trial, apply_values, importances, load, refit, search
from training.space import Choice, Range, SearchSpace, parse_space, read_space

Make = Callable[..., Path]
SPACE = parse_space({"learning_rate": [0.001, 0.01], "width": {"low": 0.25, "high": 0.5, "step": 0.25}, "epochs": 1})


def arrays(examples: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Make images of two classes that differ in brightness."""
    labels = np.arange(examples) % 2
    noise = np.random.default_rng(0).integers(0, 100, (examples, 4, 4, 3))
    return (noise + 150 * labels[:, None, None, None]).astype(np.uint8), labels


def experiment(**changes: Any) -> Experiment:
    """Define a training of less than a second."""
    return Experiment(source=arrays(), model="graph", image_size=(4, 4), epochs=1, batch_size=8, **changes)


def test_a_space_is_read_from_toml(tmp_path: Path) -> None:
    """Lists, ranges and fixed values; integers stay integers."""
    (tmp_path / "s.toml").write_text(
        'model = ["graph", "vgg-a"]\nepochs = {low = 1, high = 3}\nwidth = {low = 0.1, high = 1, log = true}\nseed_ = 1'
    )
    with pytest.raises(TrainingError, match=r"unknown names in the space: seed_; use augment, batch_size"):
        read_space(tmp_path / "s.toml")
    (tmp_path / "s.toml").write_text(
        'model = ["graph", "vgg-a"]\nepochs = {low = 1, high = 3}\nwidth = {low = 0.1, high = 1, log = true}\n'
        "batch_size = 8"
    )
    space = read_space(tmp_path / "s.toml")
    assert space.dimensions["model"] == Choice(("graph", "vgg-a"))
    assert space.grid["epochs"] == [1, 2, 3]
    assert space.grid["width"] == pytest.approx([0.1, 10**-0.75, 10**-0.5, 10**-0.25, 1])
    assert space.fixed == {"batch_size": 8}
    assert space.list_unbounded() == ["width"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"epochs": 1}, "the space has no dimension"),
        ({"epochs": []}, "epochs needs at least one value, got an empty list"),
        ({"epochs": {"low": 1}}, "needs low and high, and optionally log or step; got"),
        ({"epochs": {"low": 3, "high": 1}}, "low below high"),
        ({"width": {"low": 0, "high": 1, "log": True}}, "starts above 0"),
        ({"width": {"low": 0, "high": 1, "step": -1}}, "step of width must be positive"),
        ({"width": {"low": "a", "high": 1}}, "width must be a number, or a list of them; got 'a'"),
        ({"width": {"low": 0.1, "high": float("inf")}}, "width must be finite, got inf"),
        ({"width": {"low": 0.1, "high": 1, "log": 1}}, "log in the range of width must be true or false, got 1"),
        ({"width": [True]}, "width must be a number, or a list of them; got True"),
        ({"epochs": ["five"]}, "epochs must be an integer, or a list of them; got 'five'"),
        ({"epochs": {"low": 1.0, "high": 3.0}}, "epochs must be an integer, or a list of them; got 1.0"),
        ({"model": {"low": 1, "high": 2}}, "model is a string and cannot have a range; use a list"),
        ({"augment": [1]}, "augment must be a string, or a list of them; got 1"),
        ({"dropout": "no", "width": [1, 2]}, "dropout must be true or false, or a list of them; got 'no'"),
        ({"strength": [0.5, 1.5]}, "strength is a fraction from 0 to 1, got 1.5"),
    ],
)
def test_impossible_spaces_are_refused(written: dict[str, Any], message: str) -> None:
    """By a message that names the dimension."""
    with pytest.raises(TrainingError, match=message):
        parse_space(written)


def test_steps_of_a_range_end_at_its_end() -> None:
    """Sums of floats do not lose the last value."""
    assert Range(0.1, 0.3, step=0.1).grid() == pytest.approx([0.1, 0.2, 0.3])
    assert Range(0.0, 1.0).grid() == [0, 0.25, 0.5, 0.75, 1]


def test_brute_force_tries_every_combination_once(tmp_path: Path) -> None:
    """An interrupted search resumes with the rest; a complete one runs no more trials."""
    first = search(experiment(), SPACE, tmp_path, method="brute-force", trials=1)
    assert [trial.params for trial in first] == [{"learning_rate": 0.001, "width": 0.25}]
    found = search(experiment(), SPACE, tmp_path, method="brute-force")
    assert sorted(tuple(trial.params.values()) for trial in found) == [
        (r, w) for r in (0.001, 0.01) for w in (0.25, 0.5)
    ]
    assert found[0].error == min(trial.error for trial in found)  # type: ignore[type-var]  # none diverged
    assert search(experiment(), SPACE, tmp_path, method="brute-force") == found
    with pytest.raises(TrainingError, match="contains another search"):
        search(experiment(seed=1), SPACE, tmp_path, method="brute-force")
    fractions = importances(load(tmp_path))
    assert not fractions or sum(fractions.values()) == pytest.approx(1)


def test_a_combination_that_has_just_begun_is_not_tried_again(tmp_path: Path) -> None:
    """Its trial contains the enqueued values before it has chosen all of them."""
    import optuna

    from training.search import _enqueue

    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 's.db'}")
    combinations = list(SPACE.combinations())[:1]
    _enqueue(study, combinations)
    trial = study.ask()
    for choose in (lambda: None, lambda: trial.suggest_categorical("learning_rate", (0.001, 0.01))):
        choose()
        _enqueue(study, combinations)
        assert len(study.get_trials()) == 1


def test_brute_force_needs_a_finite_space(tmp_path: Path) -> None:
    """The message names the range."""
    space = parse_space({"width": {"low": 0.1, "high": 1.0}})
    with pytest.raises(TrainingError, match="brute force needs a step for width; add one"):
        search(experiment(), space, tmp_path, method="brute-force")


def test_random_trials_are_functions_of_seed_and_number(tmp_path: Path) -> None:
    """The same choices whether a search runs in one go or in two."""
    space = parse_space({"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "augment": ["none", "flip"]})
    for trials in (1, 2):
        parts = search(experiment(), space, tmp_path / "parts", method="random", trials=trials, subset=0.5)
    whole = search(experiment(), space, tmp_path / "whole", method="random", trials=2, subset=0.5)
    chosen = [{trial.number: trial.params for trial in one} for one in (parts, whole)]
    assert chosen[0] == chosen[1]
    assert chosen[0][0] != chosen[0][1]


def test_two_processes_share_the_combinations(tmp_path: Path, folders: Make, project_root: Path) -> None:
    """Neither repeats what the other does, and both end with all trials."""
    (tmp_path / "space.toml").write_text("learning_rate = [0.001, 0.002, 0.003, 0.004]\n")
    options = ["--space", "space.toml", "--method", "grid", "--model", "graph", "--image-size", "4x4", "--epochs", "1"]
    command = [sys.executable, "-m", "caudal", "search", str(folders(ants=8, bees=8)), *options, "--out", "s", "--json"]
    environment = {"PYTHONPATH": str(project_root), "PATH": "", "HOME": str(tmp_path)}
    processes = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        trials = json.loads(out)["trials"]
        assert sorted(trial["params"]["learning_rate"] for trial in trials) == [0.001, 0.002, 0.003, 0.004]


def test_strength_is_the_share_of_augmented_samples() -> None:
    """At a half, about half of the samples of a flip that is always applied are flipped."""
    import albumentations as A  # noqa: N812  # the usual name

    images = np.tile(np.arange(8, dtype=np.uint8)[:, None], (200, 8, 1, 3))
    always = Experiment(
        source=(images, np.arange(200) % 2), augment=A.Compose([A.HorizontalFlip(p=1)]), image_size=(8, 8)
    )
    fractions = {}
    for strength in (0.0, 0.5, 1.0):
        train, _ = apply_values(always, {"strength": strength}).make_loaders()
        flipped = np.concatenate([batch.numpy()[:, 0, 0, 0] == 7 for batch, _ in train.dataset()])
        fractions[strength] = flipped.mean()
    assert fractions[0.0] == 0
    assert fractions[1.0] == 1
    assert 0.35 < fractions[0.5] < 0.65


def test_unknown_policies_and_methods_are_refused(tmp_path: Path) -> None:
    """With what there is."""
    from augment.errors import TransformError

    with pytest.raises(TransformError, match="unknown policy 'flop'"):
        apply_values(experiment(), {"augment": "flop"})
    with pytest.raises(TrainingError, match="method must be one of brute-force, grid, random, tpe; got 'x'"):
        search(experiment(), SPACE, tmp_path, method="x")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="contains no search"):
        load(tmp_path / "nothing")


def test_another_best_is_trained_in_the_place_of_the_first(tmp_path: Path) -> None:
    """More trials may find a better one; the same best again is not trained twice."""
    trials = [Trial(number, {"learning_rate": rate, "width": 0.25}, 0.1, 1.0) for number, rate in enumerate((0.1, 0.2))]
    digests = [
        refit(experiment(), SPACE, trial, tmp_path / "best").result["weights_sha256"]
        for trial in (*trials, trials[1], trials[0])
    ]
    assert digests[1] == digests[2] != digests[0]


def test_the_thick_line_is_that_of_the_best_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equal trials the first; and one error is written once."""
    sheets: list[Any] = []
    monkeypatch.setattr(search_figures.canvas, "write", lambda sheet, _: sheets.append(sheet))
    space = SearchSpace({"width": Choice((0.5, 1.0))}, {})
    tied = [Trial(number, {"width": width}, 0.5, 1.0) for number, width in enumerate((1.0, 0.5))]
    search_figures.parallel_coordinates(tmp_path / "p.png", tied, space)
    (axes,) = sheets[0].axes
    (thick,) = (line for line in axes.lines if line.get_linewidth() == 3)
    assert thick.get_ydata()[0] == 1
    assert [text.get_text() for text in axes.texts].count("50.0%") == 1


def test_pictures_take_any_number_of_trials(tmp_path: Path) -> None:
    """One trial, ties, and one that diverged."""
    space = SearchSpace({"model": Choice(("graph", "vgg-a")), "width": Range(0.1, 1.0, log=True)}, {})
    trials = [
        Trial(0, {"model": "graph", "width": 0.2}, 0.5, 1.0),
        Trial(1, {"model": "vgg-a", "width": 0.4}, 0.5, 1.0),
        Trial(2, {"model": "vgg-a", "width": 1.0}, None, 1.0),
    ]
    for count in (1, 3):
        path = search_figures.parallel_coordinates(tmp_path / "p.png", trials[:count], space)
        assert path.read_bytes().startswith(b"\x89PNG")
    assert search_figures.importance_chart(tmp_path / "i.png", {"width": 0.9, "model": 0.1}).stat().st_size > 1000
