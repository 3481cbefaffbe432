"""An exported model, whatever its format: it is asked about rows as they are before scaling."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tasks.core.arrays import batch_of

INPUT, OUTPUT = "input", "output"  # what every format calls the two tensors


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what native code writes to standard error, where nothing but chatter is expected."""
    sys.stderr.flush()
    real = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(real, 2)
        os.close(real)


class Model(ABC):
    """A model that was opened. One thread at a time may ask it.

    Args:
        shape: of one row.
        type: of the values, as the file takes them.
    """

    def __init__(self, shape: tuple[int, ...], type: np.typing.DTypeLike) -> None:
        self.shape, self.type = tuple(map(int, shape)), np.dtype(type)

    def ask(self, x: np.ndarray) -> np.ndarray:
        """The model's output for some rows, (rows, outputs), float32.

        Args:
            x: rows of features before scaling, (rows, *shape): images as they are, tables when
                words and dates are encoded.
        """
        size = batch_of(x)
        parts = [x[begin : begin + size] for begin in range(0, len(x), size)]
        return np.concatenate([self.run(part.astype(self.type, copy=False)) for part in parts])

    @abstractmethod
    def run(self, batch: np.ndarray) -> np.ndarray:
        """The output for one batch."""
