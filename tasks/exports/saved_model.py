"""SavedModel: a folder that TensorFlow opens, without Keras and without code of this project."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tasks.exports.base import INPUT, OUTPUT, Model

NAME = "saved_model"


def write(model: Any, schema: dict[str, Any], path: Path) -> None:
    """Write a trained Keras model with its scaling.

    Args:
        model: takes scaled rows.
        schema: the content of `schema.json`.
        path: of the folder.
    """
    from tasks.exports.scaled import Graph  # here: TensorFlow takes seconds to import

    Graph(model, schema, "float64").save(path)


def open(path: Path, threads: int = 1) -> Model:
    """Open it for questions.

    Args:
        path: of the folder.
        threads: that TensorFlow computes with, unless it has begun with another number.
    """
    import tensorflow as tf  # alone: `tasks.network` brings Keras

    with suppress(RuntimeError):  # it computes already
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    return _SavedModel(tf.saved_model.load(str(path)).signatures["serving_default"])


class _SavedModel(Model):
    def __init__(self, function: Any) -> None:
        (spec,) = function.structured_input_signature[1].values()
        super().__init__(spec.shape[1:], spec.dtype.as_numpy_dtype)
        self.function = function

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self.function(**{INPUT: batch})[OUTPUT].numpy()
