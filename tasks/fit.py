"""Step 6, fit: train, keep the weights of the best epoch, and write `best.weights.h5` and `history.csv`."""

from __future__ import annotations

import csv
from typing import Annotated, Literal

from pydantic import Field

from tasks.arrays import read_arrays
from tasks.base import Folder, Section, UserError


class Params(Section):
    epochs: int = Field(gt=0, description="Times that the training sees every row.")
    batch_size: int = Field(gt=0, description="Rows to an update.")
    monitor: Literal["val_loss", "loss"] = Field(description="The epoch where this is lowest becomes the checkpoint.")
    seed: int = Field(ge=0, lt=2**31, description="Of the first weights, the order of the rows, every other draw.")
    jit_compile: bool = Field(description="Compile the training with XLA.")
    steps_per_execution: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        description="Batches between two looks of Python at the training; `auto`: about half a second of them."
    )
    save_every: float = Field(gt=0, description="Seconds between two saved states: what a crash can cost at most.")
    keep_state: bool = Field(description="Keep the last state, so that more epochs later need not start anew.")


def fit(folder: Folder, params: Params) -> str:
    """Read `normalized.npz`, `architecture.json` and `compile.json`; write `best.weights.h5` and `history.csv`.

    A training that was killed goes on from its last saved state, inside the epoch, and ends with the same bytes.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: `val_loss` is monitored and there is no validation split, or the loss is no number any more.
    """
    x, y, x_val, y_val = read_arrays(folder, "normalized.npz", "x_train", "y_train", "x_val", "y_val")
    if params.monitor == "val_loss" and not len(x_val):
        raise UserError(
            "fit.monitor is `val_loss`, but there are no validation rows. Set normalize.validation to a number of "
            "rows, or `monitor: loss`."
        )

    from tasks.network import assemble, keras, tf  # here: TensorFlow takes seconds to import
    from tasks.training import Batches, Training

    model = assemble(folder, params.seed, jit_compile=params.jit_compile)
    # Keras makes the metrics' variables when it first meets data; a saved state has values for them.
    model.compute_metrics(x[:1], y[:1], model(x[:1], training=False), None)
    block = params.steps_per_execution
    if block == "auto":
        block = half_a_second(model.count_params(), params.batch_size)
    batches = Batches(x, y, params.batch_size, block, params.seed)
    model.train_step = batches.train_step(model)
    training = Training(model, folder, params, batches.blocks)
    validation = None
    if len(x_val):
        # Larger batches than in training: the weights do not change, so only the time does.
        validation = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(max(params.batch_size, 256)).prefetch(2)

    with training.progress:
        while training.epoch < params.epochs:
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
    return f"{params.epochs} epochs, lowest {params.monitor} {training.best:.4g} in epoch {training.best_epoch}"


def half_a_second(weights: int, batch_size: int) -> int:
    """Batches that take about that long: 20 microseconds each, and six operations a weight and row at 100 GFLOP/s."""
    return max(1, round(0.5 / (20e-6 + 6 * weights * batch_size / 100e9)))
