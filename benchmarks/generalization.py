"""The effect of augmentation on the error on held-out images: with and without it, at equal epochs, over several seeds.

Each seed has its own split, training images, order and initial weights; the two runs of a seed share them. A row has
the errors on held-out images after the last epoch, and the largest input wait of an epoch.
`python -m benchmarks.generalization --set digits --source DIR` prints the mean error, its standard deviation over the
seeds, and for how many seeds augmentation lowered it.
"""

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "generalization.jsonl"


@dataclass(frozen=True)
class TrainingTask:
    """The options of a training, and its augmentation."""

    options: dict[str, Any]
    augment: Any


def make_tasks() -> dict[str, TrainingTask]:
    """Return the tasks by name."""
    import albumentations as A  # noqa: N812  # its users know it by this name

    return {
        "digits": TrainingTask(
            {
                "validation_split": 0.1,
                "limit": 1000,
                "image_size": (28, 28),
                "color_mode": "grayscale",
                "width": 1 / 8,
                "dropout": False,
                "epochs": 12,
                "learning_rate": 3e-3,
            },
            A.Affine(rotate=(-12, 12), translate_px=(-2, 2), scale=(0.9, 1.1), p=0.9),
        ),
        "photographs": TrainingTask(
            {
                "image_size": (48, 48),
                "cached_size": (96, 96),
                "width": 1 / 8,
                "dropout": False,
                "epochs": 20,
                "learning_rate": 2e-3,
                "on_error": "skip",
            },
            A.Compose([A.RandomResizedCrop((48, 48), scale=(0.4, 1.0)), A.HorizontalFlip(), A.ColorJitter(hue=(0, 0))]),
        ),
        "cifar10": TrainingTask(
            {
                "validation_split": 0.02,
                "limit": 4000,
                "image_size": (32, 32),
                "model": "graph",
                "width": 2,
                "epochs": 15,
                "learning_rate": 2e-3,
            },
            A.Compose([A.Affine(translate_px=(-3, 3), p=0.9), A.HorizontalFlip()]),
        ),
    }


def measure(name: str, source: str, validation: str | None, seed: int, cache: str) -> list[dict[str, Any]]:
    """Run one seed of a task, without and with augmentation."""
    from pipeline import Cache
    from training import Recipe
    from training.experiment import Experiment

    task, rows = make_tasks()[name], []
    for augmented in (False, True):
        options = {name: value for name, value in task.options.items() if name != "cached_size"}
        if "cached_size" in task.options:
            options["cache"] = Cache(cache, size=task.options["cached_size"])
        outcome = Experiment(
            source=source,
            validation=validation,
            augment=task.augment if augmented else None,
            recipe=Recipe(schedule="cosine"),
            seed=seed,
            **options,
        ).run()
        rows.append(
            {
                "set": name,
                "seed": seed,
                "augmented": augmented,
                "train_images": outcome.train.num_examples,
                "held_out_images": outcome.validation.num_examples,
                "epochs": outcome.experiment.epochs,
                "error": round(1 - outcome.history["val_accuracy"][-1], 4),
                "train_error": round(1 - outcome.history["accuracy"][-1], 4),
                "waiting": round(max(outcome.waiting), 4),
                "threads": 1,
            }
        )
    return rows


def format_table(rows: list[dict[str, Any]]) -> str:
    """Format the rows' means as a Markdown table."""
    lines = [
        "| set | training / held-out images | epochs | error without | error with augmentation | lower in |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(row["set"] for row in rows):
        chosen = [row for row in rows if row["set"] == name]
        plain, augmented = (
            {row["seed"]: row["error"] for row in chosen if row["augmented"] is kind} for kind in (False, True)
        )
        seeds = plain.keys() & augmented.keys()
        lower = sum(augmented[seed] < plain[seed] for seed in seeds)
        cells = [f"{statistics.mean(kind.values()):.1%} ± {_compute_spread(kind):.1%}" for kind in (plain, augmented)]
        first = chosen[0]
        counts = f"{first['train_images']:,} / {first['held_out_images']:,}"
        lines.append(f"| {name} | {counts} | {first['epochs']} | {cells[0]} | {cells[1]} | {lower} of {len(seeds)} |")
    return "\n".join(lines)


def _compute_spread(errors: dict[int, float]) -> float:
    return statistics.stdev(errors.values()) if len(errors) > 1 else 0.0


def main() -> None:
    """Run a task's seeds, append the rows to the results, and print the table of all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", choices=("digits", "photographs", "cifar10"), required=True)
    parser.add_argument("--source", required=True, help="a folder of class-folders")
    parser.add_argument("--validation", help="a held-out folder of class-folders; default: a split of the source")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", default="generalization-cache", help="a folder for decoded photographs")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for seed in range(given.seeds):
        rows = measure(given.set, given.source, given.validation, seed, given.cache)
        with RESULTS.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        print(rows, file=sys.stderr)
    print(format_table([json.loads(line) for line in RESULTS.read_text().splitlines()]))


if __name__ == "__main__":
    main()
