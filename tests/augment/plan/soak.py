"""Laws of plans over many random compositions: `python -m tests.augment.plan.soak [LAW ...] [-n COUNT] [--seed SEED]`.

* `outcomes`: COUNT draws of each composition within each other one, against Albumentations by chi-squared;
* `explain`: what `Plan.explain` says of COUNT random plans, against counted calls;
* `targets`: `Plan.apply_to` in COUNT random cases, against Albumentations with the same parameters.

Prints what fails; the exit status is 1 if something does.
"""

import argparse
import copy
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
from scipy import stats

import augment
from augment import keys
from tests.augment.plan.target_cases import check_targets, draw_case
from tests.augment.plan.test_laws import COMPOSITIONS, Multiply, make_leaf, test_what_explain_says_is_what_runs

COUNTS = {"outcomes": 100_000, "explain": 1000, "targets": 5000}
MIN_P = 1e-4
"""The least p-value of all tests together (Bonferroni's correction)."""

_COMPILED = ("Compose", "Sequential", "OneOf", "SomeOf", "RandomOrder")
_IMAGE = np.arange(18, dtype=np.uint8).reshape(3, 2, 3) * 9
_BATCH = 1000


def check_outcomes(count: int, seed: int) -> Iterator[str]:
    """Compare the frequency of each outcome, of every composition in every other one; the fast ones first."""
    pairs = [pair for pair in product(COMPOSITIONS, repeat=2) if pair != ("SelectiveChannelTransform",) * 2]
    for outer, inner in sorted(pairs, key=lambda pair: sum(name in _COMPILED for name in pair), reverse=True):
        p_value = _compare(_make_nested(outer, inner), count, seed) * len(pairs)
        _report(f"{outer} of {inner}: p={min(p_value, 1):.3g}")
        if p_value < MIN_P:
            yield f"{outer} of {inner}: the outcomes differ, p={p_value:.3g} after correction"


def check_explained(count: int, seed: int) -> Iterator[str]:
    """Run the property of what `explain` says on random plans."""
    check = test_what_explain_says_is_what_runs.hypothesis.inner_test
    for number in range(count):
        rng = random.Random(f"{seed} {number}")  # noqa: S311  # no secret
        numbers = [rng.randrange(11) for _ in range(rng.randint(2, 6))]
        yield from _run(check, numbers, rng.choice(["all", "order", "one", "some"]), rng.randrange(10**6))


def check_all_targets(count: int, seed: int) -> Iterator[str]:
    """Compare all targets of random cases."""
    for number in range(count):
        yield from _run(check_targets, draw_case(random.Random(f"{seed} {number}")))  # noqa: S311  # no secret


def _run(check: Callable[..., None], *arguments: Any) -> Iterator[str]:
    try:
        check(*arguments)
    except Exception as error:  # all failures are counted
        yield f"{check.__name__}{arguments}: {type(error).__name__}: {error}"


def _make_nested(outer: str, inner: str) -> Any:
    if "SelectiveChannelTransform" in (outer, inner):
        leaves: list[Any] = [Multiply(number, p=0.5) for number in (1, 2, 3)]  # it cannot take flips of two channels
    else:
        leaves = [make_leaf(number) for number in (1, 2, 4)]
    return COMPOSITIONS[outer](COMPOSITIONS[inner](*leaves[:2]), leaves[2])


def _compare(transform: Any, count: int, seed: int) -> float:
    """Return the p-value of both having one distribution of outcomes; rare outcomes count as one."""
    plan, original = augment.compile(transform), _seed(copy.deepcopy(transform), seed)
    is_compiled = not any(isinstance(leaf.transform, A.BaseCompose) for leaf in plan.leaves)
    outcomes: dict[tuple[int, ...], bytes] = {}
    ours: Counter[bytes] = Counter()
    for start in range(0, count, _BATCH):
        params = plan.sample(seed, 0, range(start, start + _BATCH), [_IMAGE.shape] * _BATCH)
        for row in range(_BATCH):
            chosen = tuple(params.list_leaves(row))
            outcome = outcomes.get(chosen) if is_compiled else None  # the transforms themselves draw nothing
            outcome = _name(plan.apply(_IMAGE, params, row)) if outcome is None else outcome
            outcomes[chosen] = outcome
            ours[outcome] += 1
    theirs = Counter(_name(original(image=_IMAGE.copy())["image"]) for _ in range(count))
    table = np.array([(ours[outcome], theirs[outcome]) for outcome in sorted(ours.keys() | theirs.keys())])
    rare = table.sum(axis=1) < 20
    table = np.vstack([table[~rare], table[rare].sum(axis=0)]) if rare.any() else table
    table = table[table.sum(axis=1) > 0]
    return 1.0 if len(table) == 1 else float(stats.chi2_contingency(table).pvalue)


def _seed(transform: Any, seed: int) -> Any:
    """Give each node its own generator: `set_random_seed` gives all the same."""
    for number, node in enumerate(_walk_nodes(transform)):
        own = keys.fold_in(keys.root(seed), "originals", number)
        node.random_generator, node.py_random = keys.generator(own), keys.python_random(own)
    return transform


def _walk_nodes(transform: Any) -> Iterator[Any]:
    yield transform
    for child in getattr(transform, "transforms", ()):
        yield from _walk_nodes(child)


def _name(image: Any) -> bytes:
    return bytes(image.shape) + image.tobytes()


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


LAWS = {"outcomes": check_outcomes, "explain": check_explained, "targets": check_all_targets}


def main() -> int:
    """Check the laws that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("laws", nargs="*", metavar="LAW", help=f"{', '.join(LAWS)}; all by default")
    parser.add_argument("-n", type=int, dest="count", help=f"default {COUNTS}")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if unknown := set(arguments.laws) - set(LAWS):
        parser.error(f"unknown laws {sorted(unknown)}")
    warnings.simplefilter("ignore")
    failed = 0
    for law in arguments.laws or LAWS:
        begin, failures = time.perf_counter(), 0
        for failure in LAWS[law](arguments.count or COUNTS[law], arguments.seed):
            failures += 1
            _report(f"FAILED {law}: {failure}")
        _report(f"{law}: {failures} failed, in {time.perf_counter() - begin:.0f} s")
        failed += failures
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
