"""Parquet: a table whose columns have types, and one of them is the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from tasks.core.folder import Folder
from tasks.sources import new_rows, table
from tasks.sources.base import SOURCE, Dataset, New
from tasks.sources.place import Place

ENDINGS = (".parquet", ".pq")


class Params(table.Params):
    source: Literal["parquet"] = SOURCE


def find(params: Params, folder: Folder) -> Dataset:
    """Features and target of each row; see `table.find`."""
    from tasks.sources import arrow  # here: pandas takes a second to import

    return table.find(params, folder, arrow)


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """Rows to predict; see `new_rows.new`. The training rows may be from a CSV file."""
    from tasks.sources import arrow  # here: pandas takes a second to import

    load = new_rows.as_trained(schema, place, Params.model_fields) | {"source": "parquet"}
    return new_rows.new(place, schema, Params(**load), arrow)
