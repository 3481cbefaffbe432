"""The probability of each class, whatever the model's output layer is."""

from __future__ import annotations

import numpy as np


def probabilities(output: np.ndarray) -> np.ndarray:
    """The probability of each class, (rows, classes); a single output is that of the second."""
    return np.hstack([1 - output, output]) if output.shape[1] == 1 else output
