"""The trained model, and what it answers to scaled rows."""

from __future__ import annotations

import numpy as np

from tasks.core.arrays import batch_of
from tasks.core.folder import Folder
from tasks.network.backend import keras


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
