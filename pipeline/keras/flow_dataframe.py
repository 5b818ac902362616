"""`ImageDataGenerator.flow_from_dataframe`: batches of images that a table names."""

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipeline.errors import ColumnTypeError, OptionError
from pipeline.keras.decoding import PILLOW_EXTENSIONS
from pipeline.keras.files import FileSource
from pipeline.keras.flow import Files, Flow
from pipeline.keras.flow_files import FilesIterator, get_subset_bounds, make_class_targets
from pipeline.keras.targets import BatchTargets, TargetColumn

CLASS_MODES = ("binary", "categorical", "input", "multi_output", "raw", "sparse", None)


class DataFrameColumns:
    """The columns of a data frame that are used, as lists, without the rows that are not.

    Args:
        frame: gives a column by its name: a pandas or Polars data frame, a dict of lists.
        columns: their names.
    """

    def __init__(self, frame: Any, columns: Iterable[str]) -> None:
        try:
            self._columns = {name: list(frame[name]) for name in columns}
        except (KeyError, IndexError, TypeError) as error:
            raise OptionError(f"the data frame has no column {error}") from None

    def __getitem__(self, name: str) -> list[Any]:
        return self._columns[name]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some rows."""
        self._columns = {name: [column[row] for row in rows] for name, column in self._columns.items()}


class DataFrameIterator(FilesIterator):
    """Batches of images that a data frame names.

    Attributes:
        directory: to which the file names are relative.
        class_indices: the classes' numbers by their names, where there are classes.
        classes: of every file, its class or a list of them.
        sample_weight: float [samples], or None.
        labels: the classes, or the columns themselves.
    """

    def __init__(
        self,
        flow: Flow,
        files: Files,
        dataframe: Any,
        directory: str | os.PathLike[str] | None,
        columns: "ColumnRoles",
        share: tuple[str | None, float],
        validate_filenames: bool,
    ) -> None:
        self.directory = os.fspath(directory or "")
        table = DataFrameColumns(dataframe, columns.used_columns)
        columns.check(table)
        if validate_filenames:
            self._keep_valid(table, columns.x_col)
        names = columns.keep_classes(table)
        first, last = get_subset_bounds(*share)
        table.keep(range(int(first * len(table)), int(last * len(table))))
        self.sample_weight = None if columns.weight_col is None else np.array(table[columns.weight_col])
        weights = None if self.sample_weight is None else TargetColumn(self.sample_weight)
        kept = table[columns.x_col]
        word = "validated" if validate_filenames else "non-validated"
        classes = "" if names is None else f" belonging to {len(names)} classes"
        sys.stdout.write(f"Found {len(kept)} {word} image filenames{classes}.\n")  # as Keras does
        targets = self._make_targets(table, columns, names, flow.normalizer.dtype)
        source = FileSource(self.directory, kept, max_bytes=files.decoder.max_bytes)
        paths = [os.path.join(self.directory, name) for name in table[columns.x_col]]
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
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.classes = self.labels = [_to_numbers(value, self.class_indices) for value in table[columns.y_columns[0]]]
        return make_class_targets(columns.class_mode, self.classes, len(names), dtype)

    def _keep_valid(self, table: DataFrameColumns, x_col: str) -> None:
        paths = [os.path.join(self.directory, name) for name in table[x_col]]
        valid = [row for row, path in enumerate(paths) if _is_image(path)]
        if len(valid) < len(paths):
            warnings.warn(
                f'Found {len(paths) - len(valid)} invalid image filename(s) in x_col="{x_col}". These filename(s) will '
                "be ignored.",
                stacklevel=4,
            )
        table.keep(valid)


class ColumnRoles:
    """Which column is what.

    Args:
        x_col: the file names.
        y_col: the targets, or a list of columns.
        weight_col: the samples' weights, or None.
        class_mode: how the targets are written.
        classes: the classes in the order of their numbers; by default all, sorted.
    """

    def __init__(
        self, x_col: str, y_col: Any, weight_col: str | None, class_mode: str | None, classes: Sequence[str] | None
    ) -> None:
        if class_mode not in CLASS_MODES:
            raise OptionError(f"invalid `class_mode` {class_mode!r}; expected one of {CLASS_MODES}")
        if class_mode == "multi_output" and not isinstance(y_col, list):
            raise ColumnTypeError(f'with class_mode="multi_output", y_col must be a list, got {type(y_col).__name__}')
        if classes and class_mode in ("input", "multi_output", "raw", None):
            warnings.warn(f'`classes` will be ignored given the class_mode="{class_mode}"', stacklevel=4)
        self.x_col = x_col
        self.y_col = y_col
        self.weight_col = weight_col
        self.class_mode = class_mode
        self._classes = list(dict.fromkeys(classes)) if classes else None

    @property
    def y_columns(self) -> list[str]:
        """The columns of the targets."""
        if self.class_mode in ("input", None):
            return []
        return list(self.y_col) if isinstance(self.y_col, list) else [self.y_col]

    @property
    def used_columns(self) -> list[str]:
        """All columns."""
        return [self.x_col, *self.y_columns, *([] if self.weight_col is None else [self.weight_col])]

    def check(self, table: DataFrameColumns) -> None:
        """Refuse columns that hold the wrong kind of value.

        Raises:
            ColumnTypeError: one does.
            OptionError: binary classes are not two.
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
        """Leave out the rows (and of lists the members) of other classes; give the classes, or None without any."""
        if self.class_mode in ("input", "multi_output", "raw", None):
            return None
        column = table[self.y_columns[0]]
        if self._classes is None:
            return sorted({name for value in column for name in ([value] if isinstance(value, str) else value)})
        known = set(self._classes)
        for row, value in enumerate(column):
            if not isinstance(value, str):
                column[row] = [name for name in value if name in known]
        table.keep([row for row, value in enumerate(column) if (value in known if isinstance(value, str) else value)])
        return self._classes


def _is_image(path: str) -> bool:
    return path.lower().endswith(PILLOW_EXTENSIONS) and os.path.isfile(path)


def _to_numbers(value: Any, numbers: dict[str, int]) -> Any:
    return numbers[value] if isinstance(value, str) else [numbers[name] for name in value]
