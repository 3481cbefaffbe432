"""A model's answers in words. Light: no TensorFlow is imported for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tasks.answers.choices import PLACES, best, probabilities
from tasks.sources.base import New


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
