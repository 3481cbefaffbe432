"""Keras, imported quietly.

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


with _without_noise(), _Absent():
    import keras
    import tensorflow as tf

    tf.constant(0)  # the first operation looks for devices

__all__ = ["keras", "tf"]
