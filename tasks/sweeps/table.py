"""`sweep.csv`: a row for each trial, in order of number."""

from __future__ import annotations

import csv
import json
from typing import Any, NamedTuple

from tasks.core.folder import Folder

FILE = "sweep.csv"
PICTURE = "sweep.png"


class Row(NamedTuple):
    """A trial as the table has it.

    Args:
        values: by key, such as `fit.batch_size`.
        value: of the objective, at the epoch of the checkpoint; None if it failed.
    """

    trial: int
    state: str
    value: float | None
    best_epoch: int | None
    epochs: int | None
    values: dict[str, Any]
    says: str


def write(folder: Folder, rows: list[Row], objective: str, keys: list[str]) -> None:
    """Write all rows; a key that a trial does not have is empty.

    Args:
        folder: the pipeline's folder.
        rows: in order of number.
        objective: the name of the value.
        keys: of all that is tried.
    """
    with folder.write(FILE) as path, open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["trial", "state", objective, "best_epoch", "epochs", *keys, "says"])
        for row in rows:
            tried = [word(row.values[key]) if key in row.values else "" for key in keys]
            told = [row.trial, row.state, row.value, row.best_epoch, row.epochs]
            table.writerow([*told, *tried, row.says])


def word(value: Any) -> str:
    """A value as params.yaml has it."""
    return value if isinstance(value, str) else json.dumps(value)
