"""A test row, as somebody would send it: for the page and for the documentation."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from tasks.sources import dates

Cell = float | str | bool | None
DAMAGED = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile)  # or not there
OTHERS = (IndexError, OverflowError)  # columns of these names had other kinds of values


def example(raw: Path, schema: dict[str, Any]) -> Any:
    """The first test row: of a table its columns by their names, else nested lists of numbers.

    Args:
        raw: the pipeline's `raw.npz`; where it is not, is damaged or has other rows than the model
            takes, a row of usual values is made up.
        schema: the content of `schema.json`.
    """
    try:
        return _as_sent(schema, *_test_row(raw, schema))
    except (*DAMAGED, *OTHERS):
        return _as_sent(schema, None, np.array([]))


def _as_sent(schema: dict[str, Any], row: np.ndarray | None, words: np.ndarray) -> Any:
    """A row as somebody would send it; None for one of usual values."""
    if "columns" not in schema:
        return (np.zeros(schema["input_shape"]) if row is None else row).tolist()

    columns = schema["columns"]
    values = [each["fill"] for each in columns] if row is None else row
    return {
        column["name"]: _cell(column, value, words)
        for column, value in zip(columns, values, strict=True)
    }


def _test_row(raw: Path, schema: dict[str, Any]) -> tuple[np.ndarray | None, np.ndarray]:
    """The first test row, if rows of this schema are there; and the words that it may have."""
    nothing = None, np.array([])
    with zipfile.ZipFile(raw) as file, np.load(raw, allow_pickle=False) as arrays:
        row = _first_row(file, "x_test.npy")
        if "columns" not in schema:
            return (row if list(row.shape) == schema["input_shape"] else None), nothing[1]
        names = [each["name"] for each in schema["columns"]]
        same = arrays["feature_names"].tolist() == names
        return (row, arrays["words"]) if same else nothing


def _first_row(file: zipfile.ZipFile, name: str) -> np.ndarray:
    """The first row of an array, without reading the others."""
    with file.open(name) as array:
        version = npy.read_magic(array)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, kind = read(array)
        if by_columns:
            rows = np.frombuffer(array.read(), kind).reshape(shape, order="F")
            return rows[0]
        size = kind.itemsize * int(np.prod(shape[1:]))
        return np.frombuffer(array.read(size), kind).reshape(shape[1:])


def _cell(column: dict[str, Any], value: float | None, words: np.ndarray) -> Cell:
    """A value as it would be written, None if it is missing."""
    kind = column["kind"]
    if kind == "words" and not len(words):
        return next(iter(column["words"]), None)  # all of its words are rare
    if value is None or np.isnan(value):
        return None
    if kind == "words":
        return str(words[int(value)])
    if kind == "boolean":
        return bool(value)
    if kind.startswith("date"):
        moment = datetime.fromtimestamp(float(value), UTC)
        form = kind.removeprefix("date").strip()
        day = value % 86_400 == 0 and "hour" not in column["parts"]
        return dates.written(moment, form or ("%Y-%m-%d" if day else "%Y-%m-%dT%H:%M:%S"))
    return int(value) if value == int(value) else float(value)
