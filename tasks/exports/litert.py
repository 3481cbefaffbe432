"""LiteRT, once TensorFlow Lite: one file, for phones and small computers, and for `serve`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tasks.exports.base import Model, quiet

NAME = "model.tflite"


def write(model: Any, schema: dict[str, Any], path: Path) -> None:
    """Write a trained Keras model with its scaling.

    Args:
        model: takes scaled rows.
        schema: the content of `schema.json`.
        path: of the file.
    """
    from tasks.exports.scaled import Graph  # here: TensorFlow takes seconds to import
    from tasks.network.backend import tf

    with tempfile.TemporaryDirectory() as folder:
        Graph(model, schema, "float32").save(Path(folder))  # LiteRT does not compute with float64
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def open(path: Path, threads: int = 1) -> Model:
    """Open it for questions.

    Args:
        path: of the file.
        threads: that it computes with.
    """
    from ai_edge_litert.interpreter import Interpreter  # here: predict needs none of it

    # By its path the file would be part of the memory: to write to it would change the answers.
    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
    with quiet():
        interpreter.allocate_tensors()  # says how it computes
    return _LiteRT(interpreter)


class _LiteRT(Model):
    def __init__(self, interpreter: Any) -> None:
        (self.input,) = interpreter.get_input_details()
        (self.output,) = interpreter.get_output_details()
        super().__init__(self.input["shape"][1:], self.input["dtype"])
        self.interpreter, self.rows = interpreter, 0

    def run(self, batch: np.ndarray) -> np.ndarray:
        if len(batch) != self.rows:  # it has memory for so many
            self.interpreter.resize_tensor_input(self.input["index"], batch.shape)
            self.interpreter.allocate_tensors()
            self.rows = len(batch)
        self.interpreter.set_tensor(self.input["index"], batch)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output["index"])
