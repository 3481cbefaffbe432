"""The last lines of a spreadsheet, such as `Total`: they sum the rows up, and are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pandas as pd

from tasks.core.step import UserError

# Alone in a cell, or followed by a colon and an amount.
TOTAL = re.compile(
    r"((grand|sub|overall)[ -]?)?totals?|sum|average|avg\.?|mean|median"
    r"|(gesamt|zwischen)?summe|(ins)?gesamt|mittelwert|durchschnitt"
    r"|totale|total général|somme|moyenne|suma|promedio|totaal|gemiddelde",
    re.IGNORECASE,
)


def check(file: object, table: pd.DataFrame) -> None:
    """Refuse a table whose last rows are totals: a model would learn them as rows.

    Args:
        file: its name in messages.
        table: all its rows, with their places in the file as the index.

    Raises:
        UserError: a last row has a word such as `Total` that no other row has there.
    """
    found = sorted(_totals(table))
    if not found:
        return
    rows = " and ".join(f"row {row:,} (`{cell}` in {column})" for row, column, cell in found)
    raise UserError(
        f"{file}: {rows} at the end of the table {'sum' if found[1:] else 'sums'} up the other "
        "rows. Expected no sums among the rows: delete such lines. If one is a row as any other, "
        "move it up."
    )


def among(words: Iterable[str]) -> bool:
    """Whether a word says total, so that it is one of its column's own."""
    return any(map(TOTAL.fullmatch, words))


def _totals(table: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    """From the last row up: its number, counted from 1, the column and the cell."""
    for place in range(len(table) - 1, 0, -1):
        row = table.iloc[place].dropna()
        if row.empty:
            continue
        column = next((name for name in row.index if _is_total(table[name], place)), None)
        if column is None:
            return
        yield table.index[place] + 1, column, row[column].strip()[:20]


def _is_total(column: pd.Series, place: int) -> bool:
    """Whether a cell says total, as no cell above does."""
    word = _word(column.iloc[place])
    if not TOTAL.fullmatch(word):
        return False
    return word not in {_word(cell) for cell in column.iloc[:place].unique()}


def _word(cell: object) -> str:
    return re.split("[:=]", cell)[0].strip().lower() if isinstance(cell, str) else ""
