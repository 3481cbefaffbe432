"""A CSV file as a data frame: the rows as they are, words as they are written."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pandas as pd
from pandas.io.parsers.readers import STR_NA_VALUES

from tasks.core.arrays import BLOCK
from tasks.core.step import UserError
from tasks.sources import dialect, text_frames
from tasks.sources.new_rows import plain
from tasks.sources.place import Place
from tasks.sources.table import check_columns
from tasks.sources.unreadable import understood

Params = Any  # of csv.py, which imports this file

ENDING = ".csv"
EXPECTED = (
    "a .csv file with a row of column names, a folder with train.csv, and perhaps val.csv and "
    "test.csv, or a folder of parts such as part-0.csv"
)
NAMELESS = "Unnamed: "  # what pandas calls a column without a name begins so
MISSING = ("NA", "N/A", "NaN", "nan", "<NA>")  # as R, Excel and pandas write a missing value


def names(file: Place, params: Params) -> list[str]:
    """The columns' names."""
    with understood(file, file.path, EXPECTED):
        return dialect.names(file.path, params.separator, params.header)


def check_separator(file: Place, params: Params, expected: set[str]) -> None:
    """Say it if the names are there, and something else stands between them."""
    if not file.path.exists() or file.path.is_dir():
        return
    there = [name for name in names(file, params) if name != dialect.ROW_NAMES]
    for other in dialect.SEPARATORS if len(there) == 1 else ():
        found = {plain(name) for name in there[0].split(other)}
        if other in there[0] and {plain(name) for name in expected} <= found:
            raise UserError(
                f"{file}: {_named(other)} stands between its values. Expected "
                f"{_named(params.separator)}, as in the training rows: save it so."
            )


def check_width(file: Place, params: Params, expected: set[str]) -> None:
    """Without a row of names the columns go by their places, the target's too."""
    if params.header or not file.path.is_file():
        return
    there = names(file, params)
    if len(there) != len(expected):
        raise UserError(
            f"{file} has {len(there)} columns, and no row names them. Expected the "
            f"{len(expected)} of the training rows: leave the place of the target, "
            f"{params.target}, empty."
        )


def _named(separator: str) -> str:
    return {"\t": "a tab", " ": "a space"}.get(separator, f"`{separator}`")


def most(file: Place) -> int:
    """At least as many rows as there are: quoted line breaks count too."""
    with file.path.open("rb") as content:
        return 1 + sum(map(_line_ends, iter(lambda: content.read(BLOCK), b"")))


def _line_ends(block: bytes) -> int:
    found = block.count(b"\n")
    return found + block.count(b"\r") - block.count(b"\r\n") if b"\r" in block else found


def parts(
    file: Place, params: Params, rows: int | None, only: Collection[str] | None = None
) -> Iterator[pd.DataFrame]:
    """All columns of a file; those that are no numbers as text, and None where they are empty.

    Args:
        file: to read.
        params: the section `load`.
        rows: at a time; None: all at once.
        only: some columns of a file that was read before; None: all.

    Raises:
        UserError: the file is not a table, or a column that `params` names is missing.
    """
    words = [name for name in params.texts if only is None or name in only]
    with understood(file, file.path, EXPECTED):
        there = dialect.names(file.path, params.separator, params.header)
        unsure = {
            name: Unsure(file, name) for name in words if name in (params.target, params.group)
        }
        for table in _read(file, params, there, words, rows, only):
            if only is None:
                _check_columns(file, there, table, params)
            yield _with_texts(file, table, words, unsure)


def _read(
    file: Place,
    params: Params,
    there: list[str],
    words: list[str],
    rows: int | None,
    only: Collection[str] | None,
) -> Iterator[pd.DataFrame]:
    """The rows as pandas takes them, and words as they are written, the missing ones too."""
    named = [name or f"{NAMELESS}{place}" for place, name in enumerate(there)]
    found = text_frames.frame(
        file.path,
        params.separator,
        params.header,
        chunksize=rows,
        **({} if only is None else {"usecols": only}),
        # With decimal commas pandas would take 1.234 for a number near 1.
        dtype=str if params.decimal == "," else dict.fromkeys(words, str),
        na_values={name: STR_NA_VALUES for name in named if name not in words},
        keep_default_na=False,
    )
    yield from [found] if rows is None else found


def _with_texts(
    file: Place, table: pd.DataFrame, words: list[str], unsure: dict[str, Unsure]
) -> pd.DataFrame:
    """The same rows without blanks around words, and with nothing where one is missing."""
    if not len(table):
        raise UserError(f"{file} has column names and no rows. Expected some.")
    for name in words:
        absent = table[name].isna() | table[name].isin(STR_NA_VALUES)
        text = table[name].str.strip()
        if name in unsure:
            unsure[name].check(text, absent)
        table[name] = text.mask(absent | (text == ""))
    return table


def _check_columns(file: Place, names: list[str], table: pd.DataFrame, params: Params) -> None:
    """As `check_columns`, and none without a name."""
    advice = f" Is `separator: '{params.separator}'` right?"
    named = [name for name in names if name.strip()]
    if len(names) > 2 and not any(map(str.strip, names[1::2])):
        twice = 2 * params.separator
        raise UserError(
            f"{file}: every second column has no name. Expected one separator between two values, "
            f"perhaps not `{twice}`: replace it by `{params.separator}`."
        )
    check_columns(file, named, list(table), params, advice)
    unnamed = [name for name in table if name.startswith(NAMELESS)]
    unnamed = [name for name in unnamed if name not in params.ignore]
    if unnamed:
        raise UserError(
            f"{file}: a column has no name, perhaps one with row numbers that a program added. "
            f"Give it a name, or set `ignore: {unnamed}`."
        )


class Unsure:
    """What pandas takes for a missing value and may be a word: among words, `None`.

    Args:
        file: that is read, some rows at a time.
        name: of the column.
    """

    def __init__(self, file: Place, name: str) -> None:
        self.file, self.name = file, name
        self.found = ""  # the first one
        self.among_words = False

    def check(self, text: pd.Series, absent: pd.Series) -> None:
        """Refuse it in these rows, or in those before.

        Args:
            text: the column as it is written, as `01` is not `1`.
            absent: what pandas takes for a missing value.
        """
        unsure = text[absent & ~text.isin(("", *MISSING))]
        if len(unsure) and not self.found:
            self.found = f"`{unsure.iloc[0]}` in row {unsure.index[0] + 1:,}"
        others = text[~absent & (text != "")]
        self.among_words |= bool(pd.to_numeric(others, errors="coerce").isna().any())
        if self.found and self.among_words:
            raise UserError(
                f"{self.file}: the column {self.name} has {self.found}: is that a word, or a "
                "missing value? Write the word otherwise, or leave the cell empty."
            )
