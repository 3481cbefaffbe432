"""A table: what separates its values, what each column is for, and where values are missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from flows.guess import columns as look_at
from flows.guess.columns import NAMELESS
from flows.guess.section import Proposal
from flows.guess.values import SEED, SHARE, read
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import csv
from tasks.sources.base import SPLITS, some

LOOKED_FOR = "a .csv or .tsv file, or a folder with train.csv and test.csv"
TARGETS = ("target", "label", "labels", "class", "y", "outcome")
FEW = 20  # whole numbers with so many values are classes


@dataclass(frozen=True)
class Table:
    """The rows of all files, one below the other, as pandas reads them.

    Args:
        file: the first file, as messages name it.
        separator: of its values.
        tested: whether one of the files has test rows.
        rows: a data frame.
    """

    file: Path
    separator: str
    tested: bool
    rows: pd.DataFrame

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

    table = sniff(folder.root, files)
    columns = roles(table, chosen)
    try:
        return read(folder, csv, _load(path, table, columns), notes(table, columns))
    except UserError as error:
        if "target" in chosen:
            raise
        advice = f"{columns.target} was taken for the target: --target names another column."
        raise UserError(f"{error} {advice}") from None


def sniff(root: Path, files: list[Path]) -> Table:
    """Read the files: UTF-8, a row of names, separated as the first line is.

    Args:
        root: where their paths start.
        files: of one table: train.csv first, or one alone.

    Raises:
        UserError: one of them cannot be read, or the first line has no names.
    """
    separator = _separator(root, files[0])
    rows = [_rows(root, file, separator) for file in files]
    tested = len(files) > 1 and files[-1].name == "test.csv"
    table = Table(files[0], separator, tested, pd.concat(rows, ignore_index=True))
    _check_names(table)
    return table


def roles(table: Table, chosen: dict[str, str]) -> Columns:
    """Guess what each column is for.

    Args:
        table: see `sniff`.
        chosen: `target` and `task`, where a person has named them.

    Raises:
        UserError: there is no such target, or no column that a model could learn from.
    """
    target = chosen.get("target") or _target(table.names)
    if target not in table.names:
        raise UserError(
            f"{table.file}: no column `{target}` to be the target. It has {some(table.names)}. "
            "Correct --target."
        )

    y = table.rows[target]
    others = table.rows.drop(columns=target)
    kinds = {name: look_at.kind(others[name]) for name in others}
    reasons = {name: look_at.left_out(others[name], kinds[name]) for name in others}
    ignore = {name: why for name, why in reasons.items() if why}
    odd = nearly_numbers(others[list(ignore)])
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
    ]
    found += [f"load.columns: {some(names)}: {kind}" for kind, names in _by_value(columns.kinds)]
    for why, names in _by_value(columns.ignore):
        if why != "nearly numbers":
            found.append(f"load.ignore: {some(names)}; {why}")
    for odd in nearly_numbers(table.rows[list(columns.ignore)]):
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


def nearly_numbers(columns: pd.DataFrame) -> list[str]:
    """Columns whose values mostly begin as numbers, with the first that is none, such as `3 kg`."""
    found = {name: look_at.nearly_numbers(columns[name]) for name in columns}
    return [f"{name} has {odd}" for name, odd in found.items() if odd]


def _by_value(of: dict[str, str]) -> list[tuple[str, list[str]]]:
    """The columns of each kind, or left out for each reason."""
    return [
        (each, [name for name in of if of[name] == each]) for each in dict.fromkeys(of.values())
    ]


def _files(root: Path, path: Path) -> list[Path]:
    """The files of a table, train.csv first; none if there is no table."""
    if (root / path).is_file():
        return [path] if path.suffix.lower() in (".csv", ".tsv") else []
    files = [path / f"{split}.csv" for split in SPLITS]
    return [file for file in files if (root / file).is_file()]


def _separator(root: Path, file: Path) -> str:
    """What stands most often in the first line."""
    try:
        with open(root / file, encoding="utf-8-sig", newline="") as opened:
            first = opened.readline()
    except UnicodeDecodeError as error:
        raise _not_utf8(file, error) from None
    return max(",;\t", key=first.count)


def _rows(root: Path, file: Path, separator: str) -> pd.DataFrame:
    try:
        return pd.read_csv(
            root / file, sep=separator, encoding="utf-8-sig", index_col=False, low_memory=False
        )
    except UnicodeDecodeError as error:
        raise _not_utf8(file, error) from None
    except ValueError as error:
        raise UserError(
            f"{file} cannot be read: {str(error).strip()}. Expected {csv.EXPECTED}."
        ) from None


def _not_utf8(file: Path, error: UnicodeDecodeError) -> UserError:
    where = f"{error.reason} at byte {error.start:,}"
    return UserError(f"{file} is not UTF-8: {where}. Save it as UTF-8.")


def _check_names(table: Table) -> None:
    """Refuse a first line of values, which would be taken for names."""
    names = table.names
    if not names:
        raise UserError(f"{table.file}: no column has a name. Expected {csv.EXPECTED}.")
    if names == [str(number) for number in range(len(names))]:  # so pandas numbers them
        return
    numbers = _numeric(names)
    fractions = sum("." in name for name in np.array(names)[numbers])
    if numbers.all() or fractions > 1:
        first = table.separator.join(names)[:60]
        raise UserError(
            f"{table.file}: the first line is {first}. Expected the columns' names: add them."
        )


def _target(names: list[str]) -> str:
    """The first column that is called like a target; else the last."""
    return next((name for name in names if name.lower() in TARGETS), names[-1])


def _are_classes(column: pd.Series) -> bool:
    """Words, or few whole numbers."""
    y = column.dropna()
    if not is_numeric_dtype(y):
        return True
    # Among whole numbers pandas has no missing value: where one is missing, all are floats.
    had_holes = len(y) < len(column)
    whole = not is_float_dtype(y) or (had_holes and (y == y.round()).all())
    return bool(whole) and y.nunique() <= FEW


def _numeric(values: Any) -> np.ndarray:
    """Which of the values are finite numbers."""
    numbers = pd.to_numeric(pd.Series(values), errors="coerce")
    return np.isfinite(numbers.to_numpy(np.float64))


def _load(path: Path, table: Table, columns: Columns) -> dict[str, Any]:
    """The section `load`, in the order of the source's parameters as people read them."""
    return {
        "source": "csv",
        "path": path.as_posix(),
        "separator": table.separator,
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
