"""A model's outputs: whether they are numbers, and the probability of each class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.core.step import UserError


def check_finite(output: np.ndarray, place: Callable[[int], str], otherwise: str = "") -> None:
    """Refuse outputs that are no numbers; of them, the first class would be the most probable.

    Args:
        output: of the model, (rows, values).
        place: what messages call a row, by its number.
        otherwise: what may be changed if no value is to blame, such as ", or lower KEY".

    Raises:
        UserError: there is one.
    """
    strange = np.flatnonzero(~np.isfinite(output).all(axis=1))
    if len(strange):
        more = f", like {len(strange) - 1:,} more" if len(strange) > 1 else ""
        raise UserError(
            f"{place(strange[0])}: the model's answer is not finite{more}. Look for values in it "
            f"that are far from those of the training rows{otherwise}."
        )


def probabilities(output: np.ndarray) -> np.ndarray:
    """The probability of each class, (rows, classes); a single output is that of the second."""
    return np.hstack([1 - output, output]) if output.shape[1] == 1 else output
