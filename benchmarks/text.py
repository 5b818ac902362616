"""`python -m benchmarks.text --data FILE`: rates of text augmentation, as ratios within one run.

`FILE` contains `label text` lines. Contenders take turns, round by round, after one warm-up round, in which all cache
their synonyms; medians are printed. Three comparisons:

* EDA, in both modes, against a plain version of the paper's script on nltk's WordNet, step by step as in the script:
  augmented sentences per CPU second;
* `SynonymReplacement` against nlpaug's `SynonymAug`: sentences per CPU second. If nltk's tagger has no data, nlpaug
  skips the tagging and is faster than otherwise;
* `text_dataset` with EDA on one core and on two: sentences/s of a second epoch, each in its own process. Once by the
  clock, which needs two idle cores; and once as the CPU time of the process and its workers allows: on two cores the
  sum is divided by two, but is at least the time of the main process, whose threads take turns.

The first two need nltk's "wordnet" corpus (`NLTK_DATA`).
"""

import argparse
import functools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment import keys
from augment.text import EDA, STOP_WORDS, SynonymReplacement

_LETTERS = "abcdefghijklmnopqrstuvwxyz "
_STOP_WORDS = [*STOP_WORDS, ""]


def main() -> None:
    """Run the comparisons, and print a table of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="`label text` lines")
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print rows instead of tables")
    parser.add_argument("--dataset-rate", type=int, help=argparse.SUPPRESS)  # for the third comparison
    arguments = parser.parse_args()
    if not arguments.data.is_file():
        parser.error(f"{arguments.data} is not a file")
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        parser.error('nltk data are missing: run nltk.download("wordnet"), or set NLTK_DATA to their folder')
    if arguments.dataset_rate:
        print(json.dumps(_measure_dataset_rate(arguments.data, arguments.dataset_rate)))
        return
    lines = arguments.data.read_text("utf-8", "replace").splitlines()[: arguments.sentences]
    texts = [line.partition(" ")[2] for line in lines if line.partition(" ")[2].strip()]
    for name, contenders in (
        ("EDA, augmented sentences/s of processor time", _make_eda_contenders(texts)),
        ("synonym replacement, sentences/s of processor time", _make_replacement_contenders(texts)),
        ("text_dataset with EDA, sentences/s by the clock", _make_dataset_contenders(arguments.data, "clock")),
        (
            "text_dataset with EDA, sentences/s as processor time allows",
            _make_dataset_contenders(arguments.data, "processor"),
        ),
    ):
        _report(name, _measure_rates(contenders, arguments.rounds), as_json=arguments.json)


def plain_eda(text: str, num_aug: int = 9, alpha: float = 0.1) -> list[str]:
    """Make variants as the paper's script does: global generator, nltk, cached synonyms."""
    original = _keep_letters(text)
    words = original.split()
    changes = max(1, int(alpha * len(words)))
    operations: tuple[Callable[[], list[str]], ...] = (
        lambda: _plain_replacement(words, changes),
        lambda: _plain_insertion(words, changes),
        lambda: _plain_swap(words, changes),
        lambda: _plain_deletion(words, alpha),
    )
    candidates = [_keep_letters(" ".join(operation())) for operation in operations for _ in range(int(num_aug / 4) + 1)]
    random.shuffle(candidates)
    return [*candidates[:num_aug], original]


def _keep_letters(text: str) -> str:
    cleaned = ""
    for letter in text.replace("'", "").replace("-", " ").lower():
        if letter in _LETTERS:
            cleaned += letter
        else:
            cleaned += " "
    return re.sub(" +", " ", cleaned).strip()


@functools.cache
def _plain_synonyms(word: str) -> list[str]:
    from nltk.corpus import wordnet

    names = {
        "".join(letter for letter in name.replace("_", " ").replace("-", " ").lower() if letter in _LETTERS)
        for synset in wordnet.synsets(word)
        for name in synset.lemma_names()
    }
    return sorted(names - {word})


def _plain_replacement(words: list[str], changes: int) -> list[str]:
    new = words.copy()
    candidates = list({word for word in words if word not in _STOP_WORDS})
    random.shuffle(candidates)
    replaced = 0
    for candidate in candidates:
        if synonyms := _plain_synonyms(candidate):
            synonym = random.choice(synonyms)  # noqa: S311  # draws as the script does
            new = [synonym if word == candidate else word for word in new]
            replaced += 1
        if replaced >= changes:
            break
    return new


def _plain_insertion(words: list[str], changes: int) -> list[str]:
    new = words.copy()
    for _ in range(changes):
        for _ in range(9):
            if synonyms := _plain_synonyms(new[random.randint(0, len(new) - 1)]):  # noqa: S311
                new.insert(random.randint(0, len(new) - 1), synonyms[0])  # noqa: S311
                break
    return new


def _plain_swap(words: list[str], changes: int) -> list[str]:
    new = words.copy()
    for _ in range(changes):
        one = random.randint(0, len(new) - 1)  # noqa: S311
        for _ in range(3):
            other = random.randint(0, len(new) - 1)  # noqa: S311
            if other != one:
                new[one], new[other] = new[other], new[one]
                break
    return new


def _plain_deletion(words: list[str], probability: float) -> list[str]:
    if len(words) == 1:
        return words
    left = []
    for word in words:
        if random.uniform(0, 1) > probability:  # noqa: S311
            left.append(word)  # noqa: PERF401  # as the script does
    return left or [random.choice(words)]  # noqa: S311


def _make_eda_contenders(texts: Sequence[str]) -> dict[str, Callable[[], float]]:
    all_keys = keys.fold_in(keys.root(0), np.arange(len(texts)))

    def with_mode(mode: Any) -> Callable[[], float]:
        eda = EDA(mode=mode)
        return _make_rate(lambda: sum(map(len, eda.batch(texts, all_keys))))

    return {
        "plain restatement": _make_rate(lambda: sum(len(plain_eda(text)) for text in texts)),
        "EDA, fixed": with_mode("fixed"),
        "EDA, paper": with_mode("paper"),
    }


def _make_replacement_contenders(texts: Sequence[str]) -> dict[str, Callable[[], float]]:
    import nlpaug.augmenter.word as naw
    import nltk

    peer = naw.SynonymAug(aug_src="wordnet")
    try:
        nltk.pos_tag(["word"])
        peer.model.pos_tag = nltk.pos_tag
    except LookupError:
        peer.model.pos_tag = lambda tokens: [(token, "") for token in tokens]
    operation, all_keys = SynonymReplacement(), keys.fold_in(keys.root(0), np.arange(len(texts)))
    return {
        "nlpaug SynonymAug": _make_rate(lambda: sum(len(peer.augment(text)) for text in texts)),
        "SynonymReplacement": _make_rate(lambda: len(operation.batch(texts, all_keys))),
        "SynonymReplacement, one by one": _make_rate(
            lambda: len([operation(text, (0, 0, number)) for number, text in enumerate(texts)])
        ),
    }


def _make_dataset_contenders(data: Path, clock: str) -> dict[str, Callable[[], float]]:
    def make_rate_on(cores: int) -> Callable[[], float]:
        command = [sys.executable, "-m", "benchmarks.text", "--data", str(data), "--dataset-rate", str(cores)]

        def rate() -> float:
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
            return float(json.loads(output)[clock])

        return rate

    return {"one core": make_rate_on(1), "two cores": make_rate_on(2)}


def _measure_dataset_rate(data: Path, cores: int) -> dict[str, float]:
    import pipeline

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    dataset = pipeline.text_dataset(data, augment=EDA(), num_aug=9, batch_size=128)
    for _ in dataset:
        pass
    clock, own, workers = time.perf_counter(), time.process_time(), _read_workers_time(dataset)
    count = sum(len(texts) for texts, _ in dataset)
    clock, own, workers = time.perf_counter() - clock, time.process_time() - own, _read_workers_time(dataset) - workers
    return {"clock": count / clock, "processor": count / max(own, (own + workers) / cores)}


def _read_workers_time(dataset: Any) -> float:
    """Return the CPU time of a dataset's workers in seconds."""
    started = getattr(dataset.loader._variants, "_processes", ())
    fields = [Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split() for worker in started]
    return sum(int(line[11]) + int(line[12]) for line in fields) / os.sysconf("SC_CLK_TCK")


def _make_rate(work: Callable[[], int], clock: Callable[[], float] = time.process_time) -> Callable[[], float]:
    def rate() -> float:
        begin = clock()
        return work() / (clock() - begin)

    return rate


def _measure_rates(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, rate in contenders.items():
            measured = rate()
            if number:
                rates[name].append(measured)
    return rates


def _report(title: str, rates: Mapping[str, list[float]], *, as_json: bool) -> None:
    first = statistics.median(next(iter(rates.values())))
    if not as_json:
        print(f"\n{title}\n{'':32}{'median':>10}{'min':>10}{'max':>10}{'ratio':>8}")
    for name, measured in rates.items():
        median = statistics.median(measured)
        if as_json:
            row = {"comparison": title, "contender": name, "median": round(median), "rounds": len(measured)}
            print(json.dumps(row | {"min": round(min(measured)), "max": round(max(measured))}))
        else:
            print(f"{name:32}{median:10,.0f}{min(measured):10,.0f}{max(measured):10,.0f}{median / first:8.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
