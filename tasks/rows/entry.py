"""An entry of `checks.json`, and the words that the checks share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NAMED = 20  # classes or features in a sentence

Arrays = dict[str, np.ndarray]  # by split: train, test


def entry(check: str, says: str, warn: bool = False, **more) -> dict:
    """What a check found.

    Args:
        check: its name.
        says: what was found, in words.
        warn: whether a person should look at it.
        more: `count`, `rows` and `columns`, if there are any.
    """
    return {"check": check, "result": "warning" if warn else "ok", "says": says, **more}


def first_names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
