"""Features of a table that a model should not have: row numbers, and what gives the target away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.core.arrays import classes_of
from tasks.rows.entry import entry, first_names

FEW = 40  # rows: with less, a feature may look so by chance
GIVEN_AWAY = 0.99  # of the classes right, or of the variance explained, by one feature
ONE_CLASS = 0.95  # of the rows: then one class is right so often that no feature stands out
TINY = 1e-300  # for a variance of 0
EXACT = 1e-6  # of the target's variance: features that leave less add up to the target
SEEN, MOST = 10_000, 500  # rows and columns among which such features are looked for
TERMS = 6  # of a sum, in words
ROUND = 1e-3  # a factor so near to 1 is 1, a constant so near to 0 is 0
ALL_TRIED = 20  # columns of a sum: of more it is not asked whether each is needed


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
    counting = {
        str(name): str(name)
        for values, name, kind in columns
        if kind.startswith("number") and counts(values)
    }
    telling = {
        str(name): f"{name} ({share:.3f})"
        for values, name, _ in columns
        if (share := _told(values, y, classes)) >= GIVEN_AWAY
    }

    judged = {*counting, *telling}
    free = [str(name) not in judged and kind != "words" for _, name, kind in columns]
    sums = {}
    if enough and not classes:
        sums = _sums(x, y.reshape(-1).astype(np.float64), np.array(names), np.flatnonzero(free))

    of = "of the labels right" if classes else "of the variance"
    return [
        _entry("row numbers as features", counting, "rises or falls with the row's number", ""),
        _entry(
            "features that give the target away",
            telling,
            f"alone tells nearly all {of}",
            ", unless it is known before the target is",
        ),
        _sums_entry(sums),
    ]


def suspected(checks: list[dict]) -> list[str]:
    """The columns that the checks warn of, from the content of `checks.json`."""
    return list(dict.fromkeys(name for each in checks for name in each.get("columns", ())))


def _entry(check: str, found: dict[str, str], does: str, unless: str) -> dict:
    says = "none"
    if found:
        named = first_names(list(found.values()))
        says = (
            f"{named} {does}: new rows will have nothing like it{unless}. "
            "Put it into load.ignore and compare the score"
        )
    return entry(check, says, bool(found), count=len(found), columns=list(found))


def _sums_entry(sums: dict[str, list[str]]) -> dict:
    says = "none"
    if sums:
        says = (
            f"the target is {', and also '.join(sums)}: new rows will have nothing like these "
            "features, unless they are known before the target is. Put them into load.ignore and "
            "compare the score"
        )
    columns = [name for found in sums.values() for name in found]
    return entry(
        "features that add up to the target", says, bool(sums), count=len(columns), columns=columns
    )


def counts(values: np.ndarray) -> bool:
    """Whether whole numbers rise, or fall, from each row to the next."""
    if np.isnan(values).any() or (values != np.round(values)).any():
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all())


def _told(x: np.ndarray, y: np.ndarray, classes: bool) -> float:
    """How much of `y` a column tells: learned from one half of the rows, measured on the other.

    A row is told by the one with the nearest value. Missing values are near to each other alone.
    """
    low, high = np.nanmin(x, initial=0), np.nanmax(x, initial=0)
    x = np.where(np.isnan(x), low - (high - low) - 1, x)
    half = np.random.default_rng(0).permutation(len(x)) < len(x) / 2
    order = np.argsort(x[half], kind="stable")
    known = x[half][order]

    if classes:
        labels = classes_of(y)
        if np.bincount(labels).max() > ONE_CLASS * len(y):
            return 0.0
        nearest = np.searchsorted((known[1:] + known[:-1]) / 2, x[~half])
        return float((labels[half][order][nearest] == labels[~half]).mean())

    targets = y.reshape(-1).astype(np.float64)
    error = np.interp(x[~half], known, targets[half][order]) - targets[~half]
    return float(1 - (error**2).mean() / max(targets[~half].var(), TINY))


def _sums(
    x: np.ndarray, y: np.ndarray, names: np.ndarray, columns: np.ndarray
) -> dict[str, list[str]]:
    """Sums of columns, with any factors, that are the target: their names, by the formula.

    Args:
        x: (rows, columns); NaN where a value is missing.
        y: the target, (rows,).
        names: of the columns.
        columns: the places of those that may be in a sum.
    """
    rows = np.random.default_rng(0).permutation(len(x))[:SEEN]
    part = x[np.ix_(rows, columns)]
    usable = np.isnan(part).mean(axis=0) < 0.5
    columns, count = columns[usable], int(usable.sum())
    part = np.column_stack([part[:, usable], y[rows]])
    part = part[~np.isnan(part).any(axis=1)]
    # As many columns as rows would fit any target.
    if not 1 <= count <= MOST or len(part) < max(FEW, 2 * count):
        return {}

    part -= part.mean(axis=0)
    part /= np.maximum(part.std(axis=0), TINY)
    # A triangle of a few rows, with the sums of squares that all rows have.
    triangle = np.asarray(np.linalg.qr(part, mode="r"))

    found, left = {}, list(range(count))
    while chosen := _fewest(triangle[:, :-1], triangle[:, -1], left):
        factors = _solved(x[:, columns[chosen]], y)
        if factors is None:
            break
        named = names[columns[chosen]]
        found[_formula(factors, named)] = named.tolist()
        left = [column for column in left if column not in chosen]
    return found


def _fewest(x: np.ndarray, y: np.ndarray, columns: list[int]) -> list[int]:
    """Columns without which no sum would be `y`; none if no sum is."""

    def fitted(some: list[int]) -> np.ndarray | None:
        factors = np.linalg.lstsq(x[:, some], y, rcond=None)[0]
        rest = y - x[:, some] @ factors
        return factors if rest @ rest <= EXACT * (y @ y) else None

    factors = fitted(columns)
    if factors is None:
        return []
    needed = [each for each, factor in zip(columns, factors, strict=True) if factor**2 > EXACT]
    chosen = needed if fitted(needed) is not None else columns
    for each in list(chosen) if len(chosen) <= ALL_TRIED else ():
        without = [other for other in chosen if other != each]
        if fitted(without) is not None:
            chosen = without
    return chosen


def _solved(x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """The factors with which columns add up to `y` in all rows, the constant last; else None."""
    there = ~np.isnan(x).any(axis=1)
    x, y = np.column_stack([x[there], np.ones(there.sum())]), y[there]
    scale = np.maximum(np.abs(x).max(axis=0), TINY)
    factors = np.linalg.lstsq(x[:SEEN] / scale, y[:SEEN], rcond=None)[0] / scale
    rest = y - x @ factors
    return factors if rest @ rest <= EXACT * len(y) * y.var() else None


def _formula(factors: np.ndarray, names: np.ndarray) -> str:
    """Such as `a + b - 0.5 c + 100`."""
    terms = []
    for factor, name in zip(factors, names, strict=False):
        size = "" if abs(abs(factor) - 1) < ROUND else f"{abs(factor):.4g} "
        terms.append(f"{'-' if factor < 0 else '+'} {size}{name}")
    if len(terms) > TERMS:
        terms[TERMS - 1 :] = [f"and {len(terms) - TERMS + 1} more columns"]
    elif abs(factors[-1]) > ROUND:
        terms.append(f"{'-' if factors[-1] < 0 else '+'} {abs(factors[-1]):.4g}")
    return " ".join(terms).removeprefix("+ ")
