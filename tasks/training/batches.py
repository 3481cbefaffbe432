"""What `fit` gives to Keras: the rows in blocks of batches, varied images, and learning rates."""

from __future__ import annotations

import numpy as np

from tasks.core.arrays import classes_of
from tasks.network.backend import keras, tf
from tasks.network.feed import ahead

RISING = 0.25  # share of the updates in which the learning rate of `one_cycle` rises


class Batches:
    """The training rows in an order that depends on (seed, epoch) alone, in blocks of batches.

    Keras asks Python after every batch, and XLA compiles one batch. Here one call of the compiled
    step makes the updates of a whole block, with Keras's own `train_step`: the same numbers in two
    thirds of the time.

    Args:
        x, y: the training rows; `x` may be an `np.memmap`, which is read block by block.
        batch_size: rows to an update.
        block: updates to a call. The last block of an epoch may have fewer; a last batch with fewer
            rows is a block by itself.
        seed: for the order of the rows, and for how images vary.
        weights: how much each row counts; None: all the same.
        flip: whether to turn images left to right, each of them or not.
        shift: pixels by which to move images at most, along each axis.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        batch_size: int,
        block: int,
        seed: int,
        weights: np.ndarray | None = None,
        flip: bool = False,
        shift: int = 0,
    ) -> None:
        self.on_disk = isinstance(x, np.memmap)
        self.x = x if self.on_disk else tf.constant(x)
        self.y = tf.constant(y)
        self.weights = None if weights is None else tf.constant(weights, tf.float32)
        self.seed, self.flip, self.shift = seed, flip, shift

        self.batch_size = batch_size
        self.full, self.rest = divmod(len(x), batch_size)  # full batches; rows left over
        self.block = max(1, min(block, self.full))

        # In an epoch.
        self.updates = -(-len(x) // batch_size)
        self.blocks = -(-self.full // self.block) + bool(self.rest)

    def dataset(self, epochs: range, first: int) -> tf.data.Dataset:
        """The blocks of these epochs in a row, without the first `first` of them."""
        every = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(self._epoch)
        return ahead(every.skip(first).map(self._with_inputs))

    def _epoch(self, epoch) -> tf.data.Dataset:
        """The blocks of one epoch: row numbers, and how many of the batches count."""
        seeds = tf.stack([tf.constant(self.seed, tf.int64), epoch])
        rows = tf.random.experimental.stateless_shuffle(tf.range(len(self.x)), seed=seeds)

        end = self.full * self.batch_size
        full = tf.reshape(rows[:end], (self.full, self.batch_size))
        blocks = tf.data.Dataset.from_tensor_slices(full).batch(self.block).map(self._padded)
        if not self.rest:
            return blocks
        return blocks.concatenate(tf.data.Dataset.from_tensors((rows[end:][None], 1)))

    def _padded(self, batches):
        """All blocks in one shape, for which XLA compiles once."""
        count = tf.shape(batches)[0]
        return tf.pad(batches, [[0, self.block - count], [0, 0]]), count

    def _with_inputs(self, batches, count):
        """A block, with all rows, or with those that must be read from the disk for it.

        TensorFlow keeps the graph of a training, and with it each tensor that a step has captured.
        What an element of the dataset has is not copied, and goes.
        """
        labels = (self.y,) if self.weights is None else (self.y, self.weights)
        if not self.on_disk:
            return batches, (self.x, *labels), count
        x = tf.numpy_function(lambda rows: np.asarray(self.x[rows]), [batches], self.x.dtype)
        x.set_shape((*batches.shape, *self.x.shape[1:]))
        return batches, (x, *labels), count

    def train_step(self, model: keras.Model, rates=None):
        """The model's `train_step`, made one that takes a block.

        Args:
            model: compiled.
            rates: the learning rate, given the number of updates before; None leaves it as it is.
        """
        update, optimizer = model.train_step, model.optimizer

        def step(data):
            batches, (inputs, *labels), count = data

            def body(number):
                rows = batches[number]
                x = inputs[number] if self.on_disk else tf.gather(inputs, rows)
                x = self.varied(x, optimizer.iterations)
                if rates:  # Keras's own schedules add variables: the files would then differ
                    optimizer.learning_rate = rates(optimizer.iterations)
                update((x, *(tf.gather(each, rows) for each in labels)))
                return number + 1

            first = [tf.constant(0)]
            tf.while_loop(lambda number: number < count, body, first, parallel_iterations=1)
            return model.get_metrics_result()

        return step

    def varied(self, x, update):
        """Images flipped and moved, each by itself.

        The draws depend on (seed, number of the update) alone.
        """

        def draw(number: int, low: int, high: int):
            count = -1 - 3 * tf.cast(update, tf.int64) - number
            seeds = tf.stack([tf.constant(self.seed, tf.int64), count])
            size = [tf.shape(x)[0]]
            return tf.random.stateless_uniform(size, seeds, low, high, tf.int32, alg="philox")

        if self.flip:
            turned = tf.reshape(draw(0, 0, 2) == 1, [-1] + [1] * (len(x.shape) - 1))
            x = tf.where(turned, tf.reverse(x, [2]), x)
        if self.shift:
            for axis in (1, 2):
                x = _moved(x, axis, draw(axis, -self.shift, self.shift + 1))
        return x


def _moved(x, axis: int, by):
    """Each image moved along an axis; beyond the border its last pixel is repeated."""
    pixels = tf.range(x.shape[axis])[None] + by[:, None]
    pixels = tf.clip_by_value(pixels, 0, x.shape[axis] - 1)
    return tf.gather(x, pixels, axis=axis, batch_dims=1)


def learning_rates(schedule: str, peak: float, updates: int):
    """The learning rate, given the number of updates before; None if it is always the same.

    Args:
        schedule: `constant`, `cosine` or `one_cycle`.
        peak: the highest.
        updates: in the whole training, at whose end the rate is 0.
    """
    if schedule == "constant":
        return None

    cosine = keras.optimizers.schedules.CosineDecay
    if schedule == "cosine":
        return cosine(peak, updates)
    rising = max(1, round(RISING * updates))
    falling = max(1, updates - rising)
    return cosine(peak / 25, falling, warmup_target=peak, warmup_steps=rising)


def row_weights(y: np.ndarray, class_weights: str | list[float]) -> np.ndarray:
    """How much each row counts.

    Args:
        y: integers or one-hot rows.
        class_weights: a weight for each class; or `balanced`: all classes count the same, and the
            mean over the rows is 1.
    """
    classes = classes_of(y).astype(int)
    if class_weights != "balanced":
        return np.array(class_weights)[classes]
    _, place, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return (len(y) / (len(counts) * counts))[place]
