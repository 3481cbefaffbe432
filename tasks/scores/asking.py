"""The trained model, and what it answers to scaled rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.core.arrays import batch_of
from tasks.core.folder import Folder
from tasks.network.backend import keras, tf

Ask = Callable[[np.ndarray], np.ndarray]  # from scaled rows to the outputs, (rows, outputs)


def load(folder: Folder) -> keras.Model:
    """The trained model.

    Raises:
        Damaged: it is not what was recorded, or cannot be read.
    """
    with folder.reading("model.keras") as saved:
        return keras.models.load_model(saved)


def asker(model: keras.Model) -> Ask:
    """What gives the model's outputs for some rows: to the bit those of `evaluate`.

    The rows come in blocks of whole batches. A batch is as large as in `evaluate`, as the last
    digits depend on its size; many in one call of TensorFlow take less time than a call for each.
    """
    (kind,) = [each.dtype for each in model.outputs]

    # In one call for any number of batches of any size: to trace the model takes its time.
    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *model.input_shape))])
    def in_batches(batches: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda rows: model(rows, training=False),
            batches,
            fn_output_signature=tf.as_dtype(kind),
            parallel_iterations=1,
        )

    def ask(x: np.ndarray) -> np.ndarray:
        size = batch_of(x)
        whole = len(x) - len(x) % size
        blocks = [x[:whole].reshape(-1, size, *x.shape[1:]), x[None, whole:]]
        return np.concatenate(
            [batch for block in blocks if block.size for batch in in_batches(block).numpy()]
        )

    return ask
