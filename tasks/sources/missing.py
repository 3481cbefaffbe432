"""Missing values of a table: rows without a target are dropped; features are as `load` says."""

from __future__ import annotations

from typing import Any

from tasks.core.step import UserError, log
from tasks.sources.base import Place

Params = Any  # of table.py, which imports this file


def checked(file: Place, table, features: list[str], params: Params):
    """The table without the rows that are to be dropped.

    Args:
        file: that it was read from.
        table: a data frame.
        features: the columns to predict from.
        params: the section `load`.

    Raises:
        UserError: no row has a target, or values are missing that are neither dropped nor filled.
    """
    table = _with_target(file, table, params.target)
    looked_at = [params.group] if params.group else []
    looked_at += [] if params.missing in ("mean", "median") else features
    empty = table[looked_at].isna()
    rows = empty.any(axis=1).to_numpy()
    if not rows.any():
        return table

    if params.missing != "drop":
        counts = ", ".join(f"{name} {count:,}" for name, count in empty.sum().items() if count)
        ways = "`missing: mean`, `median` or `drop`"
        if params.group and empty[params.group].any():
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


def _with_target(file: Place, table, target: str):
    empty = table[target].isna().to_numpy()
    if not empty.any():
        return table
    if empty.all():
        raise UserError(
            f"{file}: the column {target} is empty in every row. Expected the target: set another "
            "column as load.target, or fill it."
        )
    log.warning(
        "%s: dropped %d of %d rows, which have no %s", file, empty.sum(), len(empty), target
    )
    return table[~empty]
