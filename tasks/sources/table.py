"""A table, whatever its files are: what its columns are for, and its rows as arrays.

A source of tables has a reader, a module that turns its files into data frames: `ENDING` of the
files, what is `EXPECTED`, in words, `names(file, params)` of the columns,
`parts(file, params, rows, only)`, so many rows at a time, all at once if that is None, of all
columns or of some, and `most(file)`, which is no fewer rows than there are. Columns in
`params.texts` are text there, and None where they are empty.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import taken
from tasks.core.folder import Folder
from tasks.core.step import UserError, log
from tasks.sources.base import SPLITS, Dataset, Labelled, arranged, check_given, some
from tasks.sources.in_parts import in_parts
from tasks.sources.place import Place

Reader = Any  # a module, see above

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
    from tasks.sources import columns, frames, kinds, missing

    tables, places = {}, {}
    for split, file in files.items():
        tables[split], places[split] = frames.whole(file, params, reader, folder)
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
