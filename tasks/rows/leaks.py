"""Features of a table that a model should not have: row numbers, and what gives the target away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.core.arrays import classes_of
from tasks.rows import formulas
from tasks.rows.entry import entry, first_names
from tasks.rows.formulas import FEW, TINY, some_rows

GIVEN_AWAY = 0.99  # of the classes right, or of the variance explained, by one feature
ONE_CLASS = 0.95  # of the rows: then one class is right so often that no feature stands out
TOLD = 200_000  # rows from which it is learned what a feature tells

# What a feature does, and what more of them do.
ROW_NUMBER = "rises or falls with the row's number", "rise or fall with the row's number"
LABELS = "alone tells nearly every label", "each tell nearly every label"
VARIANCE = "alone explains nearly all of the variance", "each explain nearly all of the variance"


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
    told = some_rows(len(x), TOLD)
    telling = {
        str(name): f"{name} ({share:.3f})"
        for values, name, _ in columns
        if (share := _told(values[told], y[told], classes)) >= GIVEN_AWAY
    }

    sums, product = formulas.Formulas(), formulas.Formulas()
    if enough and not classes:
        target = y.reshape(-1).astype(np.float64)
        others = {*counting, *telling}
        sums, product = formulas.of_target(x, target, names, kinds, others)

    tells = LABELS if classes else VARIANCE
    return [
        _entry("row numbers as features", counting, ROW_NUMBER),
        _entry("features that give the target away", telling, tells, maybe_known=True),
        _formula_entry("features that add up to the target", sums),
        _formula_entry("features that multiply to the target", product),
    ]


def suspected(checks: list[dict]) -> list[str]:
    """The columns that the checks warn of, from the content of `checks.json`."""
    return list(dict.fromkeys(name for each in checks for name in each.get("columns", ())))


def _entry(
    check: str, found: dict[str, str], does: tuple[str, str], maybe_known: bool = False
) -> dict:
    """An entry about features.

    Args:
        check: its name.
        found: what is said of each feature, by its name.
        does: what one of them does, and what more of them do.
        maybe_known: whether they may be known before the target is.
    """
    says = "none"
    if found:
        more = len(found) > 1
        them, they_are = ("them", "they are") if more else ("it", "it is")
        unless = f", unless {they_are} known before the target is" if maybe_known else ""
        says = (
            f"{first_names(list(found.values()))} {does[more]}: new rows will have nothing like "
            f"{them}{unless}. Put {them} into load.ignore and compare the score"
        )
    return entry(check, says, bool(found), count=len(found), columns=list(found))


def _formula_entry(check: str, found: dict[str, list[str]]) -> dict:
    says = "none"
    if found:
        says = (
            f"the target is {', and also '.join(found)}: new rows will have nothing like these "
            "features, unless they are known before the target is. Put them into load.ignore and "
            "compare the score"
        )
    columns = [name for names in found.values() for name in names]
    return entry(check, says, bool(found), count=len(columns), columns=columns)


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
