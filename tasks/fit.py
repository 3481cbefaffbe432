"""Step 6, fit: train, and keep the weights of the best epoch."""

from __future__ import annotations

import csv
from typing import Annotated, Literal

from pydantic import Field

from tasks.core.arrays import read_arrays
from tasks.core.digits import digits
from tasks.core.folder import Folder
from tasks.core.step import Section, UserError
from tasks.network import threads
from tasks.training import environment

TRAINS = True  # its bytes depend on the processor
IF_MEMORY_IS_SHORT = (
    "Lower fit.batch_size, or make the model smaller: build.hidden, build.filters or "
    "build.function."
)


class Params(Section):
    epochs: int = Field(gt=0, le=10**9, description="Times that the training sees every row.")
    batch_size: int = Field(gt=0, le=10**12, description="Rows to an update.")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        description="The learning rate over the whole training: constant, falling to 0 along a "
        "cosine, or rising for the first quarter and then falling to 0."
    )
    patience: Annotated[int, Field(gt=0)] | None = Field(
        description="Stop after this many epochs in a row without a lower `monitor`; null never "
        "stops early."
    )
    class_weights: Literal["balanced"] | list[Annotated[float, Field(gt=0)]] | None = Field(
        description="How much a row counts, by its class: a list with a weight for each class, or "
        "`balanced`, which lets all classes count the same. Null: each row counts the same."
    )
    flip: bool = Field(description="Turn images left to right while training, half of them.")
    shift: int = Field(
        ge=0, description="Move images while training, by at most this many pixels; 0 does not."
    )
    monitor: Literal["val_loss", "loss"] = Field(
        description="The epoch where this is lowest becomes the checkpoint."
    )
    seed: int = Field(
        ge=0,
        lt=2**31,
        description="Of the initial weights, the order of the rows and every other random draw.",
    )
    jit_compile: bool = Field(description="Compile the training with XLA.")
    steps_per_execution: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        description="Batches that run in one compiled call; `auto`: as many as take about half a "
        "second."
    )
    threads: int = Field(
        gt=0,
        le=1024,
        description="Threads that TensorFlow computes with, in every step of the pipeline. Another "
        "number rounds differently; another number of cores does not.",
    )


class Run(Section):
    """How a training is run. None of it changes the result."""

    save_every: float = Field(
        gt=0, description="Seconds between two saved states: what a crash can cost at most."
    )
    keep_state: bool = Field(
        description="Keep the last state, so that more epochs later continue from it."
    )


def fit(folder: Folder, params: Params, run: Run) -> str:
    """Read `normalized.npz`, `architecture.json` and `compile.json`; train.

    Writes `best.weights.h5`, the weights of the best epoch, `history.csv`, and in
    `environment.json` on what else than code, parameters and data these depend. A training that was
    killed resumes from its last saved state, inside the epoch, and ends with the same bytes.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.
        run: see `Run`.

    Raises:
        UserError: `val_loss` is monitored and there are no validation rows; an option cannot work
            with the data; the loss is not a number any more; or TensorFlow computes with another
            number of threads already.
        Stopped: the training was asked to stop.
    """
    keys = ("x_train", "y_train", "x_val", "y_val")
    x, y, x_val, y_val = read_arrays(folder, "normalized.npz", *keys)
    _check_monitor(params, len(x_val))
    _check_images(params, x.shape[1:])
    _check_class_weights(folder, params)

    threads.use(params.threads)
    from tasks.network import saving  # here: TensorFlow takes seconds to import
    from tasks.network.backend import keras
    from tasks.training.loop import train

    training = train(folder, params, run, (x, y), (x_val, y_val))
    with folder.write("best.weights.h5") as path:
        path.write_bytes(saving.weights(training.trained))
    state = training.state
    _write_history(folder, state.history)
    folder.write_json(environment.FILE, environment.describe())
    keras.utils.clear_session()

    early = f" of {params.epochs}, stopped by patience" if state.epoch < params.epochs else ""
    lowest = f"lowest {params.monitor} {digits(state.best)} in epoch {state.best_epoch}"
    epochs = "1 epoch" if state.epoch == 1 else f"{state.epoch} epochs"
    return f"{epochs}{early}, {lowest}"


def _write_history(folder: Folder, history: list[dict]) -> None:
    with (
        folder.write("history.csv") as path,
        open(path, "w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, fieldnames=list(history[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(history)


# What cannot work with the data.


def _check_monitor(params: Params, validation_rows: int) -> None:
    if params.monitor == "val_loss" and not validation_rows:
        raise UserError(
            "fit.monitor is `val_loss`, but there are no validation rows. Set normalize.validation "
            "to a number of rows, or set `monitor: loss`."
        )


def _check_images(params: Params, shape: tuple[int, ...]) -> None:
    if (params.flip or params.shift) and len(shape) not in (2, 3):
        raise UserError(
            "fit.flip and fit.shift are for images, but a row of the inputs has the shape "
            f"{shape}. Set them to false and 0."
        )
    if params.shift and params.shift >= min(shape[:2]):
        raise UserError(
            f"fit.shift is {params.shift}, but the images are {shape[0]} x {shape[1]} pixels. "
            "Expected a few pixels."
        )


def _check_class_weights(folder: Folder, params: Params) -> None:
    if params.class_weights is None:
        return
    if "crossentropy" not in folder.read_json("compile.json")["loss"]:
        raise UserError(
            "fit.class_weights is for classes, but this is a regression. Set it to null."
        )
    if params.class_weights == "balanced":
        return

    layers = folder.read_json("architecture.json")["config"]["layers"]
    classes = max(layers[-1]["config"]["units"], 2)  # one output tells two classes apart
    if len(params.class_weights) != classes:
        raise UserError(
            f"fit.class_weights has {len(params.class_weights)} weights, but there are {classes} "
            "classes. Expected a weight for each, in the order of class_names in schema.json; or "
            "`balanced`."
        )
