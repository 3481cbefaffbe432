"""Whether a target is classes or a number, by its values.

Numbers are classes if they are few and whole, unless they count or measure something: 3 children
are more than 2, and a class 3 is no more than a class 2. See docs/benchmarks.md for how often this
is right.
"""

from __future__ import annotations

import re

import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

FEW = 20  # whole numbers with so many values may be classes
NAMES = ("class", "label", "labels")  # of columns that say themselves that they are classes

# The last word of names of counts and measures, and the first; and how many values they have.
QUANTITIES = re.compile(
    r"(ages?|years?|size|counts?|percent|pct|hours|days|weeks|months|children|kids|persons|people"
    r"|rooms|bedrooms|bathrooms|beds|visits|trips|goals|claims|accidents|crashes|deaths|births"
    r"|orders|purchases|clicks|calls|events|errors|defects|siblings)\d*"
)
NUMBER_OF = ("n", "no", "num", "nr", "number", "count")
SOME = 4
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*")

# Counts begin at 0. Their tail is long, and thins out: so many values at least, a skewness, rows
# with the largest value, and the rank correlation of values and rows from the most frequent value.
COUNTED, SKEWED, RARE, FALLING = 5, 0.5, 0.03, -0.7
# Classes have rows to learn from; so many values with fewer rows each, on average, are none.
SPREAD, ROWS = 8, 5


def of(column: pd.Series) -> tuple[str, str]:
    """The task, `classes` or `regression`, and why, in words.

    Args:
        column: the target, with NaN where it is missing.
    """
    name, y = str(column.name), column.dropna()
    plain = f"from the values of {name}; --task overrides it"
    if not is_numeric_dtype(y):
        return "classes", plain
    if not _are_whole(y, len(y) < len(column), name) or y.nunique() > FEW:
        return "regression", plain
    if y.nunique() < 3 or name.strip().lower() in NAMES:
        return "classes", plain

    values = f"{y.nunique()} whole numbers, {y.min():.15g} to {y.max():.15g}"
    if y.nunique() >= SPREAD and len(y) < ROWS * y.nunique():
        return "regression", f"as {len(y)} rows have {values}; --task classes overrides it"
    if y.nunique() >= SOME and _is_quantity(name):
        return "regression", f"as {name} counts or measures something; --task classes overrides it"
    if counted(y):
        return "regression", (
            f"as the {values}, look like counts of something: the larger, the rarer; "
            "--task classes overrides it"
        )
    return "classes", (
        f"as {name} has {values}; if they count or measure something, take --task regression"
    )


def counted(y: pd.Series) -> bool:
    """Whether whole numbers look like counts."""
    rows = y.value_counts().sort_index()
    if rows.index[0] != 0 or len(rows) < COUNTED:
        return False
    tail = rows.loc[rows.idxmax() :].reset_index(drop=True)
    falls = tail.nunique() > 1 and tail.rank().corr(tail.index.to_series()) <= FALLING
    return bool(falls and y.skew() >= SKEWED and rows.iloc[-1] <= RARE * len(y))


def _is_quantity(name: str) -> bool:
    """Whether a column's name says that it counts or measures, as `household_size` does."""
    words = [word.lower() for word in WORDS.findall(name)] or [""]
    return bool(QUANTITIES.fullmatch(words[-1])) or (len(words) > 1 and words[0] in NUMBER_OF)


def _are_whole(y: pd.Series, had_holes: bool, name: str) -> bool:
    """Whether numbers are whole; 2.0 may be a measure, unless holes or the values say otherwise."""
    if not is_float_dtype(y):
        return True
    # Among whole numbers pandas has no missing value: where one is missing, all are floats.
    two = y.nunique() == 2 and y.abs().max() <= FEW  # such as 0.0 and 1.0
    as_classes = had_holes or two or name.strip().lower() in NAMES
    return as_classes and bool((y == y.round()).all())
