"""`validation.npz`: the validation rows as new rows are compared with them.

`evaluate` writes it, so that nobody has to ask the model about them again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.core.arrays import blocks, read_arrays, write_arrays
from tasks.core.folder import Folder
from tasks.drift.series import names, values

NAME = "validation.npz"
ROWS = 10_000  # of a sample, at most


def write(folder: Folder, schema: dict[str, Any], ask: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write the numbers of the validation rows, of many those of 10,000 drawn at random.

    Args:
        folder: the pipeline's folder.
        schema: the content of `schema.json`.
        ask: the model's output for some scaled rows.
    """
    (x,) = read_arrays(folder, "normalized.npz", "x_val")
    some = np.sort(np.random.default_rng(0).permutation(len(x))[:ROWS])

    parts = [np.empty((0, len(names(schema))))]  # there may be no validation rows
    for block in blocks(x, len(some)):
        rows = np.ascontiguousarray(x[some[block]])
        parts.append(values(rows, ask(rows), schema))
    write_arrays(folder, NAME, values=np.concatenate(parts))


def read(folder: Folder) -> np.ndarray | None:
    """The numbers, (rows, series), as `values` makes them; None if there is no such file."""
    if not (folder.path / NAME).is_file():
        return None
    (found,) = read_arrays(folder, NAME, "values")
    return found
