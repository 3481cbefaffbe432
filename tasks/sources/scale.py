"""Whether new numbers are on the scale of the training rows, before the model scales them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.core.step import UserError

BRIGHT = 100  # no image from 0 to 1 has such a pixel, and some image from 0 to 255 has


def as_trained(called: object, x: np.ndarray, schema: dict[str, Any]) -> np.ndarray:
    """New rows in the type of the training rows, which changes no value but by rounding.

    Args:
        called: what messages call the numbers.
        x: of the shape (rows, *shape).
        schema: the content of `schema.json`.

    Raises:
        UserError: they are on another scale, such as pixels from 0 to 1 in place of 0 to 255.
    """
    kind = np.dtype(schema["load"]["type"])
    if kind.kind in "iu" and x.dtype != kind:
        _check_whole(called, x, kind, schema)
    if x.ndim > 2 and x.size:
        _check_range(called, x, schema)
    with np.errstate(over="ignore"):  # what is too large is named when it is scaled
        return x.astype(kind, copy=False)


def _check_whole(called: object, x: np.ndarray, kind: np.dtype, schema: dict[str, Any]) -> None:
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    bad = ~((x >= low) & (x <= high) & (x == np.rint(x)))
    if bad.any():
        raise UserError(
            f"{called} has {x[bad][0]:g}, which is no whole number from {low} to {high}, as "
            f"expected. {_both(x, schema)}"
        )


def _check_range(called: object, x: np.ndarray, schema: dict[str, Any]) -> None:
    """Of images: those within -1 to 1 beside those that go up to 255, or up to 65535."""
    (low, high), (least, most) = schema["min_max"]["before"], (x.min(), x.max())
    smaller = _is_small(least, most) and low >= 0 and high > BRIGHT
    larger = _is_small(low, high) and most > BRIGHT
    # Black and white, 0 and 1, may be dark on any scale; but False and True are no pixels of 255.
    if larger or (smaller and (x.dtype == bool or (x != np.rint(x)).any())):
        raise UserError(f"{called} is on another scale. {_both(x, schema)}")


def _both(x: np.ndarray, schema: dict[str, Any]) -> str:
    """Both ranges, and what to do."""
    low, high = schema["min_max"]["before"]
    advice = "Correct the values."
    if x.size and _is_small(x.min(), x.max()) != _is_small(low, high):
        advice = "Scale the new ones as those were, and no further: the model does the rest."
    return (
        f"The new values lie between {x.min():g} and {x.max():g}, those of the training rows "
        f"between {low:g} and {high:g}. {advice}"
    )


def _is_small(low: float, high: float) -> bool:
    return low >= -1 and high <= 1
