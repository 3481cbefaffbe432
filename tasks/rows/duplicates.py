"""Rows with equal inputs: in one split, in both, and with different labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from tasks.core.arrays import blocks
from tasks.rows.entry import Arrays, entry

LISTED = 1000  # rows; the count beside them is of all
EARLIER = "rows have the inputs of an earlier one"
REPEATED = 10  # rows of a table to each different one: from here on, equal ones are no copies


def entries(
    x: Mapping[str, np.ndarray | Beside],
    labels: np.ndarray,
    in_words: Callable[[Any], str],
    places: Sequence[str] | np.ndarray,
    classes: bool,
    table: bool = False,
    alike: str = "",
) -> tuple[list[dict], np.ndarray]:
    """The checks for equal rows.

    Args:
        x: inputs of `train` and `test`.
        labels: of all rows, training rows first: numbers of classes, or targets.
        in_words: a label as a person reads it.
        places: of all rows: where each is from, in words.
        classes: whether labels that differ are a contradiction; regression targets may vary.
        table: whether rows may be equal because there are few different ones.
        alike: more about rows across both splits, a clause.

    Returns:
        The entries of `checks.json`, and a mask of the test rows that equal a training row.
    """
    train = len(x["train"])
    first = first_of_equals(x["train"], x["test"])
    distinct = len(np.unique(first[:train]))
    if table and distinct * REPEATED <= train:
        says = f"{distinct:,} different ones in {train:,} training rows: equal ones are no copies"
        return [entry("duplicates", says, count=0)], np.zeros(len(x["test"]), bool)

    again = np.flatnonzero(first != np.arange(len(first)))
    rows = _Rows(labels, in_words, places)
    found = [
        rows.entry("duplicates in train", f"of {train:,} {EARLIER}", again[again < train], first),
        _in_test(rows, x["test"], first[:train]),
        _across(rows, x, again[(again >= train) & (first[again] < train)], first, alike),
    ]
    if classes:
        different = labels[again] != labels[first[again]]
        says = f"{EARLIER} and another label: they cannot all be right"
        name = "different labels of the same inputs"
        found.append(rows.entry(name, says, again[different], first))
    return found, first[train:] < train


def _in_test(rows: _Rows, test: np.ndarray | Beside, first: np.ndarray) -> dict:
    """The check for equal rows among the test rows alone.

    Args:
        rows: all of them.
        test: inputs of the test rows.
        first: for each training row, the first that equals it.
    """
    begin = len(first)
    first = np.concatenate([first, begin + first_of_equals(test)])
    found = begin + np.flatnonzero(first[begin:] != np.arange(begin, len(first)))
    return rows.entry("duplicates in test", f"of {len(test):,} {EARLIER}", found, first)


def _across(
    rows: _Rows, x: Mapping[str, Sized], found: np.ndarray, first: np.ndarray, alike: str
) -> dict:
    name = "duplicates across train and test"
    if not len(found):
        says = "no test row has the inputs of a training row"
        return entry(name, f"{says}{alike}", count=0, rows=[])
    says = (
        f"of {len(x['test']):,} test rows have the inputs of a training row: the score is "
        f"optimistic, so evaluate also reports it without them. Remove them from one side{alike}."
    )
    return rows.entry(name, says, found, first)


class Beside:
    """Arrays with the same rows, as one with the values of all: put together block by block.

    Args:
        arrays: (rows, any number of values) each, or (rows,).
    """

    def __init__(self, *arrays: np.ndarray) -> None:
        self.arrays = arrays
        self.dtype = np.result_type(*arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.column_stack([array[rows] for array in self.arrays])


class _Rows(NamedTuple):
    labels: np.ndarray
    in_words: Callable[[Any], str]
    places: Sequence[str] | np.ndarray

    def entry(self, check: str, says: str, found: np.ndarray, first: np.ndarray) -> dict:
        """An entry that lists the rows that were found, each with the first row that it equals."""
        rows = [self._pair(first[number], number) for number in found[:LISTED]]
        says = f"{len(found):,} {says}" if len(found) else "none"
        return entry(check, says, bool(rows), count=len(found), rows=rows)

    def _pair(self, first: int, row: int) -> dict[str, str]:
        return {
            "first": str(self.places[first]),
            "first label": self.in_words(self.labels[first]),
            "row": str(self.places[row]),
            "row label": self.in_words(self.labels[row]),
        }


def alike(x: Arrays, y: Arrays) -> int:
    """How many test rows have the inputs and the label of a training row."""
    first = first_of_equals(*(Beside(x[split], y[split]) for split in ("train", "test")))
    train = len(x["train"])
    return int((first[train:] < train).sum())


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two rows have the same values; missing ones, NaN, are the same."""
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def first_of_equals(*parts: np.ndarray | Beside) -> np.ndarray:
    """The first row with equal values, for each row; its own number if it is the first.

    Rows are looked up by a hash; rows with the same hash are compared value by value.

    Args:
        parts: rows of one shape; they are numbered across all parts.
    """
    kind = np.result_type(*(part.dtype for part in parts))
    starts = np.cumsum([0, *map(len, parts)])

    def rows(begin: int, end: int) -> np.ndarray:
        """Some rows of one part, in one type, as bytes that are equal if the values are."""
        part = int(np.searchsorted(starts, begin, side="right")) - 1
        block = parts[part][begin - starts[part] : end - starts[part]].astype(kind, copy=False)
        block = np.ascontiguousarray(block).reshape(len(block), -1)
        return block + kind.type(0) if kind.kind == "f" else block  # 0.0 for -0.0

    first, seen = np.arange(starts[-1]), dict[bytes, int]()
    for start, part in zip(starts, parts, strict=False):
        for some in blocks(part[:1], len(part)):
            begin = start + some.start
            for row, values in enumerate(rows(begin, start + some.stop), begin):
                before = seen.setdefault(blake2b(values, digest_size=16).digest(), row)
                if before != row and _equal(rows(before, before + 1)[0], values):
                    first[row] = before
    return first
