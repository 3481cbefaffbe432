"""Rows of a table as JSON has them: numbers, words, true and false, null."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.parsers.readers import STR_NA_VALUES

from tasks.core.step import UserError
from tasks.sources import kinds
from tasks.sources.base import New, check_some_value, some
from tasks.sources.missing import MARKS, may_have_marks
from tasks.sources.place import Place

Cell = float | str | bool | None
PLACE = Place.sent(b"", "the request")  # what messages call it


def rows(found: list[dict[str, Any]], of_kind: Mapping[str, str], as_csv: bool) -> New:
    """Values as numbers, NaN where one is missing.

    Args:
        found: the value of each column by its name; more columns do not matter.
        of_kind: the kinds of the columns, by their names.
        as_csv: whether words such as NA are missing values, as they were in the training rows.

    Raises:
        UserError: a column is missing, or has a value that it cannot have; or a row is empty.
    """
    for number, row in enumerate(found, 1):
        absent = [name for name in of_kind if name not in row]
        if absent:
            raise UserError(
                f"row {number} has no column {some(absent)}. The model was trained with the "
                f"columns {some(list(of_kind))}; null stands for a missing value."
            )

    missing = {"", *STR_NA_VALUES} if as_csv else {""}
    x = np.empty((len(found), len(of_kind)))
    known: dict[str, int] = {}
    for place, (name, kind) in enumerate(of_kind.items()):
        nothing = missing | (MARKS if may_have_marks(kind) else set())
        values = [_cell(name, row[name], number, nothing) for number, row in enumerate(found, 1)]
        if kind == "words":
            x[:, place] = [_code(value, known) for value in values]
        else:
            x[:, place] = _numbers(name, values, kind)

    places = [f"row {number}" for number in range(1, len(found) + 1)]
    check_some_value(x, places)
    return New(x, places, None, np.array(list(known), dtype=np.str_))


def _cell(name: str, value: Any, row: int, missing: Collection[str]) -> Cell:
    if isinstance(value, str):
        return None if value.strip() in missing else value.strip()
    if value is None or isinstance(value, bool | int | float):
        return value
    raise UserError(f"row {row}: the column {name} has {str(value)[:40]}. Expected one value.")


def _code(value: Cell, known: dict[str, int]) -> float:
    """The place of a word among those that are known so far."""
    return np.nan if value is None else known.setdefault(_text(value), len(known))


def _text(value: float | str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _numbers(name: str, values: list[Cell], kind: str) -> np.ndarray:
    """Numbers and booleans as they are; all else by the code that read the training rows."""
    types = {bool} if kind == "boolean" else {int, float} if kind.startswith("number") else set()
    if {type(value) for value in values} <= types | {type(None)}:
        with suppress(OverflowError):  # a whole number that no float64 has
            found = np.array(values, dtype=np.float64)
            if not np.isinf(found).any():
                return found
    texts = [None if value is None else _text(value) for value in values]
    column = pd.Series(texts, name=name, dtype=object)
    return kinds.values(PLACE, column, kind, trained=True).to_numpy()
