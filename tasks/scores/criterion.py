"""What a model must reach to pass, and its score in words. Light: checked before anything runs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from tasks.core.digits import digits
from tasks.core.step import UserError


class Criterion(NamedTuple):
    """A key of `evaluate` that sets a limit for a score."""

    key: str
    score: str
    reached: Callable[[float, float], bool]  # by the score, given the limit


ACCURACY = Criterion("min_accuracy", "accuracy", operator.ge)
ERROR = Criterion("max_mse", "mse", operator.le)
NOTHING_LEARNED = ("largest class", "mean")  # baselines that know the labels alone


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


def sentence(metrics: dict[str, Any], params: Any) -> str:
    """The score on the test rows in one line.

    Args:
        metrics: the content of `metrics.json`.
        params: the `Params` of `evaluate`.
    """
    criterion = ACCURACY if f"test_{ACCURACY.score}" in metrics else ERROR
    name = f"test_{criterion.score}"
    said = f"test {criterion.score} {digits(metrics[name])}"

    if f"{name}_low" in metrics:
        low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
        said += f", 95% interval {digits(low, 3)} to {digits(high, 3)}"
    if f"{name}_without_leaked" in metrics:
        rows = metrics["leaked_rows"]
        without = metrics[f"{name}_without_leaked"]
        said += f", {digits(without)} without {rows:,} leaked row{'s' * (rows > 1)}"
    if baselines := metrics.get("baselines"):
        said += f" (baselines: {_listed(baselines)})"
    for columns, baselines in metrics.get("baselines_without", {}).items():
        said += f", without {columns} (baselines: {_listed(baselines)})"
    more = {"mae": metrics.get("test_mae"), "R²": metrics.get("test_r2")}  # of a regression
    said += "".join(
        f", {word} {digits(score)}" for word, score in more.items() if score is not None
    )
    if "passed" in metrics:
        passed = "passed" if metrics["passed"] else "NOT passed"
        said += f", {passed} ({criterion.key} {digits(getattr(params, criterion.key))})"
    return said


def nothing_learned(metrics: dict[str, Any]) -> str:
    """A sentence if the same answer for every row scores as well; empty if it does not.

    Args:
        metrics: the content of `metrics.json`.
    """
    criterion = ACCURACY if f"test_{ACCURACY.score}" in metrics else ERROR
    own = metrics[f"test_{criterion.score}"]
    for name, score in metrics.get("baselines", {}).items():
        if name in NOTHING_LEARNED and criterion.reached(score, own):
            return (
                f"The network is no better than always answering the {name}: "
                f"test {criterion.score} {digits(own)} against {digits(score)}"
            )
    return ""


def _listed(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {digits(score)}" for name, score in scores.items())
