"""What `fit` gives to Keras: the batches, and the callback that keeps the best weights and survives a kill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time

import numpy as np
import rich
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tasks.core.code import ROOT, code
from tasks.core.folder import Folder
from tasks.core.step import Stopped, UserError, log, stopping, watchers
from tasks.network.backend import ahead, keras, tf

RISING = 0.25  # share of the updates in which the learning rate of `one_cycle` rises


class Batches:
    """The training rows in an order that depends on (seed, epoch) alone, given to Keras in blocks of batches.

    Keras asks Python after every batch, and XLA compiles one batch. Here one call of the compiled step does the
    updates of a whole block, with Keras's own `train_step`: the same numbers in two thirds of the time.

    Args:
        x, y: the training rows.
        batch_size: rows to an update.
        block: updates to a call; the last block of an epoch may have fewer, and a batch with fewer rows is one itself.
        seed: of the order, and of what happens to the images.
        weights: how much each row counts; None: all the same.
        flip: whether images are turned left to right, each of them or not.
        shift: pixels by which images are moved at most, each to one of the four sides or two.
    """

    def __init__(self, x, y, batch_size: int, block: int, seed: int, weights=None, flip=False, shift=0) -> None:
        # What does not lie in memory is read block by block: the same numbers.
        self.x, self.on_disk = (x, True) if isinstance(x, np.memmap) else (tf.constant(x), False)
        self.y, self.seed = tf.constant(y), seed
        self.weights = None if weights is None else tf.constant(weights, tf.float32)
        self.flip, self.shift = flip, shift
        self.updates = -(-len(x) // batch_size)  # in an epoch
        self.full, self.rest = divmod(len(x), batch_size)  # batches of full size; rows left over
        self.batch_size, self.block = batch_size, max(1, min(block, self.full))
        self.blocks = -(-self.full // self.block) + bool(self.rest)  # in an epoch

    def dataset(self, epochs: range, first: int) -> tf.data.Dataset:
        """The blocks of some epochs, one epoch after the other, without the first `first` of them."""

        def order(epoch):
            seeds = tf.stack([tf.constant(self.seed, tf.int64), epoch])
            rows = tf.random.experimental.stateless_shuffle(tf.range(len(self.x)), seed=seeds)
            full, rest = rows[: self.full * self.batch_size], rows[self.full * self.batch_size :]
            blocks = tf.data.Dataset.from_tensor_slices(tf.reshape(full, (self.full, self.batch_size)))
            blocks = blocks.batch(self.block).map(self._padded)
            return blocks.concatenate(tf.data.Dataset.from_tensors((rest[None], 1))) if self.rest else blocks

        blocks = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(order).skip(first)
        return ahead(blocks.map(self._with_inputs))

    def _with_inputs(self, batches, count):
        """A block with what is to be read from the disk for it."""
        if not self.on_disk:
            return batches, (), count
        x = tf.numpy_function(lambda rows: np.asarray(self.x[rows]), [batches], self.x.dtype)
        x.set_shape((*batches.shape, *self.x.shape[1:]))
        return batches, x, count

    def _padded(self, batches):
        """All blocks of one shape, for which XLA compiles once; and how many of its batches count."""
        count = tf.shape(batches)[0]
        return tf.pad(batches, [[0, self.block - count], [0, 0]]), count

    def train_step(self, model: keras.Model, rates=None):
        """The model's `train_step`, made one that takes a block.

        Args:
            model: compiled.
            rates: the learning rate as a function of the number of updates before; None leaves it as it is.
        """
        update, optimizer = model.train_step, model.optimizer

        def step(data):
            batches, inputs, count = data

            def body(number):
                rows = batches[number]
                x = inputs[number] if self.on_disk else tf.gather(self.x, rows)
                x = self._varied(x, optimizer.iterations)
                if rates:  # not the optimizer's own schedule: with that it has other variables, and files do not fit
                    optimizer.learning_rate = rates(optimizer.iterations)
                weights = () if self.weights is None else (tf.gather(self.weights, rows),)
                update((x, tf.gather(self.y, rows), *weights))
                return number + 1

            tf.while_loop(lambda number: number < count, body, [tf.constant(0)], parallel_iterations=1)
            return model.get_metrics_result()

        return step

    def _varied(self, x, update):
        """Images flipped and moved, each by itself. What is drawn depends on (seed, number of the update) alone."""

        def draw(number: int, low: int, high: int):
            seeds = tf.stack([tf.constant(self.seed, tf.int64), -1 - 3 * tf.cast(update, tf.int64) - number])
            return tf.random.stateless_uniform([tf.shape(x)[0]], seeds, low, high, tf.int32, alg="philox")

        if self.flip:
            turned = tf.reshape(draw(0, 0, 2) == 1, [-1] + [1] * (len(x.shape) - 1))
            x = tf.where(turned, tf.reverse(x, [2]), x)
        if self.shift:
            for axis in (1, 2):
                by = draw(axis, -self.shift, self.shift + 1)
                pixels = tf.range(x.shape[axis])[None] + by[:, None]
                # Beyond the border its last pixel is repeated.
                x = tf.gather(x, tf.clip_by_value(pixels, 0, x.shape[axis] - 1), axis=axis, batch_dims=1)
        return x


def learning_rates(schedule: str, peak: float, updates: int):
    """The learning rate as a function of the number of updates before; None: it is always the same.

    Args:
        schedule: `constant`, `cosine` or `one_cycle`.
        peak: the highest.
        updates: in the whole training, at whose end it is 0.
    """
    if schedule == "constant":
        return None
    cosine = keras.optimizers.schedules.CosineDecay
    if schedule == "cosine":
        return cosine(peak, updates)
    rising = max(1, round(RISING * updates))
    return cosine(peak / 25, max(1, updates - rising), warmup_target=peak, warmup_steps=rising)


class Training(keras.callbacks.Callback):
    """Keeps the best weights and the history, shows the progress, and saves all of it so that a kill costs seconds.

    Keras's `ModelCheckpoint` forgets the best value when it starts again and truncates its only good file before it
    writes the next; `BackupAndRestore` starts the epoch anew. So the state is one file here, written beside its place
    and renamed: every variable of the model, the optimizer, the metrics and the random layers, the best of them so far,
    the history, and (epoch, block).
    """

    def __init__(self, model: keras.Model, folder: Folder, params, run, blocks: int) -> None:
        self.run = run
        super().__init__()
        self.file, self.kept = folder.scratch("fit.npz"), folder.scratch("kept.npz")
        self.key = _key(folder, params)
        self.chosen, self.blocks = params, blocks
        self.epoch = self.block = self.best_epoch = 0
        self.best = float("inf")
        self.history: list[dict] = []
        self._best_state: list[np.ndarray] = []
        self._restored: list[np.ndarray] = []
        self._trained = model
        self._load()
        self._saved_at = time.monotonic()
        self.progress = _Progress(params.epochs, blocks)

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return self._over(self.epoch, self.best_epoch)

    def _over(self, epoch: int, best_epoch: int) -> bool:
        patience = self.chosen.patience
        return epoch >= self.chosen.epochs or (patience is not None and epoch - best_epoch >= patience)

    # What a state is made of.

    def _weights(self) -> list:
        return [*self._trained.variables, *self._trained.optimizer.variables]

    def _state(self) -> list:
        return [*self._weights(), *self._trained.metrics_variables]

    def _load(self) -> None:
        """Go on where a killed training of the same key stopped; or, with more epochs, where a finished one ended."""
        for file in (self.file, self.kept):
            try:
                with np.load(file, allow_pickle=False) as saved:
                    about = json.loads(str(saved["about"]))
                    epoch, best_epoch = about["epoch"], about["best_epoch"]
                    beyond = epoch > self.chosen.epochs or (
                        file is self.kept and self._over(epoch, best_epoch)  # such one is not run again by looking
                    )
                    if about["key"] != self.key or beyond:
                        continue
                    self._restored = [saved[f"now{k}"] for k in range(about["now_count"])]
                    self._best_state = [saved[f"best{k}"] for k in range(about["best_count"])]
            except FileNotFoundError:
                continue
            except Exception as error:  # whatever a damaged file makes NumPy raise
                log.warning("%s cannot be read (%s): it is not used", file.name, error)
                continue
            self.epoch, self.block, self.history = about["epoch"], about["block"], about["history"]
            self.best, self.best_epoch = about["best"], about["best_epoch"]
            log.info("continuing in epoch %d, %.0f%% of it done", self.epoch + 1, 100 * self.block / self.blocks)
            return

    def save(self) -> None:
        """Write the state beside its place, force it to disk, rename it."""
        now = [variable.numpy() for variable in self._state()]
        about = {
            "key": self.key, "epoch": self.epoch, "block": self.block, "history": self.history,
            "best": self.best, "best_epoch": self.best_epoch,
            "now_count": len(now), "best_count": len(self._best_state),
        }  # fmt: skip
        arrays = {f"now{k}": array for k, array in enumerate(now)}
        arrays |= {f"best{k}": array for k, array in enumerate(self._best_state)}
        part = self.file.with_name(f".part.{self.file.name}")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self.file)
        self._saved_at = time.monotonic()

    def _save_when_due(self) -> None:
        if stopping.is_set():
            self.save()
            raise Stopped(f"stopped in epoch {self.epoch + 1}, {self.block / self.blocks:.0%} of it done")
        if time.monotonic() - self._saved_at >= self.run.save_every:
            self.save()

    def finish(self) -> None:
        """Keep the last state until the outputs are recorded, or longer; give the model the best epoch's weights."""
        if not self._restored:  # else there was nothing left to train, and the file has the last state already
            self.save()
        if self.run.keep_state:
            shutil.copy(self.file, self.kept.with_name(".part.kept.npz"))
            os.replace(self.kept.with_name(".part.kept.npz"), self.kept)
        for variable, value in zip(self._weights(), self._best_state, strict=True):
            variable.assign(value)

    # What Keras calls.

    def on_epoch_begin(self, epoch, logs=None):
        self.progress.at(self.epoch, self.block)
        # Within an epoch its metrics go on; at its begin they count from nothing, as Keras has just set them.
        variables = self._state() if self.block else self._weights()
        for variable, value in zip(variables, self._restored, strict=False):
            variable.assign(value)
        self._restored = []
        self._first = self.block

    def on_train_batch_end(self, batch, logs=None):
        self.block = self._first + batch + 1
        self.progress.at(self.epoch, self.block)
        if self.block < self.blocks:  # the last one belongs together with the validation after it
            self._save_when_due()

    def on_epoch_end(self, epoch, logs=None):
        numbers = {name: float(value) for name, value in logs.items()}
        value = numbers[self.chosen.monitor]
        if not np.isfinite(value):
            raise UserError(
                f"{self.chosen.monitor} is {value} in epoch {epoch + 1}: the training has diverged. "
                "Set a smaller compile.learning_rate."
            )
        better = value < self.best
        if better:
            self.best, self.best_epoch = value, epoch + 1
            self._best_state = [variable.numpy().copy() for variable in self._weights()]
        self.history.append({"epoch": epoch + 1, **numbers, "checkpoint": int(better)})
        self.epoch, self.block = epoch + 1, 0
        text = f"{self.chosen.monitor} {value:.4g}, best {self.best:.4g} (epoch {self.best_epoch})"
        self.progress.epoch_done(self.epoch, text, self.over)
        self._trained.stop_training = self.over
        if not self.over:
            self._save_when_due()


def _key(folder: Folder, params) -> str:
    """One training: its inputs, its parameters (but for those that only say how long and how often), its software.

    Where the learning rate depends on how long it is, a longer training is another one.
    """
    digest = hashlib.sha256()
    for name in ("architecture.json", "compile.json", "normalized.npz"):
        with open(folder.path / name, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for name in code("fit"):
        digest.update((ROOT / name).read_bytes())
    length = {"epochs"} if params.schedule == "constant" else set()
    chosen = params.model_dump(exclude=length)
    digest.update(json.dumps([chosen, tf.__version__, keras.__version__, np.__version__], sort_keys=True).encode())
    return digest.hexdigest()


class _Progress:
    """A bar where a person watches; else some twenty lines in the log."""

    def __init__(self, epochs: int, blocks: int) -> None:
        self.epochs, self.blocks = epochs, blocks
        self.told_at = 0.0
        self.bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
            console=rich.get_console(),
            disable=not sys.stdout.isatty(),
            transient=True,
        )
        self.task = self.bar.add_task("", total=epochs * blocks, numbers="")

    def __enter__(self) -> None:
        self.bar.start()

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def at(self, epoch: int, block: int) -> None:
        shown = min(epoch + 1, self.epochs)
        self.bar.update(self.task, completed=epoch * self.blocks + block, description=f"epoch {shown}/{self.epochs}")

    def epoch_done(self, epoch: int, text: str, over: bool) -> None:
        self.bar.update(self.task, numbers=text)
        self.at(epoch, 0)
        if time.monotonic() - self.told_at > 1 or over:  # epochs may take milliseconds
            self.told_at = time.monotonic()
            left = None if over else self.bar.tasks[0].time_remaining
            for tell in watchers:
                tell(
                    1 if over else epoch / self.epochs,
                    f"epoch {epoch}/{self.epochs}: {text}" + (f", {left:.0f} s left" if left else ""),
                )
        if self.bar.disable and (epoch % max(1, self.epochs // 20) == 0 or over):
            log.info("epoch %d/%d: %s", epoch, self.epochs, text)
