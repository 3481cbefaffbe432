"""Lines of a table that are no rows: units below the names, names again, sums and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd
from pandas.api.types import is_numeric_dtype

from tasks.core.step import UserError
from tasks.sources.base import some
from tasks.sources.numbers import is_plain

# Alone in a cell, or followed by a colon and an amount.
TOTAL = re.compile(
    r"((grand|sub|overall)[ -]?)?totals?|sum|average|avg\.?|mean|median"
    r"|(gesamt|zwischen)?summe|(ins)?gesamt|mittelwert|durchschnitt"
    r"|totale|total général|somme|moyenne|suma|promedio|totaal|gemiddelde",
    re.IGNORECASE,
)

WORD = re.compile(r"[^\W\d_]{2}")  # what a note has
SEEN, MOST = 200, 0.9  # rows that tell whether a column has numbers, and how many are some


def check(file: object, table: pd.DataFrame) -> None:
    """Refuse a table with lines that are no rows: a model would learn them as rows.

    Args:
        file: its name in messages.
        table: all its rows, with their places in the file as the index.

    Raises:
        UserError: the first row has words above numbers, a row repeats the names, or the last
            rows sum up the others, or are notes.
    """
    if not len(table):
        return
    if units := _units(table):
        raise UserError(
            f"{file}: row {table.index[0] + 1:,} has words above numbers: {some(units)}. Expected "
            "values: delete that line, if it has units or more names; if it has the names, delete "
            "what is above it; else correct it."
        )
    if again := _names(table):
        raise UserError(f"{file}: row {again:,} has the names again. Expected rows: delete it.")

    found = sorted(_ends(table))
    if not found:
        return
    rows = " and ".join(f"row {row:,} (`{cell}` in {column})" for row, column, cell, _ in found)
    are, sums = ("are", "sum") if found[1:] else ("is", "sums")
    what = f"{sums} up the other rows"
    if not all(is_sum for *_, is_sum in found):
        what = f"{are} below the rows, as notes and sums are"
    raise UserError(
        f"{file}: {rows} at the end of the table {what}. Expected rows: delete such lines. "
        "If one is a row as any other, move it up."
    )


def _units(table: pd.DataFrame) -> list[str]:
    """The words that the first row has above numbers, if there are several."""
    found = []
    for name in table.columns[[isinstance(cell, str) for cell in table.iloc[0]]]:
        first, *below = table[name][:SEEN].dropna().astype(str)
        numbers = [cell for cell in below if is_plain(cell)]
        new = not any(map(str.isdecimal, first)) and first not in below
        if new and len(numbers) > max(1, MOST * len(below)):
            found.append(f"`{first[:20]}` above {numbers[0]} in {name}")
    return found if found[1:] else []


def _names(table: pd.DataFrame) -> int | None:
    """The first row, counted from 1, whose values are the names of their columns."""
    if any(map(is_numeric_dtype, table.dtypes)):
        return None
    same = pd.Series(True, table.index)
    for name in table:
        if not same.any():
            return None
        same &= table[name] == name
    return int(same.idxmax()) + 1 if same.any() else None


def among(words: Iterable[str]) -> bool:
    """Whether a word says total, so that it is one of its column's own."""
    return any(map(TOTAL.fullmatch, words))


def _ends(table: pd.DataFrame) -> list[tuple[int, str, str, bool]]:
    """Last rows that are none: the number, counted from 1, column and cell; and whether it sums."""
    found: list[tuple[int, str, str, bool]] = []
    first = len(table)
    for place in range(len(table) - 1, 0, -1):
        row = table.iloc[place].dropna()
        if row.empty:
            continue
        sums = [name for name in row.index if _is_total(table[name], place)]
        is_sum = bool(sums)
        if not is_sum and not _is_note(row, table, place):
            break
        column, first = (sums or row.index)[0], place
        found.append((table.index[place] + 1, column, row[column].strip()[:20], is_sum))
    if all(is_sum for *_, is_sum in found) or (table[:first].notna().sum(axis=1) != 1).all():
        return found
    return [each for each in found if each[-1]]


def _is_note(row: pd.Series, table: pd.DataFrame, place: int) -> bool:
    """Whether a row has one value alone: words of another form than those above them."""
    value = row.iloc[0]
    words = len(row) == 1 and isinstance(value, str) and WORD.search(value)
    if not words or table.shape[1] < 3:
        return False
    above = table[row.index[0]].iloc[max(0, place - SEEN) : place]
    return _form(value) not in {_form(str(each)) for each in above.dropna()}


def _form(text: str) -> str:
    """Such as `a 0` for `Dec 2020`."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", text.strip()))


def _is_total(column: pd.Series, place: int) -> bool:
    """Whether a cell says total, as no cell above does."""
    word = _word(column.iloc[place])
    if not TOTAL.fullmatch(word):
        return False
    return word not in {_word(cell) for cell in column.iloc[:place].unique()}


def _word(cell: object) -> str:
    return re.split("[:=]", cell)[0].strip().lower() if isinstance(cell, str) else ""
