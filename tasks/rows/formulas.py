"""A target that is a sum or a product of features: which ones, found by least squares."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np

FEW = 40  # rows: with less, a feature may look so by chance
TINY = 1e-300  # for a variance of 0
EXACT = 1e-6  # of the target's variance: features that leave less add up to the target
NEARLY = 1e-4  # the same for the logarithms of a product, which is often rounded
SEEN = 10_000  # rows among which such features are looked for
MOST = 500  # columns
TERMS = 6  # of a sum, in words
PAIRED = 12  # columns that are multiplied by each other
SUMMED = 3  # such terms of a sum
ROUND = 1e-3  # a factor so near to 1 is 1, a constant so near to 0 is 0
ALL_TRIED = 20  # columns of a sum: of more it is not asked whether each is needed

Formulas = dict[str, list[str]]  # the names of the columns that are in it, by the formula


def of_target(
    x: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    kinds: Sequence[str],
    without: Collection[str] = (),
) -> tuple[Formulas, Formulas]:
    """The sums and the products of columns that are the target.

    Args:
        x: (rows, columns); NaN where a value is missing.
        y: the target, (rows,), float64.
        names, kinds: of the columns; words are in no formula.
        without: columns that are not looked at.
    """
    are_free = [
        str(name) not in without and kind != "words"
        for name, kind in zip(names, kinds, strict=True)
    ]
    are_dates = [kind.startswith("date") for kind in kinds]
    numbers = np.flatnonzero(np.greater(are_free, are_dates))

    sums = _sums(x, y, np.array(names), np.flatnonzero(are_free))
    product = _product(x, y, np.array(names), numbers)
    if not sums and not product and len(numbers):
        sums = _sum_of_pairs(x, y, names, numbers)
    return sums, product


def _sums(x: np.ndarray, y: np.ndarray, names: np.ndarray, columns: np.ndarray) -> Formulas:
    """Sums of columns, with any factors, that are the target: their names, by the formula.

    Args:
        x: (rows, columns); NaN where a value is missing.
        y: the target, (rows,).
        names: of the columns.
        columns: the places of those that may be in a sum.
    """
    rows = some_rows(len(x))
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
) -> Formulas:
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

    rows = some_rows(len(x))
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


def _product(x: np.ndarray, y: np.ndarray, names: np.ndarray, columns: np.ndarray) -> Formulas:
    """Columns whose product, some of them squared or divided by, is the target: as for `_sums`."""
    rows = some_rows(len(x))
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


def some_rows(count: int, most: int = SEEN) -> np.ndarray:
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
