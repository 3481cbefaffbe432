"""A trained model with its scaling in front, as a graph of TensorFlow without Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tasks.exports.base import INPUT, OUTPUT
from tasks.network.backend import keras, tf
from tasks.rows.scaling import Scaling


class Graph:
    """Answers rows as they are before scaling. Its weights are constants.

    Args:
        model: takes scaled rows.
        schema: the content of `schema.json`.
        widest: the type that numbers are scaled in at most. `Scaling.apply` takes float64 where the
            data are of it: large values that differ little, such as dates, need its digits.
    """

    def __init__(self, model: keras.Model, schema: dict[str, Any], widest: str) -> None:
        raw = np.dtype(schema["load"]["type"])
        within = min(np.result_type(raw, np.float32), np.dtype(widest), key=lambda t: t.itemsize)
        spec = tf.TensorSpec(model.input_shape, raw if raw == np.uint8 else within, INPUT)
        scaling = Scaling.from_json(schema["scaling"])

        @tf.function(autograph=False, input_signature=[spec])
        def ask(rows):
            return model(_scaled(tf.cast(rows, within), scaling), training=False)

        self.spec = spec
        self.frozen = convert_variables_to_constants_v2(ask.get_concrete_function())

    def save(self, path: Path) -> None:
        """Write it as a SavedModel, with the same bytes each time."""

        @tf.function(autograph=False, input_signature=[self.spec])
        def ask(rows):
            return {OUTPUT: self.frozen(rows)[0]}

        module = tf.Module()
        module.ask = ask
        tf.saved_model.save(module, str(path), signatures=ask)
        (path / "fingerprint.pb").unlink()  # has a number drawn by chance, and need not be there


def _scaled(rows, scaling: Scaling):
    """`Scaling.apply` in TensorFlow."""
    type = rows.dtype.as_numpy_dtype
    if scaling.subtract.any():
        rows -= scaling.subtract.astype(type)
    if (scaling.divide != 1).any():
        rows /= scaling.divide.astype(type)
    return tf.cast(rows, tf.float32)
