"""Rows for Keras in batches, each read when it is due: the data may be larger than memory."""

from __future__ import annotations

import weakref

import numpy as np

from tasks.core.arrays import batch_of
from tasks.core.step import must_stop, stop
from tasks.network.backend import keras, tf


def in_batches(x: np.ndarray, y: np.ndarray, least: int = 1) -> tf.data.Dataset:
    """Rows and labels in their order, for evaluation and prediction.

    Args:
        x, y: inputs and labels; `x` may be an `np.memmap`.
        least: rows in a batch at least, such as the batch size of the training.
    """
    arrays = (x, y)
    size = max(least, batch_of(x))
    kinds = [tf.as_dtype(array.dtype) for array in arrays]

    # TensorFlow keeps the function until the process ends; the dataset keeps the rows.
    held = [weakref.ref(array) for array in arrays]

    def read(begin):
        def part(at):
            return [np.asarray(array()[at : at + size]) for array in held]

        found = tf.numpy_function(part, [begin], kinds)
        for batch, array in zip(found, arrays, strict=True):
            batch.set_shape((None, *array.shape[1:]))
        return tuple(found)

    dataset = ahead(tf.data.Dataset.range(0, len(x), size).map(read))
    dataset.rows = arrays
    return dataset


class Stoppable(keras.callbacks.Callback):
    """Lets the step be stopped between two batches that the model only answers."""

    def on_test_batch_end(self, batch, logs=None):
        if must_stop():
            stop(f"after batch {batch + 1:,}")

    on_predict_batch_end = on_test_batch_end


def ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, two of them ready before they are asked for.

    There is nothing for tf.data to tune or to optimize. Its tuner sleeps for up to a minute and is
    not always woken when the training is over; Keras's `fit` would wait for it. Its optimizer
    copies the rows that an element has.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.prefetch(2).with_options(options)
