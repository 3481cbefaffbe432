"""The training loop: Keras's `fit`, with a callback that keeps the best weights and saves state."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tasks.core.digits import digits
from tasks.core.folder import Folder
from tasks.core.step import UserError, log, must_stop, stop
from tasks.network.assemble import assemble
from tasks.network.backend import keras
from tasks.network.describe import multiply_adds, slow_with_xla
from tasks.network.feed import in_batches
from tasks.training.batches import Batches, learning_rates, row_weights
from tasks.training.progress import Bar
from tasks.training.state import State, Store, key_of

ROOM = 2**27  # bytes of inputs in a block, if they are read from the disk

Rows = tuple[np.ndarray, np.ndarray]


def train(folder: Folder, params: Any, run: Any, rows: Rows, validation: Rows) -> Training:
    """Train the model of `architecture.json` and `compile.json`, or resume its training.

    Args:
        folder: the pipeline's folder.
        params: the `Params` of `fit`.
        run: the `Run` of `fit`.
        rows: inputs and labels to train on.
        validation: inputs and labels to validate on; may be empty.

    Returns:
        The training, its model with the weights of the best epoch.

    Raises:
        UserError: the loss is not a number any more.
        Stopped: it was asked to stop; the same call resumes it.
    """
    x, y = rows
    model = assemble(folder, params.seed, jit_compile=params.jit_compile)
    # A saved state has the metrics' variables, which Keras makes when it first sees data.
    model.compute_metrics(x[:1], y[:1], model(x[:1], training=False), None)
    if params.jit_compile and slow_with_xla(model):
        log.warning(
            "fit.jit_compile is true: on a CPU, XLA makes convolutions and dropout many times "
            "slower. Set it to false"
        )

    batches = _batches(model, params, x, y)
    training = Training(model, folder, params, run, batches.blocks)
    checked = in_batches(*validation, params.batch_size) if len(validation[0]) else None
    with training.bar:
        while not training.over:
            _fit(training, batches, checked)
    training.finish()
    return training


def _fit(training: Training, batches: Batches, validation) -> None:
    """All epochs that are left; after a resume only the rest of its epoch, which has fewer blocks.

    Args:
        training: the callback.
        batches: of the rows to train on.
        validation: batches of the rows to validate on, or None.
    """
    first, begin = training.state.block, training.state.epoch
    end = begin + 1 if first else training.chosen.epochs
    training.trained.fit(
        batches.dataset(range(begin, end), first),
        steps_per_epoch=batches.blocks - first,
        initial_epoch=begin,
        epochs=end,
        validation_data=validation,
        callbacks=[training],
        shuffle=False,
        verbose=0,
    )


def _batches(model: keras.Model, params: Any, x: np.ndarray, y: np.ndarray) -> Batches:
    """The rows in batches, and the model's `train_step` made one that takes them."""
    block = params.steps_per_execution
    if block == "auto":
        block = half_a_second(multiply_adds(model), params.batch_size)
        block = max(1, min(block, ROOM // (params.batch_size * x[:1].nbytes)))
    weights = None if params.class_weights is None else row_weights(y, params.class_weights)
    batches = Batches(
        x, y, params.batch_size, block, params.seed, weights, params.flip, params.shift
    )

    peak = float(model.optimizer.learning_rate)
    rates = learning_rates(params.schedule, peak, params.epochs * batches.updates)
    model.train_step = batches.train_step(model, rates)
    return batches


def half_a_second(work: int, batch_size: int) -> int:
    """How many batches take about half a second.

    Assumes 20 microseconds a batch, and six operations a multiply-add at 100 GFLOP/s.

    Args:
        work: multiply-adds of one row through the model.
        batch_size: rows in a batch.
    """
    return max(1, round(0.5 / (20e-6 + 6 * work * batch_size / 100e9)))


class Training(keras.callbacks.Callback):
    """Keeps the best weights and the history, and saves the state so that a kill costs seconds.

    Args:
        model: compiled, with its variables made.
        folder: the pipeline's folder.
        params, run: the `Params` and the `Run` of `fit`.
        blocks: in an epoch.
    """

    def __init__(self, model: keras.Model, folder: Folder, params: Any, run: Any, blocks: int):
        super().__init__()
        self.trained = model
        self.chosen, self.run, self.blocks = params, run, blocks
        self.bar = Bar(params.epochs, blocks)

        self.store = Store(folder, key_of(folder, params))
        found = self.store.load(params)
        self.state = found or State()
        self.to_restore = found is not None
        self.saved_at = time.monotonic()
        if found:
            done = found.block / blocks
            log.info("continuing in epoch %d, %.0f%% of it done", found.epoch + 1, 100 * done)

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return self.state.over(self.chosen)

    # The variables.

    def _weights(self) -> list:
        return [*self.trained.variables, *self.trained.optimizer.variables]

    def _everything(self) -> list:
        return [*self._weights(), *self.trained.metrics_variables]

    # The saved state.

    def save(self) -> None:
        """Save where the training is now."""
        self.state.now = [variable.numpy() for variable in self._everything()]
        self.store.save(self.state)
        self.state.now = []  # as large as the model and the optimizer
        self.saved_at = time.monotonic()

    def _save_when_due(self) -> None:
        if must_stop():
            self.save()
            done = self.state.block / self.blocks
            stop(f"in epoch {self.state.epoch + 1} of {self.chosen.epochs}, {done:.0%} of it done")
        if time.monotonic() - self.saved_at >= self.run.save_every:
            self.save()

    def finish(self) -> None:
        """Save the last state, and give the model the weights of the best epoch.

        The state stays until the outputs are recorded, or longer if `run.keep_state` says so.
        """
        if not self.to_restore:  # else nothing was left to train, and the file has the last state
            self.save()
        if self.run.keep_state:
            self.store.keep()
        for variable, value in zip(self._weights(), self.state.best_weights, strict=True):
            variable.assign(value)

    # What Keras calls.

    def on_epoch_begin(self, epoch, logs=None):
        self.bar.at(self.state.epoch, self.state.block)
        self.first = self.state.block
        if not self.to_restore:
            return

        # Within an epoch its metrics continue; at its begin Keras has just set them to nothing.
        variables = self._everything() if self.state.block else self._weights()
        for variable, value in zip(variables, self.state.now, strict=False):
            variable.assign(value)
        self.state.now, self.to_restore = [], False

    def on_train_batch_end(self, batch, logs=None):
        self.state.block = self.first + batch + 1
        self.bar.at(self.state.epoch, self.state.block, loss=f"loss {digits(float(logs['loss']))}")
        if self.state.block < self.blocks:  # the last one is saved after the validation
            self._save_when_due()

    def on_epoch_end(self, epoch, logs=None):
        numbers = {name: float(value) for name, value in logs.items()}
        monitor, state = self.chosen.monitor, self.state
        value = numbers[monitor]
        if not np.isfinite(value):
            raise UserError(
                f"{monitor} is {value} in epoch {epoch + 1}: the training has diverged. "
                "Set a smaller compile.learning_rate."
            )

        better = value < state.best
        if better:
            state.best, state.best_epoch = value, epoch + 1
            state.best_weights = [variable.numpy().copy() for variable in self._weights()]
        state.history.append({"epoch": epoch + 1, **numbers, "checkpoint": int(better)})
        state.epoch, state.block = epoch + 1, 0

        best = f"best {monitor} {digits(state.best)} (epoch {state.best_epoch})"
        self.bar.epoch_done(state.epoch, f"{monitor} {digits(value)}", best, self.over)
        self.trained.stop_training = self.over
        if not self.over:
            self._save_when_due()
