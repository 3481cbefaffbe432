"""All differences between new rows and validation rows, each with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tasks.core.digits import digits
from tasks.drift.series import Series
from tasks.drift.statistics import fisher, kolmogorov_smirnov, means

LEVEL = 0.05  # the share of alarms, at most, where the new rows are from the same distribution
TAILS = 0.01  # share of the validation rows that counts as far from the others
# Of a probability, or of the largest prediction: an export has other last digits than the model
# that was evaluated, and so has the model on another processor.
LAST_DIGITS = 1e-5
EXPECTED = 20  # rows of a class: of fewer the mean probability is not normal


class Finding(NamedTuple):
    """One series compared by one test."""

    name: str  # of the series
    test: str
    p: float  # after Bonferroni's correction
    effect: float  # the difference of two shares, 0 to 1
    says: str


def compare(new: np.ndarray, before: np.ndarray, series: list[Series]) -> list[Finding]:
    """Every series by its tests, the surest difference first.

    Args:
        new, before: (rows, series).
        series: what the columns are.
    """
    columns = zip(series, new.T, before.T, strict=True)
    found = [each for column in columns for each in _compared(*column)]
    corrected = [each._replace(p=min(1.0, each.p * len(found))) for each in found]
    return sorted(corrected, key=lambda each: (each.p, -each.effect, each.name))


def _compared(series: Series, new: np.ndarray, before: np.ndarray) -> Iterator[Finding]:
    if series.chance:
        yield _shape(f"the probability of class {series.name}", series, new, before)
        if len(new) * before.mean() >= EXPECTED:
            yield _class(series, new, before)
    elif np.isin(new, (0, 1)).all() and np.isin(before, (0, 1)).all():
        yield _yes_or_no(series, new, before)
    else:
        yield _shape(series.name, series, new, before)
        yield _tails(series, new, before)


def _shape(name: str, series: Series, new: np.ndarray, before: np.ndarray) -> Finding:
    gap = kolmogorov_smirnov(new, before, _tolerance(series, before))
    says = (
        f"{name} is at most {digits(gap.at)} in {gap.new:.1%} of the rows, and in "
        f"{gap.before:.1%} of the validation rows; the means are "
        f"{digits(new.mean())} and {digits(before.mean())}"
    )
    return Finding(series.name, "Kolmogorov-Smirnov", gap.p, gap.size, says)


def _class(series: Series, new: np.ndarray, before: np.ndarray) -> Finding:
    now, then = new.mean(), before.mean()
    says = (
        f"class {series.name} has {now:.1%} of the rows by its probabilities, and {then:.1%} of "
        "the validation rows"
    )
    p = means(new, before, _tolerance(series, before))
    return Finding(series.name, "equal means", p, float(abs(now - then)), says)


def _yes_or_no(series: Series, new: np.ndarray, before: np.ndarray) -> Finding:
    p = fisher(int(new.sum()), len(new), int(before.sum()), len(before))
    now, then = new.mean(), before.mean()
    says = (
        f"{series.name} holds for {now:.1%} of the rows, and for {then:.1%} of the validation rows"
    )
    return Finding(series.name, "Fisher", p, float(abs(now - then)), says)


def _tails(series: Series, new: np.ndarray, before: np.ndarray) -> Finding:
    """Whether more values lie where the outermost validation rows do: a few rows of noise."""
    low, high = np.quantile(before, [TAILS / 2, 1 - TAILS / 2])
    bit = _tolerance(series, before)
    far = [(part < low - bit) | (part > high + bit) for part in (new, before)]
    outside, there = (int(each.sum()) for each in far)
    now, then = outside / len(new), there / len(before)
    says = (
        f"{series.name} is below {digits(low)} or above {digits(high)} in {now:.1%} of the rows, "
        f"and in {then:.1%} of the validation rows"
    )
    p = fisher(outside, len(new), there, len(before))
    return Finding(series.name, "Fisher, outermost values", p, abs(now - then), says)


def _tolerance(series: Series, before: np.ndarray) -> float:
    """What makes no difference, in the unit of the series; none of what a model has not said."""
    largest = 1.0 if series.chance else float(np.abs(before).max())
    return LAST_DIGITS * largest if series.asked else 0.0


def alarm(found: list[Finding]) -> bool:
    return any(each.p < LEVEL for each in found)


def as_json(found: list[Finding], rows: int, before: int) -> dict[str, Any]:
    """The content of `NAME.drift.json`.

    Args:
        found: the surest difference first.
        rows, before: how many new rows and validation rows there are.
    """
    return {
        "alarm": alarm(found),
        "compared": [each._asdict() for each in found],
        "level": LEVEL,
        "rows": rows,
        "validation_rows": before,
    }
