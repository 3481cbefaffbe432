"""New rows through `schema.json` alone, by the code that read the training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.core.arrays import batch_of
from tasks.core.folder import Folder
from tasks.core.step import UserError, log
from tasks.rows.encoding import Encoding, Missing
from tasks.rows.scaling import Scaling
from tasks.sources import csv, idx, images, npz, parquet
from tasks.sources.base import New, some
from tasks.sources.in_parts import in_parts
from tasks.sources.place import Place

BATCHES = 64  # in a block of rows that are scaled at once


def read(
    place: Place, schema: dict[str, Any], folder: Folder, scale: bool = True
) -> Iterator[tuple[np.ndarray, New]]:
    """New rows, some at a time: as the model sees them, and as they were read.

    Args:
        place: a file or a folder of the kind that the training rows are from; for a model of
            images an image, too.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.
        scale: whether the rows are scaled; an exported model does that itself.

    Raises:
        UserError: the data cannot be read, or are no rows for this model.
    """
    source = _checked_source(place, schema, folder)
    encoding = Encoding.from_json(schema) if "columns" in schema else None
    scaling = Scaling.from_json(schema["scaling"])

    unknown, unused, rows = Counter[str](), dict[str, None](), 0
    for part in _in_blocks(source.new(place, schema, folder)):
        x = part.x
        if not len(x):
            raise UserError(
                f"{place} has no rows. Expected some, below the names if there are any."
            )
        if encoding is not None:
            x, strange = encoded(encoding, part)
            unknown.update(strange)
        unused |= dict.fromkeys(part.unused)
        rows += len(x)

        # Of rows that an exported model scales, only numbers with a point can become infinite.
        seen = scaled(scaling, x, place, part) if scale or x.dtype.kind == "f" else x
        yield (seen if scale else x), part

    if unused:
        log.warning("%s: left out %s, which the training rows do not have", place, some([*unused]))
    for name, count in unknown.items():
        log.warning(
            "%s: a word that few or no training rows have, in %d of %d rows", name, count, rows
        )


def _checked_source(place: Place, schema: dict[str, Any], folder: Folder) -> Any:
    """The module that reads such data, if the schema says how and they are in a form for it."""
    if "load" not in schema:
        raise UserError(
            f"{folder.shown('schema.json')} does not say how rows are read: it was made by an "
            "earlier version. Train again."
        )
    source = _source(place, schema)
    if source is not images and place.path.is_dir() and not _in_parts(source, place):
        raise UserError(f"{place} is a folder. Expected {_file_for(source)}.")
    return source


def _in_parts(source: Any, place: Place) -> bool:
    """Whether a folder has a table in parts."""
    ending = {csv: ".csv", parquet: ".parquet"}.get(source)
    return ending is not None and bool(in_parts(place, ending))


def _file_for(source: Any) -> str:
    if source in (csv, parquet):
        return (
            "a CSV or Parquet file with the columns of the training rows, or a folder of parts of "
            "one, such as part-0.csv, and of nothing else"
        )
    return "a file of the kind that was trained on"


def _in_blocks(parts: Iterator[New]) -> Iterator[New]:
    """Whole batches at a time: the answers are then the same to the bit, whatever the block."""
    for part in parts:
        size = BATCHES * batch_of(part.x) if len(part.x) else 1
        for begin in range(0, max(1, len(part.x)), size):
            block = slice(begin, begin + size)
            labels = None if part.labels is None else part.labels[block]
            yield part._replace(x=part.x[block], places=part.places[block], labels=labels)


def encoded(encoding: Encoding, part: New) -> tuple[np.ndarray, dict[str, int]]:
    """Rows of a table as features; and how many have a word without a feature, by column."""
    assert part.words is not None
    unknown = {}
    for column, codes in zip(encoding.columns, part.x.T, strict=True):
        if column.kind == "words" and not column.buckets:
            there = part.words[codes[~np.isnan(codes)].astype(int)]
            unknown[column.name] = int((~np.isin(there, column.words)).sum())
    try:
        features = encoding.apply(part.x, part.words)
    except Missing as missing:
        row = part.places[missing.row]
        raise UserError(
            f"{row} has no value in the column {missing.column}, and every row of the training has "
            "one: fill it."
        ) from None
    return features, {name: count for name, count in unknown.items() if count}


def scaled(scaling: Scaling, x: np.ndarray, place: Place, part: New) -> np.ndarray:
    """Rows as the model sees them, float32.

    Raises:
        UserError: a value is none that a model can use.
    """
    found = scaling.apply(x)
    strange = np.flatnonzero(~np.isfinite(found).reshape(len(found), -1).all(axis=1))
    if len(strange):
        raise UserError(
            f"{place}: {part.places[strange[0]]} has a value that is too large for float32, "
            "or is not a number. Correct it."
        )
    return found


def _source(place: Place, schema: dict[str, Any]) -> Any:
    """The module that reads data of this form."""
    if "columns" in schema:
        (first, *_) = in_parts(place, ".parquet") or [place]
        return parquet if first.path.suffix.lower() in parquet.ENDINGS else csv
    if place.path.suffix.lower() == ".npz":
        return npz
    if idx.NAME.fullmatch(place.name):
        return idx
    if len(schema["input_shape"]) == 1:
        from tasks.answers import plain  # here: pandas takes a second to import

        return plain
    if schema["load"]["source"] != "images" and schema["load"]["type"] != "|u1":
        kind = np.dtype(schema["load"]["type"])
        raise UserError(
            f"{place} is not an .npz file. The model was trained on images of the type {kind}, "
            "which no image file has: save the new ones as `x`, with np.savez."
        )
    return images
