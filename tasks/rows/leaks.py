"""Features of a table that a model should not have: row numbers, and what gives the target away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tasks.core.arrays import classes_of
from tasks.rows.entry import entry, first_names

FEW = 40  # rows: with less, a feature may look so by chance
GIVEN_AWAY = 0.99  # of the classes right, or of the variance explained, by one feature
ONE_CLASS = 0.95  # of the rows: then one class is right so often that no feature stands out
TINY = 1e-300  # for a variance of 0
EXACT = 1e-6  # of the target's variance: features that leave less add up to the target
NEARLY = 1e-4  # the same for the logarithms of a product, which is often rounded
TOLD = 200_000  # rows from which it is learned what a feature tells
SEEN, MOST = 10_000, 500  # rows and columns among which such features are looked for
TERMS = 6  # of a sum, in words
PAIRED, SUMMED = 12, 3  # columns that are multiplied by each other, and such terms of a sum
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
    told = _some(len(x), TOLD)
    telling = {
        str(name): f"{name} ({share:.3f})"
        for values, name, _ in columns
        if (share := _told(values[told], y[told], classes)) >= GIVEN_AWAY
    }

    judged = {*counting, *telling}
    free = [str(name) not in judged and kind != "words" for _, name, kind in columns]
    are_dates = [kind.startswith("date") for *_, kind in columns]
    sums, product = {}, {}
    if enough and not classes:
        target = y.reshape(-1).astype(np.float64)
        sums = _sums(x, target, np.array(names), np.flatnonzero(free))
        numbers = np.flatnonzero(np.greater(free, are_dates))
        product = _product(x, target, np.array(names), numbers)
        if not sums and not product and len(numbers):
            sums = _sum_of_pairs(x, target, names, numbers)

    of = "of the labels right" if classes else "of the variance"
    return [
        _entry("row numbers as features", counting, "rises or falls with the row's number", ""),
        _entry(
            "features that give the target away",
            telling,
            f"alone tells nearly all {of}",
            ", unless it is known before the target is",
        ),
        _formula_entry("features that add up to the target", sums),
        _formula_entry("features that multiply to the target", product),
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
    rows = _some(len(x))
    triangle, columns = _triangle(_cells(x, rows, columns), y[rows], columns)
    found, left = {}, list(range(len(columns)))
    while chosen := _fewest(triangle[:, :-1], triangle[:, -1], left, EXACT):
        factors = _solved(x[:, columns[chosen]], y)
        if factors is None:
            break
        named = names[columns[chosen]]
        found[_formula(factors, named)] = named.tolist()
        left = [column for column in left if column not in chosen]
    return found


def _sum_of_pairs(
    x: np.ndarray, y: np.ndarray, names: Sequence[str], columns: np.ndarray
) -> dict[str, list[str]]:
    """As `_sums`, of columns and their products and ratios, such as `price * count + postage`.

    The terms are found one after the other, each the one that tells most of the rest.
    """
    terms = [(a, a, 0) for a in columns]  # the first column times a power of the other
    if len(columns) <= PAIRED:
        terms += [(a, b, 1) for a, b in itertools.combinations(columns, 2)]
        terms += [(a, b, -1) for a, b in itertools.permutations(columns, 2)]

    def values(term: tuple[int, int, int], rows: np.ndarray | slice) -> np.ndarray:
        first, other, power = term
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            of_rows: np.ndarray = x[:, first][rows] * x[:, other][rows] ** float(power)
        return of_rows

    rows = _some(len(x))
    part = np.column_stack([values(term, rows) for term in terms])
    triangle, places = _triangle(part, y[rows], np.arange(len(terms)))
    known, target = triangle[:, :-1], triangle[:, -1]
    rest, chosen = target, list[int]()
    while len(chosen) < min(SUMMED, len(places)) and rest @ rest > EXACT * (target @ target):
        chosen.append(int(np.abs(rest @ known).argmax()))
        rest = target - known[:, chosen] @ np.linalg.lstsq(known[:, chosen], target, rcond=None)[0]
    found = [terms[places[each]] for each in chosen]
    if not found or all(power == 0 for *_, power in found):
        return {}

    every = np.column_stack([values(term, slice(None)) for term in found])
    factors = None if np.isinf(every).any() else _solved(every, y)
    if factors is None:
        return {}
    signs = {0: "", 1: " * ", -1: " / "}
    written = [f"{names[a]}{signs[power]}{names[b] if power else ''}" for a, b, power in found]
    used = dict.fromkeys(names[each] for a, b, _ in found for each in (a, b))
    return {_formula(factors, np.array(written)): list(map(str, used))}


def _product(
    x: np.ndarray, y: np.ndarray, names: np.ndarray, columns: np.ndarray
) -> dict[str, list[str]]:
    """Columns whose product, some of them squared or divided by, is the target: as for `_sums`."""
    rows = _some(len(x))
    size = np.abs(y)
    large = max(np.median(size[rows]), TINY)  # of small targets rounding leaves little
    rows = rows[size[rows] >= large]
    triangle, columns = _triangle(_logs(_cells(x, rows, columns)), _logs(y[rows]), columns)
    chosen = _fewest(triangle[:, :-1], triangle[:, -1], list(range(len(columns))), NEARLY)
    if len(chosen) < 2:  # what a feature alone tells has a check of its own
        return {}

    columns = columns[chosen]
    there = ~np.isnan(x[:, columns]).any(axis=1)
    factors, size = _logs(x[:, columns][there]), size[there]
    is_large = size >= large
    logs, wanted = factors[is_large], np.log(size[is_large])
    if np.isinf(logs).any():  # a product with a zero would be zero
        return {}

    centred = logs[:SEEN] - logs[:SEEN].mean(axis=0)
    powers = np.round(2 * np.linalg.lstsq(centred, wanted[:SEEN], rcond=None)[0]) / 2
    with np.errstate(invalid="ignore", over="ignore"):  # zeros by zeros
        rest = wanted - logs @ powers
        error = size - np.exp(factors @ powers + rest.mean())
        fits = rest.var() <= NEARLY * wanted.var() and (error**2).mean() <= NEARLY * size.var()
    if not fits or not powers.all():
        return {}
    return {_product_formula(np.exp(rest.mean()), powers, names[columns]): names[columns].tolist()}


def _some(count: int, most: int = SEEN) -> np.ndarray:
    """Rows to look at, in the order in which a file on disk is read."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def _cells(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Some rows of some columns, column after column, as they lie on disk."""
    return np.column_stack([x[:, column][rows] for column in columns] or [rows[:, None][:, :0]])


def _logs(values: np.ndarray) -> np.ndarray:
    """Of the sizes; those of zeros are infinite."""
    with np.errstate(divide="ignore"):
        logs: np.ndarray = np.log(np.abs(values))
    return logs


def _triangle(x: np.ndarray, y: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A few rows with the sums of squares that all rows have, and the columns that they are of.

    The last column is `y`. There are no columns if there are too few rows: as many columns as rows
    would fit any target.
    """
    usable = (np.isnan(x).mean(axis=0) < 0.5) & ~np.isinf(x).any(axis=0)
    columns, count = columns[usable], int(usable.sum())
    part = np.column_stack([x[:, usable], y])
    part = part[~np.isnan(part).any(axis=1)]
    if not 1 <= count <= MOST or len(part) < max(FEW, 2 * count):
        return np.zeros((1, 1)), columns[:0]
    part -= part.mean(axis=0)
    part /= np.maximum(part.std(axis=0), TINY)
    return np.asarray(np.linalg.qr(part, mode="r")), columns


def _fewest(x: np.ndarray, y: np.ndarray, columns: list[int], exact: float) -> list[int]:
    """Columns without which no sum would be `y`, but for that share; none if no sum is."""
    if not columns:
        return []

    def fitted(some: list[int]) -> np.ndarray | None:
        factors = np.linalg.lstsq(x[:, some], y, rcond=None)[0]
        rest = y - x[:, some] @ factors
        return factors if rest @ rest <= exact * (y @ y) else None

    factors = fitted(columns)
    if factors is None:
        return []
    needed = [each for each, factor in zip(columns, factors, strict=True) if factor**2 > exact]
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


def _product_formula(factor: float, powers: np.ndarray, names: np.ndarray) -> str:
    """Such as `0.5 * a * b / c^2`."""
    terms = [
        f"{'/' if power < 0 else '*'} {name}{'' if abs(power) == 1 else f'^{abs(power):g}'}"
        for power, name in sorted(zip(powers, names, strict=True), key=lambda each: each[0] < 0)
    ]
    if len(terms) > TERMS:
        terms[TERMS - 1 :] = [f"and {len(terms) - TERMS + 1} more columns"]
    if powers.max() < 0 or abs(factor - 1) > 0.01:
        terms.insert(0, f"{factor:.4g}")
    return " ".join(terms).removeprefix("* ")
