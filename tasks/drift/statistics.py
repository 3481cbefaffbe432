"""Two samples of numbers: the tests of whether they are from one distribution."""

from __future__ import annotations

from functools import cache
from math import erfc, sqrt
from typing import NamedTuple

import numpy as np

TERMS = np.arange(1, 101)  # of the series of Kolmogorov's distribution


class Gap(NamedTuple):
    """The largest difference of two cumulative distributions."""

    p: float
    size: float  # 0 to 1
    at: float  # where it is
    new: float  # the shares of values up to there
    before: float


def kolmogorov_smirnov(new: np.ndarray, before: np.ndarray, tolerance: float = 0) -> Gap:
    """The two-sample test, by its limiting distribution with Stephens's correction.

    Ties make it conservative, and so does a tolerance: a value counts as above another if it is
    above it by more than that.
    """
    new, before = np.sort(new), np.sort(before)

    def share(values: np.ndarray, up_to: np.ndarray) -> np.ndarray:
        return np.searchsorted(values, up_to, side="right") / len(values)

    gaps = [  # the share up to each value, and that of the other sample a bit further
        (new, share(new, new), share(before, new + tolerance)),
        (before, share(new, before + tolerance), share(before, before)),
    ]
    largest = []
    for sign, (points, now, then) in zip((1, -1), gaps, strict=True):
        place = (sign * (now - then)).argmax()
        found = [float(each[place]) for each in (points, now, then)]
        largest.append((sign * (found[1] - found[2]), *found))
    size, at, of_new, of_before = max(largest)
    size = max(0.0, size)

    root = sqrt(len(new) * len(before) / (len(new) + len(before)))
    scaled = (root + 0.12 + 0.11 / root) * size
    tail = 2 * np.sum((-1.0) ** (TERMS - 1) * np.exp(-2 * (TERMS * scaled) ** 2))
    p = float(np.clip(tail, 0, 1)) if scaled > 0.2 else 1.0  # the series is slow below
    return Gap(p, size, at, of_new, of_before)


def means(new: np.ndarray, before: np.ndarray, tolerance: float = 0) -> float:
    """The two-sided p of equal means, normal by their number.

    Of probabilities it finds that a class has become rarer sooner than counts of decisions do.
    """
    away = max(0.0, abs(new.mean() - before.mean()) - tolerance)
    spread = np.concatenate([new, before]).std() * sqrt(1 / len(new) + 1 / len(before))
    return erfc(away / spread / sqrt(2)) if spread else 1.0


def fisher(new: int, rows: int, before: int, rows_before: int) -> float:
    """The two-sided p of Fisher's exact test: whether a share is the same in two samples.

    Args:
        new, before: how many rows have it.
        rows, rows_before: of how many.
    """
    both, all_rows = new + before, rows + rows_before
    low, high = max(0, both - rows_before), min(both, rows)
    counts = np.arange(low, high + 1)
    logs = _choose(rows, counts) + _choose(rows_before, both - counts) - _choose(all_rows, both)
    chances = np.exp(logs)
    as_rare = chances <= chances[new - low] * (1 + 1e-7)
    return float(min(1.0, chances[as_rare].sum()))


def _choose(of: int, taken: int | np.ndarray) -> np.ndarray:
    """The logarithm of the binomial coefficient."""
    table = _log_factorials(1 << int(of).bit_length())
    return table[of] - table[taken] - table[of - np.asarray(taken)]


@cache
def _log_factorials(count: int) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
