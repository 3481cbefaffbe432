"""Rows that somebody sent, as an exported model takes them: they are read, and not yet scaled."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any, NamedTuple

import numpy as np

from tasks.answers.reading import encoded, scaled
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.rows.encoding import Encoding
from tasks.rows.scaling import Scaling
from tasks.sources import csv, images, scale
from tasks.sources.base import New
from tasks.sources.new_rows import plain, unused
from tasks.sources.place import Place

REQUEST = "the request"  # what messages call it


class Rows(NamedTuple):
    """Rows as an exported model takes them."""

    x: np.ndarray  # before scaling, which is in the model's file
    places: list[str]  # what the sender calls each row
    unknown: dict[str, int]  # rows with a word that the training did not know, by their column
    unused: Sequence[str] = ()  # columns that the training rows had not


class Reader:
    """Reads rows for one model.

    Args:
        schema: the content of `schema.json`.
        folder: the pipeline's folder.
    """

    def __init__(self, schema: dict[str, Any], folder: Folder) -> None:
        self.schema, self.folder = schema, folder
        self.encoding = Encoding.from_json(schema) if "columns" in schema else None
        self.scaling = Scaling.from_json(schema["scaling"])

    @property
    def takes_images(self) -> bool:
        """Whether an image file is a row."""
        ours = self.schema["load"]["source"] == "images" or self.schema["load"]["type"] == "|u1"
        return len(self.schema["input_shape"]) > 1 and ours

    @property
    def takes_text(self) -> bool:
        """Whether a line of CSV is a row."""
        return len(self.schema["input_shape"]) == 1

    def image(self, content: bytes, name: str) -> Rows:
        """One image file.

        Raises:
            UserError: it cannot be read, as of every method here.
        """
        if not self.takes_images:
            raise UserError(f"This model takes no images. Expected {self.expected}.")
        place = Place.sent(content, name)
        return self._finished(place, images.sent(place, self.schema))

    def text(self, content: bytes, most: int) -> Rows:
        """The rows of a CSV file, at most so many."""
        if not self.takes_text:
            raise UserError(f"This model takes no CSV. Expected {self.expected}.")
        named = self.schema["load"].get("header", True) and self.encoding is not None
        if named and b"\n" not in content.strip() and content.strip():
            raise UserError(
                "There is one line. Expected the names of the columns, and a line for each row. "
                "`curl -d` takes line ends out: use `curl --data-binary @FILE`."
            )
        from tasks.answers import plain  # here: pandas takes a second to import

        source: Any = plain if self.encoding is None else csv
        place = Place.sent(content, REQUEST)
        found: list[Rows] = []
        for part in source.new(place, self.schema, self.folder):
            check_some(part.x, self.expected)
            found.append(self._finished(place, part))
            check_count(sum(len(rows.x) for rows in found), most)
        return joined(found)

    def values(self, rows: list[Any], most: int) -> Rows:
        """Rows as JSON has them: of a table the columns by their names, else arrays of numbers."""
        check_some(rows, self.expected)
        check_count(len(rows), most)
        if self.encoding is None:
            return self.array(_numbers(rows, self.expected))
        if not all(isinstance(row, dict) for row in rows):
            raise UserError(f"A row is not an object. Expected {self.expected}.")
        named = [self._named(row) for row in rows]
        others = unused(dict.fromkeys(name for row in rows for name in row), self.schema)
        part = csv.records(named, self.schema)._replace(unused=others)
        return self._finished(Place.sent(b"", REQUEST), part)

    def _named(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row by the names of the training, where its own look the same."""
        names = [column["name"] for column in self.schema["columns"]]
        if all(name in row for name in names):
            return row
        known = {plain(name): name for name in names}
        return {known.get(plain(name), name): value for name, value in row.items()} | row

    def array(self, x: np.ndarray) -> Rows:
        """Rows as the training had them before scaling, (rows, *shape)."""
        shape = tuple(self.schema["input_shape"])
        if x.shape[1:] != shape:
            raise UserError(f"A row has the shape {x.shape[1:]}. Expected {shape}.")
        if x.dtype.kind not in "biuf":
            raise UserError(f"A value is not a number. Expected {self.expected}.")
        x = scale.as_trained(REQUEST, x, self.schema)
        part = New(x, [f"row {row}" for row in range(1, len(x) + 1)], None)
        return self._finished(Place.sent(b"", REQUEST), part)

    @property
    def expected(self) -> str:
        """What a request may have, in words."""
        if self.encoding is not None:
            return "CSV with a row of column names, or JSON objects with a value for each column"
        shape = tuple(self.schema["input_shape"])
        if self.takes_text:
            return f"rows of {shape[0]} number{'s' * (shape[0] > 1)}, as CSV or as JSON arrays"
        arrays = f"JSON arrays of the shape {shape}"
        return f"an image file, or {arrays}" if self.takes_images else arrays

    def _finished(self, place: Place, part: New) -> Rows:
        x, unknown = part.x, dict[str, int]()
        if self.encoding is not None:
            x, unknown = encoded(self.encoding, part)
        scaled(self.scaling, x, place, part)  # refuses what is no number
        return Rows(x, part.places, unknown, part.unused)


def joined(parts: list[Rows]) -> Rows:
    """Rows one after the other."""
    if len(parts) == 1:
        return parts[0]
    unknown: dict[str, int] = {}
    for part in parts:
        for name, count in part.unknown.items():
            unknown[name] = unknown.get(name, 0) + count
    places = [place for part in parts for place in part.places]
    others = dict.fromkeys(name for part in parts for name in part.unused)
    return Rows(np.concatenate([part.x for part in parts]), places, unknown, [*others])


def check_some(rows: Sized, expected: str) -> None:
    if not len(rows):
        raise UserError(f"There are no rows. Expected {expected}.")


def check_count(rows: int, most: int) -> None:
    if rows > most:
        raise UserError(f"There are more than {most:,} rows. Expected fewer: send them in parts.")


def _numbers(rows: list[Any], expected: str) -> np.ndarray:
    try:
        found = np.array(rows)
        if found.dtype == object and {int, float}.issuperset(map(type, found.flat)):
            return found.astype(np.float64)  # an integer of more than 64 bits is a number too
    except OverflowError:
        raise UserError(f"A value is too large for float32. Expected {expected}.") from None
    except ValueError:  # rows of several lengths
        raise UserError(f"The rows differ in shape. Expected {expected}.") from None
    if found.dtype.kind not in "iuf":
        raise UserError(f"A value is not a number. Expected {expected}.")
    return found.astype(np.float64)
