"""`ImageDataGenerator.flow_from_dataframe`: batches of images that a data frame lists."""

import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors import ColumnTypeError, OptionError
from pipeline.keras.checks import check_class_names, check_flags, read_path
from pipeline.keras.decoding import PILLOW_EXTENSIONS
from pipeline.keras.files import FileSource
from pipeline.keras.flow import Files, Flow
from pipeline.keras.flow_files import FilesIterator, get_subset_bounds, make_class_targets
from pipeline.keras.targets import BatchTargets, TargetColumn

_MOST_NAMED = 5
"""The most names in a warning."""

CLASS_MODES = ("binary", "categorical", "input", "multi_output", "raw", "sparse", None)


class DataFrameColumns:
    """The used columns and rows of a data frame, as lists.

    Args:
        frame: pandas or Polars data frame, or dict of lists.
        columns: names of the used columns.
    """

    def __init__(self, frame: Any, columns: Iterable[str]) -> None:
        self._columns: dict[str, list[Any]] = {}
        for name in columns:
            try:
                self._columns[name] = list(frame[name])
            except Exception as error:  # pandas and Polars raise their own types
                available = list(frame.columns) if hasattr(frame, "columns") else _keys(frame)
                raise OptionError(f"`dataframe` must have the column {name!r}, got columns {available}") from error
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise OptionError(f"the columns of `dataframe` must have one length, got {lengths}")

    def __getitem__(self, name: str) -> list[Any]:
        return self._columns[name]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows and drop the others."""
        self._columns = {name: [column[row] for row in rows] for name, column in self._columns.items()}


class DataFrameIterator(FilesIterator):
    """Batches of images that a data frame lists.

    Attributes:
        directory: directory that the file names are relative to.
        class_indices: class index by class name, in class modes with classes.
        classes: class index of every file, or a list of several.
        sample_weight: weights [samples], or None.
        labels: the class indices, or the columns' values.
    """

    def __init__(
        self,
        flow: Flow,
        files: Files,
        dataframe: Any,
        directory: str | os.PathLike[str] | None,
        columns: "ColumnRoles",
        part: tuple[str | None, float],
        validate_filenames: bool,
    ) -> None:
        check_flags(validate_filenames=validate_filenames)
        self.directory = read_path("directory", directory or "")
        table = DataFrameColumns(dataframe, columns.used_columns)
        columns.check(table)
        paths = [os.path.join(self.directory, name) for name in table[columns.x_col]]
        if validate_filenames:
            self._keep_valid(table, columns.x_col, paths)
        names = columns.keep_classes(table)
        if not len(table):
            raise OptionError(
                f"no images: none of {len(paths)} rows has an image file and a known class; the first path tried: "
                f"{paths[0] if paths else 'none'}; check `directory`, x_col={columns.x_col!r} and `classes`"
            )
        first, last = get_subset_bounds(*part)
        table.keep(range(int(first * len(table)), int(last * len(table))))
        self.sample_weight = None if columns.weight_col is None else np.array(table[columns.weight_col])
        weights = None if self.sample_weight is None else TargetColumn(self.sample_weight)
        filenames = table[columns.x_col]
        word = "validated" if validate_filenames else "non-validated"
        classes = "" if names is None else f" belonging to {len(names)} classes"
        sys.stdout.write(f"Found {len(filenames)} {word} image filenames{classes}.\n")  # as Keras does
        targets = self._make_targets(table, columns, names, flow.normalizer.dtype)
        source = FileSource(self.directory, filenames, max_bytes=files.decoder.max_bytes)
        paths = [os.path.join(self.directory, name) for name in filenames]
        super().__init__(flow, files, source, paths, BatchTargets(targets=targets, weights=weights), columns.class_mode)

    def _make_targets(
        self, table: DataFrameColumns, columns: "ColumnRoles", names: list[str] | None, dtype: np.dtype[Any]
    ) -> Any:
        self.labels: Any = None
        if columns.class_mode == "multi_output":
            self.labels = [np.array(table[name]) for name in columns.y_columns]
            return tuple(map(TargetColumn, self.labels))
        if columns.class_mode == "raw":
            parts = [np.array(table[name]) for name in columns.y_columns]
            self.labels = np.stack(parts, axis=1) if isinstance(columns.y_col, list) else parts[0]
            return TargetColumn(self.labels)
        if names is None:
            return columns.class_mode
        self.class_indices = {name: index for index, name in enumerate(names)}
        self.classes = self.labels = [_to_indices(value, self.class_indices) for value in table[columns.y_columns[0]]]
        return make_class_targets(columns.class_mode, self.classes, len(names), dtype)

    def _keep_valid(self, table: DataFrameColumns, x_col: str, paths: Sequence[str]) -> None:
        others = [path for path in paths if not path.lower().endswith(PILLOW_EXTENSIONS)]
        missing = [path for path in paths if path.lower().endswith(PILLOW_EXTENSIONS) and not os.path.isfile(path)]
        if others or missing:
            reasons = [("missing", missing), (f"without an extension of {', '.join(PILLOW_EXTENSIONS)}", others)]
            details = "; ".join(f"{len(found)} {reason}: {_name_some(found)}" for reason, found in reasons if found)
            warnings.warn(
                f'Found {len(others) + len(missing)} invalid image filename(s) in x_col="{x_col}". '
                f"These filename(s) will be ignored. {details}",
                stacklevel=4,
            )
        dropped = {*others, *missing}
        table.keep([row for row, path in enumerate(paths) if path not in dropped])


class ColumnRoles:
    """The roles of the columns.

    Args:
        x_col: column of the file names.
        y_col: column of the targets, or a list of columns.
        weight_col: column of the sample weights, or None.
        class_mode: form of the targets.
        classes: class names in the order of their labels; by default all, sorted.
    """

    def __init__(
        self, x_col: str, y_col: Any, weight_col: str | None, class_mode: str | None, classes: Sequence[str] | None
    ) -> None:
        if class_mode not in CLASS_MODES:
            raise OptionError(f"invalid `class_mode` {class_mode!r}; expected one of {CLASS_MODES}")
        if class_mode == "multi_output" and not isinstance(y_col, list):
            raise ColumnTypeError(f'with class_mode="multi_output", y_col must be a list, got {type(y_col).__name__}')
        if isinstance(y_col, list) and class_mode in ("binary", "categorical", "sparse"):
            raise ColumnTypeError(f'with class_mode="{class_mode}", y_col must be one column, got {y_col!r}')
        check_class_names("classes", classes, may_repeat=True)
        classes = None if classes is None else list(classes)
        if classes and class_mode in ("input", "multi_output", "raw", None):
            warnings.warn(f'`classes` will be ignored given the class_mode="{class_mode}"', stacklevel=4)
        self.x_col = x_col
        self.y_col = y_col
        self.weight_col = weight_col
        self.class_mode = class_mode
        self._classes = list(dict.fromkeys(classes)) if classes else None

    @property
    def y_columns(self) -> list[str]:
        """The names of the target columns."""
        if self.class_mode in ("input", None):
            return []
        return list(self.y_col) if isinstance(self.y_col, list) else [self.y_col]

    @property
    def used_columns(self) -> list[str]:
        """The names of all columns with a role."""
        return [self.x_col, *self.y_columns, *([] if self.weight_col is None else [self.weight_col])]

    def check(self, table: DataFrameColumns) -> None:
        """Refuse columns with values of the wrong type.

        Raises:
            ColumnTypeError: a column has such values.
            OptionError: `class_mode="binary"`, and the number of classes is not 2.
        """
        if not all(isinstance(name, str) for name in table[self.x_col]):
            raise ColumnTypeError(f"all values in column x_col={self.x_col} must be strings")
        kinds = {"binary": (str,), "sparse": (str,), "categorical": (str, list, tuple)}.get(self.class_mode or "")
        if kinds and not all(isinstance(value, kinds) for value in table[self.y_columns[0]]):
            allowed = " or ".join(kind.__name__ for kind in kinds)
            raise ColumnTypeError(
                f'with class_mode="{self.class_mode}", the values in column y_col="{self.y_col}" must be {allowed}'
            )
        if self.class_mode == "binary":
            found = self._classes or sorted(set(table[self.y_columns[0]]))
            if len(found) != 2:
                raise OptionError(f'with class_mode="binary" there must be 2 classes, got {len(found)}')
        if self.weight_col is not None and not np.issubdtype(np.array(table[self.weight_col]).dtype, np.number):
            raise ColumnTypeError(f"column weight_col={self.weight_col} must be numeric")

    def keep_classes(self, table: DataFrameColumns) -> list[str] | None:
        """Drop rows (and members of lists) of other classes; return the class names, or None without classes."""
        if self.class_mode in ("input", "multi_output", "raw", None):
            return None
        column = table[self.y_columns[0]]
        if self._classes is None:
            return sorted({name for value in column for name in ([value] if isinstance(value, str) else value)})
        known = set(self._classes)
        found = [[value] if isinstance(value, str) else list(value) for value in column]
        unknown = Counter(name for names in found for name in names if name not in known)
        for row, value in enumerate(column):
            if not isinstance(value, str):
                column[row] = [name for name in value if name in known]
        kept = [row for row, names in enumerate(found) if not known.isdisjoint(names)]
        if unknown:
            counts = _name_some([f"{name!r} ({count})" for name, count in unknown.most_common()])
            warnings.warn(
                f'Found classes in y_col="{self.y_col}" that are not in `classes`: {counts}. They are ignored, and '
                f"{len(found) - len(kept)} of {len(found)} rows are dropped.",
                stacklevel=5,
            )
        table.keep(kept)
        return self._classes


def _keys(frame: Any) -> list[str]:
    return list(frame) if isinstance(frame, Mapping) else []


def _name_some(names: Sequence[str]) -> str:
    """Name the first few of many names."""
    more = f", and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _to_indices(value: Any, class_indices: dict[str, int]) -> Any:
    return class_indices[value] if isinstance(value, str) else [class_indices[name] for name in value]
