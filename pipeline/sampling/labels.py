"""Labels: checked against the classes, and encoded as a label mode says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ReadError
from pipeline.sources.base import NO_LABEL, Sample, describe_unknown_label


def check_label(sample: Sample, class_names: Sequence[str]) -> int:
    """Return a sample's label, if a class has it.

    Raises:
        ReadError: the sample has no label, or no class has it.
    """
    if 0 <= sample.label < len(class_names):
        return sample.label
    if sample.label_fault:
        raise ReadError(sample.key, sample.label_fault, 'set on_error="skip" to drop such samples')
    if sample.label == NO_LABEL and not class_names:
        raise ReadError(sample.key, "has no label; use label_mode=None")
    raise ReadError(sample.key, describe_unknown_label(sample.label, len(class_names)))


def encode_labels(labels: Sequence[int], label_mode: str | None, classes: int) -> NDArray[Any]:
    """Encode labels as a label mode says.

    Returns:
        int32 [B] for "int" and None, float32 [B, classes] for "categorical", float32 [B, 1] for "binary".
    """
    integers = np.array(labels, np.int64)
    if label_mode == "categorical":
        return np.eye(classes, dtype=np.float32)[integers]
    if label_mode == "binary":
        return integers.astype(np.float32)[:, np.newaxis]
    return np.clip(integers, -(2**31), 2**31 - 1).astype(np.int32)
