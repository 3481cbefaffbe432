"""Which rows are held out, to test on or to validate on: one rule for both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.base import UserError


def held_out(key: str, y: np.ndarray, count: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """A mask of the rows that are held out, drawn by seed, with every class in the proportion that it has in `y`.

    Args:
        key: the key of `params.yaml` that asks for it, for messages.
        y: classes as integers or one-hot rows. Numbers to predict have no proportion: they are drawn evenly.
        count: how many rows. With groups as near to it as whole groups allow.
        seed: of the draw.
        groups: of each row an integer. Rows of one group stay together.

    Raises:
        UserError: nothing would be left to train on.
    """
    labels = classes_of(y)
    if count >= len(labels):
        raise UserError(f"{key} is {count:,}, but there are {len(labels):,} training rows. Hold out fewer.")
    return _rows(labels, count, seed) if groups is None else _groups(key, labels, count, seed, groups)


def lost(y: np.ndarray, mask: np.ndarray, names: Sequence[str]) -> str | None:
    """The first class of which every row is held out, by its name."""
    labels = classes_of(y)
    missing = np.setdiff1d(labels, labels[~mask])
    if not len(missing):
        return None
    return str(names[missing[0]] if len(names) else missing[0])


def classes_of(y: np.ndarray) -> np.ndarray:
    """One integer a row: the class, or 0 for numbers to predict."""
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(axis=1)
    return np.zeros(len(y), int) if np.issubdtype(y.dtype, np.floating) else y.reshape(-1)


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
