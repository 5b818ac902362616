"""A source whose classes are matched by name with those of another source."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pipeline.sources.base import Labels, Sample, Source, digest


class AlignedSource:
    """A source with the classes of another one: labels are matched by name, samples of other classes are dropped.

    Attributes:
        dropped: the number of dropped samples, by class.

    Args:
        source: the source.
        class_names: the classes in the order of their labels; the source may lack some.
    """

    def __init__(self, source: Source, class_names: Sequence[str]) -> None:
        self._source = source
        self.class_names = tuple(class_names)
        self.ignored_files: Counter[str] = source.ignored_files
        positions = {name: label for label, name in enumerate(self.class_names)}
        self._new_labels = np.array([positions.get(name, -1) for name in source.class_names], np.int64)
        labels = source.labels()
        is_known = (labels >= 0) & (labels < len(self._new_labels))  # others have no class: they stay as they are
        converted = np.where(is_known, self._new_labels[np.where(is_known, labels, 0)], labels)
        is_dropped = is_known & (converted < 0)
        self.dropped = Counter(source.class_names[label] for label in labels[is_dropped].tolist())
        self._indices = np.flatnonzero(~is_dropped)
        self._labels: Labels = converted[self._indices]

    def __len__(self) -> int:
        return len(self._indices)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the source and with the classes."""
        return digest(("aligned", self._source.fingerprint, self.class_names))

    @cached_property
    def empty_classes(self) -> tuple[str, ...]:
        """The classes without samples, in the order of their labels."""
        used = set(self._labels.tolist())
        return tuple(name for label, name in enumerate(self.class_names) if label not in used)

    def labels(self) -> Labels:
        """Return the class of every sample, int64 [N]."""
        return self._labels

    def sizes(self) -> Labels:
        """Return the bytes of every sample, int64 [N]."""
        return np.asarray(self._source.sizes()[self._indices])

    def peek(self, index: int) -> Sample:
        """Return the key and the label of a sample.

        Raises:
            ReadError: its data are damaged.
        """
        return self._convert(self._source.peek(int(self._indices[index])))

    def read(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            ReadError: it cannot be read.
        """
        return self._convert(self._source.read(int(self._indices[index])))

    def _convert(self, sample: Sample) -> Sample:
        if 0 <= sample.label < len(self._new_labels):
            return sample._replace(label=int(self._new_labels[sample.label]))
        return sample
