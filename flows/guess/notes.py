"""What is said of a table: the guesses that a person should check."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from flows.guess import columns as look_at
from flows.guess import doubts
from flows.guess.tabular import Columns, Table
from flows.guess.values import SHARE
from tasks.sources import missing
from tasks.sources.base import some
from tasks.sources.numbers import is_plain

REASONS = 3  # in a message


def notes(table: Table, columns: Columns, layout_notes: list[str]) -> list[str]:
    """The guesses that a person should check."""
    return [
        f"load.target: {columns.target}; --target names another",
        f"load.task: {columns.task}, {columns.why}",
        *_looked_at(table),
        *layout_notes,
        *_read_as(table, columns),
        *(f"load.columns: {some(names)}: {kind}" for kind, names in _by_value(columns.kinds)),
        *_codes(table, columns),
        *doubts.of(table.rows, columns.target, columns.task, columns.kinds, columns.ignore),
        *_left_out(table, columns),
        *_odd_classes(table, columns),
        *_odd_words(table, columns),
        *_marks(table, columns),
        *_holes(table, columns),
        _whose(table.rows.drop(columns=columns.target), columns.group),
    ]


def _looked_at(table: Table) -> Iterator[str]:
    """That not all rows are counted in what follows."""
    if table.total > len(table.rows):
        yield (
            f"{len(table.rows):,} of {table.total:,} rows were looked at, and are counted here; "
            "load reads all of them"
        )


def _left_out(table: Table, columns: Columns) -> Iterator[str]:
    """The columns that are no features, and why."""
    for why, names in _by_value(columns.ignore):
        if why != look_at.NEARLY:
            yield f"load.ignore: {some(names)}; {why}"
    nearly = [name for name, why in columns.ignore.items() if why == look_at.NEARLY]
    for odd in nearly_numbers(table.rows[nearly], table.decimal):
        yield f"load.ignore: {odd}; correct that to use the column: a cell may be left empty"


def _odd_classes(table: Table, columns: Columns) -> Iterator[str]:
    """Classes that may stand for a missing value."""
    if columns.task != "classes":
        return
    target = table.rows[columns.target]
    are_marks = missing.are_marks(target)
    if _are_few_words(target):
        for odd in nearly_numbers(target.to_frame(), table.decimal):
            yield f"load.target: {odd}, a class as any other: an empty cell drops the row"
    elif are_marks.any():
        yield (
            f"load.target: `{target[are_marks].iloc[0]}` in {are_marks.sum():,} of {len(target):,} "
            "rows is a class as any other: an empty cell drops the row"
        )


def _odd_words(table: Table, columns: Columns) -> Iterator[str]:
    """Columns that a few words keep from being numbers."""
    words = [name for name, kind in columns.kinds.items() if kind == "words"]
    few = [name for name in words if _are_few_words(table.rows[name])]
    for odd in nearly_numbers(table.rows[few], table.decimal):
        yield f"load.columns: {odd}; without that it is a number: a cell may be left empty"


def _marks(table: Table, columns: Columns) -> Iterator[str]:
    """Marks that are read as missing values."""
    used = [name for name in table.marks if name not in columns.ignore]
    for mark, names in _by_value({name: table.marks[name][0] for name in used}):
        counts = [(name, table.marks[name][1]) for name in names[:REASONS]]
        rows = ", ".join(f"{count:,} row{'s' * (count > 1)} of {name}" for name, count in counts)
        more = f" and {len(names) - REASONS:,} more columns" if len(names) > REASONS else ""
        yield (
            f"load.missing: `{mark}` in {rows}{more} is read as a missing value; if it means 0, "
            "or anything else, write that into the cells"
        )


def _holes(table: Table, columns: Columns) -> Iterator[str]:
    """How many rows have no target, and how many miss a feature."""
    there = table.rows[columns.target].notna()
    if not there.all():
        rows = f"{(~there).sum():,} of {len(there):,} rows"
        yield f"{rows} have no {columns.target}: they are left out"
    if columns.missing != "refuse":
        used = table.rows[there].drop(columns=list(columns.ignore))
        rows = f"{used.isna().any(axis=1).sum():,} of {len(used):,} rows"
        yield f"load.missing: {columns.missing}, as {rows} have missing values"


def _codes(table: Table, columns: Columns) -> Iterator[str]:
    """Which numbers are taken for words."""
    names = [name for name in columns.kinds if look_at.are_codes(table.rows[name])]
    if names:
        first = table.rows[names[0]].dropna().min()
        yield (
            f"load.columns: {some(names)}: words, as numbers such as `{first}` are codes; without "
            "that they are numbers"
        )


def _whose(others: pd.DataFrame, group: str | None) -> str:
    """Whether rows may belong together."""
    name = doubts.owner(others)
    if group:
        return (
            f"load.group: {group}, so all rows of one are on the same side of a split: "
            f"{others[group].nunique():,} in {len(others):,} rows; set `group: null` if new rows "
            "will be of the same ones"
        )
    if name is None:
        return (
            "load.group: null; if rows belong together, such as those of one patient, name the "
            "column that says so"
        )
    return (
        f"load.group: null, so rows of one {name} may be on both sides, and the score would be "
        f"optimistic: {others[name].nunique():,} in {others[name].count():,} rows; set `group: "
        f"{name}` to keep them together"
    )


def _read_as(table: Table, columns: Columns) -> list[str]:
    """What text was read as numbers, and which file was left out."""
    found = []
    as_text = [*columns.ignore, *([columns.target] if columns.task == "classes" else [])]
    read = [f"{said} in {name}" for name, said in table.read_as.items() if name not in as_text]
    if read:
        more = f"; and so on in {len(read) - 3} more columns" if len(read) > 3 else ""
        found.append(f"numbers: {'; '.join(read[:3])}{more}")
    if table.absent:
        found.append(
            f"load.test: {SHARE:g}, as test{table.file.suffix} has no column "
            f"{some(table.absent)}: it has new rows to predict, and is left out"
        )
    return found


def nearly_numbers(columns: pd.DataFrame, decimal: str = ".") -> list[str]:
    """Columns whose values mostly begin as numbers, with those that are none, such as `3 kg`."""
    found = {name: look_at.nearly_numbers(columns[name], decimal) for name in columns}
    return [f"{name} has {odd}" for name, odd in found.items() if odd]


def _are_few_words(column: pd.Series) -> bool:
    """Whether a few words, such as `?`, make a column of numbers one of words; `1Story` is none."""
    values = column.dropna().astype(str)
    return bool(values.isin([text for text in values.unique() if is_plain(text)]).mean() > 0.5)


def _by_value(of: dict[str, str]) -> list[tuple[str, list[str]]]:
    """The columns of each kind, or left out for each reason."""
    return [
        (each, [name for name in of if of[name] == each]) for each in dict.fromkeys(of.values())
    ]
