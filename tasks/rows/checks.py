"""What is looked at in the data before anything is trained on it: errors stop, what is only suspicious is listed.

The sources of `load` refuse what they can name by the user's file, column and row. This is the gate that all data pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np

from tasks.core.arrays import blocks, classes_of
from tasks.core.step import UserError, log

NAMED = 20  # classes or features in a sentence
LISTED = 1000  # rows; the count beside them is of all
UNEVEN = 10  # times as many rows of the largest class as of the smallest draw a warning

Arrays = dict[str, np.ndarray]  # by split: train, test


def check(
    x: Arrays,
    y: Arrays,
    held: np.ndarray,
    names: Sequence[str],
    features: Sequence[str] | None,
    places: Sequence[str] | None = None,
) -> tuple[list[dict], np.ndarray]:
    """Look at the data as `load` left them.

    Args:
        x, y: inputs and labels of `train` and `test`.
        held: a mask of the training rows that are held out to validate on.
        names: of the classes; none for numbers to predict.
        features: their names, if they have any.
        places: of all rows, those to train on first, where they are from, in words.

    Returns:
        Of each check `check`, `result` (`ok` or `warning`), `says`, and where there are any `count` and `rows`, which
        are named by their places, or else numbered from 0 as in `raw.npz`; and a mask of the test rows whose inputs are
        those of a training row.

    Raises:
        UserError: nothing can be trained on these data.
    """
    found = [_shapes(x, y), _types(x, y), *_values(x, y, features), _labels(y, names)]
    if names:
        found += _classes(y, held, names)
    found.append(_constant(x["train"], features))
    first = first_of_equals(x["train"], x["test"])
    places = places or [f"{split} {row}" for split in x for row in range(len(x[split]))]
    found += _equals(first, first_of_equals(x["test"]), _in_words(y, names), places, classes=bool(names))
    for each in found:
        if each["result"] == "warning":
            log.warning("%s: %s", each["check"], each["says"])
    train = len(x["train"])
    return found, first[train:] < train


def finite(name: str, array: np.ndarray, features: Sequence[str] | None, advice: str, rows=None) -> None:
    """Refuse NaN and infinity; the smallest and the largest value tell whether there are any.

    Args:
        rows: of each row its number, if that is another.
    """
    if array.dtype.kind != "f" or not array.size or np.isfinite([array.min(), array.max()]).all():
        return
    within = tuple(range(1, array.ndim))
    bad = np.concatenate([some.start + np.flatnonzero(~np.isfinite(array[some]).all(within)) for some in blocks(array)])
    place = f" ({_feature(np.argwhere(~np.isfinite(array[bad[0]]))[0], features)})" if within else ""
    first = bad[0] if rows is None else rows[bad[0]]
    raise UserError(
        f"{name} has NaN or infinity in {len(bad):,} of {len(array):,} rows, first in row {first:,}{place}, counted "
        f"from 0. {advice}"
    )


def first_of_equals(*parts: np.ndarray) -> np.ndarray:
    """Of each row, counted on through all parts, the number of the first row with the same values: mostly its own.

    Rows are looked up by a hash; what has the same one is compared value by value.
    """
    kind, starts = np.result_type(*parts), np.cumsum([0, *map(len, parts)])

    def rows(begin: int, end: int) -> np.ndarray:
        """Of one part, in one type, as bytes that are equal when the values are."""
        part = np.searchsorted(starts, begin, side="right") - 1
        block = parts[part][begin - starts[part] : end - starts[part]].astype(kind, copy=False)
        block = np.ascontiguousarray(block).reshape(len(block), -1)
        return block + kind.type(0) if kind.kind == "f" else block  # 0.0 for -0.0

    first, seen = np.arange(starts[-1]), {}
    for start, part in zip(starts, parts, strict=False):
        for some in blocks(part):
            for row, values in enumerate(rows(start + some.start, start + some.stop), start + some.start):
                before = seen.setdefault(blake2b(values, digest_size=16).digest(), row)
                if before != row and np.array_equal(rows(before, before + 1)[0], values):
                    first[row] = before
    return first


def _entry(check: str, says: str, warn: bool = False, **more) -> dict:
    return {"check": check, "result": "warning" if warn else "ok", "says": says, **more}


def _shapes(x: Arrays, y: Arrays) -> dict:
    for split in x:
        if len(x[split]) != len(y[split]) or not x[split].size:
            raise UserError(
                f"x_{split} has the shape {x[split].shape}, y_{split} {y[split].shape}. Expected rows, and a label for "
                "each: correct the data."
            )
    for name, of in (("x", x), ("y", y)):
        if of["train"].shape[1:] != of["test"].shape[1:]:
            raise UserError(
                f"A row of {name}_test has the shape {of['test'].shape[1:]}, one of {name}_train "
                f"{of['train'].shape[1:]}. Expected the same: correct the data."
            )
    shapes = (f"x_{split} {' x '.join(f'{side:,}' for side in x[split].shape)}" for split in x)
    return _entry("shapes", f"{', '.join(shapes)}; a label for each row")


def _types(x: Arrays, y: Arrays) -> dict:
    types = {f"{name}_{split}": of[split].dtype for split in x for name, of in (("x", x), ("y", y))}
    for name, kind in types.items():
        if kind.kind not in "iuf":
            raise UserError(f"{name} has the type {kind}. Expected numbers: save it as such.")
    return _entry("types", ", ".join(f"{name} {kind}" for name, kind in types.items()))


def _values(x: Arrays, y: Arrays, features: Sequence[str] | None) -> list[dict]:
    for split in x:
        finite(f"x_{split}", x[split], features, "Fill the values, or leave the rows out.")
        finite(f"y_{split}", y[split], None, "Leave the rows out, or give them a label.")
    return [_entry("NaN and infinity", "none"), _entry("value range", _ranges(x))]


def _ranges(of: Arrays) -> str:
    return ", ".join(f"{split} {values.min():g} to {values.max():g}" for split, values in of.items())


def _labels(y: Arrays, names: Sequence[str]) -> dict:
    if not names:
        return _entry("labels", f"numbers to predict, {_ranges(y)}")
    if y["train"].ndim == 2 and y["train"].shape[1] > 1:
        return _entry("labels", f"one-hot rows of {len(names)} classes")
    for split, labels in y.items():
        bad = np.flatnonzero((labels < 0) | (labels >= len(names)))
        if len(bad):
            raise UserError(
                f"y_{split} has labels outside 0 to {len(names) - 1} in {len(bad):,} of {len(labels):,} rows, first "
                f"{labels.flat[bad[0]]} in row {bad[0]:,}, counted from 0. Number the classes from 0, without gaps."
            )
    return _entry("labels", f"0 to {len(names) - 1}, none outside")


def _classes(y: Arrays, held: np.ndarray, names: Sequence[str]) -> list[dict]:
    """Whether every class is in every split, and how many rows the classes have."""
    splits = {"train": y["train"][~held], "validation": y["train"][held], "test": y["test"]}
    counts = {split: np.bincount(classes_of(rows), minlength=len(names)) for split, rows in splits.items() if len(rows)}
    missing = {split: [names[k] for k in np.flatnonzero(count == 0)] for split, count in counts.items()}
    says = "; ".join(f"{split} has no row of {_some(gone)}" for split, gone in missing.items() if gone)
    rows = [
        {"class": name, **{split: int(count[k]) for split, count in counts.items()}} for k, name in enumerate(names)
    ]
    means = ": what is not in train is not learnt, what is not in test is not measured"
    there = f"each of the {len(names)} in {', '.join(counts)}"
    first = _entry("classes in each split", says + means if says else there, bool(says), rows=rows)

    count = counts["train"]
    least, most = int(count.argmin()), int(count.argmax())
    uneven = bool(count[most] >= UNEVEN * count[least])
    says = f"{count[least]:,} training rows of {names[least]}, {count[most]:,} of {names[most]}"
    means = ": the accuracy is mostly that of the large classes; look at each"
    even = f"{count[least]:,} training rows of each"
    second = _entry("class balance", says + means * uneven if count[least] < count[most] else even, uneven)
    return [first, second]


def _constant(x: np.ndarray, features: Sequence[str] | None) -> dict:
    places = np.argwhere(x.min(axis=0) == x.max(axis=0))
    all_ = int(np.prod(x.shape[1:]))
    if not len(places):
        return _entry("constant features", f"none of {all_:,}", count=0)
    named = _some([_feature(place, features) for place in places])
    says = f"{len(places):,} of {all_:,} have one value in all training rows, and tell nothing: {named}"
    return _entry("constant features", says, True, count=len(places))


def _equals(
    first: np.ndarray, first_test: np.ndarray, labels: list[str], places: Sequence[str], classes: bool
) -> list[dict]:
    """Rows with the same inputs: in one split, in both, and with different labels.

    Args:
        first: of each row, training rows before test rows, the first row with the same inputs.
        first_test: the same among the test rows alone.
        labels: of all rows, in words.
        places: of all rows.
        classes: whether labels that differ are a contradiction; numbers to predict may vary.
    """
    test = len(first_test)
    train = len(first) - test

    def entry(check: str, says: str, found: np.ndarray, first: np.ndarray = first, none: str = "none") -> dict:
        def row(number: int, what: str) -> dict:
            return {what: str(places[number]), f"{what} label": labels[number]}

        rows = [row(first[number], "first") | row(number, "row") for number in found[:LISTED]]
        return _entry(check, f"{len(found):,} {says}" if rows else none, bool(rows), count=len(found), rows=rows)

    again = np.flatnonzero(first != np.arange(len(first)))
    inside = train + np.flatnonzero(first_test != np.arange(test))
    leaked = again[(again >= train) & (first[again] < train)]
    flatters = "the score flatters, and evaluate also tells it for the others. Take them out of one side"
    found = [
        entry("duplicates in train", f"of {train:,} rows have the inputs of an earlier one", again[again < train]),
        entry(
            "duplicates in test", f"of {test:,} rows have the inputs of an earlier one", inside,
            first=np.concatenate([first[:train], train + first_test]),
        ),
        entry(
            "duplicates across train and test", f"of {test:,} test rows have the inputs of a training row: {flatters}",
            leaked, none="no test row has the inputs of a training row",
        ),
    ]  # fmt: skip
    if classes:
        other = again[[labels[number] != labels[first[number]] for number in again]]
        says = "rows have the inputs of an earlier one and another label: they cannot all be right"
        found.append(entry("different labels of the same inputs", says, other))
    return found


def _in_words(y: Arrays, names: Sequence[str]) -> list[str]:
    if names:
        return [names[k] for labels in y.values() for k in classes_of(labels).tolist()]
    return [f"{value:g}" for labels in y.values() for value in labels.reshape(-1).tolist()]


def _feature(place: Iterable[int], features: Sequence[str] | None) -> str:
    """A feature by its name or number, a pixel by its row, its column and, if there are any, its colour."""
    place = [int(k) for k in place]
    if len(place) > 1:
        return f"pixel {place}"
    return f"feature {features[place[0]] if features is not None else place[0]}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")
