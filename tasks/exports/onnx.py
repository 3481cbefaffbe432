"""ONNX: one file, for ONNX Runtime, other languages and other frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.exports.base import INPUT, OUTPUT, Model

NAME = "model.onnx"
OPSET = 18  # of ONNX's operators: the newest that tf2onnx writes


def write(model: Any, schema: dict[str, Any], path: Path) -> None:
    """Write a trained Keras model with its scaling.

    Args:
        model: takes scaled rows.
        schema: the content of `schema.json`.
        path: of the file.
    """
    import tf2onnx  # here: it imports TensorFlow, which takes seconds

    from tasks.exports.scaled import Graph

    frozen = Graph(model, schema, "float64").frozen
    names = {f"{INPUT}:0": INPUT, frozen.outputs[0].name: OUTPUT}
    begin, end = names
    made, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[begin],
        output_names=[end],
        tensors_to_rename=names,
        opset=OPSET,
    )
    names = {name: name for name in (INPUT, OUTPUT, "")}  # an input that is left out has none
    _number_anew(made.graph, names)
    for each in (*made.graph.input, *made.graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = "rows"
    path.write_bytes(made.SerializeToString(deterministic=True))


def _number_anew(graph: Any, names: dict[str, str]) -> None:
    """Name tensors and nodes by their place: tf2onnx counts them in an order that may differ."""

    def new(name: str) -> str:
        return names.setdefault(name, f"tensor_{len(names)}")

    for each in (*graph.input, *graph.output):
        each.name = new(each.name)
    for node in graph.node:
        for inner in (each.g for each in node.attribute if each.HasField("g")):
            _number_anew(inner, names)
        node.input[:], node.output[:] = map(new, node.input), map(new, node.output)
        node.name = f"{node.op_type} {node.output[0]}"

    for constant in graph.initializer:
        constant.name = new(constant.name)
    graph.initializer.sort(key=lambda each: each.name)
    del graph.value_info[:]  # shapes in between, which a reader finds by itself


def open(path: Path, threads: int = 1) -> Model:
    """Open it for questions.

    Args:
        path: of the file.
        threads: that it computes with.
    """
    import onnxruntime  # here: predict needs none of it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors alone
    return _Onnx(onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"]))


class _Onnx(Model):
    TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(double)": "float64"}  # noqa: RUF012

    def __init__(self, session: Any) -> None:
        (self.input,) = session.get_inputs()
        super().__init__(self.input.shape[1:], self.TYPES[self.input.type])
        self.session = session

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.input.name: batch})[0]
