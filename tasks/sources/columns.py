"""The columns of a table as arrays: features, labels and groups."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.step import UserError
from tasks.sources.base import EXACT, some
from tasks.sources.labels import Labels, numbered, targets
from tasks.sources.numbers import MARKS, expected, parsed, unit
from tasks.sources.place import Place

Params = Any  # of table.py, which imports this file

Tables = dict[str, pd.DataFrame]  # by split


def features(files: dict[str, Place], tables: Tables, params: Params) -> list[str]:
    """The columns to predict from, which all tables must have."""
    others = {params.target, params.group, *params.ignore}
    found = [name for name in tables["train"] if name not in others]
    if not found:
        raise UserError(
            f"{params.path}: no column is left to predict from. "
            "Expected one besides target, group and ignore."
        )
    for split, table in tables.items():
        different = sorted(set(found) ^ (set(table) - others))
        if different:
            raise UserError(
                f"{params.path}: {files['train'].name} and {files[split].name} differ in the "
                f"columns {some(different)}. Expected the same."
            )
    return found


def numbers(file: Place, column: pd.Series, otherwise: str, decimal: str, unit: str) -> pd.Series:
    """A column as numbers, NaN where it is missing.

    Args:
        file: that it was read from.
        column: as it was read.
        otherwise: what else a user may do than correct the value, for the message.
        decimal: the decimal mark.
        unit: that the training rows have.
    """
    found = parsed(column, decimal, unit)
    bad = np.flatnonzero((found.isna() & column.notna()) | np.isinf(found))
    if len(bad):
        other = MARKS[decimal == "."]
        if parsed(column, other, unit).notna().sum() > found.notna().sum():
            otherwise = f"or set `decimal: '{other}'`, {otherwise}"
        raise UserError(
            f"{file}: the column {column.name} has '{column.iloc[bad[0]]}' in "
            f"{_row(column, bad[0])}. Expected {expected(unit)}: correct it, {otherwise}."
        )
    return found


def target_unit(table: pd.DataFrame, params: Params) -> str:
    """What stands around the numbers of a regression's target in the training rows."""
    return unit(table[params.target], params.mark) if params.task == "regression" else ""


def labels(files: dict[str, Place], tables: Tables, params: Params) -> tuple[Labels, list[str]]:
    """Regression targets; or classes as 0 to k-1, and their names.

    Classes are words, unless all of them are whole numbers.
    """
    columns = {split: table[params.target] for split, table in tables.items()}
    if params.task == "regression":
        written = params.mark, target_unit(tables["train"], params)
        way = "or set `task: classes`"
        values = {split: numbers(files[split], y, way, *written) for split, y in columns.items()}
        return targets({split: y.to_numpy() for split, y in values.items()}, params.path), []

    words = pd.concat(columns.values())
    values = pd.to_numeric(words, errors="coerce")
    if not (values.abs() <= EXACT).all() or words.str.match(r"[-+]?0\d").any():
        return numbered({split: y.to_numpy(str) for split, y in columns.items()}, params.path)

    for split, y in columns.items():
        _check_whole(files[split], y)
    whole = {split: pd.to_numeric(y).to_numpy(np.int64) for split, y in columns.items()}
    return numbered(whole, params.path)


def _check_whole(file: Place, column: pd.Series) -> None:
    values = column.astype(np.float64)
    bad = np.flatnonzero(values != np.floor(values))
    if len(bad):
        raise UserError(
            f"{file}: the column {column.name} has {column.iloc[bad[0]]} in "
            f"{_row(column, bad[0])}. Expected classes, which are whole numbers or words. "
            "If it is a regression target, set `task: regression`."
        )


def groups(files: dict[str, Place], tables: Tables, params: Params) -> Labels:
    """The number of each row's group."""
    column = params.group
    words = {split: table[column].to_numpy(str) for split, table in tables.items()}
    for one, other in itertools.combinations(words, 2):
        shared = np.intersect1d(words[one], words[other])
        if len(shared):
            raise UserError(
                f"{params.path}: the group {shared[0]} of the column {column} has rows in both "
                f"{files[one].name} and {files[other].name}, which makes the score optimistic. "
                "Move them to one side, or set `group: null`."
            )
    return {split: np.unique(names, return_inverse=True)[1] for split, names in words.items()}


def others(tables: Tables, features: list[str], target: str) -> Labels:
    """A number for each row: rows with the same number are equal in all columns but these.

    A column that only counts the rows says nothing about them, and is left out.

    Args:
        tables: by split.
        features, target: the columns that do not matter.
    """
    left = [name for name in tables["train"] if name not in features and name != target]
    left = [name for name in left if not any(counts(table[name]) for table in tables.values())]
    rows = pd.concat([table[left] for table in tables.values()])
    number = rows.groupby(left, dropna=False, sort=False).ngroup().to_numpy() if left else 0
    every = np.broadcast_to(number, len(rows)).astype(np.int64)
    ends = np.cumsum([len(table) for table in tables.values()])
    return dict(zip(tables, np.split(every, ends[:-1]), strict=True))


def counts(column: pd.Series) -> bool:
    """Whether each value is the one before it plus 1, with gaps where rows were dropped."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    steps = np.diff(values - column.index.to_numpy())
    return len(values) > 1 and bool((steps == 0).all())


def _row(column: pd.Series, position: int) -> str:
    """A row of the file, counted from 1 below the names."""
    return f"row {column.index[position] + 1:,}"
