"""The first lines of a table's text: titles, and whether a row has the columns' names."""

from __future__ import annotations

import itertools
import re
from collections import Counter

from tasks.sources.numbers import is_plain

DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?")
WORD = re.compile(r"[^\W\d_]")  # what a word begins with
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "None", "null", "NULL", "-", ".")
RUN = 5  # names that are numbers in order: as many at least


def has_names(rows: list[list[str]]) -> bool:
    """Whether the first of some rows has names, judged by the types of those below it."""
    first, *below = rows
    below = [row for row in below if row != first] or below  # names recur in joined files
    values, unlike = 0, 0  # cells like those below them; words unlike the few words below them
    for cell, column in zip(first, itertools.zip_longest(*below, fillvalue=""), strict=False):
        there = [each for each in column if each not in MISSING]
        kinds = {_kind(each) for each in there}
        if len(kinds) == 1 and kinds != {"word"}:
            if WORD.match(cell.strip()) and _kind(cell) == "word" and cell not in MISSING:
                return True
            values += _kind(cell) in kinds
        elif cell in there:
            values += 1
        else:
            unlike += len(set(there)) <= len(there) / 5

    count_up = first == [str(number) for number in range(len(first))]  # so pandas names them
    if count_up or not values:
        return True
    recurs = any(  # a word of the first row is below it, too
        cell in column
        for cell, *column in zip(first, *below, strict=False)
        if _kind(cell) == "word"
    )
    return (unlike > 0 and not recurs) or _in_order(first, below)


def _in_order(first: list[str], below: list[list[str]]) -> bool:
    """Whether names are numbers that rise or fall, such as wavelengths or years."""

    def run(row: list[str]) -> bool:
        numbers = [float(cell) for cell in row if re.fullmatch(r"\d+(\.\d+)?", cell)]
        pairs = list(itertools.pairwise(numbers))
        rises, falls = all(a < b for a, b in pairs), all(a > b for a, b in pairs)
        return len(numbers) >= RUN and (rises or falls)

    return run(first) and sum(map(run, below)) <= len(below) / 2


def _kind(cell: str) -> str:
    cell = cell.strip()
    if is_plain(cell):
        return "number"
    if DATE.fullmatch(cell):
        return "date"
    return "boolean" if cell.lower() in ("true", "false") else "word"


def count_titles(rows: list[list[str]], separator: str) -> int:
    """How many of the first lines are titles: with fewer values than the names below them."""
    width = max(Counter(map(len, rows)).items(), key=lambda each: each[1])[0] if rows else 0
    titles = list(itertools.takewhile(lambda row: _is_title(row, width), rows))
    below = rows[len(titles) :]
    if not titles or len(below) < 2 or any("\n" in row[0] for row in titles):
        return 0
    whole = all(len(row) == width for row in below) and all(map(str.strip, below[0]))
    if not whole or not has_names(below) or (lacks_a_name(rows) and not _over_numbers(below)):
        return 0
    return sum(bool(separator.join(row).strip()) for row in titles)  # a blank line is none


def _is_title(row: list[str], width: int) -> bool:
    """Whether a row has fewer values than the table; spreadsheets fill it up with empty ones."""
    return len(row) < width or (width > 2 and not any(map(str.strip, row[1:])))


def lacks_a_name(rows: list[list[str]]) -> bool:
    """Whether the first row has a name too few, as R writes it: the first column names the rows."""
    first, *below = rows or [[]]
    if len(below) < 2 or {len(row) for row in below} != {len(first) + 1}:
        return False
    return len({row[0] for row in below}) == len(below) and any(row[-1] for row in below)


def _over_numbers(rows: list[list[str]]) -> bool:
    """Whether a word of the first row stands above numbers."""
    first, *below = rows
    columns = zip(first, *below, strict=True)
    return any(_kind(cell) == "word" and all(map(is_plain, column)) for cell, *column in columns)
