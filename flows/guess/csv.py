"""A table as text: what separates its values, and whether the first row has names."""

from __future__ import annotations

from csv import Error as CsvError
from pathlib import Path
from typing import Any

import pandas as pd

from flows.guess import layout, table, tabular
from flows.guess.columns import are_codes
from flows.guess.section import Proposal
from flows.guess.tabular import Table
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import csv, dialect, images, totals
from tasks.sources.base import Place
from tasks.sources.text import ENDING, EXPECTED
from tasks.sources.unreadable import understood

LOOKED_FOR = "a .csv or .tsv file, or a folder with train.csv and test.csv, or with part-0.csv ..."
ENDINGS = (".csv", ".tsv")
USUAL = (",", ";", "\t")  # separators that need no word
OTHER_ENDINGS = (".txt", ".data", ".tab", ".psv", ".dat")  # if the text is a table
SAMPLE = 10_000  # rows that tell the decimal mark


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
        header = not rows or dialect.has_names(rows)
        names = {file: set(dialect.names(root / file, separator, header)) for file in files}

    absent = tabular.absent(files, names, chosen)
    files = files[:-1] if absent else files
    sample = _rows(root, files[0], separator, header, dtype=str, nrows=SAMPLE)
    decimal = chosen.get("decimal") or layout.decimal(files[0], sample, separator)
    kind = str if decimal == "," else None
    rows_of = {file: _rows(root, file, separator, header, dtype=kind) for file in files}
    for file, each in rows_of.items():
        totals.check(file, each)
        whole = [name for name in each if _are_whole(each[name])]
        if whole:
            text = _rows(root, file, separator, header, dtype=str, usecols=whole)
            rows_of[file] = each.assign(
                **{name: text[name] for name in whole if are_codes(text[name])}
            )
    found = Table(
        files[0],
        pd.concat(rows_of.values(), ignore_index=True),
        {"separator": separator, "header": header, "decimal": decimal},
        len(files) > 1 and files[-1].stem == "test",
        absent,
        decimal,
        "" if header else separator.join(rows[0]),
    )
    if not found.names:
        raise UserError(f"{found.file}: no column has a name. Expected {EXPECTED}.")
    return found


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
    are_labels = files and images.are_listed(Place(place, path.as_posix()))
    return [] if are_labels else files


def _is_table(place: Path) -> bool:
    try:
        rows = dialect.records(place, layout.separator(place), 2)
    except (ValueError, CsvError):
        return False
    return len(rows) == 2 and len(rows[0]) == len(rows[1]) > 1


def _are_whole(column: pd.Series) -> bool:
    return column.dtype.kind in "if" and bool((column.dropna() % 1 == 0).all())


def _rows(root: Path, file: Path, separator: str, header: bool, **how: Any) -> pd.DataFrame:
    with understood(file, root / file, EXPECTED):
        return dialect.frame(root / file, separator, header, **how)
