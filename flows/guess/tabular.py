"""The rows of a table, whatever its files are, and what its columns are for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows.guess.columns import FEW, NAMELESS, are_codes, date_format
from tasks.sources import numbers
from tasks.sources.base import EXACT, SPLITS
from tasks.sources.in_parts import in_parts
from tasks.sources.place import Place


@dataclass(frozen=True)
class Table:
    """The rows of all files, one below the other; of a large table some.

    Args:
        file: the first file, as messages name it.
        rows: a data frame. Dates and words are text.
        layout: the keys of `load` that only this source has.
        tested: whether one of the files has test rows.
        absent: columns that the test file does not have, as it has new rows to predict.
        decimal: the decimal mark of numbers that are text.
        first_row: as it is written, if it has no names.
        left_out: columns that no model can read, with the reason for each.
        read_as: of columns with numbers such as `$1,200`, the first value and its number.
        marks: that stand for a missing value, and in how many rows, by the column.
        total: of all rows, if `rows` has only some.
    """

    file: Path
    rows: pd.DataFrame
    layout: dict[str, Any]
    tested: bool
    absent: tuple[str, ...] = ()
    decimal: str = "."
    first_row: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    read_as: dict[str, str] = field(default_factory=dict)
    marks: dict[str, tuple[str, int]] = field(default_factory=dict)
    total: int = 0

    @property
    def names(self) -> list[str]:
        """The columns that have a name."""
        return [name for name in self.rows if not name.startswith(NAMELESS)]


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


def files(root: Path, path: Path, ending: str) -> list[Path]:
    """The files of a folder that has a table, train or the first part first; else none."""
    every = [path / f"{split}{ending}" for split in SPLITS]
    found = [file for file in every if (root / file).is_file()]
    parts = in_parts(Place(root / path, path.as_posix()), ending)
    return found or [path / part.name for part in parts]


def absent(
    files: list[Path], names: dict[Path, set[str]], chosen: dict[str, str]
) -> tuple[str, ...]:
    """Columns that only a test file of new rows does not have, the target among them."""
    if len(files) < 2 or files[-1].stem != "test":
        return ()
    found = names[files[0]] - names[files[-1]]
    wanted = same(chosen.get("target", ""), list(names[files[0]]))
    return tuple(sorted(found)) if not wanted or wanted in found else ()


def read_numbers(table: Table, target: str) -> None:
    """Numbers such as `$1,200` in place of their text, in all columns that have only those.

    Codes such as 00123 stay text, and so do times of day. A bound such as `<0.5` is no target.
    """
    for name in table.rows:
        text = table.rows[name]
        known = text.dropna()
        if not len(known) or not known.map(lambda value: isinstance(value, str)).all():
            continue
        if name != target and are_codes(known):
            continue
        bounds = name != target and known.nunique() > FEW
        found = numbers.read(text, table.decimal)
        if found is None and bounds:
            found = numbers.read(text, table.decimal, bounds)
        if found is None or (name != target and _are_times(known)):
            continue
        odd = known[pd.to_numeric(known, errors="coerce") != found[known.index]]
        if len(odd):
            table.read_as[name] = _said(odd, found, table.decimal)
        table.rows[name] = found.astype(np.int64) if _are_whole(found, known, table) else found


def _are_times(text: pd.Series) -> bool:
    return ":" in text.iloc[0] and date_format(text) is not None


def _said(odd: pd.Series, found: pd.Series, decimal: str) -> str:
    """What the first of some cells is read as, a bound before all others."""
    bound = odd[odd.map({text: numbers.is_bound(text, decimal) for text in odd.unique()})]
    first = (bound if len(bound) else odd).index[0]
    said = f"`{odd[first]}` is {found[first]:.15g}"
    if len(bound):
        return f"{said} (a bound, as in {len(bound):,} of {len(found):,} rows)"
    unit = numbers.unit(odd, decimal)
    return f"{said} {unit}" if numbers.is_time(unit) and unit not in odd[first] else said


def _are_whole(found: pd.Series, text: pd.Series, table: Table) -> bool:
    """Whether numbers are whole and were written so: 500,00 was not."""
    written = not text.str.contains(table.decimal, regex=False).any()
    return written and bool((found == found.round()).all() and (found.abs() < EXACT).all())


def same(wanted: str, names: list[str]) -> str | None:
    """The column of that name, or the only one that differs in blanks, capitals and quotes."""

    def plain(name: str) -> str:
        return " ".join(name.split()).strip("'\"").lower()

    alike = [name for name in names if plain(name) == plain(wanted)]
    if wanted in names:
        return wanted
    return alike[0] if len(alike) == 1 else None
