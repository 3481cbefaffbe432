"""A table: what separates its values, what each column is for, and where values are missing."""

from __future__ import annotations

from csv import Error as CsvError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from flows.guess import columns as look_at
from flows.guess import layout
from flows.guess.columns import NAMELESS
from flows.guess.section import Proposal, Question
from flows.guess.values import SEED, SHARE, read
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import csv, dialect, numbers
from tasks.sources.base import SPLITS, some
from tasks.sources.columns import EXACT

LOOKED_FOR = "a .csv or .tsv file, or a folder with train.csv and test.csv"
ENDINGS = (".csv", ".tsv")
USUAL = (",", ";", "\t")  # separators that need no word
OTHER_ENDINGS = (".txt", ".data", ".tab", ".psv", ".dat")  # if the text is a table
TARGETS = ("target", "label", "labels", "class", "y", "outcome", "response")
SAMPLE = 10_000  # rows that tell the decimal mark
FEW = 20  # whole numbers with so many values are classes


@dataclass(frozen=True)
class Table:
    """The rows of all files, one below the other, as pandas reads them.

    Args:
        file: the first file, as messages name it.
        separator: of its values.
        tested: whether one of the files has test rows.
        rows: a data frame.
        header: whether the first row has the columns' names.
        decimal: the decimal mark of the numbers.
        first_row: as it is written.
        absent: columns that test.csv does not have, as it has new rows to predict.
        read_as: of columns with numbers such as `$1,200`, the first value and its number.
    """

    file: Path
    separator: str
    tested: bool
    rows: pd.DataFrame
    header: bool = True
    decimal: str = "."
    first_row: str = ""
    absent: tuple[str, ...] = ()
    read_as: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The columns that have a name."""
        return [name for name in self.rows if not name.startswith(NAMELESS)]


@dataclass(frozen=True)
class Columns:
    """What each column of a table is for: keys of `load`."""

    target: str
    task: str
    ignore: dict[str, str]  # with the reason for each
    kinds: dict[str, str]  # of the features that are no numbers
    missing: str


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for a table; None if the path is none."""
    files = _files(folder.root, path)
    if not files:
        return None

    table = sniff(folder.root, files, chosen)
    columns = roles(table, chosen)
    try:
        return read(folder, csv, _load(path, table, columns), notes(table, columns))
    except UserError as error:
        if "target" in chosen:
            raise
        advice = f"{columns.target} was taken for the target: --target names another column."
        raise UserError(f"{error} {advice}") from None


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
    with dialect.understood(files[0], first, csv.EXPECTED):
        separator = chosen.get("separator") or layout.separator(first)
        rows = dialect.records(first, separator, dialect.SEEN)
        header = not rows or dialect.has_names(rows)
        names = {file: set(dialect.names(root / file, separator, header)) for file in files}

    absent = _absent(files, names, chosen)
    files = files[:-1] if absent else files
    text = _rows(root, files[0], separator, header, dtype=str, nrows=SAMPLE)
    decimal = chosen.get("decimal") or layout.decimal(files[0], text, separator)
    kind = str if decimal == "," else None
    parts = [_rows(root, file, separator, header, dtype=kind) for file in files]
    table = Table(
        files[0],
        separator,
        len(files) > 1 and files[-1].name == "test.csv",
        pd.concat(parts, ignore_index=True),
        header,
        decimal,
        separator.join(rows[0] if rows else []),
        absent,
    )
    if not table.names:
        raise UserError(f"{table.file}: no column has a name. Expected {csv.EXPECTED}.")
    _read_numbers(table)
    return table


def roles(table: Table, chosen: dict[str, str]) -> Columns:
    """Guess what each column is for.

    Args:
        table: see `sniff`.
        chosen: `target` and `task`, where a person has named them.

    Raises:
        UserError: there is no such target, or no column that a model could learn from.
    """
    target = _target(table, chosen)
    y = table.rows[target]
    others = table.rows.drop(columns=target)
    kinds = {name: look_at.kind(others[name]) for name in others}
    reasons = {name: look_at.left_out(others[name], kinds[name], table.decimal) for name in others}
    ignore = {name: why for name, why in reasons.items() if why}
    odd = nearly_numbers(others[list(ignore)], table.decimal)
    if odd and len(ignore) == len(others.columns):
        raise UserError(
            f"{table.file}: no column of numbers is left as a feature: {odd[0]}. "
            "Expected numbers like 1234.5: correct the values."
        )
    task = chosen.get("task", "classes" if _are_classes(y) else "regression")
    special = {name: kind for name, kind in kinds.items() if kind != "number"}
    special = {name: kind for name, kind in special.items() if name not in ignore}
    features = others.drop(columns=list(ignore))
    missing = "median" if features.isna().any(axis=None) else "refuse"
    return Columns(target, task, ignore, special, missing)


def notes(table: Table, columns: Columns) -> list[str]:
    """The guesses that a person should check."""
    found = [
        f"load.target: {columns.target}; --target names another",
        f"load.task: {columns.task}, from the values of {columns.target}; --task overrides it",
        *_layout_notes(table, columns),
    ]
    found += [f"load.columns: {some(names)}: {kind}" for kind, names in _by_value(columns.kinds)]
    for why, names in _by_value(columns.ignore):
        if why != "nearly numbers":
            found.append(f"load.ignore: {some(names)}; {why}")
    for odd in nearly_numbers(table.rows[list(columns.ignore)], table.decimal):
        found.append(f"load.ignore: {odd}; correct that to use the column")

    if columns.missing != "refuse":
        used = table.rows.drop(columns=list(columns.ignore))
        holes = used.isna().any(axis=1).sum()
        rows = f"{holes:,} of {len(used):,} rows"
        found.append(f"load.missing: {columns.missing}, as {rows} have missing values")
    found.append(
        "load.group: null; if rows belong together, such as those of one patient, name the "
        "column that says so"
    )
    return found


def _layout_notes(table: Table, columns: Columns) -> list[str]:
    """How the text was read, where it is not plain."""
    found = []
    if table.separator not in USUAL:
        shown = "a space" if table.separator == " " else f"`{table.separator}`"
        found.append(f"load.separator: {shown}; --separator names another")
    if not table.header:
        first = f"{table.names[0]} to {table.names[-1]}"
        found.append(
            f"load.header: false, as the first row has values like those below it; the columns "
            f"are called {first}"
        )
    if table.decimal != ".":
        found.append("load.decimal: a comma; with --decimal . it separates thousands")
    text = [*columns.ignore, *([columns.target] if columns.task == "classes" else [])]
    read = [f"{said} in {name}" for name, said in table.read_as.items() if name not in text]
    if read:
        more = f"; and so on in {len(read) - 3} more columns" if len(read) > 3 else ""
        found.append(f"numbers: {'; '.join(read[:3])}{more}")
    if table.absent:
        found.append(
            f"load.test: {SHARE:g}, as test.csv has no column {some(table.absent)}: it has new "
            "rows to predict, and is left out"
        )
    return found


def nearly_numbers(columns: pd.DataFrame, decimal: str = ".") -> list[str]:
    """Columns whose values mostly begin as numbers, with the first that is none, such as `3 kg`."""
    found = {name: look_at.nearly_numbers(columns[name], decimal) for name in columns}
    return [f"{name} has {odd}" for name, odd in found.items() if odd]


def _by_value(of: dict[str, str]) -> list[tuple[str, list[str]]]:
    """The columns of each kind, or left out for each reason."""
    return [
        (each, [name for name in of if of[name] == each]) for each in dict.fromkeys(of.values())
    ]


def _files(root: Path, path: Path) -> list[Path]:
    """The files of a table, train.csv first; none if there is no table."""
    place = root / path
    if place.is_file():
        other = place.suffix.lower() in OTHER_ENDINGS and _is_table(place)
        return [path] if other or place.suffix.lower() in ENDINGS else []
    files = [path / f"{split}.csv" for split in SPLITS]
    return [file for file in files if (root / file).is_file()]


def _is_table(place: Path) -> bool:
    try:
        rows = dialect.records(place, layout.separator(place), 2)
    except (ValueError, CsvError):
        return False
    return len(rows) == 2 and len(rows[0]) == len(rows[1]) > 1


def _absent(
    files: list[Path], names: dict[Path, set[str]], chosen: dict[str, str]
) -> tuple[str, ...]:
    """Columns that only a test.csv of new rows does not have, the target among them."""
    if len(files) < 2 or files[-1].name != "test.csv":
        return ()
    absent = names[files[0]] - names[files[-1]]
    wanted = _same(chosen.get("target", ""), list(names[files[0]]))
    return tuple(sorted(absent)) if not wanted or wanted in absent else ()


def _rows(root: Path, file: Path, separator: str, header: bool, **how: Any) -> pd.DataFrame:
    with dialect.understood(file, root / file, csv.EXPECTED):
        return dialect.frame(root / file, separator, header, **how)


def _read_numbers(table: Table) -> None:
    """Numbers such as `$1,200` in place of their text, in all columns that have only those."""
    for name in table.rows:
        text = table.rows[name]
        known = text.dropna()
        if not len(known) or not known.map(lambda value: isinstance(value, str)).all():
            continue
        found = numbers.read(text, table.decimal)
        if found is None:
            continue
        odd = known[pd.to_numeric(known, errors="coerce") != found[known.index]]
        if len(odd):
            table.read_as[name] = f"`{odd.iloc[0]}` is {found[odd.index[0]]:.15g}"
        table.rows[name] = found.astype(np.int64) if _are_whole(found, known, table) else found


def _are_whole(found: pd.Series, text: pd.Series, table: Table) -> bool:
    """Whether numbers are whole and were written so: 500,00 was not."""
    written = not text.str.contains(table.decimal, regex=False).any()
    return written and bool((found == found.round()).all() and (found.abs() < EXACT).all())


def _target(table: Table, chosen: dict[str, str]) -> str:
    """The column that a person has named, or that says itself that it is the target.

    Raises:
        Question: none does.
    """
    if "target" in chosen:
        found = _same(chosen["target"], table.names)
        if not found:
            raise UserError(
                f"{table.file}: no column `{chosen['target']}` to be the target. It has "
                f"{some(table.names)}. Correct --target."
            )
        return found
    if len(table.absent) == 1:
        return table.absent[0]
    named = [name for name in table.names if name.strip().lower() in TARGETS]
    if named:
        return named[0]

    names = list(table.absent or table.names)
    asked = f"which column is the target? Expected --target COLUMN: {_ends(names)}."
    if not table.header:
        asked = (
            f"the first line is {table.first_row[:60]}. Expected the columns' names, or, as it "
            f"has none, --target COLUMN: {names[0]} to {names[-1]}."
        )
    raise Question(f"{table.file}: {asked}", "target", names)


def _ends(names: list[str]) -> str:
    """The first names and the last ones, among which a target often is."""
    shown = names if len(names) <= 12 else [*names[:8], "...", *names[-3:]]
    return ", ".join(shown)


def _same(wanted: str, names: list[str]) -> str | None:
    """The column of that name, or the only one that differs in blanks and capitals alone."""

    def plain(name: str) -> str:
        return " ".join(name.split()).lower()

    alike = [name for name in names if plain(name) == plain(wanted)]
    if wanted in names:
        return wanted
    return alike[0] if len(alike) == 1 else None


def _are_classes(column: pd.Series) -> bool:
    """Words, or few whole numbers."""
    y = column.dropna()
    if not is_numeric_dtype(y):
        return True
    # Among whole numbers pandas has no missing value: where one is missing, all are floats.
    had_holes = len(y) < len(column)
    whole = not is_float_dtype(y) or (had_holes and (y == y.round()).all())
    return bool(whole) and y.nunique() <= FEW


def _load(path: Path, table: Table, columns: Columns) -> dict[str, Any]:
    """The section `load`, in the order of the source's parameters as people read them."""
    return {
        "source": "csv",
        "path": path.as_posix(),
        "separator": table.separator,
        "header": table.header,
        "decimal": table.decimal,
        "target": columns.target,
        "task": columns.task,
        "group": None,
        "ignore": list(columns.ignore),
        "columns": columns.kinds,
        "missing": columns.missing,
        "test": "given" if table.tested else SHARE,
        "seed": SEED,
        "class_names": None,
    }
