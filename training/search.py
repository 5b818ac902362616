"""Search for the experiment with the lowest error, on Optuna.

A database in the output directory contains the trials. An interrupted search resumes when it is started again, and
several processes with the same directory divide the work.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from augment import keys
from augment.errors import CaudalError
from augment.regular_files import read_regular_file
from augment.stored_files import name_damage
from training.checks import check_count, is_number
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
"""Seconds between two heartbeats of a trial; after three without one, other processes count it as failed."""


class Trial(NamedTuple):
    """A finished trial.

    Attributes:
        number: from 0.
        params: the chosen values.
        error: the fraction of wrong validation samples; None if the training diverged.
        seconds: its duration.
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
    """Run trials until the total number is reached, with those of earlier runs and of other processes.

    Random choices are pure functions of the experiment's seed and the trial's number. The error is measured after the
    last epoch on all validation samples, whatever the subset.

    Args:
        experiment: the experiment that all trials vary; `subset` replaces its `limit`.
        space: the search space.
        directory: contains "search.db".
        method: "brute-force" (all combinations, in order; ranges need steps), "grid" (all combinations of a grid, with
            five values of a range without steps), "random", or "tpe" (the tree-structured Parzen estimator:
            Bergstra et al. 2011, "Algorithms for hyper-parameter optimization").
        trials: total number; by default all combinations for the first two methods, and 20 for the others.
        subset: the fraction of the training samples that trials use, stratified by class.
        progress: called with the number of finished trials and the total.

    Returns:
        All finished trials, the best first.

    Raises:
        TrainingError: the directory contains another search or a damaged one, brute force cannot end, or an experiment
            cannot be run.
    """
    import optuna

    if method not in METHODS:
        raise TrainingError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    if method == "brute-force" and (unbounded := space.list_unbounded()):
        raise TrainingError(f"brute force needs a step for {', '.join(unbounded)}; add one, or use another method")
    if trials is not None:
        check_count("trials", trials)
    if subset is not None and not (is_number(subset) and 0 < subset <= 1):
        raise TrainingError(f"subset must be a fraction in (0, 1], got {subset!r}")
    if "strength" in {*space.dimensions, *space.fixed} and experiment.augment is None and not _has_augment(space):
        raise TrainingError("strength in the space needs an augmentation; add augment to the space or the experiment")
    experiment = experiment if subset is None else experiment.with_changes(limit=float(subset))
    combinations = list(space.combinations())[:trials] if method in ("brute-force", "grid") else None
    total = len(combinations) if combinations is not None else trials or _TRIALS
    folder = Path(directory)
    study = _open_study(folder, _describe_search(experiment, space, method))

    def objective(trial: "optuna.Trial") -> float:
        # A new sampler per trial: a trial's choices do not depend on those before it.
        trial.study.sampler = _make_sampler(method, _derive_seed(experiment.seed, trial.number))
        try:
            outcome = apply_values(experiment, {**space.fixed, **space.suggest(trial)}).run()
        except DivergedError as error:
            raise optuna.TrialPruned(str(error)) from None
        return 1 - outcome.history["val_accuracy"][-1]

    while True:
        with _report_damage(folder / DATABASE), lock(folder / LOCK):
            optuna.storages.fail_stale_trials(study)
            if combinations is not None:
                _enqueue(study, combinations)
            done = len(list_finished(study))
        progress(min(done, total), total)
        if done >= total:
            return list_finished(study)
        if combinations is not None and not _count_in_state(study, "WAITING"):
            time.sleep(1)  # other processes run the rest
            continue
        with _report_damage(folder / DATABASE, of_storage_only=True):
            study.optimize(objective, n_trials=1)


def load(directory: str | Path) -> "optuna.Study":
    """Open the study of a search.

    Raises:
        TrainingError: the directory contains no search, or a damaged one.
    """
    import optuna

    path = Path(directory) / DATABASE
    if not path.exists():
        raise TrainingError(f"{directory} contains no search; start one with `caudal search`")
    with _report_damage(path):
        study = optuna.load_study(study_name=_NAME, storage=_make_storage(path))
        study.get_trials(deepcopy=False)
        return study


def list_finished(study: "optuna.Study") -> list[Trial]:
    """List a study's finished trials, the best first, diverged ones last."""
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
    """Return the fraction of the errors' variance that each dimension explains, from 0 to 1; the sum is 1.

    By functional analysis of variance in a random forest (Hutter, Hoos and Leyton-Brown 2014, "An efficient approach
    for assessing hyperparameter importance"). Empty with too few trials, or if all have the same error.
    """
    import optuna

    errors = {trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"}
    if len(errors) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def refit(experiment: Experiment, space: SearchSpace, best: Trial, directory: str | Path) -> Report:
    """Train the best trial's experiment on all training samples, and write a report. An interrupted refit resumes.

    If the directory contains a refit of another trial, it starts over.

    Args:
        experiment: the experiment of the search, without the subset.
        space: the search space.
        best: the trial.
        directory: receives the checkpoints and the report.
    """
    chosen = apply_values(experiment, {**space.fixed, **best.params})
    _discard_other_checkpoint(Path(directory), best)
    outcome = chosen.run(Checkpoints(directory=directory, resume=True))
    return write_report(outcome, directory)


def _discard_other_checkpoint(directory: Path, best: Trial) -> None:
    """Remove the checkpoint of another trial, and record this one."""
    note = directory / "trial.json"
    params = json.dumps(best.params, sort_keys=True, default=str).encode()
    directory.mkdir(parents=True, exist_ok=True)
    if not note.exists() or read_regular_file(note) != params:
        (directory / CHECKPOINT).unlink(missing_ok=True)
        with replace_atomically(note) as partial:
            partial.write_bytes(params)


def apply_values(experiment: Experiment, values: dict[str, Any]) -> Experiment:
    """Apply a space's values to an experiment; `augment` and `strength` become a transform."""
    values = dict(values)
    strength = float(values.pop("strength", 1.0))
    if "augment" in values:
        values["augment"] = _make_augmentation(values["augment"], experiment.image_size)
    augment = values.get("augment", experiment.augment)
    if augment is not None and strength < 1:
        import albumentations as A  # noqa: N812  # the usual name

        values["augment"] = A.Compose([augment], p=strength)
    return experiment.with_changes(**values)


def _has_augment(space: SearchSpace) -> bool:
    return "augment" in space.dimensions or space.fixed.get("augment", "none") != "none"


def _make_augmentation(name: str, size: tuple[int, int]) -> Any:
    from augment import load as load_transform
    from augment import policy
    from augment.policies import NAMES

    return load_transform(name) if name not in NAMES and Path(name).is_file() else policy(name, size)


def _open_study(directory: Path, definition: str) -> "optuna.Study":
    import optuna

    directory.mkdir(parents=True, exist_ok=True)
    with (
        _report_damage(directory / DATABASE),
        lock(directory / LOCK),
    ):  # two processes that create the same tables at once fail
        study = optuna.create_study(
            study_name=_NAME, storage=_make_storage(directory / DATABASE), direction="minimize", load_if_exists=True
        )
        if study.user_attrs.setdefault(_DEFINITION, definition) != definition:
            raise TrainingError(
                f"{directory} contains another search: data, space, method, subset or seed differ; "
                "restore them, or use another directory"
            )
        study.set_user_attr(_DEFINITION, definition)
    return study


@contextlib.contextmanager
def _report_damage(path: Path, *, of_storage_only: bool = False) -> Iterator[None]:
    """Convert errors of a damaged database to one that names it.

    Args:
        path: the database.
        of_storage_only: whether other code runs in the block, whose errors are not converted.

    Raises:
        TrainingError: the database cannot be used.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    expected = (SQLAlchemyError, optuna.exceptions.StorageInternalError) if of_storage_only else (Exception,)
    try:
        yield
    except CaudalError:
        raise
    except expected as error:
        with name_damage(path, "a valid search database", TrainingError, "restore it, or use another directory"):
            raise _find_cause(error) from None


def _find_cause(error: Exception) -> Exception:
    """Return SQLite's error, which SQLAlchemy wraps in its own, with the statement, and Optuna in another."""
    cause: Any = error
    while inner := getattr(cause, "orig", None) or cause.__cause__:
        cause = inner
    return cause if isinstance(cause, Exception) else error


def _make_storage(path: Path) -> "optuna.storages.RDBStorage":
    import optuna

    if os.path.lexists(path) and not path.is_file():
        raise TrainingError(f"{path} is not a regular file; remove it, or use another directory")

    return optuna.storages.RDBStorage(
        f"sqlite:///{path}",
        heartbeat_interval=_HEARTBEAT_S,
        engine_kwargs={"connect_args": {"timeout": 60}},  # seconds to wait for another process's write
    )


def _make_sampler(method: str, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna import samplers

    return samplers.TPESampler(seed=seed) if method == "tpe" else samplers.RandomSampler(seed=seed)


def _derive_seed(seed: int, number: int) -> int:
    return int(keys.fold_in(keys.root(seed), "search", number)) % 2**32  # NumPy's range of seeds


def _enqueue(study: "optuna.Study", combinations: list[dict[str, Any]]) -> None:
    """Enqueue each combination that no trial has finished, runs or waits for; failed ones are repeated."""
    tried_params = [
        trial.system_attrs.get("fixed_params", trial.params)  # a trial that has just started lacks some params
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
    space_text = f"Space(dimensions={space.dimensions!r}, fixed={space.fixed!r})"  # as in existing studies
    parts = (train.fingerprint, validation.fingerprint, plain, experiment.recipe, space_text, method)
    return json.dumps(parts, sort_keys=True, default=str)
