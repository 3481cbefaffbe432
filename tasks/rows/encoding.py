"""The columns of a table as features: fitted to the training rows, kept in `schema.json`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from tasks.core.step import UserError

BINS = 48  # of the quantiles, at most
IN_A_BIN = 40  # training rows, at least
RARE = 5  # training rows: a word that has fewer is no feature of its own
MOST = 128  # words of a column that are features of their own: the most frequent ones
BUCKETS = 64  # features that all other words share
DAY, YEAR = 86_400, 365.2425  # in seconds, in days
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
PARTS = ("time", "season", "weekday", "hour")  # of a date


class Missing(UserError):
    """A column misses values, and no training row does."""

    def __init__(self, column: str, count: int, row: int) -> None:
        super().__init__(
            f"The column {column} has {count:,} missing values, the first in row {row:,}, counted "
            "from 0, and the training rows have none. Fill them, or set `load.missing: median` and "
            "train again."
        )
        self.column, self.row = column, row


class Column(NamedTuple):
    """How one column becomes features."""

    name: str
    kind: str  # number or date, perhaps with its format, boolean or words
    fill: float | None  # what stands for a missing value; None: there may be none
    missing: bool  # whether a feature tells that the value is missing
    words: list[str]  # each is a feature
    parts: list[str]  # of a date
    buckets: int = 0  # features that all other words share, each word one of them

    @property
    def features(self) -> list[str]:
        if self.kind == "words":
            found = [f"{self.name} = {word}" for word in self.words]
            found += [f"{self.name}: other words {k}" for k in range(1, self.buckets + 1)]
        elif self.kind.startswith("date"):
            found = [f"{self.name}: {each}" for part in self.parts for each in _PARTS[part].names]
        else:
            found = [self.name]
        return found + [f"{self.name} is missing"] * self.missing

    def scaled(self) -> list[bool]:
        """For each feature, whether it is a number that may lie anywhere."""
        if self.kind.startswith("number"):
            return [True] + [False] * self.missing
        return [feature == f"{self.name}: time" for feature in self.features]

    def apply(self, x: np.ndarray, words: np.ndarray) -> np.ndarray:
        """The features of each row, (rows, features).

        Args:
            x: the column's values, NaN where they are missing.
            words: that places in `x` stand for, if the column is of words.
        """
        empty = np.isnan(x)
        if empty.any() and self.fill is None:
            raise Missing(self.name, int(empty.sum()), int(empty.argmax()))

        if self.kind == "words":
            found = self._of_words(x, words)
        elif self.kind.startswith("date"):
            seconds = np.where(empty, self.fill or 0, x)
            found = np.column_stack([_PARTS[part].of(seconds) for part in self.parts])
        else:
            found = np.where(empty, self.fill or 0, x)[:, None]
        return np.column_stack([found, empty]) if self.missing else found

    def _of_words(self, x: np.ndarray, words: np.ndarray) -> np.ndarray:
        """A 1 for the feature of each word; no 1 for a missing word, or one without a feature."""
        codes, row = np.unique(np.where(np.isnan(x), -1, x).astype(int), return_inverse=True)
        place = {word: number for number, word in enumerate(self.words)}
        found = np.zeros((len(codes), len(place) + self.buckets))
        for number, code in enumerate(codes):
            word = str(words[code]) if code >= 0 else None
            if word in place:
                found[number, place[word]] = 1
            elif word is not None and self.buckets:
                found[number, len(place) + _hash(word) % self.buckets] = 1
        return found[row]


class Encoding(NamedTuple):
    """How the columns of a table become features."""

    columns: list[Column]

    @classmethod
    def of(
        cls,
        columns: Iterable[np.ndarray],
        names: Sequence[str],
        kinds: Sequence[str],
        words: np.ndarray,
        fill: str,
    ) -> Encoding:
        """Fit to the training rows.

        Args:
            columns: their values, each float64, (rows,), NaN where they are missing.
            names, kinds: of the columns.
            words: a word in a column is its place in this list.
            fill: what fills missing values, `mean` or `median`; empty: there may be none.

        Raises:
            UserError: a column has nothing to learn from.
        """
        each = zip(columns, map(str, names), map(str, kinds), strict=True)
        return cls([_fitted(values, name, kind, words, fill) for values, name, kind in each])

    @property
    def features(self) -> list[str]:
        return [feature for column in self.columns for feature in column.features]

    def scaled(self) -> np.ndarray:
        """A mask of the features that scaling is for; the others are small by themselves."""
        return np.array([each for column in self.columns for each in column.scaled()])

    def apply(self, x: np.ndarray, words: np.ndarray) -> np.ndarray:
        """The features of any rows, before scaling: float64, (rows, features).

        Args:
            x: float64, (rows, columns), NaN where a value is missing.
            words: a word in `x` is its place in this list.

        Raises:
            UserError: a value is missing in a column that may miss none.
        """
        parts = zip(x.T, self.columns, strict=True)
        return np.concatenate([column.apply(values, words) for values, column in parts], axis=1)

    def to_json(self) -> list[dict[str, Any]]:
        return [column._asdict() for column in self.columns]

    @classmethod
    def from_json(cls, schema: dict[str, Any]) -> Encoding:
        """The encoding that `schema.json` describes."""
        return cls([Column(**column) for column in schema["columns"]])


def quantiles(x: np.ndarray, names: Sequence[str]) -> dict[str, list[float]]:
    """The quantiles of each feature that has more than two values, without repetition.

    Args:
        x: the training rows as the model sees them, (rows, features).
        names: of the features.
    """
    bins = max(2, min(BINS, len(x) // IN_A_BIN))
    found = {}
    for name, values in zip(names, x.T, strict=True):
        values = values.astype(np.float64)
        # Values of rows: between the two of a bit there is nothing to learn.
        ends = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1), method="nearest"))
        if len(ends) > 2:
            found[name] = ends.tolist()
    return found


def _fitted(x: np.ndarray, name: str, kind: str, words: np.ndarray, fill: str) -> Column:
    empty = np.isnan(x)
    known = x[~empty]
    if not len(known):
        raise UserError(
            f"The column {name} has no value in any training row. Put it into load.ignore."
        )

    column = Column(name, kind, None, bool(empty.any()), [], [])
    if fill:
        usual = float(np.mean(known) if fill == "mean" else np.median(known))
        column = column._replace(fill=0.0 if kind == "words" else usual)
    if kind == "words":
        frequent, others = _frequent(known.astype(int), words)
        column = column._replace(words=frequent, buckets=BUCKETS if others else 0)
    if kind.startswith("date"):
        column = column._replace(parts=[part for part in PARTS if _PARTS[part].varies(known)])
    if not column.features:
        raise UserError(
            f"The column {name} has no word that {RARE} training rows share, so there is nothing "
            "to learn from it. Put it into load.ignore."
        )
    return column


def _frequent(codes: np.ndarray, words: np.ndarray) -> tuple[list[str], bool]:
    """The most frequent words that are not rare, sorted; and whether there are more of these."""
    counts = np.bincount(codes, minlength=len(words))
    order = np.argsort(-counts, kind="stable")[:MOST]
    frequent = [str(words[code]) for code in np.sort(order) if counts[code] >= RARE]
    return frequent, int((counts >= RARE).sum()) > MOST


def _hash(word: str) -> int:
    """The same number for the same word, in every process."""
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")


# The parts of a date, which is in seconds since 1970: a Thursday.


class Part(NamedTuple):
    """A part of a date: its features, and whether the training rows vary in it."""

    names: list[str]
    of: Any  # from the seconds to the features, (rows, features)
    varies: Any  # from the seconds to a bool


def _circle(share: np.ndarray) -> np.ndarray:
    """Sine and cosine of a share of a turn, so that its end is near its beginning."""
    turn = 2 * np.pi * (share % 1)
    return np.column_stack([np.sin(turn), np.cos(turn)])


def _weekday(seconds: np.ndarray) -> np.ndarray:
    return (np.floor(seconds / DAY) + 3) % 7


def _days(seconds: np.ndarray) -> np.ndarray:
    return seconds / DAY


def _several(values: np.ndarray) -> bool:
    return len(np.unique(values)) > 1


def _season_varies(seconds: np.ndarray) -> bool:
    """From month to month, not from year to year alone."""
    months = seconds.astype("datetime64[s]").astype("datetime64[M]").astype(int)
    return _several(months % 12)


def _weekday_varies(seconds: np.ndarray) -> bool:
    """From day to day, not because months begin on other weekdays."""
    days = seconds.astype("datetime64[s]").astype("datetime64[D]")
    in_month = (days - days.astype("datetime64[M]")).astype(int)
    return _several(_weekday(seconds)) and len(np.unique(in_month)) > 7


_PARTS = {
    "time": Part(["time"], lambda seconds: _days(seconds)[:, None], lambda seconds: True),
    "season": Part(
        ["season (sine)", "season (cosine)"],
        lambda seconds: _circle(_days(seconds) / YEAR),
        _season_varies,
    ),
    "weekday": Part(
        WEEKDAYS,
        lambda seconds: (_weekday(seconds)[:, None] == np.arange(7)).astype(np.float64),
        _weekday_varies,
    ),
    "hour": Part(
        ["hour (sine)", "hour (cosine)"],
        lambda seconds: _circle(_days(seconds)),
        lambda seconds: _several(seconds % DAY // 3600),
    ),
}
