"""Which rows are held out, to test on or to validate on: one rule for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from tasks.core.arrays import classes_of
from tasks.core.step import UserError

Amount = Annotated[int, Field(gt=0)] | Annotated[float, Field(gt=0, lt=1)]  # rows, or a share of them


def held_out(
    key: str,
    amount: int | float,
    y: np.ndarray,
    seed: int,
    groups: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> np.ndarray:
    """A mask of the rows that are held out, drawn by seed, with every class in the proportion that it has in `y`.

    Args:
        key: the key of `params.yaml` that asks for it, for messages.
        amount: how many rows, or which share of them. With groups as near to it as whole groups allow.
        y: classes as integers or one-hot rows. Numbers to predict have no proportion: they are drawn evenly.
        seed: of the draw.
        groups: of each row an integer. Rows of one group stay together.
        names: of the classes, for messages.

    Raises:
        UserError: no row would be held out or left, or no row of a class.
    """
    count = amount if isinstance(amount, int) else round(amount * len(y))
    if not 0 < count < len(y):
        raise UserError(
            f"{key} is {amount:g}: of {len(y):,} rows that is {count:,}. Expected some on each side: set "
            f"{'fewer' if count else 'more'}."
        )
    labels = classes_of(y)
    mask = _rows(labels, count, seed) if groups is None else _groups(key, labels, count, seed, groups)
    lost = np.setdiff1d(labels, labels[~mask])
    if len(lost):
        raise UserError(
            f"{key} is {amount:g}, and leaves no row of the class `{names[lost[0]] if len(names) else lost[0]}` to "
            f"train on: it has too few {'rows' if groups is None else 'groups'}. Add some, remove the class, or set "
            "fewer."
        )
    return mask


def _rows(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Shuffled, then sorted by class, then every so-manieth: each class has its share, to one row."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    evenly = np.floor((np.arange(count) + 0.5) * len(labels) / max(count, 1)).astype(int)
    mask = np.zeros(len(labels), bool)
    mask[by_class[evenly]] = True
    return mask


def _groups(key: str, labels: np.ndarray, count: int, seed: int, groups: np.ndarray) -> np.ndarray:
    """Groups in the order of their commonest class; one is taken when at least half of it is due."""
    kinds, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(kinds) < 2 and count:
        raise UserError(f"{key}: all rows are of one group, which cannot be in two places. Set `group: null`.")
    counts = np.zeros((len(kinds), int(labels.max()) + 1), int)
    np.add.at(counts, (member, labels), 1)
    order = np.random.default_rng(seed).permutation(len(kinds))
    order = order[np.argsort(counts.argmax(axis=1)[order], kind="stable")]
    due, taken = 0.0, []
    for group in order:
        due += sizes[group] * count / len(labels)
        if 2 * due >= sizes[group] and len(taken) < len(kinds) - 1:
            taken.append(group)
            due -= sizes[group]
    if count and not taken:  # few and large groups: the smallest is nearest to what was asked for
        taken = [min(order, key=lambda group: sizes[group])]
    return np.isin(member, taken)
