"""Keras, imported quietly, and the same wherever it is.

Importing this module imports TensorFlow, which takes 5 to 15 seconds: import it inside the function
that needs it.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.step import UserError
from tasks.network import threads

# Variables that let TensorFlow, Keras or a library below them compute or round differently.
CHANGING = (
    *("DNNL_", "EIGEN_", "KERAS_", "KMP_", "MKL_", "NVIDIA_TF32_", "OMP_", "ONEDNN_"),
    *("TENSORFLOW_", "TF_", "XLA_"),
)
# Of these: what is written, where files are, how memory is taken.
KEPT = ("KERAS_HOME", "TF_CPP_", "TF_FORCE_GPU_", "TF_GPU_ALLOCATOR")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# What TensorFlow writes before its own log level counts, and that it found no graphics card.
NOISE = re.compile(rb"^(WARNING: All log messages before absl|[IW]\d{4} |E\d{4} .*cuInit)")
# What Keras and TensorFlow import if it is there, only for wrappers and pictures of their own.
HIDDEN = ("matplotlib", "pandas", "scipy", "sklearn")


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
    """Hides some packages from Keras, while this thread imports it.

    Keras does without them where they are not installed, and importing them takes nearly as long as
    TensorFlow itself.
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


for name in list(os.environ):
    if name.startswith(CHANGING) and not name.startswith(KEPT):
        del os.environ[name]
os.environ["KERAS_BACKEND"] = "tensorflow"  # keras.json may name another

with _without_noise(), _Absent():
    import keras
    import tensorflow as tf

    # It warns of a second model in a process, of which each call is traced anew.
    tf.get_logger().setLevel("ERROR")

    # A keras.json in the user's home may have other values.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")

    number = threads.fix()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(number)
    except RuntimeError:
        raise UserError(
            f"fit.threads is {number}, but TensorFlow runs in this process already, with as many "
            "threads as it chose. Expected a process in which nothing used TensorFlow before."
        ) from None
    tf.constant(0)  # the first operation looks for devices

__all__ = ["keras", "tf"]
