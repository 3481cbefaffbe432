"""What a model must reach to pass. Light: it is checked before anything runs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from tasks.core.step import UserError


class Criterion(NamedTuple):
    """A key of `evaluate` that sets a limit for a score."""

    key: str
    score: str
    reached: Callable[[float, float], bool]  # by the score, given the limit


ACCURACY = Criterion("min_accuracy", "accuracy", operator.ge)
ERROR = Criterion("max_mse", "mse", operator.le)


def check_criterion(params: Any, labels: str) -> None:
    """Refuse a limit that cannot be measured: an accuracy for regression, an error for classes.

    Args:
        params: the `Params` of `evaluate`.
        labels: `regression`, or how the classes are given, as in `schema.json`.

    Raises:
        UserError: the limit is for other labels.
    """
    right, wrong = (ERROR, ACCURACY) if labels == "regression" else (ACCURACY, ERROR)
    if getattr(params, wrong.key) is not None:
        raise UserError(
            f"evaluate.{wrong.key} cannot be measured: the labels are {labels}. Set it to null, "
            f"and use evaluate.{right.key}."
        )
