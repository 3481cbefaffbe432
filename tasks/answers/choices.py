"""The classes that a model finds most probable. Light: no TensorFlow is imported for it."""

from __future__ import annotations

import numpy as np

PLACES = ("", "second", "third")  # of the classes that are told, the most probable first


def best(chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable classes of each row, the first one first, and their probabilities.

    Args:
        chances: the probability of each class, (rows, classes).

    Returns:
        Two arrays, (rows, as many as there are PLACES or classes).
    """
    chosen = np.argsort(-chances, axis=1, kind="stable")[:, : len(PLACES)]
    return chosen, np.take_along_axis(chances, chosen, axis=1)
