"""What a model answers to rows, and what the answers are worth where the labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tasks.answers.choices import PLACES, best, probabilities
from tasks.core.arrays import batch_of
from tasks.core.folder import Folder
from tasks.network.backend import keras
from tasks.sources.base import New


def load(folder: Folder) -> keras.Model:
    """The trained model.

    Raises:
        UserError: it is not there, or not what was recorded.
    """
    with folder.reading("model.keras") as saved:
        return keras.models.load_model(saved)


def ask(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The model's output for some rows, (rows, outputs): to the bit that of `evaluate`.

    Args:
        model: see `load`.
        x: scaled rows, in blocks of whole batches.
    """
    size = batch_of(x)
    parts = [model.predict_on_batch(x[begin : begin + size]) for begin in range(0, len(x), size)]
    return np.concatenate(parts)


def told(output: np.ndarray, rows: New, schema: dict[str, Any]) -> pd.DataFrame:
    """An answer for each row: where it is from, and the three most probable classes or the number.

    Args:
        output: of the model.
        rows: as they were read.
        schema: the content of `schema.json`.
    """
    found: dict[str, Any] = {"from": rows.places}
    if schema["labels"] == "regression":
        found["predicted"] = output.reshape(-1)
    else:
        found |= _classes(output, schema["class_names"])
    if rows.labels is not None:
        found["actual"] = _known(rows.labels, schema)
    return pd.DataFrame(found)


def _classes(output: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    chosen, confidence = best(probabilities(output))
    found = {}
    for number, place in enumerate(PLACES[: chosen.shape[1]]):
        found[place or "predicted"] = np.array(names)[chosen[:, number]]
        found[f"{place} confidence".strip()] = confidence[:, number]
    return found


def _known(labels: np.ndarray, schema: dict[str, Any]) -> np.ndarray:
    """The labels by the names that the training gave them; None for one that it did not see."""
    if schema["labels"] == "regression":
        return labels.astype(np.float64)
    known = schema["load"]["labels"]
    if not any(map(str.isdigit, known)):  # words: numbers are their places, as in Keras's datasets
        labels = np.array([_word(label, known) for label in labels])
    names = dict(zip(known, schema["class_names"], strict=True))
    return np.array([names.get(_plain(label)) for label in labels], dtype=object)


def _word(label: Any, known: list[str]) -> str:
    """The label at a place, if it is one."""
    text = _plain(label)
    return known[int(text)] if text.isdigit() and int(text) < len(known) else text


def _plain(label: Any) -> str:
    """A label as the training names it: `1` for 1.0."""
    text = str(label)
    return text.removesuffix(".0") if text.removesuffix(".0").lstrip("-").isdigit() else text
