"""Labels as `load` writes them: classes from 0 to k-1, or regression targets in float32."""

from __future__ import annotations

import numpy as np

from tasks.core.step import UserError

LARGEST = 1e18  # a regression target
LOST = 1e-3  # of the targets' standard deviation: at most so much may be lost by rounding

Labels = dict[str, np.ndarray]  # by split


def targets(values: Labels, where: object) -> Labels:
    """Regression targets as float32, in which their errors are squared.

    Args:
        values: one number a row.
        where: the data's place, for messages.

    Raises:
        UserError: float32 has no room for them, or for their differences.
    """
    largest = max(float(np.abs(y).max(initial=0)) for y in values.values())
    if largest > LARGEST:
        raise UserError(
            f"{where}: a regression target is {largest:.3g} in size. Expected at most "
            f"{LARGEST:.0e}, as errors are squared in float32. Divide all of them by a power of 10."
        )

    every = np.concatenate([y.astype(np.float64) for y in values.values()])
    if np.ptp(every) == 0:
        raise UserError(
            f"{where}: every regression target is {every[0]:g}, so there is nothing to learn. "
            "Expected targets that differ."
        )
    if np.abs(every - every.astype(np.float32)).max(initial=0) > LOST * every.std():
        raise UserError(
            f"{where}: the regression targets lie between {every.min():.10g} and "
            f"{every.max():.10g}. Float32, in which models predict, has too few digits to tell "
            "them apart. Expected values nearer to 0: subtract a constant from all of them."
        )
    return {split: y.astype(np.float32) for split, y in values.items()}


def numbered(labels: Labels, where: object) -> tuple[Labels, list[str]]:
    """Classes as 0 to k-1, in the order of their values; and their names, which keep the values.

    Args:
        labels: one integer or text a row.
        where: the data's place, for messages.
    """
    values = distinct(labels, where)
    kind = np.uint8 if len(values) <= 256 else np.int32
    numbers = {split: np.searchsorted(values, y).astype(kind) for split, y in labels.items()}
    return numbers, [str(value) for value in values]


def distinct(labels: Labels, where: object) -> np.ndarray:
    """The classes that have rows.

    Raises:
        UserError: there is only one, or one has no training rows.
    """
    values = np.unique(np.concatenate(list(labels.values())))
    if len(values) < 2:
        raise UserError(
            f"{where} has one class only, `{values[0]}`: there is nothing to tell apart. "
            "Expected two classes or more."
        )
    for split, y in labels.items():
        new = np.setdiff1d(y, labels["train"])
        if len(new):
            kind = "validation" if split == "val" else split
            raise UserError(
                f"{where}: the class `{new[0]}` has {kind} rows and no training rows. "
                "Add some, or remove it."
            )
    return values
