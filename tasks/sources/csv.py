"""CSV: a table with a row of names and a target column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import UserError, log
from tasks.sources.base import (
    SOURCE,
    SPLITS,
    Dataset,
    Labelled,
    New,
    Place,
    arranged,
    check_given,
    some,
)

EXPECTED = (
    "a .csv file with a row of column names, or a folder with train.csv, and perhaps val.csv and "
    "test.csv"
)
Column = Annotated[str, Field(min_length=1)]
# A date may have a format, as Python's strptime takes it; without one it is ISO 8601.
Kind = Annotated[str, Field(pattern=r"^(number|boolean|words|date( .*%.*)?)$")]


class Params(Labelled):
    source: Literal["csv"] = SOURCE
    separator: Literal[",", ";", "\t", "|", ":", "^", "~", " "] = Field(
        description="What stands between two values; a space stands for any number of them."
    )
    header: bool = Field(
        description="Whether the first row has the columns' names; false calls them column_1, "
        "column_2 and so on."
    )
    decimal: Literal[".", ","] = Field(
        description="The decimal mark of the numbers; the other one may separate thousands."
    )
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
    def texts(self) -> list[str]:
        """The columns that are read as they are written."""
        found = [name for name, kind in self.columns.items() if kind != "number"]
        found += [self.group] if self.group else []
        return found + ([self.target] if self.task == "classes" else [])

    def kind(self, column: str) -> str:
        """What a feature is, a number with its decimal mark if that is a comma."""
        found = self.columns.get(column, "number")
        return f"{found} ," if found == "number" and self.decimal == "," else found


def find(params: Params, folder: Folder) -> Dataset:
    """Features and target of each row.

    Missing features are treated as `params.missing` says; `normalize` fills them, as NaN.

    Raises:
        UserError: a column is missing, or has values that it cannot have.
    """
    # Here, as pandas takes a second to import.
    from tasks.sources import columns, kinds, missing, table

    place = Place.named(params.path, folder)
    files = _files(params, place)
    tables = {split: table.read(file, params, EXPECTED) for split, file in files.items()}
    features = columns.features(place, tables, params)
    for split, each in tables.items():
        tables[split] = missing.checked(files[split], each, features, params)

    of_kind = {name: params.kind(name) for name in features}
    x, words = kinds.arrays(files, tables, of_kind)
    y, names = columns.labels(files, tables, params)
    found = {"x": x, "y": y, "from": {}, "others": columns.others(tables, features, params.target)}
    for split, each in tables.items():
        found["from"][split] = np.array([f"{files[split].name} {row + 1}" for row in each.index])
    if params.group:
        found["group"] = columns.groups(place, tables, params.group)

    told = {
        "feature_kinds": np.array(list(of_kind.values()), dtype=np.str_),
        "words": words,
        "fill": np.array(params.missing if params.missing in ("mean", "median") else ""),
    }
    return Dataset(arranged(params, found, names) | told, params.path, names, features)


def _files(params: Params, place: Place) -> dict[str, Place]:
    """The file of each split, of which the training rows must be there."""
    is_folder = place.path.is_dir()
    place.existing(EXPECTED, is_folder)
    files = {"train": place}
    what = "test.csv in a folder"
    if is_folder:
        both = {split: place / f"{split}.csv" for split in SPLITS}
        files = {split: each for split, each in both.items() if each.path.exists()}
        files = {"train": both["train"], **files}
    if "test" in files and _is_new(files["test"], params):
        what = f"test.csv has no column {params.target}: new rows to predict"
        log.info("%s: %s", place, what)
        del files["test"]
    check_given(params, "test" in files, what)
    return files


def _is_new(file: Place, params: Params) -> bool:
    """Whether the rows have no target: they are new ones, to be predicted."""
    from tasks.sources import dialect

    with dialect.understood(file, file.path, EXPECTED):
        names = dialect.names(file.path, params.separator, params.header)
    return len(names) > 1 and params.target not in names


def records(rows: list[dict[str, Any]], schema: dict[str, Any]) -> New:
    """Rows to predict that are no text: numbers are numbers, and words are read as in a file.

    Args:
        rows: the value of each column by its name, None where it is missing.
        schema: the content of `schema.json`.

    Raises:
        UserError: a column is missing, or has a value that it cannot have.
    """
    from tasks.sources import cells  # here, as pandas takes a second to import

    return cells.rows(rows, {column["name"]: column["kind"] for column in schema["columns"]})


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """Rows to predict, some at a time. The order of the columns does not matter.

    Args:
        place: a CSV file, with the target or without it.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.

    Raises:
        UserError: a column is missing, or has a value that it cannot have.
    """
    # Here, as pandas takes a second to import.
    from tasks.sources import columns, dialect, kinds, table

    load = {key: value for key, value in schema["load"].items() if key not in ("labels", "type")}
    params = Params(**load, path=place.shown, test=0.5, seed=0, class_names=None)
    of_kind = {column["name"]: column["kind"] for column in schema["columns"]}

    place.existing("a table with the columns of the training rows", folder=False)
    with dialect.understood(place, place.path, EXPECTED):
        there = dialect.names(place.path, params.separator, params.header)
    absent = [name for name in of_kind if name not in there]
    if absent:
        raise UserError(
            f"{place}: no column {some(absent)}. The model was trained with the columns "
            f"{some(list(of_kind))}. This file has {some(there)}."
        )

    labelled = params.target in there
    classes = labelled and params.task == "classes"
    params = params.model_copy(
        update={
            "target": params.target if labelled else None,
            "task": "classes" if classes else "regression",
            "group": None,
            "ignore": [name or f"Unnamed: {number}" for number, name in enumerate(there)],
            "columns": {name: kind for name, kind in params.columns.items() if name in of_kind},
        }
    )
    for part in table.parts(place, params, EXPECTED, table.ROWS):
        x, words = kinds.arrays({"new": place}, {"new": part}, of_kind, trained=True)
        y = part[params.target] if labelled else None
        if labelled and not classes:
            y = columns.numbers(place, y, "or take the column out", params.decimal)
        labels = None if y is None else y.to_numpy()
        yield New(x["new"], [f"row {row + 1}" for row in part.index], labels, words)
