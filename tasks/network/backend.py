"""Keras, imported quietly, and the one way in which a model is put together from its two configuration files.

Importing this module imports TensorFlow, which takes 5 to 15 seconds: import it inside the function that needs it.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tasks.core.folder import Folder

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# What TensorFlow says before its own log level counts, and that it looked for a graphics card and found none.
NOISE = re.compile(rb"^(WARNING: All log messages before absl|[IW]\d{4} |E\d{4} .*cuInit)")
HIDDEN = ("matplotlib", "pandas", "scipy", "sklearn")  # what Keras and TensorFlow import if it is there
ROWS, VALUES = 256, 2**22  # that a model is asked about at once, at most: of images the layers' outputs are large


@contextmanager
def _without_noise() -> Iterator[None]:
    """Hold back what native code writes to standard error; then show all of it but the noise."""
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not NOISE.match(line):
                    os.write(2, line)


class _Absent:
    """Hides from Keras, while this thread imports it, what it imports only for wrappers and pictures of its own.

    It does without them where they are not installed. To import them takes nearly as long as TensorFlow itself.
    """

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *error: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in HIDDEN and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


with _without_noise(), _Absent():
    import keras
    import tensorflow as tf

    tf.constant(0)  # the first operation looks for devices


def assemble(folder: Folder, seed: int, **hardware) -> keras.Model:
    """A compiled model with new weights, drawn by `seed`, from `architecture.json` and `compile.json`.

    Args:
        folder: the pipeline's folder.
        seed: for the weights and for every later draw of the model's layers.
        hardware: arguments of `Model.compile` that change how fast it computes, not what.
    """
    architecture = _seeded(folder.read_json("architecture.json"), random.Random(seed))
    compile_config = folder.read_json("compile.json")
    keras.utils.clear_session()  # names are counted from one again, so the files' bytes are the same in every run
    model = keras.models.model_from_json(json.dumps(architecture))
    model.compile_from_config({**compile_config, **hardware})
    return model


def in_batches(x: np.ndarray, y: np.ndarray, least: int = 1) -> tf.data.Dataset:
    """Rows and labels in their order, many at a time, each read when it is due: `x` may be larger than memory.

    Args:
        least: as many rows the model was trained with.
    """
    arrays, size = (x, y), max(least, min(ROWS, VALUES // x[:1].size))
    kinds = [tf.as_dtype(array.dtype) for array in arrays]

    def read(begin):
        found = tf.numpy_function(lambda at: [np.asarray(array[at : at + size]) for array in arrays], [begin], kinds)
        for batch, array in zip(found, arrays, strict=True):
            batch.set_shape((None, *array.shape[1:]))
        return tuple(found)

    return ahead(tf.data.Dataset.range(0, len(x), size).map(read))


def ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Two elements are ready before they are asked for.

    There is nothing that tf.data could tune. Its tuner sleeps for up to a minute, is not always woken when the training
    is over, and Keras's `fit` would wait for it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


def _seeded(config, draws: random.Random):
    """A model's configuration with a seed wherever Keras would draw one when it makes the model.

    It would draw from Python's global generator, from which other threads of the process, such as Prefect's, draw too.
    """
    if isinstance(config, list):
        return [_seeded(each, draws) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        key: draws.randint(1, 10**9) if key == "seed" and value is None else _seeded(value, draws)
        for key, value in config.items()
    }
