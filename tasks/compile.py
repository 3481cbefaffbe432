"""Step 5, compile: choose optimizer, loss and metric, and write `compile.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import Section
from tasks.families.head import choose

OPTIMIZERS = {  # the name in params.yaml: Keras's class
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "Nadam",
    "adamax": "Adamax",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
    "lion": "Lion",
}


class Params(Section):
    optimizer: Literal[tuple(OPTIMIZERS)] = Field(  # type: ignore[valid-type] # made of the table
        description="One of Keras's, with its other settings as Keras has them."
    )
    learning_rate: float = Field(gt=0, description="How far one update goes.")
    weight_decay: Annotated[float, Field(gt=0)] | None = Field(
        description="How far one update draws all weights to 0, times the learning rate: against "
        "overfitting. Null: as the optimizer has it."
    )
    loss: Literal[
        "auto",
        "mse",
        "mae",
        "huber",
        "binary_crossentropy",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
    ] = Field(description="`auto` follows from the labels.")


def compile(folder: Folder, params: Params) -> str:
    """Read `architecture.json` and `schema.json`; write `compile.json`.

    That file has the arguments of Keras's `Model.compile`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: the loss cannot work with the labels and the output layer.
    """
    schema = folder.read_json("schema.json")
    layers = folder.read_json("architecture.json")["config"]["layers"]
    output = next(layer["config"] for layer in reversed(layers) if layer["class_name"] == "Dense")
    head = choose(schema, output["units"], output["activation"], params.loss)

    # Written without Keras: importing TensorFlow takes seconds, for three words.
    config = {"learning_rate": params.learning_rate}
    if params.weight_decay is not None:
        config["weight_decay"] = params.weight_decay
    optimizer = {
        "module": "keras.optimizers",
        "class_name": OPTIMIZERS[params.optimizer],
        "config": config,
        "registered_name": None,
    }
    content = {"optimizer": optimizer, "loss": head.loss, "metrics": [head.metric]}
    folder.write_json("compile.json", content)
    return f"{params.optimizer}, {head.loss}, {head.metric}"
