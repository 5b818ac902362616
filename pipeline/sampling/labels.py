"""Labels: checked against the classes, and written as a label mode wants them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ReadError
from pipeline.sources.base import NO_LABEL, Sample


def check_label(sample: Sample, class_names: Sequence[str]) -> int:
    """Give a sample's label, if it is that of a class.

    Raises:
        ReadError: the sample has no label, or one of no class.
    """
    if 0 <= sample.label < len(class_names):
        return sample.label
    if sample.label_fault:
        raise ReadError(sample.key, sample.label_fault)
    actual = "no label" if sample.label == NO_LABEL else f"the label {sample.label}"
    raise ReadError(
        sample.key,
        f"has {actual}, but there are {len(class_names)} classes, numbered from 0 (class_names says which there "
        "are, label_offset where the labels of TFRecords begin)",
    )


def encode_labels(labels: Sequence[int], label_mode: str | None, classes: int) -> NDArray[Any]:
    """Write labels as a label mode wants them.

    Returns:
        int32 [B] for "int" and None, float32 [B, classes] for "categorical", float32 [B, 1] for "binary".
    """
    integers = np.array(labels, np.int64)
    if label_mode == "categorical":
        return np.eye(classes, dtype=np.float32)[integers]
    if label_mode == "binary":
        return integers.astype(np.float32)[:, np.newaxis]
    return np.clip(integers, -(2**31), 2**31 - 1).astype(np.int32)
