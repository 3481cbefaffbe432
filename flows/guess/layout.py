"""What separates the values of a table, and which decimal mark its numbers have."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from flows.guess.section import Question
from tasks.sources import dialect, numbers
from tasks.sources.dialect import SEPARATORS

SEEN = 100  # rows that tell the separator
USUAL = 4  # of the separators, the first ones; the others also stand inside values
MOSTLY = 0.5  # of the rows, and of the values
LEAST = 0.9  # share of the rows that a usual one must divide alike


def separator(path: Path) -> str:
    """The one that divides most rows, names and quotes respected, into as many values."""
    found = dialect.declared(path)
    if found:
        return found

    scores = {each: _score(path, each) for each in SEPARATORS}
    usual = {each: scores[each] for each in SEPARATORS[:USUAL]}
    best = max(usual, key=lambda each: usual[each])
    blanks = scores[" "]
    if best == "\t" and not usual[best].numbers and min(blanks.alike, blanks.numbers) > MOSTLY:
        return " "  # any blanks, of which one in each row is a tab
    return best if usual[best].alike >= LEAST else max(scores, key=lambda each: scores[each])


class Score(NamedTuple):
    """How well a separator divides a table, the most telling first.

    Args:
        alike: the share of rows with as many values as most have.
        named: whether each column has a name; R leaves one off.
        numbers: the share of values that are some.
    """

    alike: float
    named: bool
    numbers: float


def _score(path: Path, candidate: str) -> Score:
    """How well a separator divides the first rows."""
    try:
        rows = dialect.records(path, candidate, SEEN)
    except csv.Error:
        return Score(0, False, 0)
    (width, count), *_ = Counter(map(len, rows)).most_common(1) or [(0, 0)]
    if width < 2:
        return Score(0, False, 0)
    named = dialect.ROW_NAMES not in rows[0]
    cells = [cell for row in rows[1:] for cell in row]
    plain = sum(map(numbers.is_plain, cells)) / max(1, len(cells))
    return Score(count / len(rows), named, plain)


def decimal(file: Path, rows: pd.DataFrame, separated: str) -> str:
    """The decimal mark with which most columns are numbers.

    Args:
        file: as messages name it.
        rows: some of them, as text.
        separated: what separates the values.

    Raises:
        Question: `16.455` beside `257` may be sixteen thousand, and nothing tells.
    """
    votes: Counter[str] = Counter()
    unclear = []
    for name in rows:
        text = rows[name].dropna()
        plain = _of_plain(text)
        if plain is not None:
            votes += plain
            continue
        found = {mark: numbers.parsed(text, mark) for mark in numbers.MARKS}
        shares = {mark: values.notna().mean() for mark, values in found.items()}
        differ = (found["."] != found[","]) & found["."].notna() & found[","].notna()
        if len(text) == 0 or max(shares.values()) <= 0.5:
            continue
        if shares["."] != shares[","]:
            votes[max(shares, key=lambda mark: shares[mark])] += 1
        elif differ.any():
            unclear.append(text[differ])
            votes += _by_convention(text, differ, separated)

    if votes["."] != votes[","]:
        return max(votes, key=lambda mark: votes[mark])
    if votes:
        return "," if separated == ";" else "."
    if unclear:
        raise _question(file, unclear[0])
    return "."


def _of_plain(text: pd.Series) -> Counter[str] | None:
    """The vote of numbers such as 7 and 1.25, which is seen without reading each; None of others.

    Three digits behind a point may be thousands.
    """
    if pd.to_numeric(text, errors="coerce").isna().any():
        return None
    if not text.str.contains(".", regex=False).any():
        return Counter()
    return Counter(".") if text.str.contains(r"\.(?:\d{1,2}|\d{4,})$").any() else None


def _by_convention(text: pd.Series, differ: pd.Series, separated: str) -> Counter[str]:
    """A vote on values with three digits behind each mark, such as `16.455`; or none.

    Amounts of money have two digits behind a decimal mark. Programs write as many digits behind
    every point; and commas in a file that commas separate are quoted thousands.
    """
    first = text[differ].iloc[0]
    written = "," if "," in first else "."
    read = numbers.cell(first, written)
    if read and numbers.is_money(read.around):
        return Counter("," if written == "." else ".")
    if written == ",":
        return Counter("." if separated == "," else "")
    return Counter("." if differ.all() and separated != ";" else "")


def _question(file: Path, values: pd.Series) -> Question:
    name, text = values.name, values.iloc[0]
    meant = [f"`{mark}` makes it {numbers.parsed(values, mark).iloc[0]:.10g}" for mark in ".,"]
    return Question(
        f"{file}: the column {name} has `{text}` in row {values.index[0] + 1:,}: which is the "
        f"decimal mark? {' and '.join(meant)}. Expected --decimal to say it: . or ,",
        "decimal",
        list(numbers.MARKS),
    )
