"""Which rows are held out, for the test or for validation: one rule for both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from tasks.core.arrays import classes_of, empty
from tasks.core.step import UserError

# Rows, or a share of them.
Amount = Annotated[int, Field(gt=0)] | Annotated[float, Field(gt=0, lt=1)]


def held_out(
    key: str,
    amount: int | float,
    y: np.ndarray,
    seed: int,
    groups: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> np.ndarray:
    """A mask of the rows that are held out: a seeded, stratified draw.

    Args:
        key: the key of `params.yaml` that asks for it, for messages.
        amount: a number of rows, or a share of them; with groups, as near to it as they allow.
        y: classes as integers or one-hot rows, or regression targets, which have no strata.
        seed: of the draw.
        groups: an integer a row. Rows of one group stay together.
        names: of the classes, for messages.

    Raises:
        UserError: one side would be left without rows, or the training without a class.
    """
    count = amount if isinstance(amount, int) else round(amount * len(y))
    if not 0 < count < len(y):
        raise UserError(
            f"{key} is {amount:g}, which is {count:,} of {len(y):,} rows. "
            f"Expected some on each side: set {'fewer' if count else 'more'}."
        )

    labels = classes_of(y)
    if groups is None:
        mask = _rows(labels, count, seed)
    else:
        mask = _groups(key, labels, count, seed, groups)

    lost = np.setdiff1d(labels, labels[~mask])
    if len(lost):
        rare = [str(names[k]) if len(names) else str(k) for k in lost]
        few = "rows" if groups is None else "groups"
        raise UserError(
            f"{key} is {amount:g}, which leaves no training row of the class {_named(rare)}: too "
            f"few {few}. Add some, remove what is rare, or set fewer.{_or_a_number(names)}"
        )
    return mask


def _named(lost: list[str]) -> str:
    more = f" and {len(lost) - 3:,} more" if len(lost) > 3 else ""
    return ", ".join(f"`{name}`" for name in lost[:3]) + more


def _or_a_number(names: Sequence[str]) -> str:
    """Advice, if the classes may be numbers, such as counts."""
    if len(names) < 3 or not all(re.fullmatch(r"-?\d+(\.\d+)?", name) for name in names):
        return ""
    return " A number, such as a count, is no class: `new --task regression`, or set load.task."


def _rows(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Stratified: shuffle, sort by class, take every n-th row."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    evenly = np.floor((np.arange(count) + 0.5) * len(labels) / max(count, 1)).astype(int)

    mask = np.zeros(len(labels), bool)
    mask[by_class[evenly]] = True
    return mask


def _groups(key: str, labels: np.ndarray, count: int, seed: int, groups: np.ndarray) -> np.ndarray:
    """Whole groups in the order of their commonest class; each is taken if half of it is due."""
    kinds, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(kinds) < 2 and count:
        raise UserError(
            f"{key}: all rows are of one group, which cannot be on both sides. Set `group: null`."
        )

    # Shuffle the groups, then sort them by their commonest class.
    counts = np.zeros((len(kinds), int(labels.max()) + 1), int)
    np.add.at(counts, (member, labels), 1)
    order = np.random.default_rng(seed).permutation(len(kinds))
    order = order[np.argsort(counts.argmax(axis=1)[order], kind="stable")]

    due, taken = 0.0, list[int]()
    for group in order:
        due += sizes[group] * count / len(labels)
        if 2 * due >= sizes[group] and len(taken) < len(kinds) - 1:
            taken.append(group)
            due -= sizes[group]
    if count and not taken:  # few and large groups: the smallest is nearest to what was asked for
        taken = [min(order, key=lambda group: sizes[group])]
    return np.isin(member, taken)


def joined(parts: Sequence[tuple[np.ndarray, np.ndarray]], place: Path) -> np.ndarray:
    """The rows as they were numbered before they were split.

    Args:
        parts: of each part the number of each row, and the rows.
        place: a folder for large temporary files.
    """
    _, first = parts[0]
    count = sum(len(numbers) for numbers, _ in parts)
    whole = empty((count, *first.shape[1:]), first.dtype, place)
    for numbers, rows in parts:
        whole[numbers] = rows
    return whole
