"""The layout of a table's text: comments, what separates its values, the columns' names."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.sources.header import count_titles, has_names, lacks_a_name
from tasks.sources.unreadable import opened

SEPARATORS = (",", ";", "\t", "|", ":", "^", "~", " ")
DECLARED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # a first line that Excel understands
COMMENT = "#"
ROW_NAMES = "row_names"  # what a column is called that R gives no name
SEEN = 200  # rows that tell whether there are names


def again(content: Path | io.StringIO) -> io.TextIOBase:
    """The text from its beginning, once more."""
    return io.StringIO(content.getvalue()) if isinstance(content, io.StringIO) else opened(content)


def names(path: Path, separator: str, header: bool) -> list[str]:
    """The columns' names: the first row, or else `column_1` and so on."""
    first = next(iter(records(path, separator, 1)), [])
    return first if header else [f"column_{number}" for number in range(1, len(first) + 1)]


def records(path: Path, separator: str, most: int) -> list[list[str]]:
    """The first rows, as lists of text, the names among them."""
    content = body_of(path, separator)
    if isinstance(content, io.StringIO):
        rows = _records(content, separator, max(most, SEEN))
    else:
        rows = _first(path, separator, max(most, SEEN))
    if lacks_a_name(rows):
        rows[0].insert(0, ROW_NAMES)
    return rows[:most]


def declared(path: Path) -> str | None:
    """The separator that a first line such as `sep=;` declares."""
    with opened(path) as text:
        match = DECLARED.fullmatch(text.readline())
    return match[1] if match and match[1] in SEPARATORS else None


def body_of(path: Path, separator: str) -> Path | io.StringIO:
    """The file; or its text, if it begins with titles or comments, or declares its separator."""
    with opened(path) as file:
        first = next((line for line in file if line.strip()), "")
    if "\0" in first:
        raise UnicodeDecodeError("utf-8", b"", first.index("\0"), 1, "a character is 0")
    if separator == " " and (found := _aligned(path)):
        return found
    special = first.startswith(COMMENT) or DECLARED.fullmatch(first)
    titles = 0 if special else count_titles(_first(path, separator, SEEN), separator)
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
    return list(itertools.islice(filter(None, rows_of(text, separator)), most))


def rows_of(text: io.TextIOBase, separator: str) -> Iterator[list[str]]:
    """All rows as lists of text; that of an empty line is empty."""
    if separator == " ":  # at a line's end it separates nothing
        blanks = (line.replace("\t", " ").rstrip() + "\n" for line in text)
        yield from csv.reader(blanks, delimiter=separator, skipinitialspace=True)
        return
    head = list(itertools.islice(text, SEEN))
    lines = itertools.chain(head, text)
    yield from csv.reader(lines, delimiter=separator, **_quotes(head, separator))


def quotes_in(content: Path | io.StringIO, separator: str) -> dict[str, Any]:
    with again(content) as text:
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
