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
# What may be asked of a model, by its labels.
OF_CLASSES = (ACCURACY,)
OF_REGRESSION = (
    ERROR,
    Criterion("max_mae", "mae", operator.le),
    Criterion("min_r2", "r2", operator.ge),
)
NOTHING_LEARNED = ("largest class", "mean")  # baselines that know the labels alone


def criteria(labels: str) -> tuple[tuple[Criterion, ...], tuple[Criterion, ...]]:
    """Those that can be measured, and those that cannot.

    Args:
        labels: `regression`, or how the classes are given, as in `schema.json`.
    """
    kinds = OF_CLASSES, OF_REGRESSION
    return kinds[::-1] if labels == "regression" else kinds


def check_criterion(params: Any, labels: str) -> None:
    """Refuse a limit that cannot be measured: an accuracy for regression, an error for classes.

    Args:
        params: the `Params` of `evaluate`.
        labels: see `criteria`.

    Raises:
        UserError: the limit is for other labels.
    """
    right, wrong = criteria(labels)
    for criterion in asked(params, wrong):
        raise UserError(
            f"evaluate.{criterion.key} cannot be measured: the labels are {labels}. Set it to "
            f"null, and use evaluate.{' or evaluate.'.join(each.key for each in right)}."
        )


def asked(
    params: Any, among: tuple[Criterion, ...] = OF_CLASSES + OF_REGRESSION
) -> dict[Criterion, float]:
    """The limits that a model must keep to pass.

    Args:
        params: the `Params` of `evaluate`.
        among: the criteria to look for.
    """
    limits = {each: getattr(params, each.key) for each in among}
    return {each: limit for each, limit in limits.items() if limit is not None}


def missed(metrics: dict[str, Any], limits: dict[Criterion, float]) -> dict[Criterion, float]:
    """The limits that a model does not keep. A score that cannot be measured keeps none.

    Args:
        metrics: the content of `metrics.json`.
        limits: see `asked`.
    """
    found = dict(limits)
    for each, limit in limits.items():
        score = metrics.get(f"test_{each.score}")
        if score is not None and each.reached(score, limit):
            del found[each]
    return found


def sentence(metrics: dict[str, Any], params: Any) -> str:
    """The score on the test rows in one line.

    Args:
        metrics: the content of `metrics.json`.
        params: the `Params` of `evaluate`.
    """
    criterion = ACCURACY if f"test_{ACCURACY.score}" in metrics else ERROR
    name = f"test_{criterion.score}"
    # Of a regression first what a person can read: squared prices are none.
    first = {"R²": metrics.get("test_r2"), "mae": metrics.get("test_mae")}
    scores = {**first, criterion.score: metrics[name]}
    known = [f"{word} {digits(score)}" for word, score in scores.items() if score is not None]
    said = f"test {', '.join(known)}"

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
        said += f" (baselines without {columns}: {_listed(baselines)})"
    if "passed" in metrics:
        limits = asked(params)
        passed = "passed" if metrics["passed"] else "NOT passed"
        told = limits if metrics["passed"] else missed(metrics, limits)
        said += f", {passed} ({', '.join(f'{c.key} {digits(limit)}' for c, limit in told.items())})"
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
