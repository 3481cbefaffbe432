"""The files of a table as one data frame: read some rows at a time, large columns on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.arrays import BLOCK, blocks, empty
from tasks.core.step import UserError, must_stop, stop
from tasks.sources import missing, totals
from tasks.sources.base import EXACT, some
from tasks.sources.in_parts import in_parts
from tasks.sources.place import Place

Params = Any  # of table.py, which imports this file; so is Reader
Reader = Any


def whole(
    place: Place, params: Params, reader: Reader, folder: Path
) -> tuple[pd.DataFrame, np.ndarray]:
    """All rows of a file, or of the parts in a folder; and where a user finds each.

    Features that are numbers throughout become float64, on disk if there are many.
    """
    files = in_parts(place, reader.ENDING) or [place]
    for file in files:
        file.existing(reader.EXPECTED, folder=False)
    room = _room(files, params, reader, folder)

    tables: list[pd.DataFrame] = []
    count, streamed = 0, set(room)
    for file in files:
        here = {name: array[count:] for name, array in room.items()}
        found, numbers = _streamed(file, params, reader, here)
        found = _as_first(files[0], tables[0] if tables else found, file, found)
        totals.check(file, found)
        found = missing.without_marks(found, params)
        tables.append(found)
        count += len(found)
        streamed &= numbers

    places = _places(files, tables, folder)
    if len(tables) == 1:
        return tables[0], places
    columns = {
        name: room[name][:count]
        if name in streamed
        else pd.concat([table[name] for table in tables], ignore_index=True)
        for name in tables[0]
    }
    return pd.DataFrame(columns, copy=False), places


def _room(
    files: list[Place], params: Params, reader: Reader, folder: Path
) -> dict[str, np.ndarray]:
    """An array for each feature that may be a number, with room for all rows."""
    if params.mark != ".":  # such numbers are text at first
        return {}
    others = {params.target, params.group, *params.ignore, *params.texts}
    names = [name for name in reader.names(files[0], params) if name not in others]
    rows = sum(reader.most(file) for file in files)
    return dict(zip(names, empty((len(names), rows), np.float64, folder), strict=True))


def _streamed(
    file: Place, params: Params, reader: Reader, room: dict[str, np.ndarray]
) -> tuple[pd.DataFrame, set[str]]:
    """A file as a data frame as if it were read at once, and the columns that `room` holds.

    Pandas finds a column's type in the rows that it sees. Where some rows would give another one
    than others, the column is read again, at once.

    Args:
        file: to read, some rows at a time.
        params: the section `load`.
        reader: of the file.
        room: arrays to fill with the columns that are numbers.
    """
    types: dict[str, set[str]] = {}
    pieces: dict[str, list[pd.Series]] = {}
    count = 0
    rows = max(1, BLOCK // (8 * max(1, len(reader.names(file, params)))))
    for part in reader.parts(file, params, rows):
        if must_stop():
            stop(f"after {count:,} rows of {file.name}")
        for name, column in part.items():
            types.setdefault(name, set()).add(_type(column))
            if name in room and column.dtype.kind in "iuf":
                room[name][count : count + len(part)] = column
            else:
                pieces.setdefault(name, []).append(column)
        count += len(part)

    mixed = [name for name in types if len(types[name]) > 1]
    again = next(reader.parts(file, params, None, mixed)) if mixed else {}
    numbers = {*types} - {*mixed, *pieces}
    joined = {name: pd.concat(found) for name, found in pieces.items() if name not in mixed}
    joined |= {name: again[name] for name in mixed}
    joined |= {name: room[name][:count] for name in numbers}
    columns = {name: joined[name] for name in types}
    return pd.DataFrame(columns, pd.RangeIndex(count), copy=False), numbers


def _type(column: pd.Series) -> str:
    """What makes a column of some rows, joined with others, what it is if read at once."""
    is_exact = column.dtype.kind in "iu" and column.between(-EXACT, EXACT).all()
    return "number" if column.dtype.kind == "f" or is_exact else str(column.dtype)


def _places(files: list[Place], tables: list[pd.DataFrame], folder: Path) -> np.ndarray:
    """Where a user finds each row, such as `in.csv 17`."""
    longest = max(
        len(f"{file.name} {len(table)}") for file, table in zip(files, tables, strict=True)
    )
    found = empty((sum(map(len, tables)),), f"U{longest}", folder)
    begin = 0
    for file, table in zip(files, tables, strict=True):
        here, begins = found[begin : begin + len(table)], f"{file.name} "
        for block in blocks(here):
            rows = range(block.start + 1, block.stop + 1)
            here[block] = [begins + str(row) for row in rows]
        begin += len(table)
    return found


def _as_first(
    first: Place, expected: pd.DataFrame, file: Place, table: pd.DataFrame
) -> pd.DataFrame:
    """A part with its columns in the order of the first one."""
    odd = sorted({*expected} ^ {*table})
    if odd:
        raise UserError(
            f"{file}: only one of {first.name} and {file.name} has {some(odd)}. Expected the same "
            "columns in every part of a table."
        )
    return table[list(expected)]
