"""What each column of a table is for, and where values are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from flows.guess import columns as look_at
from flows.guess import doubts
from flows.guess import task as task_of
from flows.guess.section import Proposal, Question
from flows.guess.tabular import Table, read_numbers, same
from flows.guess.values import SEED, SHARE, read
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import missing, numbers
from tasks.sources.base import some
from tasks.sources.numbers import is_plain

REASONS = 3  # in a message
GROUPS = 10  # that rows belong to, at least, so that each split has some
TARGETS = ("target", "label", "labels", "class", "y", "outcome", "response")


@dataclass(frozen=True)
class Columns:
    """What each column of a table is for: keys of `load`."""

    target: str
    task: str
    why: str  # it is that task
    ignore: dict[str, str]  # with the reason for each
    kinds: dict[str, str]  # of the features that are no numbers
    missing: str
    group: str | None = None


def proposal(
    folder: Folder,
    source: ModuleType,
    path: Path,
    table: Table,
    chosen: dict[str, str],
    layout_notes: list[str],
) -> Proposal:
    """A section for a table.

    Args:
        folder: of the pipeline.
        source: the module that reads these files.
        path: of the data.
        table: see `Table`.
        chosen: keys of `load` that a person has named.
        layout_notes: how the files were read, where it is not plain.
    """
    target = _target(table, chosen)
    without_marks(table, target, chosen.get("task"))
    read_numbers(table, target)
    try:
        columns = roles(table, {**chosen, "target": target})
        _check_features(table, columns)
        load = {
            "source": source.__name__.rpartition(".")[2],
            "path": path.as_posix(),
            **table.layout,
            "target": columns.target,
            "task": columns.task,
            "group": columns.group,
            "ignore": list(columns.ignore),
            "columns": columns.kinds,
            "missing": columns.missing,
            "test": "given" if table.tested else SHARE,
            "seed": SEED,
            "class_names": None,
        }
        return read(folder, source, load, notes(table, columns, layout_notes))
    except UserError as error:
        if "target" in chosen:
            raise
        advice = f"{target} was taken for the target: --target names another column."
        raise UserError(f"{error} {advice}") from None


def roles(table: Table, chosen: dict[str, str]) -> Columns:
    """Guess what each column is for.

    Args:
        table: see `sniff`.
        chosen: `target` and `task`, where a person has named them.

    Raises:
        UserError: there is no such target, or it is neither numbers nor classes.
    """
    target = _target(table, chosen)
    y = table.rows[target]
    others = table.rows.drop(columns=target)
    kinds = {name: look_at.kind(others[name]) for name in others}
    kinds |= dict.fromkeys(set(kinds) & set(table.read_as), "number")  # not 20,240,131
    reasons = {name: look_at.left_out(others[name], kinds[name], table.decimal) for name in others}
    reasons |= table.left_out
    group = _group(table, others)
    kinds.pop(group, None)
    reasons.pop(group, None)
    ignore = {name: why for name, why in reasons.items() if why}
    if "task" in chosen:
        task, why = chosen["task"], "as --task says"
    else:
        _check_target(table, y)
        task, why = task_of.of(y)
    special = {name: kind for name, kind in kinds.items() if kind != "number"}
    special = {name: kind for name, kind in special.items() if name not in ignore}
    features = others.drop(columns=list(ignore))[y.notna()]  # `load` drops the other rows
    holes = "median" if features.isna().any(axis=None) else "refuse"
    return Columns(target, task, why, ignore, special, holes, group)


def _check_features(table: Table, columns: Columns) -> None:
    """Say why no column can be a feature, if none can."""
    others = table.rows.drop(columns=columns.target)
    if not len(others) or len(columns.ignore) < max(1, len(others.columns)):
        return
    if odd := nearly_numbers(others, table.decimal):
        raise UserError(
            f"{table.file}: no column of numbers is left as a feature: {odd[0]}. "
            "Expected numbers like 1234.5: correct the values, or leave those cells empty."
        )
    reasons = "; ".join(f"{name}: {why}" for name, why in list(columns.ignore.items())[:REASONS])
    raise UserError(
        f"{table.file}: no column is left as a feature: {reasons}. Expected one of numbers, dates, "
        "booleans, or words that several rows share."
    )


def _check_target(table: Table, y: pd.Series) -> None:
    """Refuse words that would be very many classes, and are meant for numbers or dates."""
    form, values = look_at.kind(y), y.dropna()
    is_mark = form != "number" or values.eq(1).all()
    if values.nunique() == 1 and len(values) < len(y) and is_mark:
        raise UserError(
            f"{table.file}: the target {y.name} has no value but `{values.iloc[0]}`, and "
            f"{len(y) - len(values):,} of {len(y):,} cells are empty. Expected two classes or "
            "more: if an empty cell means no, write that into it."
        )
    if form.startswith("date"):
        wrong = f"dates, such as `{values.iloc[0]}`"
        ways = "write them as numbers, such as the days since one of them"
    elif values.nunique() > look_at.FEW and (odd := look_at.nearly_numbers(y, table.decimal)):
        wrong, ways = odd, "correct the values, or leave those cells empty, which drops the rows"
    elif form == "words" and (words := _are_no_classes(values)):
        wrong = words
        ways = "name another column, or write words that several rows share"
    else:
        return
    raise UserError(
        f"{table.file}: the target {y.name} has {wrong}. Expected numbers like 1234.5, or classes: "
        f"{ways}; --task classes takes each value for a class."
    )


def _are_no_classes(values: pd.Series) -> str:
    """What words of a target are, if they are too many for classes, or amounts; else nothing."""
    words = pd.Index(values.astype(str).unique())
    if len(words) <= look_at.FEW:
        return ""
    advice = look_at.otherwise(words)
    if len(words) <= look_at.MANY * len(values) and not advice:
        return ""
    return f"{len(words):,} different words in {len(values):,} rows{advice}"


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


def _group(table: Table, others: pd.DataFrame) -> str | None:
    """The column that says of which person each row is, if the rows are still to be split."""
    name = doubts.owner(others)
    if name is None or table.tested or not doubts.is_person(name):
        return None
    enough = others[name].nunique() >= GROUPS and others[name].notna().all()
    return name if enough else None


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


def without_marks(table: Table, target: str, task: str | None) -> None:
    """Nothing in place of a mark such as `?`, in all columns that are else numbers or dates.

    Two different marks in one column may mean two different things, and stay.

    Args:
        table: see `Table`.
        target: the column to predict, in which a mark may be a class.
        task: of that, if a person has named it.
    """
    for name in table.rows:
        text = table.rows[name]
        if is_numeric_dtype(text) or is_bool_dtype(text):
            continue
        are_marks = missing.are_marks(text)
        marks, others = text[are_marks].str.strip().unique(), text.mask(are_marks)
        if len(marks) != 1 or others.nunique() < 2:
            continue
        found = numbers.read(others, table.decimal)
        if found is None and not look_at.kind(others).startswith("date"):
            continue
        if name == target and found is not None and (task or task_of.of(found)[0]) == "classes":
            continue
        table.marks[name] = marks[0], int(are_marks.sum())
        table.rows[name] = others


def _target(table: Table, chosen: dict[str, str]) -> str:
    """The column that a person has named, or that says itself that it is the target.

    Raises:
        Question: none does.
    """
    if "target" in chosen:
        found = same(chosen["target"], table.names)
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
    if table.first_row:
        asked = (
            f"the first line is {table.first_row[:60]}. Expected the columns' names, or, as it "
            f"has none, --target COLUMN: {names[0]} to {names[-1]}."
        )
    raise Question(f"{table.file}: {asked}", "target", names)


def _ends(names: list[str]) -> str:
    """The first names and the last ones, among which a target often is."""
    shown = names if len(names) <= 12 else [*names[:8], "...", *names[-3:]]
    return ", ".join(shown)
