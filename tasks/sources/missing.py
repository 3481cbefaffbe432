"""Missing values of a table: counted by column and refused, or dropped, or filled from the training rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.core.step import UserError, log


def checked(file: Path, table, needed: list[str], features: list[str], how: str):
    """The table without the rows that are to be dropped.

    Args:
        file: that it was read from.
        table: a data frame.
        needed: columns that no value can be made up for.
        features: the columns to predict from.
        how: `refuse`, `mean`, `median` or `drop`.

    Raises:
        UserError: values are missing that are neither dropped nor filled later.
    """
    empty = table[needed if how in ("mean", "median") else needed + features].isna()
    rows = empty.any(axis=1).to_numpy()
    if not rows.any():
        return table
    if how != "drop":
        counts = ", ".join(f"{name} {count:,}" for name, count in empty.sum().items() if count)
        ways = "`missing: drop`" if empty[needed].any(axis=None) else "`missing: mean`, `median` or `drop`"
        first = table.index[rows.argmax()] + 1
        raise UserError(f"{file}: missing values: {counts}; the first in row {first:,}. Fill them, or set {ways}.")
    if rows.all():
        raise UserError(f"{file}: every row has a missing value, so `missing: drop` leaves none. Fill them.")
    log.warning("%s: %d of %d rows have missing values, and are dropped", file, rows.sum(), len(rows))
    return table[~rows]


def fill(path: Path, x_train: np.ndarray, x_test: np.ndarray, features: list[str], how: str) -> None:
    """Missing features become what is usual among the training rows: the test rows may not have a say."""
    for column, name in enumerate(features):
        known = x_train[:, column][~np.isnan(x_train[:, column])]
        if not len(known):
            raise UserError(f"{path}: the column {name} has no value in any training row. Put it into load.ignore.")
        usual = known.mean() if how == "mean" else np.median(known)
        for values in (x_train, x_test):
            values[np.isnan(values[:, column]), column] = usual
