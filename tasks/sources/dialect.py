"""The layout of a table's text: comments, what separates its values, the columns' names."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.core.step import log
from tasks.sources.base import InMemory
from tasks.sources.numbers import is_plain
from tasks.sources.unreadable import TooShort, opened

SEPARATORS = (",", ";", "\t", "|", ":", "^", "~", " ")
DECLARED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # a first line that Excel understands
COMMENT = "#"
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?")
WORD = re.compile(r"[^\W\d_]")  # what a word begins with
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "None", "null", "NULL", "-", ".")
ROW_NAMES = "row_names"  # what a column is called that R gives no name
SEEN = 200  # rows that tell whether there are names
# Rows without the separators behind their last value: so many, and such a share, are no mistake.
LEAST_SHORT, SHORT = 3, 0.05
RUN = 5  # names that are numbers in order: as many at least


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
    content = _content(path, separator)
    found = _strictly(
        lambda: pd.read_csv(
            content.open("rb") if isinstance(content, InMemory) else content,
            sep=r"\s+" if separator == " " else separator,
            encoding="utf-8-sig",
            low_memory=False,
            index_col=False,
            **_quotes_in(content, separator),
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
    with _again(content) as text:
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


def _again(content: Path | io.StringIO) -> io.TextIOBase:
    return io.StringIO(content.getvalue()) if isinstance(content, io.StringIO) else opened(content)


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
    for row in _rows(text, separator):
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


def names(path: Path, separator: str, header: bool) -> list[str]:
    """The columns' names: the first row, or else `column_1` and so on."""
    first = next(iter(records(path, separator, 1)), [])
    return first if header else [f"column_{number}" for number in range(1, len(first) + 1)]


def records(path: Path, separator: str, most: int) -> list[list[str]]:
    """The first rows, as lists of text, the names among them."""
    content = _content(path, separator)
    if isinstance(content, io.StringIO):
        rows = _records(content, separator, max(most, SEEN))
    else:
        rows = _first(path, separator, max(most, SEEN))
    if _lacks_a_name(rows):
        rows[0].insert(0, ROW_NAMES)
    return rows[:most]


def declared(path: Path) -> str | None:
    """The separator that a first line such as `sep=;` declares."""
    with opened(path) as text:
        match = DECLARED.fullmatch(text.readline())
    return match[1] if match and match[1] in SEPARATORS else None


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


def _content(path: Path, separator: str) -> Path | io.StringIO:
    """The file; or its text, if it begins with titles or comments, or declares its separator."""
    with opened(path) as file:
        first = next((line for line in file if line.strip()), "")
    if "\0" in first:
        raise UnicodeDecodeError("utf-8", b"", first.index("\0"), 1, "a character is 0")
    if separator == " " and (found := _aligned(path)):
        return found
    special = first.startswith(COMMENT) or DECLARED.fullmatch(first)
    titles = 0 if special else _titles(_first(path, separator, SEEN), separator)
    if not special and not titles:
        return path

    text = path.read_bytes().decode("utf-8-sig")
    lines = [line for line in re.split(r"(?<=\n)", text) if line.strip()]
    if titles:
        return io.StringIO("".join(lines[titles:]))
    lines = lines[1:] if DECLARED.fullmatch(lines[0]) else lines
    rows = [line for line in lines if not line.startswith(COMMENT)]
    if lines and _are_names(lines[0], rows, separator):
        rows.insert(0, lines[0])
    return io.StringIO("".join(rows))


def _aligned(path: Path) -> io.StringIO | None:
    """The rows, each value in quotation marks, if columns stand at fixed places.

    None if blanks divide all rows alike. Between two columns there are blanks all the way down.
    """
    with opened(path) as text:
        head = [line.rstrip() for line in itertools.islice(text, SEEN) if line.strip()]
        if len(head) < 2 or len(_columns(head)) < 2:
            return None
        widths = {len(line.split()) for line in itertools.chain(head, text) if line.strip()}
    if len(widths) < 2:  # blanks divide all rows alike
        return None

    with opened(path) as text:
        lines = [line.rstrip() for line in text if line.strip()]
    columns = _columns(lines)
    names = {len(lines[0].split()), len(re.split("  +", lines[0].strip()))}
    if len(columns) not in names or any(sign in line for line in lines for sign in '"\t'):
        return None
    rows = (" ".join(f'"{line[column].strip()}"' for column in columns) for line in lines)
    return io.StringIO("\n".join(rows) + "\n")


def _columns(lines: list[str]) -> list[slice]:
    """Where columns stand: between places that are blank in each line, below a name each."""
    blank = bytearray(b" ") * (1 + max(map(len, lines)))
    for line in lines:
        for word in re.finditer(r"\S+", line):
            blank[slice(*word.span())] = b"x" * len(word[0])
    begins = [word.start() for word in re.finditer(rb"x+", blank)]
    ends = [*begins[1:], len(blank)]
    named = [b for b, e in zip(begins, ends, strict=True) if lines[0][b:e].strip()]
    named[:1] = begins[:1]
    return [slice(*each) for each in itertools.pairwise([*named, len(blank)])]


def _titles(rows: list[list[str]], separator: str) -> int:
    """How many of the first lines are titles: with fewer values than the names below them."""
    width = max(Counter(map(len, rows)).items(), key=lambda each: each[1])[0] if rows else 0
    titles = list(itertools.takewhile(lambda row: _is_title(row, width), rows))
    below = rows[len(titles) :]
    if not titles or len(below) < 2 or any("\n" in row[0] for row in titles):
        return 0
    whole = all(len(row) == width for row in below) and all(map(str.strip, below[0]))
    if not whole or not has_names(below) or (_lacks_a_name(rows) and not _over_numbers(below)):
        return 0
    return sum(bool(separator.join(row).strip()) for row in titles)  # a blank line is none


def _is_title(row: list[str], width: int) -> bool:
    """Whether a row has fewer values than the table; spreadsheets fill it up with empty ones."""
    return len(row) < width or (width > 2 and not any(map(str.strip, row[1:])))


def _lacks_a_name(rows: list[list[str]]) -> bool:
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


def _first(path: Path, separator: str, most: int) -> list[list[str]]:
    with opened(path) as text:
        return _records(text, separator, most)


def _are_names(line: str, rows: list[str], separator: str) -> bool:
    """Whether a line that begins with `#` has the names, and not the row below it."""
    if not line.startswith(COMMENT) or not rows:
        return False
    named, *below = _records(io.StringIO("".join([line, *rows[:SEEN]])), separator, SEEN)
    return len(named) > 1 and len(named) == len(below[0]) and not has_names(below)


def _records(text: io.TextIOBase, separator: str, most: int) -> list[list[str]]:
    return list(itertools.islice(filter(None, _rows(text, separator)), most))


def _rows(text: io.TextIOBase, separator: str) -> Iterator[list[str]]:
    """All rows as lists of text; that of an empty line is empty."""
    if separator == " ":  # at a line's end it separates nothing
        blanks = (line.replace("\t", " ").rstrip() + "\n" for line in text)
        yield from csv.reader(blanks, delimiter=separator, skipinitialspace=True)
        return
    head = list(itertools.islice(text, SEEN))
    lines = itertools.chain(head, text)
    yield from csv.reader(lines, delimiter=separator, **_quotes(head, separator))


def _quotes_in(content: Path | io.StringIO, separator: str) -> dict[str, Any]:
    with _again(content) as text:
        return _quotes(list(itertools.islice(text, SEEN)), separator)


def _quotes(lines: list[str], separator: str) -> dict[str, Any]:
    """How values are quoted, for `csv.reader` and pandas, if not by `"` next to the separator.

    Args:
        lines: the first ones of a text.
        separator: of its values.
    """
    text = "".join(lines)
    if separator == " ":
        return {}
    if re.search(rf'{re.escape(separator)} +"', text):
        return {"skipinitialspace": True}
    if "'" not in text:
        return {}

    how: dict[str, Any] = {"quotechar": "'", "escapechar": "\\", "skipinitialspace": True}
    rows = [row for row in csv.reader(lines, delimiter=separator, **how) if row]
    width = len(rows[0])
    if width < 2 or any(len(row) != width for row in rows):
        return {}

    # An apostrophe that begins a word ends none: 't Hooft.
    plain = [row for row in csv.reader(lines, delimiter=separator) if len(row) == width]
    cells = [cell.strip() for row in plain for cell in row]
    begin = [cell for cell in cells if cell.startswith("'")]
    whole = all(len(cell) > 1 and cell.endswith("'") for cell in begin)
    return how if whole and (begin or len(plain) < len(rows)) else {}
