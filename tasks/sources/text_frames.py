"""A table's text as data frames, by pandas; a row with too few values or too many is refused."""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.core.step import log
from tasks.sources.dialect import ROW_NAMES, again, body_of, names, quotes_in, rows_of
from tasks.sources.place import InMemory
from tasks.sources.unreadable import TooShort

# Rows without the separators behind their last value: so many, and such a share, are no mistake.
LEAST_SHORT = 3
SHORT = 0.05


def frame(path: Path, separator: str, header: bool, **how: Any) -> pd.DataFrame:
    """All rows, by pandas.

    Args:
        path: of the file.
        separator: of its values; a space stands for any number of them.
        header: whether the first row has the columns' names.
        how: more arguments of `pandas.read_csv`.

    Raises:
        TooShort: a row has fewer values than there are names.
    """
    there = names(path, separator, header)
    if not header or there[:1] == [ROW_NAMES]:
        how.update(header=0 if header else None, names=there)
    content = body_of(path, separator)
    found = _strictly(
        lambda: pd.read_csv(
            content.open("rb") if isinstance(content, InMemory) else content,
            sep=r"\s+" if separator == " " else separator,
            encoding="utf-8-sig",
            low_memory=False,
            index_col=False,
            **quotes_in(content, separator),
            **how,
        )
    )
    parts = _parts(found) if how.get("chunksize") else iter([found])
    if not {"usecols", "nrows"} & {*how}:  # else others are read as well
        parts = _whole(parts, path.name, content, separator, header, there)
    return parts if how.get("chunksize") else next(parts)


def _whole(
    parts: Iterator[pd.DataFrame],
    file: str,
    content: Path | io.StringIO,
    separator: str,
    header: bool,
    names: list[str],
) -> Iterator[pd.DataFrame]:
    """The same parts, if no row is too short.

    Such a row has no last value. Only if there is one, all rows are counted, once: that takes a
    second for a million rows.
    """
    width = max((number for number, name in enumerate(names, 1) if name.strip()), default=0)
    counted = not width
    for part in parts:
        last = part.iloc[:, width - 1] if not counted else None
        if last is not None and (last.isna() | (last == "")).any():
            _check_widths(file, content, separator, width, header)
            counted = True
        yield part


def _check_widths(
    file: str, content: Path | io.StringIO, separator: str, width: int, header: bool
) -> None:
    """Refuse rows with fewer values than names, unless a spreadsheet left off empty ones."""
    widths: Counter[int] = Counter()
    first, place, last = None, 0, width
    with again(content) as text:
        for place, row in _numbered(text, separator, header):
            last = len(row)
            if last < width:
                first = first or (place, row)
                widths[last] += 1
    if first is None:
        return

    count = sum(widths.values())
    cut = last < width and (widths[last] == 1 or not _ends_a_line(content))
    usual = count >= max(LEAST_SHORT, SHORT * place) and min(widths) > width / 2
    if usual and not cut and separator != " ":
        log.warning(
            "%s: %d of %d rows have fewer values than names, as spreadsheets write them: the last "
            "ones are missing there",
            *(file, count, place),
        )
        return
    place, row = first
    more = f", and {count - 1:,} more rows have too few" if count > 1 else ""
    line = separator.join(row)
    raise TooShort(
        f"row {place:,} has {len(row)} of {width} values{more}: `{line[:60]}`. Expected one for "
        "each name, and nothing between two separators where it is missing. Complete the row, "
        "perhaps by a new download, or delete it."
    )


def _ends_a_line(content: Path | io.StringIO) -> bool:
    """Whether the last line is complete, as that of a broken download mostly is not."""
    if isinstance(content, io.StringIO):
        return content.getvalue().endswith(("\n", "\r"))
    with content.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in (b"\n", b"\r")


def _numbered(text: io.TextIOBase, separator: str, header: bool) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with their numbers, counted from 1 below the names."""
    place = 0 if header else 1
    for row in rows_of(text, separator):
        if place and any(map(str.strip, row)):
            yield place, row
        place += len(row) > 1 or bool(row and row[0].strip())


def _parts(reader: Any) -> Iterator[pd.DataFrame]:
    while True:
        try:
            part = _strictly(lambda: next(reader))
        except StopIteration:
            return
        yield part


def _strictly(read: Callable[[], Any]) -> Any:
    """Read, or fail: where a row has more values than names pandas would drop some."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return read()
