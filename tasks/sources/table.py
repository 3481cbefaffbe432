"""A table, whatever its files are: what its columns are for, and its rows as arrays.

A source of tables has a reader, a module that turns its files into data frames: `ENDING` of the
files, what is `EXPECTED`, in words, `names(file, params)` of the columns,
`parts(file, params, rows, only)`, so many rows at a time, all at once if that is None, of all
columns or of some, and `most(file)`, which is no fewer rows than there are. Columns in
`params.texts` are text there, and None where they are empty.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import BLOCK, blocks, empty, taken
from tasks.core.folder import Folder
from tasks.core.step import UserError, log, must_stop, stop
from tasks.sources.base import (
    EXACT,
    SPLITS,
    TIME,
    Dataset,
    Labelled,
    New,
    Place,
    arranged,
    check_given,
    check_some_value,
    some,
)
from tasks.sources.in_parts import in_parts

Reader = Any  # a module, see above

ROWS = 2**14  # at a time, of new rows
Column = Annotated[str, Field(min_length=1)]
# A date may have a format, as Python's strptime takes it; without one it is ISO 8601.
Kind = Annotated[str, Field(pattern=r"^(number|boolean|words|date( .*%.*)?)$")]


class Params(Labelled):
    """The parameters of every source of tables."""

    target: Column = Field(description="The column to predict.")
    task: Literal["classes", "regression"] = Field(
        description="Whether the target is a class, which may be text, or a number."
    )
    group: Column | None = Field(
        description="A column that tells which rows belong together: never on both sides."
    )
    ignore: list[Column] = Field(
        description="Columns that are no features, such as a row's number."
    )
    columns: dict[Column, Kind] = Field(
        description="What a feature is, if it is no number: `words`, `boolean`, `date`, or `date` "
        "with its format, such as `date %d.%m.%Y`."
    )
    missing: Literal["refuse", "mean", "median", "drop"] = Field(
        description="Where a feature is missing: fill it with the column's mean or median over "
        "the training rows, drop the row, or refuse. Rows without a target are always dropped."
    )

    @property
    def mark(self) -> str:
        """The decimal mark of numbers that are text."""
        return "."

    @property
    def texts(self) -> list[str]:
        """The columns that are read as they are written."""
        found = [name for name, kind in self.columns.items() if kind != "number"]
        found += [self.group] if self.group else []
        return found + ([self.target] if self.task == "classes" else [])

    def kind(self, column: str) -> str:
        """What a feature is, a number with its decimal mark if that is a comma."""
        found = self.columns.get(column, "number")
        return f"{found} ," if found == "number" and self.mark == "," else found


def find(params: Params, folder: Folder, reader: Reader) -> Dataset:
    """Features and target of each row.

    Missing features are treated as `params.missing` says; `normalize` fills them, as NaN.

    Raises:
        UserError: a column is missing, or has values that it cannot have.
    """
    place = Place.named(params.path, folder)
    files = _files(params, place, reader)
    found, told, names, features, unit = _read(files, params, reader, folder.root)
    arrays = arranged(params, found, names, folder.root) | told
    return Dataset(arrays, params.path, names, features, unit)


def _read(
    files: dict[str, Place], params: Params, reader: Reader, folder: Path
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray], list[str], list[str], str]:
    """What `arranged` needs, what else a table has, names of classes and features, target's unit.

    The data frames, which need more memory than all of these, end here.
    """
    # Here, as pandas takes a second to import.
    from tasks.sources import columns, kinds, missing

    tables, places = {}, {}
    for split, file in files.items():
        tables[split], places[split] = _whole(file, params, reader, folder)
    features = columns.features(files, tables, params)
    for split, each in tables.items():
        tables[split] = missing.checked(files[split], each, features, params, folder)

    of_kind = kinds.with_units(tables["train"], {name: params.kind(name) for name in features})
    x, words = kinds.arrays(files, tables, of_kind, folder=folder)
    y, names = columns.labels(files, tables, params)
    found = {"x": x, "y": y, "from": {}, "others": columns.others(tables, features, params.target)}
    for split, each in tables.items():
        found["from"][split] = taken([places[split]], [each.index.to_numpy()], folder)
    if params.group:
        found["group"] = columns.groups(files, tables, params)

    told = {
        "feature_kinds": np.array(list(of_kind.values()), dtype=np.str_),
        "words": words,
        "fill": np.array(params.missing if params.missing in ("mean", "median") else ""),
    }
    return found, told, names, features, columns.target_unit(tables["train"], params)


def _whole(place: Place, params: Params, reader: Reader, folder: Path) -> tuple[Any, np.ndarray]:
    """All rows of a file, or of the parts in a folder; and where a user finds each.

    Features that are numbers throughout become float64, on disk if there are many.
    """
    import pandas as pd  # here: it takes a second to import

    from tasks.sources import missing, totals

    files = in_parts(place, reader.ENDING) or [place]
    for file in files:
        file.existing(reader.EXPECTED, folder=False)
    room = _room(files, params, reader, folder)

    tables: list[Any] = []
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
) -> tuple[Any, set[str]]:
    """A file as a data frame as if it were read at once, and the columns that `room` holds.

    Pandas finds a column's type in the rows that it sees. Where some rows would give another one
    than others, the column is read again, at once.

    Args:
        file: to read, some rows at a time.
        params: the section `load`.
        reader: of the file.
        room: arrays to fill with the columns that are numbers.
    """
    import pandas as pd  # here: it takes a second to import

    types: dict[str, set[str]] = {}
    pieces: dict[str, list[Any]] = {}
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
    whole = {name: pd.concat(found) for name, found in pieces.items() if name not in mixed}
    whole |= {name: again[name] for name in mixed}
    whole |= {name: room[name][:count] for name in numbers}
    columns = {name: whole[name] for name in types}
    return pd.DataFrame(columns, pd.RangeIndex(count), copy=False), numbers


def _type(column: Any) -> str:
    """What makes a column of some rows, joined with others, what it is if read at once."""
    is_exact = column.dtype.kind in "iu" and column.between(-EXACT, EXACT).all()
    return "number" if column.dtype.kind == "f" or is_exact else str(column.dtype)


def _places(files: list[Place], tables: list[Any], folder: Path) -> np.ndarray:
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


def _as_first(first: Place, expected: Any, file: Place, table: Any) -> Any:
    """A part with its columns in the order of the first one."""
    odd = sorted({*expected} ^ {*table})
    if odd:
        raise UserError(
            f"{file}: {some(odd)} is in one of {first.name} and {file.name} alone. Expected the "
            "same columns in every part of a table."
        )
    return table[list(expected)]


def _files(params: Params, place: Place, reader: Reader) -> dict[str, Place]:
    """The file of each split, of which the training rows must be there."""
    is_folder = place.path.is_dir()
    place.existing(reader.EXPECTED, is_folder)
    files = {"train": place}
    what = f"test{reader.ENDING} in a folder"
    if is_folder:
        every = {split: place / f"{split}{reader.ENDING}" for split in SPLITS}
        files = {split: each for split, each in every.items() if each.path.exists()}
        whole = not files and in_parts(place, reader.ENDING)
        files = {"train": place if whole else every["train"], **files}
    if "test" in files and _is_new(files["test"], params, reader):
        what = f"{files['test'].name} has no column {params.target}: new rows to predict"
        log.info("%s: %s", place, what)
        del files["test"]
    check_given(params, "test" in files, what)
    return files


def _is_new(file: Place, params: Params, reader: Reader) -> bool:
    """Whether the rows have no target: they are new ones, to be predicted."""
    names = reader.names(file, params)
    return len(names) > 1 and params.target not in names


def check_columns(
    file: Place, names: list[str], columns: Collection[str], params: Params, advice: str = ""
) -> None:
    """Each name once, none empty, and those there that the parameters name.

    Args:
        file: that has the columns.
        names: as they stand in the file.
        columns: what pandas calls them.
        params: the section `load`.
        advice: what else may be wrong if there is only one column.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        called = f"are named {twice[0]}" if twice[0].strip() else "have no name"
        raise UserError(
            f"{file}: two columns {called}. Expected each name once: rename one, or take it out."
        )

    named = [("target", params.target), ("group", params.group)]
    named += [("ignore", column) for column in params.ignore]
    named += [("columns", column) for column in params.columns]
    for key, column in named:
        if column is not None and column not in columns:
            alone = advice if len(names) == 1 else ""
            raise UserError(
                f"{file}: no column {column}, which load.{key} names. It has "
                f"{some(list(columns))}.{alone} Correct it in params.yaml."
            )


def as_trained(schema: dict[str, Any], place: Place, keys: Any, **usual: Any) -> dict[str, Any]:
    """The section `load` with which new rows are read.

    Args:
        schema: the content of `schema.json`.
        place: of the new rows.
        keys: of the source.
        usual: values for keys that the training rows, of another kind of file, did not need.
    """
    trained = {key: value for key, value in schema["load"].items() if key in keys}
    unused = {"path": place.shown, "test": 0.5, "seed": 0, "class_names": None}
    return {**usual, **trained, **unused}


def new(place: Place, schema: dict[str, Any], params: Params, reader: Reader) -> Iterator[New]:
    """Rows to predict, some at a time. The order of the columns does not matter.

    Args:
        place: a file, or a folder of parts, with the target or without it.
        schema: the content of `schema.json`.
        params: see `as_trained`.
        reader: of the file.

    Raises:
        UserError: a column is missing, or has a value that it cannot have.
    """
    files = in_parts(place, reader.ENDING) or [place]
    for file in files:
        called = f"{file.name} row" if files[1:] else "row"
        yield from _new_rows(file, called, schema, params, reader)


def kinds_of(schema: dict[str, Any]) -> dict[str, str]:
    """The kinds of a model's columns, by their names.

    Where the hour is a feature, a new date without one is none: it would be midnight.
    """
    return {
        each["name"]: each["kind"] + TIME * ("hour" in each["parts"]) for each in schema["columns"]
    }


def unused(there: Iterable[str], schema: dict[str, Any]) -> list[str]:
    """The columns of new rows that the training rows had not, so that no model uses them."""
    load = schema["load"]
    known = [load.get("target"), load.get("group"), *load.get("ignore", ()), *load.get("texts", ())]
    known += [column["name"] for column in schema["columns"]]
    same = {plain(name) for name in known if name}
    return [name for name in there if name and plain(name) not in same]


def _new_rows(
    place: Place, called: str, schema: dict[str, Any], params: Params, reader: Reader
) -> Iterator[New]:
    # Here, as pandas takes a second to import.
    from tasks.sources import columns, kinds, missing

    of_kind = kinds_of(schema)
    place.existing("a table with the columns of the training rows", folder=False)
    there = reader.names(place, params)
    called_here = _called_here(list(of_kind), place, there)
    target = _same(params.target, there)
    labelled = target is not None
    classes = labelled and params.task == "classes"
    trained = {here: name for name, here in called_here.items()}
    others = unused(there, schema)
    params = params.model_copy(
        update={
            "target": target,
            "task": "classes" if classes else "regression",
            "group": None,
            "ignore": [
                name or f"Unnamed: {number}"
                for number, name in enumerate(there)
                if name not in trained
            ],
            "columns": {
                called_here[name]: kind for name, kind in params.columns.items() if name in of_kind
            },
        }
    )
    parts = (part.rename(columns=trained) for part in reader.parts(place, params, ROWS))
    for part in _without_totals(place, parts, schema):
        part = missing.without_marks(part, params)
        x, words = kinds.arrays({"new": place}, {"new": part}, of_kind, trained=True)
        y = part[target] if labelled else None
        if labelled and not classes:
            unit = schema["load"].get("target_unit", "")
            y = columns.numbers(place, y, "or take the column out", params.mark, unit)
        labels = None if y is None else y.to_numpy()
        places = [f"{called} {row + 1}" for row in part.index]
        check_some_value(x["new"], places)
        yield New(x["new"], places, labels, words, others)


def _without_totals(place: Place, parts: Iterator[Any], schema: dict[str, Any]) -> Iterator[Any]:
    """The same parts, if the last rows do not sum up the others in a word that is new."""
    import pandas as pd  # here: it takes a second to import

    from tasks.sources import totals

    part, before = next(parts, None), None
    if part is None:
        return
    for following in parts:
        yield part
        part, before = following, part
    last = part if before is None else pd.concat([before.astype(object), part.astype(object)])
    known = [each["name"] for each in schema["columns"] if totals.among(each.get("words", []))]
    totals.check(place, last.drop(columns=known))
    yield part


def _called_here(names: list[str], place: Place, there: list[str]) -> dict[str, str]:
    """What a file calls the columns of the training rows.

    Raises:
        UserError: it has not all of them.
    """
    if not there:
        raise UserError(f"{place} is empty. Expected the columns {some(names)}, and rows.")
    others = [other for other in there if other not in names]
    same = {name: name if name in there else _same(name, others) for name in names}
    found = {name: here for name, here in same.items() if here is not None}
    absent = [name for name in names if name not in found]
    if absent:
        hints = [
            f" Is `{other}` the column {name}? Rename it."
            for name in absent
            for other in others
            if plain(other).casefold() == plain(name).casefold()
        ]
        raise UserError(
            f"{place}: no column{'s' * (len(absent) > 1)} {some(absent)}. The model was trained "
            f"with the columns {some(names)}. This file has {some(there)}.{''.join(hints)}"
        )
    return found


def _same(name: str | None, there: list[str]) -> str | None:
    """The one of some names that looks the same: in Unicode an umlaut can be one sign or two."""
    if name is None or name in there:
        return name
    alike = [other for other in there if plain(other) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def plain(name: str) -> str:
    """A column's name without blanks around it, composed (NFC)."""
    return unicodedata.normalize("NFC", name).strip()
