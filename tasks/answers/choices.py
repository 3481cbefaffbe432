"""The classes that a model finds most probable. Light: no TensorFlow is imported for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.core.step import UserError

PLACES = ("", "second", "third")  # of the classes that are told, the most probable first


def check_finite(output: np.ndarray, places: Sequence[str]) -> None:
    """Refuse answers that are no numbers; of them, the first class would be the most probable.

    Args:
        output: of the model, (rows, values).
        places: what messages call each row.

    Raises:
        UserError: there is one.
    """
    strange = np.flatnonzero(~np.isfinite(output).all(axis=1))
    if len(strange):
        raise UserError(
            f"{places[strange[0]]}: the model's answer is not finite. Look for values in it that "
            "are far from those of the training rows."
        )


def best(chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable classes of each row, the first one first, and their probabilities.

    Args:
        chances: the probability of each class, (rows, classes).

    Returns:
        Two arrays, (rows, as many as there are PLACES or classes).
    """
    chosen = np.argsort(-chances, axis=1, kind="stable")[:, : len(PLACES)]
    return chosen, np.take_along_axis(chances, chosen, axis=1)
