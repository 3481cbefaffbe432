"""Step 5, compile: choose optimizer, loss and metric, and write `compile.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import Section, UserError
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
OF_CLASSES = ("auc", "precision", "recall")
OF_NUMBERS = ("root_mean_squared_error", "mean_absolute_percentage_error", "r2_score")
METRICS = {  # Keras's, of each epoch: those that can be computed from what each loss works on
    "binary_crossentropy": OF_CLASSES,
    "categorical_crossentropy": (*OF_CLASSES, "top_k_categorical_accuracy"),
    "sparse_categorical_crossentropy": ("sparse_top_k_categorical_accuracy",),
    "mse": OF_NUMBERS,
    "mae": OF_NUMBERS,
    "huber": OF_NUMBERS,
}
NAMES = tuple(sorted({name for names in METRICS.values() for name in names}))


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
    metrics: list[Literal[NAMES]] = Field(  # type: ignore[valid-type] # made of the table
        description="Of each epoch, beside accuracy or MAE."
    )


def compile(folder: Folder, params: Params) -> str:
    """Read `architecture.json` and `schema.json`; write `compile.json`.

    That file has the arguments of Keras's `Model.compile`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: the loss cannot work with the labels and the output layer, or a metric cannot
            with the loss.
    """
    schema = folder.read_json("schema.json")
    layers = folder.read_json("architecture.json")["config"]["layers"]
    output = next(layer["config"] for layer in reversed(layers) if layer["class_name"] == "Dense")
    head = choose(schema, output["units"], output["activation"], params.loss)
    _check_metrics(params.metrics, head.loss)

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
    metrics = [head.metric, *params.metrics]
    content = {"optimizer": optimizer, "loss": head.loss, "metrics": metrics}
    folder.write_json("compile.json", content)
    return ", ".join([params.optimizer, head.loss, *metrics])


def _check_metrics(metrics: list[str], loss: str) -> None:
    possible = METRICS[loss]
    for name in metrics:
        if name not in possible or metrics.count(name) > 1:
            raise UserError(
                f"compile.metrics has `{name}`. With the loss {loss} it may have, each once: "
                f"{', '.join(possible)}. Correct params.yaml."
            )
