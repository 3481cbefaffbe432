"""A model's answers in words. Light: no TensorFlow is imported for it."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd

from tasks.answers.choices import PLACES, best
from tasks.rows.outputs import check_finite, probabilities
from tasks.sources.base import New

WHOLE = re.compile("-?[0-9]+")
DIGITS = 20  # of a whole number, at most


def told(output: np.ndarray, rows: New, schema: dict[str, Any]) -> pd.DataFrame:
    """An answer for each row: where it is from, and the three most probable classes or the number.

    Args:
        output: of the model.
        rows: as they were read.
        schema: the content of `schema.json`.

    Raises:
        UserError: an answer is not finite.
    """
    check_finite(output, rows.places.__getitem__)
    found: dict[str, Any] = {"from": rows.places}
    if schema["labels"] == "regression":
        found["predicted"] = output.reshape(-1)
    else:
        found |= _classes(output, schema["class_names"])
    if rows.labels is not None:
        found["actual"] = _known(rows.labels, schema)
    return pd.DataFrame(found)


def _classes(output: np.ndarray, names: list[str]) -> dict[str, Any]:
    chosen, confidence = best(probabilities(output))
    words = pd.array(names, dtype="str")
    found: dict[str, Any] = {}
    for number, place in enumerate(PLACES[: chosen.shape[1]]):
        found[place or "predicted"] = words.take(chosen[:, number])
        found[f"{place} confidence".strip()] = confidence[:, number]
    return found


def _known(labels: np.ndarray, schema: dict[str, Any]) -> np.ndarray:
    """The labels by the names that the training gave them; None for one that it did not see."""
    if schema["labels"] == "regression":
        return labels.astype(np.float64)
    known, names = schema["load"]["labels"], schema["class_names"]
    whole = all(WHOLE.fullmatch(each) for each in known)
    found = dict(zip(known, names, strict=True))
    if not whole and labels.dtype.kind in "iu":  # places of words, as in Keras's datasets
        found = {str(place): name for place, name in enumerate(names)}
    texts = (str(label) for label in labels)
    told = [found.get(text) or (found.get(_plain(text)) if whole else None) for text in texts]
    return np.array(told, dtype=object)


def _plain(text: str) -> str:
    """A whole number as the training names it: `1` for 1.0, +1 and 1e0."""
    try:
        value = Decimal(text)
    except InvalidOperation:  # it is none
        return text
    is_whole = (
        value.is_finite() and value.adjusted() < DIGITS and value == value.to_integral_value()
    )
    return str(int(value)) if is_whole else text
