"""Missing values of a table: refused with a count by column, dropped, or filled."""

from __future__ import annotations

import numpy as np

from tasks.core.step import UserError, log
from tasks.sources.base import Place


def checked(file: Place, table, needed: list[str], features: list[str], how: str):
    """The table without the rows that are to be dropped.

    Args:
        file: that it was read from.
        table: a data frame.
        needed: columns in which no value can be filled.
        features: the columns to predict from.
        how: `refuse`, `mean`, `median` or `drop`.

    Raises:
        UserError: values are missing that are neither dropped nor filled later.
    """
    looked_at = needed if how in ("mean", "median") else needed + features
    empty = table[looked_at].isna()
    rows = empty.any(axis=1).to_numpy()
    if not rows.any():
        return table

    if how != "drop":
        counts = ", ".join(f"{name} {count:,}" for name, count in empty.sum().items() if count)
        ways = "`missing: mean`, `median` or `drop`"
        if empty[needed].any(axis=None):
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
    return table[~rows]


def fill(
    place: Place, x_train: np.ndarray, x_test: np.ndarray, features: list[str], how: str
) -> None:
    """Fill missing features, in place, with their mean or median over the training rows."""
    for column, name in enumerate(features):
        known = x_train[:, column][~np.isnan(x_train[:, column])]
        if not len(known):
            raise UserError(
                f"{place}: the column {name} has no value in any training row. "
                "Put it into load.ignore."
            )
        usual = known.mean() if how == "mean" else np.median(known)
        for values in (x_train, x_test):
            values[np.isnan(values[:, column]), column] = usual
