"""Features of a table that a model should not have: row numbers, and what gives the target away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.core.arrays import classes_of
from tasks.rows.entry import entry, first_names

FEW = 40  # rows: with less, a feature may look so by chance
BINS = 32  # of a number, by its quantiles
GIVEN_AWAY = 0.99  # of the classes right, or of the variance explained, by one feature
ONE_CLASS = 0.95  # of the rows: then one class is right so often that no feature stands out


def entries(
    x: np.ndarray, y: np.ndarray, names: Sequence[str], kinds: Sequence[str], classes: bool
) -> list[dict]:
    """The checks for such features.

    Args:
        x, y: the training rows, in the order of the file; NaN where a value is missing.
        names, kinds: of the columns of `x`.
        classes: whether `y` are classes.
    """
    enough = len(x) >= FEW and x.shape[1] > 1
    columns = list(zip(x.T, names, kinds, strict=True)) if enough else []
    counting = [str(name) for values, name, kind in columns if kind == "number" and counts(values)]
    telling = [
        f"{name} ({share:.3f})"
        for values, name, kind in columns
        if (share := _told(values, y, kind, classes)) >= GIVEN_AWAY
    ]

    of = "of the labels right" if classes else "of the variance"
    return [
        _entry("row numbers as features", counting, "rises or falls with the row's number", ""),
        _entry(
            "features that give the target away",
            telling,
            f"alone tells nearly all {of}",
            ", unless it is known before the target is",
        ),
    ]


def _entry(check: str, found: list[str], does: str, unless: str) -> dict:
    says = "none"
    if found:
        says = (
            f"{first_names(found)} {does}: new rows will have nothing like it{unless}. "
            "Put it into load.ignore and compare the score"
        )
    return entry(check, says, bool(found), count=len(found))


def counts(values: np.ndarray) -> bool:
    """Whether whole numbers rise, or fall, from each row to the next."""
    if np.isnan(values).any() or (values != np.round(values)).any():
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all())


def _told(x: np.ndarray, y: np.ndarray, kind: str, classes: bool) -> float:
    """How much of `y` this feature tells: found in one half of the rows, measured in the other."""
    bins = _bins(x, kind)
    half = np.random.default_rng(0).permutation(len(x)) < len(x) / 2
    measure = _labels_right if classes else _variance
    return measure(bins, classes_of(y) if classes else y.reshape(-1).astype(np.float64), half)


def _bins(x: np.ndarray, kind: str) -> np.ndarray:
    """The number of each row's bin; missing values have one of their own."""
    values = np.unique(x[~np.isnan(x)])
    if kind == "words" or len(values) <= BINS:
        return np.searchsorted(values, x)
    edges = np.unique(np.nanquantile(x, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(np.isnan(x), BINS, np.searchsorted(edges, x, side="right"))


def _labels_right(bins: np.ndarray, y: np.ndarray, half: np.ndarray) -> float:
    """The share of labels that are the most frequent one of their bin."""
    if np.bincount(y).max() > ONE_CLASS * len(y):
        return 0.0
    count = np.zeros((bins.max() + 1, y.max() + 1))
    np.add.at(count, (bins[half], y[half]), 1)
    known = (count.sum(axis=1) > 0)[bins[~half]]
    return float(((count.argmax(axis=1)[bins[~half]] == y[~half]) & known).mean())


def _variance(bins: np.ndarray, y: np.ndarray, half: np.ndarray) -> float:
    """The share of the variance that the mean of each bin explains."""
    rows = np.bincount(bins[half], minlength=bins.max() + 1)
    total = np.bincount(bins[half], y[half], minlength=bins.max() + 1)
    mean = np.where(rows > 0, total / np.maximum(rows, 1), y[half].mean())
    left = ((y[~half] - mean[bins[~half]]) ** 2).mean()
    return float(1 - left / max(y[~half].var(), 1e-300))
