"""CSV: a table as text, with a row of names and a target column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from tasks.core.folder import Folder
from tasks.sources import new_rows, table
from tasks.sources.base import SOURCE, Dataset, New
from tasks.sources.place import Place


class Params(table.Params):
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

    @property
    def mark(self) -> str:
        return self.decimal


def find(params: Params, folder: Folder) -> Dataset:
    """Features and target of each row; see `table.find`."""
    from tasks.sources import text  # here: pandas takes a second to import

    return table.find(params, folder, text)


def records(rows: list[dict[str, Any]], schema: dict[str, Any]) -> New:
    """Rows to predict that are no text: numbers are numbers, and words are read as in a file.

    Args:
        rows: the value of each column by its name, None where it is missing.
        schema: the content of `schema.json`.

    Raises:
        UserError: a column is missing, or has a value that it cannot have.
    """
    from tasks.sources import cells  # here, as pandas takes a second to import

    return cells.rows(rows, new_rows.kinds_of(schema), as_csv=schema["load"]["source"] == "csv")


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """Rows to predict; see `new_rows.new`. The training rows may be from a Parquet file."""
    from tasks.sources import text  # here: pandas takes a second to import

    usual = {"separator": ",", "header": True, "decimal": "."}
    load = new_rows.as_trained(schema, place, Params.model_fields, **usual) | {"source": "csv"}
    params = Params(**load)
    features = {column["name"] for column in schema["columns"]}
    text.check_separator(place, params, features)
    others = {params.target, *([params.group] if params.group else [])}
    text.check_width(place, params, {*features, *params.ignore, *others})
    return new_rows.new(place, schema, params, text)
