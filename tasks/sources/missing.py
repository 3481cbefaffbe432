"""Missing values of a table: rows without a target are dropped; features are as `load` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.arrays import empty
from tasks.core.step import UserError, log
from tasks.sources.place import Place

Params = Any  # of table.py, which imports this file

# What people and programs write in place of a number or a date that is missing.
MARKS = {
    *("?", "??", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "\u2026", "*", "**"),
    *("/", ":", "\\N", "na", "n.a.", "N.A.", "NAN", "k.A.", "k. A.", "missing", "Missing"),
    *("MISSING", "unknown", "Unknown", "UNKNOWN", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!"),
}


def may_have_marks(kind: str) -> bool:
    """Whether a mark in a column of this kind is a missing value; in others it may be a word."""
    return kind.startswith(("number", "date"))


def without_marks(table, params: Params):
    """The rows with nothing where a number or a date is a mark, such as `?`.

    Args:
        table: a data frame.
        params: the section `load`.
    """
    kinds = {name: params.kind(name) for name in table if name != params.group}
    if params.target in kinds:
        kinds[params.target] = "words" if params.task == "classes" else "number"
    marked = [name for name in kinds if may_have_marks(kinds[name])]
    marked = [name for name in marked if table[name].dtype.kind not in "iufb"]
    found = {name: table[name].mask(are_marks(table[name])) for name in marked}
    return table.assign(**found) if found else table


def are_marks(column):
    """A mask of the cells of a column that are marks."""
    return column.isin([text for text in column.unique() if str(text).strip() in MARKS])


def checked(file: Place, table, features: list[str], params: Params, folder: Path):
    """The table without the rows that are to be dropped.

    Args:
        file: that it was read from.
        table: a data frame.
        features: the columns to predict from.
        params: the section `load`.
        folder: for large temporary files.

    Raises:
        UserError: no row has a target, or values are missing that are neither dropped nor filled.
    """
    table = _with_target(file, table, params.target, folder)
    looked_at = [params.group] if params.group else []
    looked_at += [] if params.missing in ("mean", "median") else features
    rows, count = np.zeros(len(table), bool), {}
    for name in looked_at:
        absent = table[name].isna().to_numpy()
        count[name] = absent.sum()
        rows |= absent
    if not rows.any():
        return table

    if params.missing != "drop":
        counts = ", ".join(f"{name} {of:,}" for name, of in count.items() if of)
        ways = "`missing: mean`, `median` or `drop`"
        if params.group and count[params.group]:
            ways = "`missing: drop`"
        first = table.index[rows.argmax()] + 1
        raise UserError(
            f"{file}: missing values: {counts}; the first in row {first:,}. "
            f"Fill them, or set {ways}."
        )
    if rows.all():
        raise UserError(
            f"{file}: every row has a missing value, so `missing: drop` leaves none. Fill them."
        )
    log.warning("%s: dropped %d of %d rows, which have missing values", file, rows.sum(), len(rows))
    return _kept(table, ~rows, folder)


def _with_target(file: Place, table, target: str, folder: Path):
    absent = table[target].isna().to_numpy()
    if not absent.any():
        return table
    if absent.all():
        ways = "set another column as load.target, or fill it"
        if file.path.stem == "test":
            ways = "fill it, or take the column out if these are new rows to predict"
        raise UserError(
            f"{file}: the column {target} is empty in every row. Expected the target: {ways}."
        )
    log.warning(
        "%s: dropped %d of %d rows, which have no %s", file, absent.sum(), len(absent), target
    )
    return _kept(table, ~absent, folder)


def _kept(table, rows: np.ndarray, folder: Path):
    """Some rows; the numbers of a large table stay on disk."""
    import pandas as pd  # here: it takes a second to import

    numbers = [name for name in table if table[name].dtype == np.float64]
    found = {name: None if name in numbers else table[name][rows] for name in table}
    arrays = empty((len(numbers), rows.sum()), np.float64, folder)
    for name, array in zip(numbers, arrays, strict=True):
        array[:] = table[name].to_numpy()[rows]
        found[name] = array
    return pd.DataFrame(found, table.index[rows], copy=False)
