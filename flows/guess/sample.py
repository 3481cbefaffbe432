"""Some rows of a table that is too large to be looked at as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

LARGE = 2**27  # bytes: of a larger table some rows are looked at
VALUES = 2**22  # that are looked at, at most
RUN = 2**10  # rows one after the other: those that belong together mostly are


class Sample(NamedTuple):
    """Rows of a table, by their numbers, and how many it has."""

    rows: pd.DataFrame
    total: int


def some_of(parts: Iterable[pd.DataFrame], share: float = 1) -> Sample:
    """All rows, or else runs of them, evenly spaced, and one with a hole for each column with some.

    Args:
        parts: the table, some rows at a time.
        share: of VALUES.
    """
    kept: list[pd.DataFrame] = []
    holes: dict[str, pd.DataFrame] = {}
    step, total = 1, 0
    for part in parts:
        total += len(part)
        for name in part.columns[part.isna().any()].difference([*holes]):
            holes[name] = part[part[name].isna()][:1]

        kept.append(_runs(part, step))
        while sum(each.size for each in kept) > share * VALUES:
            step *= 2
            kept = [_runs(each, step) for each in kept]

    rows = pd.concat([*kept, *holes.values()])
    return Sample(rows[~rows.index.duplicated()].sort_index(), total)


def joined(samples: list[Sample]) -> Sample:
    """The rows of several files, one below the other."""
    if len(samples) == 1:
        return samples[0]
    rows = pd.concat([each.rows for each in samples], ignore_index=True)
    return Sample(rows, sum(each.total for each in samples))


def _runs(rows: pd.DataFrame, step: int) -> pd.DataFrame:
    return rows[rows.index // RUN % step == 0]
