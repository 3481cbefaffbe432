"""What is checked in the data before training: errors stop, suspicious findings are listed.

The sources of `load` refuse what they can name by the user's file, column and row. All data pass
this gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tasks.core.arrays import blocks, classes_of
from tasks.core.step import UserError, log
from tasks.rows import duplicates, leaks
from tasks.rows.entry import Arrays, entry, first_names

ALIKE = "; {:,} have the inputs and the label of one, and differ in columns that are no features"
UNEVEN = 10  # times as many rows in the largest class as in the smallest draw a warning


class Table(NamedTuple):
    """What only a table has."""

    kinds: Sequence[str]  # of its columns
    others: Arrays  # numbers of the rows: equal ones are equal in all columns beside `x`


def check(
    x: Arrays,
    y: Arrays,
    held: np.ndarray,
    names: Sequence[str],
    features: Sequence[str] | None,
    places: Sequence[str] | np.ndarray | None = None,
    table: Table | None = None,
) -> tuple[list[dict], np.ndarray]:
    """Check the data as `load` left them.

    Args:
        x, y: inputs and labels of `train` and `test`.
        held: a mask of the training rows that are held out for validation.
        names: of the classes; none for a regression.
        features: their names, if they have any.
        places: of all rows, training rows first: where each is from, in words.
        table: if it is one. Its inputs may be NaN where a value is missing.

    Returns:
        Two things. For each check a dictionary: `check`, `result` (`ok` or `warning`), `says`,
        and for some `count` and `rows`, named by their places or else numbered from 0 as in
        `raw.npz`. And a mask of the test rows whose inputs equal those of a training row.

    Raises:
        UserError: nothing can be trained on these data.
    """
    found = [_shapes(x, y), _types(x, y), *_values(x, y, features, table), _labels(y, names)]
    if names:
        found += _classes(y, held, names)
    found.append(_constant(x["train"], features))

    if table:
        assert features is not None  # a table has names
        found += leaks.entries(x["train"], y["train"], features, table.kinds, bool(names))
    if places is None:
        places = [f"{split} {row}" for split in x for row in range(len(x[split]))]
    equal, leaked = _equal_rows(x, y, names, places, table)
    found += equal

    for each in found:
        if each["result"] == "warning":
            log.warning("%s: %s", each["check"], each["says"])
    return found, leaked


def _equal_rows(
    x: Arrays,
    y: Arrays,
    names: Sequence[str],
    places: Sequence[str] | np.ndarray,
    table: Table | None,
) -> tuple[list[dict], np.ndarray]:
    """The checks for equal rows; rows of a table are compared in all its columns.

    Returns:
        The entries, and a mask of the test rows whose inputs equal those of a training row.
    """
    whole: dict[str, Any] = {**x}
    clause = ""
    if table and any(numbers.any() for numbers in table.others.values()):
        whole = {split: duplicates.Beside(x[split], table.others[split]) for split in x}
        count = duplicates.alike(x, y)
        clause = ALIKE.format(count) if count else ""

    labels = np.concatenate(
        [classes_of(each) if names else each.reshape(-1) for each in y.values()]
    )
    in_words = names.__getitem__ if names else "{:g}".format
    is_table = table is not None
    return duplicates.entries(whole, labels, in_words, places, bool(names), is_table, clause)


def finite(
    name: str,
    array: np.ndarray,
    features: Sequence[str] | None,
    advice: str,
    rows: np.ndarray | None = None,
) -> None:
    """Refuse NaN and infinity; the smallest and the largest value tell whether there are any.

    Args:
        name: of the array, for the message.
        array: to look at.
        features: their names, if they have any.
        advice: what to do, a sentence.
        rows: the number of each row, if it is not its place in the array.
    """
    if array.dtype.kind != "f" or not array.size:
        return
    if np.isfinite([array.min(), array.max()]).all():
        return

    within = tuple(range(1, array.ndim))
    bad = np.concatenate(
        [
            some.start + np.flatnonzero(~np.isfinite(array[some]).all(within))
            for some in blocks(array)
        ]
    )
    place = ""
    if within:
        first = np.argwhere(~np.isfinite(array[bad[0]]))[0]
        place = f" ({_feature(first, features)})"
    number = bad[0] if rows is None else rows[bad[0]]
    raise UserError(
        f"{name} has NaN or infinity in {len(bad):,} of {len(array):,} rows, first in row "
        f"{number:,}{place}, counted from 0. {advice}"
    )


def _shapes(x: Arrays, y: Arrays) -> dict:
    for split in x:
        if len(x[split]) != len(y[split]) or not x[split].size:
            raise UserError(
                f"x_{split} has the shape {x[split].shape}, y_{split} {y[split].shape}. "
                "Expected rows, and a label for each: correct the data."
            )
    for name, of in (("x", x), ("y", y)):
        train, test = of["train"].shape[1:], of["test"].shape[1:]
        if train != test:
            raise UserError(
                f"A row of {name}_test has the shape {test}, a row of {name}_train {train}. "
                "Expected the same shape: correct the data."
            )

    shapes = (f"x_{split} {' x '.join(f'{side:,}' for side in x[split].shape)}" for split in x)
    return entry("shapes", f"{', '.join(shapes)}; a label for each row")


def _types(x: Arrays, y: Arrays) -> dict:
    types = {f"{name}_{split}": of[split].dtype for split in x for name, of in (("x", x), ("y", y))}
    for name, kind in types.items():
        if kind.kind not in "iuf":
            raise UserError(f"{name} has the type {kind}. Expected numbers: save it as such.")
    return entry("types", ", ".join(f"{name} {kind}" for name, kind in types.items()))


def _values(
    x: Arrays, y: Arrays, features: Sequence[str] | None, table: Table | None
) -> list[dict]:
    for split in x:
        if not table:
            finite(f"x_{split}", x[split], features, "Fill the values, or leave the rows out.")
        finite(f"y_{split}", y[split], None, "Leave the rows out, or give them a label.")
    if table and features is not None:
        return [_missing(x["train"], features)]
    return [entry("NaN and infinity", "none"), entry("value range", _ranges(x))]


def _missing(x: np.ndarray, features: Sequence[str]) -> dict:
    """How many training rows miss a value of each column."""
    counts = sum(np.isnan(x[some]).sum(axis=0) for some in blocks(x))
    missed = [f"{name} {count:,}" for name, count in zip(features, counts, strict=True) if count]
    says = f"of {len(x):,} training rows: {first_names(missed)}" if missed else "none"
    return entry("missing values", says, count=int(counts.sum()))


def _ranges(of: Arrays) -> str:
    return ", ".join(f"{split} {part.min():g} to {part.max():g}" for split, part in of.items())


def _labels(y: Arrays, names: Sequence[str]) -> dict:
    if not names:
        return entry("labels", f"regression targets, {_ranges(y)}")
    if y["train"].ndim == 2 and y["train"].shape[1] > 1:
        return entry("labels", f"one-hot rows of {len(names)} classes")

    last = len(names) - 1
    for split, labels in y.items():
        bad = np.flatnonzero((labels < 0) | (labels > last))
        if len(bad):
            raise UserError(
                f"y_{split} has labels outside 0 to {last} in {len(bad):,} of {len(labels):,} "
                f"rows, first {labels.flat[bad[0]]} in row {bad[0]:,}, counted from 0. "
                "Number the classes from 0, without gaps."
            )
    return entry("labels", f"0 to {last}, none outside")


def _classes(y: Arrays, held: np.ndarray, names: Sequence[str]) -> list[dict]:
    """Whether every class is in every split, and how many rows each class has."""
    splits = {"train": y["train"][~held], "validation": y["train"][held], "test": y["test"]}
    counts = {
        split: np.bincount(classes_of(labels), minlength=len(names))
        for split, labels in splits.items()
        if len(labels)
    }
    return [_in_each_split(counts, names), _balance(counts["train"], names)]


def _in_each_split(counts: dict[str, np.ndarray], names: Sequence[str]) -> dict:
    rows = [
        {"class": name, **{split: int(count[k]) for split, count in counts.items()}}
        for k, name in enumerate(names)
    ]
    lost = []
    for split, count in counts.items():
        without = [names[int(k)] for k in np.flatnonzero(count == 0)]
        if without:
            lost.append(f"{split} has no row of {first_names(without)}")

    says = f"each of the {len(names)} in {', '.join(counts)}"
    if lost:
        means = "a class without training rows is not learnt, one without test rows not measured"
        says = f"{'; '.join(lost)}: {means}"
    return entry("classes in each split", says, bool(lost), rows=rows)


def _balance(count: np.ndarray, names: Sequence[str]) -> dict:
    least, most = int(count.argmin()), int(count.argmax())
    if count[least] == count[most]:
        return entry("class balance", f"{count[least]:,} training rows of each")

    uneven = bool(count[most] >= UNEVEN * count[least])
    says = f"{count[least]:,} training rows of {names[least]}, {count[most]:,} of {names[most]}"
    if uneven:
        says += ": the accuracy is mostly that of the large classes; look at each class"
    return entry("class balance", says, uneven)


def _constant(x: np.ndarray, features: Sequence[str] | None) -> dict:
    places = np.argwhere(x.min(axis=0) == x.max(axis=0))
    total = int(np.prod(x.shape[1:]))
    if not len(places):
        return entry("constant features", f"none of {total:,}", count=0)

    named = first_names([_feature(place.tolist(), features) for place in places])
    says = f"{len(places):,} of {total:,} have one value in all training rows: {named}"
    return entry("constant features", says, True, count=len(places))


def _feature(place: Sequence[int], features: Sequence[str] | None) -> str:
    """A feature by its name or number; a pixel by its row, its column and perhaps its colour."""
    numbers = [int(k) for k in place]
    if len(numbers) > 1:
        return f"pixel {numbers}"
    return f"feature {features[numbers[0]] if features is not None else numbers[0]}"
