"""Search for the experiment with the lowest error, on Optuna.

The trials stand in a database in the output directory. A search that was stopped goes on when it is started again, and
several processes that are given the same directory share the work.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from augment import keys
from training.errors import DivergedError, TrainingError
from training.experiment import Experiment
from training.files import lock, replace_atomically
from training.fit import CHECKPOINT, Checkpoints
from training.report import Report, write_report
from training.space import SearchSpace

if TYPE_CHECKING:
    import optuna

Method: TypeAlias = Literal["brute-force", "grid", "random", "tpe"]

METHODS = ("brute-force", "grid", "random", "tpe")
DATABASE = "search.db"
LOCK = "search.lock"

_NAME = "caudal"
_TRIALS = 20
_DEFINITION = "definition"
_HEARTBEAT_S = 20
"""Seconds between two signs of life of a trial; after three without one, other processes count it as failed."""


class Trial(NamedTuple):
    """An experiment that was tried.

    Attributes:
        number: from 0.
        params: what was chosen.
        error: the share of the validation samples that it got wrong; None where the training diverged or broke off.
        seconds: that it took.
    """

    number: int
    params: dict[str, Any]
    error: float | None
    seconds: float


def search(
    experiment: Experiment,
    space: SearchSpace,
    directory: str | Path,
    *,
    method: Method = "tpe",
    trials: int | None = None,
    subset: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Trial]:
    """Try experiments until there are as many trials as asked for, those of earlier and of other processes among them.

    Random draws are pure functions of the experiment's seed and the trial's number. The error is that after the last
    epoch on the validation samples, which are all used whatever the subset.

    Args:
        experiment: what all trials have in common; its `limit` is replaced by `subset` where that is given.
        space: what varies.
        directory: holds "search.db".
        method: "brute-force" (all combinations, in their order; ranges need steps), "grid" (the same of a grid, which
            takes five places of a range without steps), "random", or "tpe" (the tree-structured Parzen estimator:
            Bergstra et al. 2011, "Algorithms for hyper-parameter optimization").
        trials: how many; by default all combinations for the first two methods, and 20 for the others.
        subset: the share of the training samples that trials use, each class keeping its own.
        progress: called with the trials done and to do.

    Returns:
        All finished trials, the best first.

    Raises:
        TrainingError: the directory holds another search, brute force cannot end, or an experiment cannot be run.
    """
    import optuna

    if method not in METHODS:
        raise TrainingError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    if method == "brute-force" and (unbounded := space.list_unbounded()):
        raise TrainingError(
            f"brute force cannot try all values of {', '.join(unbounded)}; give a step, or another method"
        )
    if trials is not None and trials < 1:
        raise TrainingError(f"trials must be at least 1, got {trials}")
    experiment = experiment if subset is None else experiment.with_changes(limit=subset)
    combinations = list(space.combinations())[:trials] if method in ("brute-force", "grid") else None
    total = len(combinations) if combinations is not None else trials or _TRIALS
    folder = Path(directory)
    study = _open_study(folder, _describe_search(experiment, space, method))

    def objective(trial: "optuna.Trial") -> float:
        # Made anew, so that a trial's draws do not depend on those before it.
        trial.study.sampler = _make_sampler(method, _derive_seed(experiment.seed, trial.number))
        try:
            outcome = apply_values(experiment, {**space.fixed, **space.suggest(trial)}).run()
        except DivergedError as error:
            raise optuna.TrialPruned(str(error)) from None
        return 1 - outcome.history["val_accuracy"][-1]

    while True:
        with lock(folder / LOCK):
            optuna.storages.fail_stale_trials(study)
            if combinations is not None:
                _enqueue(study, combinations)
        done = len(list_finished(study))
        progress(min(done, total), total)
        if done >= total:
            return list_finished(study)
        if combinations is not None and not _count_in_state(study, "WAITING"):
            time.sleep(1)  # other processes have the rest
            continue
        study.optimize(objective, n_trials=1)


def load(directory: str | Path) -> "optuna.Study":
    """Open the study of a search.

    Raises:
        TrainingError: the directory holds none.
    """
    import optuna

    path = Path(directory) / DATABASE
    if not path.exists():
        raise TrainingError(f"{directory} holds no search; `caudal search` makes one")
    return optuna.load_study(study_name=_NAME, storage=_make_storage(path))


def list_finished(study: "optuna.Study") -> list[Trial]:
    """List a study's finished trials, the best first; those without an error last."""
    listed = [
        Trial(
            trial.number,
            dict(trial.params),
            trial.value if trial.state.name == "COMPLETE" else None,
            trial.duration.total_seconds() if trial.duration else 0.0,
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in ("COMPLETE", "PRUNED")
    ]
    return sorted(listed, key=lambda trial: (trial.error is None, trial.error, trial.number))


def importances(study: "optuna.Study") -> dict[str, float]:
    """Say how much of the errors' variance each dimension explains, from 0 to 1; the sum is 1.

    By functional analysis of variance in a random forest (Hutter, Hoos and Leyton-Brown 2014, "An efficient approach
    for assessing hyperparameter importance"). Empty where there are too few trials, or all have one error.
    """
    import optuna

    errors = {trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"}
    if len(errors) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def refit(experiment: Experiment, space: SearchSpace, best: Trial, directory: str | Path) -> Report:
    """Train the best trial's experiment on all training samples, and report; it goes on where it was stopped.

    Where the directory holds what was the best before more trials were made, it begins anew.

    Args:
        experiment: as it was searched with, without the subset.
        space: the same.
        best: its choices are taken.
        directory: gets the checkpoints, and the report.
    """
    chosen = apply_values(experiment, {**space.fixed, **best.params})
    _discard_other_checkpoint(Path(directory), best)
    outcome = chosen.run(Checkpoints(directory=directory, resume=True))
    return write_report(outcome, directory)


def _discard_other_checkpoint(directory: Path, best: Trial) -> None:
    """Remove the checkpoint of another trial, and note whose it will be."""
    note, described = directory / "trial.json", json.dumps(best.params, sort_keys=True, default=str)
    directory.mkdir(parents=True, exist_ok=True)
    if not note.exists() or note.read_text() != described:
        (directory / CHECKPOINT).unlink(missing_ok=True)
        with replace_atomically(note) as partial:
            partial.write_text(described)


def apply_values(experiment: Experiment, values: dict[str, Any]) -> Experiment:
    """Apply a space's values to an experiment; `augment` and `strength` become a transform."""
    values = dict(values)
    strength = float(values.pop("strength", 1.0))
    if "augment" in values:
        values["augment"] = _make_augmentation(values["augment"], experiment.image_size)
    augment = values.get("augment", experiment.augment)
    if augment is not None and strength < 1:
        import albumentations as A  # noqa: N812  # its users know it by this name

        values["augment"] = A.Compose([augment], p=strength)
    return experiment.with_changes(**values)


def _make_augmentation(name: str, size: tuple[int, int]) -> Any:
    from augment import load as load_transform
    from augment import policy
    from augment.policies import NAMES

    return load_transform(name) if name not in NAMES and Path(name).is_file() else policy(name, size)


def _open_study(directory: Path, definition: str) -> "optuna.Study":
    import optuna

    directory.mkdir(parents=True, exist_ok=True)
    with lock(directory / LOCK):  # two processes that make the same tables at once fail
        study = optuna.create_study(
            study_name=_NAME, storage=_make_storage(directory / DATABASE), direction="minimize", load_if_exists=True
        )
        if study.user_attrs.setdefault(_DEFINITION, definition) != definition:
            raise TrainingError(
                f"{directory} holds another search: data, space, method, subset and seed must be what they were; "
                "give those, or another directory"
            )
        study.set_user_attr(_DEFINITION, definition)
    return study


def _make_storage(path: Path) -> "optuna.storages.RDBStorage":
    import optuna

    return optuna.storages.RDBStorage(
        f"sqlite:///{path}",
        heartbeat_interval=_HEARTBEAT_S,
        engine_kwargs={"connect_args": {"timeout": 60}},  # seconds that a process waits for another's write
    )


def _make_sampler(method: str, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna import samplers

    return samplers.TPESampler(seed=seed) if method == "tpe" else samplers.RandomSampler(seed=seed)


def _derive_seed(seed: int, number: int) -> int:
    return int(keys.fold_in(keys.root(seed), "search", number)) % 2**32  # what NumPy's generators take


def _enqueue(study: "optuna.Study", combinations: list[dict[str, Any]]) -> None:
    """Have each combination tried that no trial has, is at, or waits for; one that broke off is tried again."""
    tried_params = [
        trial.system_attrs.get("fixed_params", trial.params)  # one that has just begun has a part of its params
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name != "FAIL"
    ]
    for params in combinations:
        if params not in tried_params:
            study.enqueue_trial(params)


def _count_in_state(study: "optuna.Study", state: str) -> int:
    return sum(trial.state.name == state for trial in study.get_trials(deepcopy=False))


def _describe_search(experiment: Experiment, space: SearchSpace, method: str) -> str:
    train, validation = experiment.make_loaders()
    plain = {name: value for name, value in vars(experiment).items() if isinstance(value, (int, float, str, tuple))}
    written = f"Space(dimensions={space.dimensions!r}, fixed={space.fixed!r})"  # as in the studies that exist already
    parts = (train.fingerprint, validation.fingerprint, plain, experiment.recipe, written, method)
    return json.dumps(parts, sort_keys=True, default=str)
