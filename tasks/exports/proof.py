"""A process that asks an exported model about the raw test rows, and compares the answers.

python -m tasks.exports.proof FOLDER FORMAT PATH

What it compares with is `predictions.csv`: of classes the answer and its confidence, of a
regression the number.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks.core.arrays import blocks, read_arrays
from tasks.core.folder import Folder
from tasks.exports import FORMATS
from tasks.exports.base import Model
from tasks.rows.encoding import Encoding
from tasks.rows.outputs import probabilities

LIMIT = 1e-5  # of a confidence; for a regression, relative to the largest prediction


class Answers(NamedTuple):
    """What a model says of each row."""

    labels: Any  # an array; None for a regression
    numbers: np.ndarray  # the confidences, or the numbers of a regression


def main(path: str, format: str, model: str) -> None:
    """Print what was found as one line of JSON.

    Args:
        path: the pipeline's folder.
        format: a key of `FORMATS`.
        model: the exported file or folder.
    """
    folder = Folder(path)
    schema = folder.read_json("schema.json")
    opened = FORMATS[format].open(Path(model))
    found = compared(_recorded(folder), _asked(opened, folder, schema))
    assert format == "saved_model" or "tensorflow" not in sys.modules
    print(json.dumps(found))


def rows(folder: Folder, schema: dict[str, Any]) -> Iterator[np.ndarray]:
    """The test rows as a model with its scaling takes them, in blocks."""
    x, words = read_arrays(folder, "raw.npz", "x_test", optional=("words",))
    encoding = Encoding.from_json(schema) if "columns" in schema else None
    for some in blocks(x):
        yield encoding.apply(x[some], words) if encoding else x[some]


def _asked(model: Model, folder: Folder, schema: dict[str, Any]) -> Answers:
    output = np.concatenate([model.ask(part) for part in rows(folder, schema)])
    if schema["labels"] == "regression":
        return Answers(None, output.reshape(-1))
    chances = probabilities(output)
    names = np.array(schema["class_names"])
    return Answers(names[chances.argmax(axis=1)], chances.max(axis=1))


def _recorded(folder: Folder) -> Answers:
    with open(folder.read("predictions.csv"), encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    if "confidence" not in told[0]:
        return Answers(None, np.array([float(row["predicted"]) for row in told]))
    labels = np.array([row["predicted"] for row in told])
    return Answers(labels, np.array([float(row["confidence"]) for row in told]))


def compared(expected: Answers, found: Answers) -> dict[str, Any]:
    """What differs.

    Returns:
        `rows`; `differ`, how many have another label, or of a regression another number;
        `largest_difference`, of confidences, or of numbers as a share of the largest one; and
        `worst`, a sentence on a row that differs, if there is one.
    """
    away = np.nan_to_num(np.abs(found.numbers - expected.numbers), nan=np.inf)
    if expected.labels is None:
        away = away / (np.abs(expected.numbers).max() or 1.0)
        other = away > LIMIT
    else:
        other = found.labels != expected.labels

    worst = int(np.where(other, 2 + away, away).argmax())
    said, was = (_told(each, worst) for each in (found, expected))
    differs = other[worst] or away[worst] > LIMIT
    return {
        "rows": len(away),
        "differ": int(other.sum()),
        "largest_difference": float(f"{away.max():.2g}"),
        "worst": f"test row {worst} is {said}, in predictions.csv {was}" if differs else None,
    }


def _told(answers: Answers, row: int) -> str:
    number = f"{answers.numbers[row]:.7g}"
    return number if answers.labels is None else f"{answers.labels[row]} ({number})"


if __name__ == "__main__":
    main(*sys.argv[1:])
