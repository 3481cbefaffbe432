"""CSV: a table with a row of names, a column to predict, and numbers in all other columns."""

from __future__ import annotations

import csv
import itertools
import warnings
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.core.step import UserError
from tasks.sources import missing
from tasks.sources.base import SPLITS, Dataset, Labelled, arranged, check_given, existing, numbered, some, to_predict

EXPECTED = "a .csv file with a row of column names, or a folder with train.csv, and perhaps val.csv and test.csv"
EXACT = 2**53  # up to here float64 has every whole number
Column = Annotated[str, Field(min_length=1)]


class Params(Labelled):
    source: Literal["csv"] = Field(description="Where the data is from, or the kind of its files.")
    separator: Literal[",", ";", "\t"] = Field(description="What stands between two values.")
    target: Column = Field(description="The column to predict.")
    task: Literal["classes", "regression"] = Field(description="Whether it has classes (text too) or numbers.")
    group: Column | None = Field(description="A column that tells which rows belong together: never on both sides.")
    ignore: list[Column] = Field(description="Columns that are no features, such as a row's number.")
    missing: Literal["refuse", "mean", "median", "drop"] = Field(
        description="Fill with a column's mean or median over the training rows, drop the row, or refuse."
    )


def find(params: Params) -> Dataset:
    """Features and target of each row; missing values are dealt with as `params.missing` says.

    Raises:
        UserError: a column is missing, or has other values than it can have.
    """
    is_folder = Path(params.path).is_dir()
    path = existing(params.path, EXPECTED, is_folder)
    files = {split: path / f"{split}.csv" for split in SPLITS} if is_folder else {"train": path}
    files = {split: file for split, file in files.items() if split == "train" or file.exists()}
    check_given(params, "test" in files, "test.csv in a folder")
    tables = {split: _table(file, params) for split, file in files.items()}
    features = _features(path, tables, params)
    needed = [params.target, *([params.group] if params.group else [])]
    for split, table in tables.items():
        for name in features:
            table[name] = _numbers(files[split], table[name], f"or set `ignore: ['{name}']`")
        tables[split] = missing.checked(files[split], table, needed, features, params.missing)

    y, names = _labels(files, tables, params)
    found = {"x": {split: table[features].to_numpy(np.float64, copy=True) for split, table in tables.items()}, "y": y}
    found["from"] = {
        split: np.array([f"{files[split].name} {row + 1}" for row in table.index]) for split, table in tables.items()
    }
    if params.group:
        found["group"] = _groups(path, tables, params.group)
    arrays = arranged(params, found, names)
    if params.missing in ("mean", "median"):
        missing.fill(path, arrays["x_train"], arrays["x_test"], features, params.missing)
    return Dataset(arrays, str(params.path), names, features)


def _table(file: Path, params: Params):
    """The file as it is, a data frame; words stay as they are written."""
    import pandas as pd

    def read(**how):
        return pd.read_csv(file, sep=params.separator, encoding="utf-8-sig", low_memory=False, index_col=False, **how)

    existing(str(file), EXPECTED, folder=False)
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            names = next(filter(None, csv.reader(opened, delimiter=params.separator)), [])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # more values than names: pandas would drop some
            table = read()
        _check_columns(file, names, table, params)
        words = [params.group] if params.group else []
        words += [params.target] if params.task == "classes" else []
        written = read(usecols=words, dtype=str, keep_default_na=False) if words else None
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8: {error.reason} at byte {error.start:,}. Save it as UTF-8.") from None
    except (ValueError, csv.Error, pd.errors.ParserWarning) as error:
        raise UserError(f"{file} cannot be read: {str(error).strip()}. Expected {EXPECTED}.") from None
    if not len(table):
        raise UserError(f"{file} has column names and no rows. Expected some.")
    for name in words:
        table[name] = _words(file, written[name], table[name].isna())
    return table


def _words(file: Path, written, absent):
    """A column as it is written, for `01` is not `1`; without blanks, as `yes ` is `yes`; and where it is empty, None.

    Args:
        file: that it was read from.
        written: the column as text.
        absent: what pandas takes for a missing value. Among words, `None` may also be one of them.
    """
    import pandas as pd

    text = written.str.strip()
    unsure, others = text[absent & (text != "")], text[~absent & (text != "")]
    if len(unsure) and pd.to_numeric(others, errors="coerce").isna().any():
        raise UserError(
            f"{file}: the column {written.name} has `{unsure.iloc[0]}` in {len(unsure):,} rows, the first in "
            f"{_row(unsure, 0)}: is that a word, or a missing value? Write the word otherwise, or leave the cell empty."
        )
    return text.mask(absent | (text == ""), None)


def _features(path: Path, tables: dict, params: Params) -> list[str]:
    """The columns to predict from, which all tables have."""
    others = {params.target, params.group, *params.ignore}
    features = [name for name in tables["train"] if name not in others]
    if not features:
        raise UserError(f"{path}: no column is left to predict from. Expected one besides target, group and ignore.")
    for split, table in tables.items():
        other = sorted(set(features) ^ (set(table) - others))
        if other:
            raise UserError(
                f"{path}: train.csv and {split}.csv differ in the columns {some(other)}. Expected the same."
            )
    return features


def _check_columns(file: Path, names: list[str], table, params: Params) -> None:
    """Each name once, none empty, and those there that the parameters name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{file}: the column {twice[0]} stands there twice. Expected each name once: rename one.")
    for key, column in [("target", params.target), ("group", params.group), *(("ignore", c) for c in params.ignore)]:
        if column is not None and column not in table:
            alone = f" Is `separator: '{params.separator}'` right?" if len(names) == 1 else ""
            raise UserError(
                f"{file}: no column {column}, which load.{key} names. It has {some(list(table))}.{alone} "
                "Correct it in params.yaml."
            )
    nameless = [name for name in table if name.startswith("Unnamed: ") and name not in params.ignore]
    if nameless:
        raise UserError(
            f"{file}: a column has no name, as where a program has written the rows' numbers. Give it one, or set "
            f"`ignore: ['{nameless[0]}']`."
        )


def _numbers(file: Path, column, otherwise: str):
    """A column as numbers, NaN where it is missing."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    bad = np.flatnonzero((numbers.isna() & column.notna()) | np.isinf(numbers))
    if len(bad):
        raise UserError(
            f"{file}: the column {column.name} has '{column.iloc[bad[0]]}' in {_row(column, bad[0])}. "
            f"Expected finite numbers: correct it, {otherwise}."
        )
    return numbers


def _labels(files: dict[str, Path], tables: dict, params: Params) -> tuple[dict[str, np.ndarray], list[str]]:
    """Numbers to predict; or classes, which are words unless all of them are whole numbers, as numbers; and names."""
    import pandas as pd

    columns = {split: table[params.target] for split, table in tables.items()}
    if params.task == "regression":
        numbers = {split: _numbers(files[split], y, "or set `task: classes`") for split, y in columns.items()}
        return to_predict({split: y.to_numpy() for split, y in numbers.items()}, params.path), []
    words = pd.concat(columns.values())
    numbers = pd.to_numeric(words, errors="coerce")
    if not (numbers.abs() <= EXACT).all() or words.str.match(r"[-+]?0\d").any():
        return numbered({split: y.to_numpy(str) for split, y in columns.items()}, params.path)
    for split, y in columns.items():
        values = y.astype(np.float64)
        bad = np.flatnonzero(values != np.floor(values))
        if len(bad):
            raise UserError(
                f"{files[split]}: the column {params.target} has {y.iloc[bad[0]]} in {_row(y, bad[0])}. Expected "
                "classes, whole numbers or words: set `task: regression` if it is a number to predict."
            )
    return numbered({split: pd.to_numeric(y).to_numpy(np.int64) for split, y in columns.items()}, params.path)


def _groups(path: Path, tables: dict, column: str) -> dict[str, np.ndarray]:
    """Of each row the number of its group."""
    words = {split: table[column].to_numpy(str) for split, table in tables.items()}
    for one, other in itertools.combinations(words, 2):
        shared = np.intersect1d(words[one], words[other])
        if len(shared):
            raise UserError(
                f"{path}: the group {shared[0]} of the column {column} has rows in both {one}.csv and {other}.csv: the "
                "score would flatter. Move them to one side, or set `group: null`."
            )
    return {split: np.unique(names, return_inverse=True)[1] for split, names in words.items()}


def _row(column, position: int) -> str:
    return f"row {column.index[position] + 1:,}"  # of the file, counted from 1 below the names
