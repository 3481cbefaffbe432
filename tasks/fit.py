"""Step 6, fit: train, keep the weights of the best epoch, and write `best.weights.h5` and `history.csv`."""

from __future__ import annotations

import csv
import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import classes_of, read_arrays
from tasks.core.folder import Folder
from tasks.core.step import Section, UserError, log

ROOM = 2**27  # bytes of inputs in a block, where they are read from the disk


class Params(Section):
    epochs: int = Field(gt=0, le=10**9, description="Times that the training sees every row.")
    batch_size: int = Field(gt=0, le=10**12, description="Rows to an update.")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        description="The learning rate over the whole training: the same, falling to 0, or rising for the first "
        "quarter and then falling to 0."
    )
    patience: Annotated[int, Field(gt=0)] | None = Field(
        description="Stop after so many epochs in a row that have not lowered what is monitored; null never does."
    )
    class_weights: Literal["balanced"] | list[Annotated[float, Field(gt=0)]] | None = Field(
        description="`balanced` makes the rows of each class count as much as those of any other; a list has a number "
        "for each class, how much a row of it counts; null, each row the same."
    )
    flip: bool = Field(description="Turn images left to right while training, each of them or not.")
    shift: int = Field(ge=0, description="Move images while training, each by at most so many pixels; 0 does not.")
    monitor: Literal["val_loss", "loss"] = Field(description="The epoch where this is lowest becomes the checkpoint.")
    seed: int = Field(ge=0, lt=2**31, description="Of the first weights, the order of the rows, every other draw.")
    jit_compile: bool = Field(description="Compile the training with XLA.")
    steps_per_execution: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        description="Batches between two looks of Python at the training; `auto`: about half a second of them."
    )


class Run(Section):
    save_every: float = Field(gt=0, description="Seconds between two saved states.")
    keep_state: bool = Field(description="Keep the last state.")


TRAINS = True


def fit(folder: Folder, params: Params, run: Run) -> str:
    """Read `normalized.npz`, `architecture.json` and `compile.json`; write `best.weights.h5` and `history.csv`.

    A training that was killed goes on from its last saved state, inside the epoch, and ends with the same bytes.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: `val_loss` is monitored and there is no validation split; an option cannot work with the data; or
            the loss is no number any more.
    """
    x, y, x_val, y_val = read_arrays(folder, "normalized.npz", "x_train", "y_train", "x_val", "y_val")
    if params.monitor == "val_loss" and not len(x_val):
        raise UserError(
            "fit.monitor is `val_loss`, but there are no validation rows. Set normalize.validation to a number of "
            "rows, or `monitor: loss`."
        )
    _check(folder, params, x.shape[1:])

    from tasks.network.backend import assemble, in_batches, keras  # here: TensorFlow takes seconds to import
    from tasks.training.state import Batches, Training, learning_rates

    model = assemble(folder, params.seed, jit_compile=params.jit_compile)
    # Keras makes the metrics' variables when it first meets data; a saved state has values for them.
    model.compute_metrics(x[:1], y[:1], model(x[:1], training=False), None)
    block = params.steps_per_execution
    if block == "auto":
        block = half_a_second(multiply_adds(model), params.batch_size)
        block = max(1, min(block, ROOM // (params.batch_size * x[:1].nbytes)))
    weights = None if params.class_weights is None else row_weights(y, params.class_weights)
    if params.jit_compile and slow_with_xla(model):
        log.warning(
            "fit.jit_compile is true: on a CPU XLA makes convolutions and dropout many times slower. Set it to false"
        )
    batches = Batches(x, y, params.batch_size, block, params.seed, weights, params.flip, params.shift)
    peak = float(model.optimizer.learning_rate)
    rates = learning_rates(params.schedule, peak, params.epochs * batches.updates)
    model.train_step = batches.train_step(model, rates)
    training = Training(model, folder, params, run, batches.blocks)
    validation = None
    if len(x_val):
        # Larger batches than in training: the weights do not change, so only the time does.
        validation = in_batches(x_val, y_val, params.batch_size)

    with training.progress:
        while not training.over:
            first, begin = training.block, training.epoch
            end = begin + 1 if first else params.epochs  # a resumed epoch is shorter, so it is a call of its own
            model.fit(
                batches.dataset(range(begin, end), first),
                steps_per_epoch=batches.blocks - first,
                initial_epoch=begin,
                epochs=end,
                validation_data=validation,
                callbacks=[training],
                shuffle=False,
                verbose=0,
            )

    training.finish()
    with folder.write("best.weights.h5") as path:
        model.save_weights(path)
    with folder.write("history.csv") as path, open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(training.history[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(training.history)
    keras.utils.clear_session()
    early = f" of {params.epochs}, stopped by patience" if training.epoch < params.epochs else ""
    lowest = f"lowest {params.monitor} {training.best:.4g} in epoch {training.best_epoch}"
    return f"{training.epoch} epochs{early}, {lowest}"


def _check(folder: Folder, params: Params, shape: tuple[int, ...]) -> None:
    """Refuse options that have no meaning for these data."""
    if (params.flip or params.shift) and len(shape) not in (2, 3):
        raise UserError(
            f"fit.flip and fit.shift are for images, but a row of the inputs has the shape {shape}. Set them to false "
            "and 0."
        )
    if params.shift and params.shift >= min(shape[:2]):
        raise UserError(
            f"fit.shift is {params.shift}, but the images are {shape[0]} x {shape[1]} pixels. Expected a few pixels."
        )
    if params.class_weights is None:
        return
    if "crossentropy" not in folder.read_json("compile.json")["loss"]:
        raise UserError("fit.class_weights is for classes, but a number is to be predicted. Set it to null.")
    units = folder.read_json("architecture.json")["config"]["layers"][-1]["config"]["units"]
    classes = max(units, 2)  # one output tells two classes apart
    if params.class_weights != "balanced" and len(params.class_weights) != classes:
        raise UserError(
            f"fit.class_weights has {len(params.class_weights)} numbers, but there are {classes} classes. Expected a "
            "number for each, in the order of class_names in schema.json; or `balanced`."
        )


def row_weights(y: np.ndarray, of_classes: list[float] | Literal["balanced"]) -> np.ndarray:
    """How much each row counts: what its class does; `balanced`: so that all classes do the same, and the mean is 1.

    Args:
        y: integers or one-hot rows.
        of_classes: how much a row of each class counts.
    """
    classes = classes_of(y).astype(int)
    if of_classes != "balanced":
        return np.array(of_classes)[classes]
    _, place, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return (len(y) / (len(counts) * counts))[place]


def half_a_second(multiplied: int, batch_size: int) -> int:
    """Batches that take about that long: 20 microseconds each, and six operations a multiply-add at 100 GFLOP/s."""
    return max(1, round(0.5 / (20e-6 + 6 * multiplied * batch_size / 100e9)))


def slow_with_xla(model) -> bool:
    """Whether it has convolutions or dropout, and there is no graphics card for them."""
    from tasks.network.backend import tf

    kinds = [type(layer).__name__ for layer in model._flatten_layers()]
    return any("Conv" in kind or "Dropout" in kind for kind in kinds) and not tf.config.list_physical_devices("GPU")


def multiply_adds(model) -> int:
    """Of one row through a Keras model: a layer's weights are applied at each place of its output, such as a pixel."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):  # a model in the model
            total += multiply_adds(layer)
            continue
        shape = layer._inbound_nodes[-1].output_tensors[0].shape
        places = math.prod(size or 1 for size in shape[1:-1])
        total += places * sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)
    return total
