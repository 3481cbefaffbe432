"""A section for a table: what each of its columns is for, and where values are missing."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from flows.guess import columns as look_at
from flows.guess import doubts
from flows.guess import task as task_of
from flows.guess.notes import REASONS, nearly_numbers, notes
from flows.guess.section import Proposal, Question
from flows.guess.tabular import Columns, Table, read_numbers, same
from flows.guess.values import SEED, SHARE, read
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import missing, numbers
from tasks.sources.base import some

GROUPS = 10  # that rows belong to, at least, so that each split has some
TARGETS = ("target", "label", "labels", "class", "y", "outcome", "response")


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

    special = {
        name: kind for name, kind in kinds.items() if kind != "number" and name not in ignore
    }
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


def _group(table: Table, others: pd.DataFrame) -> str | None:
    """The column that says of which person each row is, if the rows are still to be split."""
    name = doubts.owner(others)
    if name is None or table.tested or not doubts.is_person(name):
        return None
    enough = others[name].nunique() >= GROUPS and others[name].notna().all()
    return name if enough else None


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
