"""What a column of a table is: its text as numbers, in one way for `load` and for new rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.core.arrays import empty
from tasks.core.step import UserError
from tasks.sources import dates, numbers
from tasks.sources.base import TIME
from tasks.sources.place import Place

BOOLEANS = {
    word: value
    for words, value in (("true yes t y 1 1.0 on", 1.0), ("false no f n 0 0.0 off", 0.0))
    for word in words.split()
}

DAY = r"\d{4}(-?\d\d){0,2}"  # a date of ISO 8601 without its time

Tables = dict[str, pd.DataFrame]  # by split


def arrays(
    files: Mapping[str, Place],
    tables: Tables,
    kinds: Mapping[str, str],
    trained: bool = False,
    folder: Path = Path(),
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns as numbers, NaN where a value is missing.

    Args:
        files: that the tables were read from.
        tables: with these columns; those that are no numbers as text.
        kinds: of the columns, by their names.
        trained: whether there is a model, for which a column cannot be read otherwise.
        folder: for large temporary files.

    Returns:
        Two things. For each table `x`, float64, (rows, columns), column after column. And the
        words of all columns, sorted: a word in `x` is its place among them.

    Raises:
        UserError: a value is not of its column's kind.
    """
    texts = [name for name, kind in kinds.items() if kind == "words"]
    words = _words(tables, texts)
    place = pd.Series(np.arange(len(words), dtype=np.float64), index=words)

    x = {}
    for split, table in tables.items():
        columns = empty((len(kinds), len(table)), np.float64, folder)
        for found, (name, kind) in zip(columns, kinds.items(), strict=True):
            if kind == "words":
                found[:] = _stripped(table[name]).map(place)
            else:
                found[:] = values(files[split], table[name], kind, trained)
        x[split] = columns.T
    return x, words


def values(file: Place, column: pd.Series, kind: str, trained: bool = False) -> pd.Series:
    """A column that is no words as numbers.

    Args:
        file: that it was read from.
        column: as it was read.
        kind: `number`, perhaps with its decimal mark and its unit, `boolean`, or `date`, perhaps
            with its format, and with TIME.
        trained: see `arrays`.

    Raises:
        UserError: a value is of another kind.
    """
    found, expected = parsed(column, kind)
    if np.isfinite(found.to_numpy()).all():
        return found
    bad = np.flatnonzero((found.isna() & column.notna()) | np.isinf(found))
    if not len(bad):
        return found

    value, row = column.iloc[bad[0]], column.index[bad[0]] + 1
    says = f"{file}: the column {column.name} has '{value}' in row {row:,}. Expected {expected}"
    if trained:
        raise UserError(f"{says}, as in the training rows.")
    raise UserError(
        f"{says}{_other_decimal(column, kind, len(bad))}: "
        f"correct it, or set `ignore: ['{column.name}']` or `columns: {{{column.name}: words}}`."
    )


def parsed(column: pd.Series, kind: str) -> tuple[pd.Series, str]:
    """A column as numbers, NaN where a value is missing or of another kind; and what is expected.

    A boolean is 0 or 1, a date the seconds since 1970.
    """
    if kind.startswith("number"):
        decimal, unit = _written(kind)
        return numbers.parsed(column, decimal, unit, bounds=True), numbers.expected(unit)
    if kind == "boolean":
        found = [BOOLEANS.get(str(value).strip().lower(), np.nan) for value in column]
        read = pd.Series(found, column.index, np.float64, name=column.name)
        return read, "true or false, yes or no, 1 or 0"

    form = kind.removesuffix(TIME).removeprefix("date").strip()
    if kind.endswith(TIME) and not pd.api.types.is_datetime64_any_dtype(column):
        column = column.mask(column.astype(str).str.fullmatch(DAY))
    such_as = "2024-12-31" + "T18:30" * kind.endswith(TIME)
    called = f"dates of the form {form}" if form else f"dates such as {such_as}"
    return dates.seconds(column, form), called


def with_units(table: pd.DataFrame, kinds: Mapping[str, str]) -> dict[str, str]:
    """The kinds of columns, where those of numbers name the unit, such as `number kg`.

    Args:
        table: the training rows.
        kinds: of its columns, by their names.
    """
    found = dict(kinds)
    for name, kind in kinds.items():
        if kind.startswith("number"):
            found[name] = f"{kind} {numbers.unit(table[name], _written(kind)[0])}".strip()
    return found


def _written(kind: str) -> tuple[str, str]:
    """The decimal mark and the unit of `number`, `number ,`, `number kg` or `number , kg`."""
    _, _, rest = kind.partition(" ")
    if rest.startswith(","):
        return ",", rest[1:].strip()
    return ".", rest


def _other_decimal(column: pd.Series, kind: str, bad: int) -> str:
    """Advice, if fewer values are bad with the other decimal mark."""
    if not kind.startswith("number"):
        return ""
    other = "," if _written(kind)[0] == "." else "."
    fewer = (~np.isfinite(numbers.parsed(column, other)) & column.notna()).sum() < bad
    return f" (`decimal: '{other}'` reads more of them)" if fewer else ""


def _words(tables: Tables, names: list[str]) -> np.ndarray:
    found = [_stripped(table[name].dropna()) for table in tables.values() for name in names]
    texts = [column.to_numpy(str) for column in found if len(column)]
    return np.unique(np.concatenate(texts)) if texts else np.array([], dtype=np.str_)


def _stripped(column: pd.Series) -> pd.Series:
    return column.map(str.strip, na_action="ignore")
