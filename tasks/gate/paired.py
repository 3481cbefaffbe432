"""Two models on the same rows: McNemar's test for classes, signs drawn at random for regression."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, lgamma, log, sqrt
from typing import NamedTuple

import numpy as np

from tasks.core.digits import digits
from tasks.core.step import UserError
from tasks.gate.rule import Rule

DRAWS = 10_000  # of signs
AT_ONCE = 2**22  # values that are drawn at once
GROUPS = 10_000  # of rows, at most
ROUNDING = 1e-12  # of the sizes of all gains: draws with an equal mean differ by less
ROWS = 30  # for a regression, at least: as for the interval of its score


class Verdict(NamedTuple):
    """What was found, and what it was found on."""

    test: str
    better: bool  # by the rule
    p: float  # how often a model that does not deserve it would look as good
    score: float
    champions: float
    rows: int
    says: str  # in a sentence without the names of the models


def of_classes(
    actual: Sequence[str], new: Sequence[str], champions: Sequence[str], rule: Rule
) -> Verdict:
    """Compare two models by their accuracy.

    Args:
        actual: the class of each row.
        new, champions: the two answers to each row.
        rule: what the new one must show.
    """
    right, theirs = (np.array(said) == np.array(actual) for said in (new, champions))
    gained, lost = int((right & ~theirs).sum()), int((theirs & ~right).sum())
    rows = len(right)
    exact = rule.least == 0
    p = mcnemar(gained, lost) if exact else tango(gained, lost, rows, rule.least)
    test = "McNemar's mid-p" if exact else "Tango's score test"
    score, before = float(right.mean()), float(theirs.mean())
    says = (
        f"accuracy {score:.4f}, the champion {before:.4f}: of {rows:,} test rows it alone is right "
        f"in {gained:,}, the champion alone in {lost:,}; p {p:.2g} ({test}, level {rule.level:g})"
    )
    return Verdict(test, p < rule.level, p, score, before, rows, says)


def of_regression(
    actual: np.ndarray, new: np.ndarray, champions: np.ndarray, rule: Rule
) -> Verdict:
    """Compare two models by their mean squared error.

    The gains of the rows get signs at random: where the two models are equal, each sign is as
    likely. A paired bootstrap promotes equal models too often, in 7 of 100 cases of 30 rows.

    Raises:
        UserError: there are too few rows.
    """
    rows = len(actual)
    if rows < ROWS:
        raise UserError(
            f"{rows} test rows are too few to compare two regressions: {ROWS} are needed. Hold out "
            "more with load.test in params.yaml, and train again."
        )
    squares, theirs = (actual - new) ** 2, (actual - champions) ** 2
    p = signs(theirs - squares - rule.least)
    score, before = float(squares.mean()), float(theirs.mean())
    test = "paired randomization test"
    says = (
        f"mean squared error {digits(score)}, the champion {digits(before)} on {rows:,} test rows; "
        f"p {p:.2g} ({test}, level {rule.level:g})"
    )
    return Verdict(test, p < rule.level, p, score, before, rows, says)


def mcnemar(gained: int, lost: int) -> float:
    """The one-sided mid-p: of rows that only one model has right, how many more the new one has."""
    count = gained + lost
    logs = [lgamma(count + 1) - lgamma(k + 1) - lgamma(count - k + 1) for k in range(count + 1)]
    chances = [exp(each - count * log(2)) for each in logs]
    return sum(chances[gained + 1 :]) + chances[gained] / 2


def tango(gained: int, lost: int, rows: int, least: float) -> float:
    """The one-sided p of a gain in accuracy of more than `least` (Tango 1998)."""
    b = -gained - lost + (2 * rows - gained + lost) * least
    c = -lost * least * (1 - least)
    only_champion = (sqrt(b * b - 8 * rows * c) - b) / (4 * rows)
    variance = rows * (2 * only_champion + least * (1 - least))
    distance = gained - lost - rows * least
    if variance <= 0:
        return 0.0 if distance > 0 else 1.0
    return erfc(distance / sqrt(variance) / sqrt(2)) / 2


def signs(gains: np.ndarray) -> float:
    """How often gains with signs at random have at least this mean; the draws have a fixed seed."""
    size = -(-len(gains) // GROUPS)  # many rows: those of a group share a sign, which is as right
    groups = np.add.reduceat(gains, np.arange(0, len(gains), size))
    enough = groups.sum() - ROUNDING * np.abs(groups).sum()
    at_once = max(1, AT_ONCE // len(groups))

    random, reached = np.random.default_rng(0), 0
    for begin in range(0, DRAWS, at_once):
        draws = min(at_once, DRAWS - begin)
        bytes_of_bits = random.integers(0, 256, (draws, -(-len(groups) // 8)), np.uint8)
        positive = np.unpackbits(bytes_of_bits, axis=1)[:, : len(groups)] @ groups
        reached += int((positive >= enough).sum())  # so is the signed sum
    return (1 + reached) / (1 + DRAWS)
