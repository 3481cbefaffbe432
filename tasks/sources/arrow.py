"""A Parquet file as a data frame: numbers as numbers, everything else as text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.step import UserError
from tasks.sources.place import Place
from tasks.sources.table import check_columns

Params = Any  # of parquet.py

ENDING = ".parquet"
EXPECTED = (
    "a .parquet file, a folder with train.parquet, and perhaps val.parquet and test.parquet, or a "
    "folder of parts such as part-0.parquet"
)


@contextmanager
def opened(file: Place) -> Iterator[pq.ParquetFile]:
    """The file. If Arrow cannot read it, its complaint becomes one line."""
    try:
        with pq.ParquetFile(file.path) as found:
            yield found
    except (pa.ArrowException, OSError) as error:
        why = " ".join(str(error).split())[:120]
        raise UserError(f"{file} cannot be read: {why}. Expected {EXPECTED}.") from None


def names(file: Place, params: Params) -> list[str]:
    """The columns' names."""
    with opened(file) as content:
        return content.schema_arrow.names


def most(file: Place) -> int:
    """The number of rows."""
    with opened(file) as content:
        return content.metadata.num_rows


def parts(
    file: Place, params: Params, rows: int | None, only: Collection[str] | None = None
) -> Iterator[pd.DataFrame]:
    """All columns of a file, as `text.parts` gives those of a CSV file.

    Args:
        file: to read.
        params: the section `load`.
        rows: at a time; None: all at once.
        only: some columns of a file that was read before; None: all.

    Raises:
        UserError: the file is no Parquet file, a column that `params` names is missing, or a
            feature is no number, word, boolean or date.
    """
    with opened(file) as content:
        schema, begin = content.schema_arrow, 0
        check_columns(file, schema.names, schema.names, params)
        if not content.metadata.num_rows:
            raise UserError(f"{file} has columns and no rows. Expected some.")

        for name, kind in odd_columns(schema).items():
            if name not in params.ignore:
                raise UserError(
                    f"{file}: the column {name} has the type {kind}. Expected numbers, words, "
                    f"booleans or dates: convert it, or set `ignore: ['{name}']`."
                )
        for batch in _batches(content, rows, only):
            yield frame(batch, params.texts, begin)
            begin += len(batch)


def frame(table: pa.Table, texts: Collection[str] = (), begin: int = 0) -> pd.DataFrame:
    """Numbers as they are, NaN where one is missing; everything else, and `texts`, as text.

    Args:
        table: some rows of a file.
        texts: columns of numbers that are wanted as text.
        begin: the number of the first row.
    """
    columns = {name: _column(table[name], name in texts) for name in table.column_names}
    return pd.DataFrame(columns).set_axis(pd.RangeIndex(begin, begin + len(table)))


def odd_columns(schema: pa.Schema) -> dict[str, str]:
    """The columns that are no numbers, words, booleans or dates, with their types."""
    return {
        column.name: str(column.type)
        for column in schema
        if not _is_number(_plain(column.type)) and not _is_text(_plain(column.type))
    }


def _batches(
    content: pq.ParquetFile, rows: int | None, only: Collection[str] | None
) -> Iterator[pa.Table]:
    columns = None if only is None else list(only)
    if rows is None:
        yield content.read(columns)
        return
    for batch in content.iter_batches(rows, columns=columns):
        yield pa.Table.from_batches([batch])


def _column(column: pa.ChunkedArray, as_text: bool) -> pd.Series:
    kind = _plain(column.type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(kind)
    if _is_number(kind) and not as_text:
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return column.to_pandas()
        return column.cast(pa.string()).cast(pa.float64()).to_pandas()  # the nearest number
    if not _is_number(kind) and not _is_text(kind):
        return pd.Series(map(str, column.to_pylist()), dtype=str)

    words = column.cast(pa.string()).to_pandas().astype(str)
    if pa.types.is_boolean(kind):
        words = words.str.capitalize()  # as pandas writes them to a CSV file
    if pa.types.is_temporal(kind):
        words = words.str.replace(r"\.0+(?!\d)", "", regex=True)  # no digits of seconds
    words = words.str.strip()
    return words.mask(words == "")


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values, which may be stored as places in a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_number(kind: pa.DataType) -> bool:
    is_kind = pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null
    return any(is_one(kind) for is_one in is_kind)


def _is_text(kind: pa.DataType) -> bool:
    words = pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view
    times = pa.types.is_date, pa.types.is_time, pa.types.is_timestamp
    return pa.types.is_boolean(kind) or any(is_one(kind) for is_one in words + times)
