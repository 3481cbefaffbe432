"""A table as text: what separates its values, and whether the first row has names."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from csv import Error as CsvError
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from flows.guess import layout, table, tabular
from flows.guess.columns import are_codes
from flows.guess.sample import LARGE, Sample, joined, some_of
from flows.guess.section import Proposal
from flows.guess.tabular import Table
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import csv, dialect, image_folders, text_frames, totals
from tasks.sources.header import has_names
from tasks.sources.place import Place
from tasks.sources.text import ENDING, EXPECTED
from tasks.sources.unreadable import understood

LOOKED_FOR = "a .csv or .tsv file, or a folder with train.csv and test.csv, or with part-0.csv ..."
ENDINGS = (".csv", ".tsv")
USUAL = (",", ";", "\t")  # separators that need no word
OTHER_ENDINGS = (".txt", ".data", ".tab", ".psv", ".dat")  # if the text is a table
SAMPLE = 10_000  # rows that tell the decimal mark
CHUNK = 2**13  # rows at a time


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for a table; None if the path is none."""
    files = _files(folder.root, path)
    if not files:
        return None
    found = sniff(folder.root, files, chosen)
    return table.proposal(folder, csv, path, found, chosen, _notes(found))


def sniff(root: Path, files: list[Path], chosen: dict[str, str]) -> Table:
    """Read the files, and find out how they are laid out and how their numbers are written.

    Args:
        root: where their paths start.
        files: of one table: train.csv first, or one alone.
        chosen: `separator`, `decimal` and `target`, where a person has named them.

    Raises:
        UserError: one of them cannot be read, or a person must say more.
    """
    first = root / files[0]
    with understood(files[0], first, EXPECTED):
        separator = chosen.get("separator") or layout.separator(first)
        rows = dialect.records(first, separator, dialect.SEEN)
        header = not rows or has_names(rows)
        names = {file: set(dialect.names(root / file, separator, header)) for file in files}

    absent = tabular.absent(files, names, chosen)
    files = files[:-1] if absent else files
    sample = _rows(root, files[0], separator, header, dtype=str, nrows=SAMPLE)
    decimal = chosen.get("decimal") or layout.decimal(files[0], sample, separator)
    seen = _seen(root, files, separator, header, decimal, sample)
    found = Table(
        files[0],
        seen.rows,
        {"separator": separator, "header": header, "decimal": decimal},
        len(files) > 1 and files[-1].stem == "test",
        absent,
        decimal,
        "" if header else separator.join(rows[0]),
        total=seen.total,
    )

    if not found.names:
        raise UserError(f"{found.file}: no column has a name. Expected {EXPECTED}.")
    return found


def _seen(
    root: Path,
    files: list[Path],
    separator: str,
    header: bool,
    decimal: str,
    sample: pd.DataFrame,
) -> Sample:
    """The rows of all files; some of each, if they are large.

    Args:
        root: where their paths start.
        files: of one table.
        separator, header, decimal: see `Params` in tasks/sources/csv.py.
        sample: the first rows, as text.
    """
    kind = str if decimal == "," else None  # pandas takes 1.234 for a number near 1
    codes = [name for name in sample if _have_one_width(sample[name])]
    large = sum((root / file).stat().st_size for file in files) > LARGE

    samples = []
    for file in files:
        if large:
            each = _some(_parts(root, file, separator, header), kind, 1 / len(files))
        else:
            each = _all(partial(_rows, root, file, separator, header), kind, codes)
        totals.check(file, each.rows)
        samples.append(each)
    return joined(samples)


def _notes(found: Table) -> list[str]:
    """How the text was read, where it is not plain."""
    separator, header, decimal = found.layout.values()
    notes = []
    if separator not in USUAL:
        shown = "a space" if separator == " " else f"`{separator}`"
        notes.append(f"load.separator: {shown}; --separator names another")
    if not header:
        first = f"{found.names[0]} to {found.names[-1]}"
        notes.append(
            f"load.header: false, as the first row has values like those below it; the columns "
            f"are called {first}"
        )
    if decimal != ".":
        notes.append("load.decimal: a comma; with --decimal . it separates thousands")
    return notes


def _files(root: Path, path: Path) -> list[Path]:
    """The files of a table, train.csv first; none if there is no table."""
    place = root / path
    if place.is_file():
        other = place.suffix.lower() in OTHER_ENDINGS and _is_table(place)
        return [path] if other or place.suffix.lower() in ENDINGS else []
    files = tabular.files(root, path, ENDING)
    are_labels = files and image_folders.are_listed(Place(place, path.as_posix()))
    return [] if are_labels else files


def _is_table(place: Path) -> bool:
    try:
        rows = dialect.records(place, layout.separator(place), 2)
    except (ValueError, CsvError):
        return False
    return len(rows) == 2 and len(rows[0]) == len(rows[1]) > 1


def _all(rows: Callable[..., pd.DataFrame], kind: type | None, codes: list[str]) -> Sample:
    """All rows of a file.

    Args:
        rows: reads it, with arguments of `pandas.read_csv`.
        kind: `str`, or None to read numbers.
        codes: columns that may be some, such as 02139.
    """
    found = rows(dtype=kind)
    whole = [name for name in codes if name in found and _are_whole(found[name])]
    if whole:
        found = _with_codes(found, rows(dtype=str, usecols=whole))
    return Sample(found, len(found))


def _some(parts: Iterable[pd.DataFrame], kind: type | None, share: float) -> Sample:
    """Some rows of a large file: its parts are text, which takes much memory."""
    text, total = some_of(parts, share)
    if kind:
        return Sample(text, total)
    content = io.StringIO(text.to_csv(index=False))
    numbers = pd.read_csv(content, low_memory=False).set_axis(text.index)
    return Sample(_with_codes(numbers, text), total)


def _with_codes(found: pd.DataFrame, text: pd.DataFrame) -> pd.DataFrame:
    """The same rows, with codes as they are written."""
    whole = [name for name in text if _are_whole(found[name])]
    return found.assign(**{name: text[name] for name in whole if are_codes(text[name])})


def _have_one_width(text: pd.Series) -> bool:
    """Whether the first values of a column are of one width, as codes are; digits are none."""
    widths = text.dropna().str.strip().str.len()
    return widths.nunique() < 2 and widths.max() != 1


def _are_whole(column: pd.Series) -> bool:
    return column.dtype.kind in "if" and bool((column.dropna() % 1 == 0).all())


def _parts(root: Path, file: Path, separator: str, header: bool) -> Iterator[pd.DataFrame]:
    with understood(file, root / file, EXPECTED):
        yield from text_frames.frame(root / file, separator, header, dtype=str, chunksize=CHUNK)


def _rows(root: Path, file: Path, separator: str, header: bool, **how: Any) -> pd.DataFrame:
    with understood(file, root / file, EXPECTED):
        return text_frames.frame(root / file, separator, header, **how)
