"""`python -m benchmarks.eda_accuracy --data DIR`: does EDA help a classifier with few training sentences?

Trains Kim's network on 500 and on 2,000 sentences of SST-2, TREC and CR, with and without EDA, several seeds each, and
prints one JSON row per training. Compared trainings have the same sentences, the same number of updates and the same
validation: a tenth of the sentences, never augmented, selects the best of ten checkpoints. The accuracy is that on the
dataset's test split (CR has none: a fifth of it, the same for all seeds, is held out).

The paper recommends alpha 0.05 with 16 variants for 500 sentences and 8 for 2,000 (table 3).
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.text import EDA

VARIANTS = {500: 16, 2000: 8}
ALPHA = 0.05


class LabeledTexts(NamedTuple):
    """Sentences and their classes."""

    texts: list[str]
    labels: NDArray[np.int64]

    def select(self, positions: Any) -> "LabeledTexts":
        """Return the texts at some positions."""
        return LabeledTexts([self.texts[position] for position in positions], self.labels[positions])


class Size(NamedTuple):
    """The size of the network and the length of the training."""

    embedding: int
    filters: int
    batch: int
    updates: int


def main() -> None:
    """Run all trainings and print their table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eda_accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of stsa.binary.*, TREC.*.all and custrev.all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sentences", type=int, action="append", choices=tuple(VARIANTS), help="default: both")
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--embedding", type=int, default=64)
    parser.add_argument("--filters", type=int, default=64)
    arguments = parser.parse_args()
    size = Size(arguments.embedding, arguments.filters, 32, arguments.updates)
    rows = []
    for seed in range(arguments.seeds):  # outermost, so that an interrupted run is balanced
        for count in arguments.sentences or VARIANTS:
            for name, (train, test) in _read_datasets(arguments.data).items():
                for variants in (0, VARIANTS[count]):
                    begin = time.perf_counter()
                    accuracy = train_once(train, test, count, variants, seed, size)
                    row = {"set": name, "sentences": count, "variants": variants, "seed": seed, "accuracy": accuracy}
                    rows.append(row)
                    print(json.dumps(row | {"seconds": round(time.perf_counter() - begin, 1)}), flush=True)
    report(rows)


def train_once(train: LabeledTexts, test: LabeledTexts, count: int, variants: int, seed: int, size: Size) -> float:
    """Train on some sentences, and return the accuracy on the test split, 0 to 1."""
    import keras

    from training.architectures import text_cnn

    keras.utils.set_random_seed(seed)
    drawn = train.select(np.random.default_rng(seed).permutation(len(train.texts))[:count])
    validation, fitted = drawn.select(np.arange(count // 10)), drawn.select(np.arange(count // 10, count))
    if variants:
        fitted = _augment(fitted, EDA(ALPHA, ALPHA, ALPHA, ALPHA, num_aug=variants), seed)
    layer = keras.layers.TextVectorization()
    layer.adapt(fitted.texts)
    classes = int(train.labels.max()) + 1
    model = text_cnn(len(layer.get_vocabulary()), classes=classes, embedding=size.embedding, filters=size.filters)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    best, weights = -1.0, model.get_weights()
    checked = [layer(validation.texts), validation.labels]
    for update, (words, labels) in enumerate(_iterate_batches(layer, fitted, size), start=1):
        model.train_on_batch(words, labels)
        if update % (size.updates // 10) == 0:
            accuracy = model.evaluate(*checked, verbose=0, batch_size=256)[1]
            if accuracy > best:
                best, weights = accuracy, model.get_weights()
    model.set_weights(weights)
    return float(model.evaluate(layer(test.texts), test.labels, verbose=0, batch_size=256)[1])


def _augment(data: LabeledTexts, eda: EDA, seed: int) -> LabeledTexts:
    variants = eda.batch(data.texts, keys.fold_in(keys.root(seed), "augment", 0, np.arange(len(data.texts))))
    texts = [text for original, others in zip(data.texts, variants, strict=True) for text in (original, *others)]
    return LabeledTexts(texts, np.repeat(data.labels, [1 + len(others) for others in variants]))


def _iterate_batches(layer: Any, data: LabeledTexts, size: Size) -> Iterator[tuple[Any, Any]]:
    generator, order = np.random.default_rng(0), np.zeros(0, int)
    for _ in range(size.updates):
        while len(order) < size.batch:
            order = np.concatenate([order, generator.permutation(len(data.texts))])
        positions, order = order[: size.batch], order[size.batch :]
        batch = data.select(positions)
        yield layer(batch.texts), batch.labels


def _read_datasets(folder: Path) -> dict[str, tuple[LabeledTexts, LabeledTexts]]:
    reviews = _read(folder / "custrev.all")
    order = np.random.default_rng(0).permutation(len(reviews.texts))
    fifth = len(order) // 5
    return {
        "SST-2": (_read(folder / "stsa.binary.train"), _read(folder / "stsa.binary.test")),
        "TREC": (_read(folder / "TREC.train.all"), _read(folder / "TREC.test.all")),
        "CR": (reviews.select(order[fifth:]), reviews.select(order[:fifth])),
    }


def _read(path: Path) -> LabeledTexts:
    lines = [line.partition(" ") for line in path.read_text("latin-1").splitlines()]
    return LabeledTexts([text for _, _, text in lines], np.array([int(label) for label, _, _ in lines]))


def report(rows: list[dict[str, Any]]) -> None:
    """Print a Markdown table: means and standard deviations over the seeds, in percent."""
    print("\n| set | sentences | without EDA | with EDA | gain in points, by pairs | seeds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, count in dict.fromkeys((row["set"], row["sentences"]) for row in rows):
        mine = [row for row in rows if (row["set"], row["sentences"]) == (name, count)]
        without = [100 * row["accuracy"] for row in mine if not row["variants"]]
        augmented = [100 * row["accuracy"] for row in mine if row["variants"]]
        gains = [after - before for before, after in zip(without, augmented, strict=True)]
        cells = (f"{statistics.mean(part):.1f} ± {statistics.stdev(part):.1f}" for part in (without, augmented, gains))
        print(f"| {name} | {count:,} | {' | '.join(cells)} | {len(gains)} |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
