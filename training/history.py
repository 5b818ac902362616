"""The history of a training: a table of all epochs, and events for TensorBoard."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.files import replace_atomically

TABLE = "history.csv"
EVENTS = "tensorboard"


def write_history(directory: Path, history: Mapping[str, Sequence[float]], waiting: Sequence[float]) -> None:
    """Write the table of all epochs, and the last epoch's events.

    Args:
        directory: receives "history.csv" and "tensorboard".
        history: for each log, its value in each epoch.
        waiting: for each epoch, the fraction of time in which the model waited for data.
    """
    columns = {**history, "waiting": waiting}
    with replace_atomically(directory / TABLE) as partial, partial.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", *columns])
        table.writerows([epoch, *row] for epoch, row in enumerate(zip(*columns.values(), strict=True)))
    _write_events(directory / EVENTS, {name: values[-1] for name, values in columns.items()}, len(waiting) - 1)


def _write_events(directory: Path, scalars: Mapping[str, float], epoch: int) -> None:
    """Append scalars to the events: "val_loss" as "loss" of the run "validation", so that both curves are in one chart.

    The events equal those of `tf.summary.scalar`, which needs the package `tensorboard`. Only showing them needs it.
    """
    import tensorflow as tf

    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
    for run, chosen in (
        ("train", {name: value for name, value in scalars.items() if not name.startswith("val_")}),
        ("validation", {name[4:]: value for name, value in scalars.items() if name.startswith("val_")}),
    ):
        if not chosen:
            continue
        writer = tf.summary.create_file_writer(str(directory / run))
        with writer.as_default():
            for name, value in chosen.items():
                tf.summary.write(f"epoch_{name}", tf.constant(value, tf.float32), step=epoch, metadata=metadata)
        writer.close()
