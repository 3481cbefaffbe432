"""A CSV file of numbers alone: new rows for a model that was trained on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import dialect, numbers, scale, text_frames
from tasks.sources.base import New
from tasks.sources.new_rows import ROWS
from tasks.sources.place import Place
from tasks.sources.unreadable import understood


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """The rows of the file, some at a time; the first may be of names, which do not matter.

    Args:
        place: the file.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.

    Raises:
        UserError: the file has other than one number for each feature.
    """
    (features,) = schema["input_shape"]
    numbered = f"{features} number{'s' * (features > 1)}"
    expected = f"a .csv file with {numbered} in each row, or an .npz file with x"
    file = place.existing(expected, folder=False)
    with understood(file, file.path, expected):
        first = next(iter(dialect.records(file.path, ",", 1)), [])
        named = not any(map(numbers.is_plain, first))  # else it is a row, and what is none is told
        for part in text_frames.frame(file.path, ",", named, chunksize=ROWS):
            if part.shape[1] != features:
                values = f"{part.shape[1]} value{'s' * (part.shape[1] > 1)}"
                raise UserError(
                    f"{file}: a row has {values}. The model was trained on {features}. Expected "
                    f"{expected}."
                )
            x = scale.as_trained(file, _numbers(file, part), schema)
            yield New(x, [f"row {row + 1}" for row in part.index], None)


def _numbers(file: Place, part: Any) -> np.ndarray:
    columns = [numbers.parsed(part[name]) for name in part]
    for number, column in enumerate(columns, 1):
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            row = part.index[bad[0]] + 1
            raise UserError(
                f"{file}: column {number} of row {row:,} is `{part.iloc[bad[0], number - 1]}`. "
                "Expected a number."
            )
    return np.column_stack(columns)
