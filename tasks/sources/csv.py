"""CSV: a table with a row of names, a target column, and numbers in all other columns."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import log
from tasks.sources.base import SOURCE, SPLITS, Dataset, Labelled, Place, arranged, check_given

EXPECTED = (
    "a .csv file with a row of column names, or a folder with train.csv, and perhaps val.csv and "
    "test.csv"
)
Column = Annotated[str, Field(min_length=1)]


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
    missing: Literal["refuse", "mean", "median", "drop"] = Field(
        description="Fill with a column's mean or median over the training rows, drop the row, "
        "or refuse."
    )


def find(params: Params, folder: Folder) -> Dataset:
    """Features and target of each row; missing values are treated as `params.missing` says.

    Raises:
        UserError: a column is missing, or has values that it cannot have.
    """
    from tasks.sources import columns, missing, table  # here: pandas takes a second to import

    place = Place.named(params.path, folder)
    files = _files(params, place)
    tables = {split: table.read(file, params, EXPECTED) for split, file in files.items()}
    features = columns.features(place, tables, params)
    needed = [params.target, *([params.group] if params.group else [])]

    for split, each in tables.items():
        for name in features:
            otherwise = f"or set `ignore: ['{name}']`"
            each[name] = columns.numbers(files[split], each[name], otherwise, params.decimal)
        tables[split] = missing.checked(files[split], each, needed, features, params.missing)

    y, names = columns.labels(files, tables, params)
    found = {"x": {}, "y": y, "from": {}}
    for split, each in tables.items():
        found["x"][split] = each[features].to_numpy(np.float64, copy=True)
        found["from"][split] = np.array([f"{files[split].name} {row + 1}" for row in each.index])
    if params.group:
        found["group"] = columns.groups(place, tables, params.group)

    arrays = arranged(params, found, names)
    if params.missing in ("mean", "median"):
        missing.fill(place, arrays["x_train"], arrays["x_test"], features, params.missing)
    return Dataset(arrays, params.path, names, features)


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
