"""A model's answers to the test rows of another training: it reads them by its own schema."""

from __future__ import annotations

import numpy as np

from tasks.core.arrays import blocks, read_arrays
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.rows.encoding import Encoding
from tasks.rows.outputs import probabilities
from tasks.rows.scaling import Scaling
from tasks.scores import asking


def answers(model: Folder, data: Folder) -> np.ndarray:
    """The class of each test row by its name, or the number.

    Args:
        model: a folder with `model.keras` and `schema.json`.
        data: a folder with `raw.npz`, whose test rows are asked about.

    Raises:
        UserError: the model was trained on data of another form.
    """
    schema = model.read_json("schema.json")
    x, names, words = read_arrays(data, "raw.npz", "x_test", optional=("feature_names", "words"))
    if "columns" in schema:
        x = _encoded(schema, x, [] if names is None else names.tolist(), words)
    if list(x.shape[1:]) != schema["input_shape"]:
        raise UserError(
            f"The champion cannot be asked: it was trained on rows of {schema['input_shape']}, the "
            f"test rows are {list(x.shape[1:])}. Give the new data a pipeline of its own."
        )

    scaling, ask = Scaling.from_json(schema["scaling"]), asking.asker(asking.load(model))
    output = np.concatenate([ask(scaling.apply(x[some])) for some in blocks(x)])
    if schema["labels"] == "regression":
        return output.reshape(-1)
    names = np.array(_names(schema, data.read_json("schema.json")))
    return names[probabilities(output).argmax(axis=1)]


def _names(schema: dict, now: dict) -> list[str]:
    """What the model's classes are called now: a label may have got another name."""
    called = dict(zip(now["load"]["labels"], now["class_names"], strict=True))
    pairs = zip(schema["load"]["labels"], schema["class_names"], strict=True)
    return [called.get(label, name) for label, name in pairs]


def _encoded(schema: dict, x: np.ndarray, names: list[str], words: np.ndarray) -> np.ndarray:
    encoding = Encoding.from_json(schema)
    missing = [column.name for column in encoding.columns if column.name not in names]
    if missing:
        raise UserError(
            f"The champion cannot be asked: it needs the column {missing[0]}, which the test rows "
            "do not have. Give the new data a pipeline of its own."
        )
    places = [names.index(column.name) for column in encoding.columns]
    return encoding.apply(x[:, places], words)
