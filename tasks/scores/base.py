"""What the two kinds of verdict share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from tasks.core.folder import Folder
from tasks.scores.criterion import Criterion

COLUMNS = ["class", "precision", "recall", "f1", "support"]  # of classes.csv
BINS = 15  # for the calibration


class Interval(NamedTuple):
    """A score with its 95% interval."""

    value: float
    low: float
    high: float


# A score gets what was right and what the model said; it is None if it cannot be measured.
Score = Callable[[np.ndarray, np.ndarray], float | Interval | None]


class Tested(NamedTuple):
    """The test rows, and what the model answers to them."""

    model: Any
    schema: dict
    x: np.ndarray
    y: np.ndarray
    output: np.ndarray
    measured: dict[str, float]  # what Keras measures
    leaked: np.ndarray | None  # a mask of the rows that are training rows too
    places: np.ndarray | None  # where each row is from, in words


class Verdict:
    """What the model's answers to the test rows are worth.

    Args:
        tested: the rows and the answers.
    """

    criterion: ClassVar[Criterion]
    registry: ClassVar[Mapping[str, Score]]

    def __init__(self, tested: Tested) -> None:
        self.tested = tested

    # What a kind of labels says.

    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """What each score gets: what was right, and what the model said."""
        raise NotImplementedError

    def each_row(self) -> np.ndarray:
        """The score of the criterion for each row: the score is their mean."""
        raise NotImplementedError

    def predictions(self) -> pd.DataFrame:
        """The content of `predictions.csv` without the places: a row for each test row."""
        raise NotImplementedError

    def table(self) -> pd.DataFrame:
        """The content of `classes.csv`."""
        raise NotImplementedError

    def draw(self, folder: Folder) -> None:
        """`predictions.png`, `mistakes.png` and `calibration.png`."""
        raise NotImplementedError

    # What is the same for all.

    def scores(self) -> dict[str, float]:
        """Every score by name, with the ends of its interval; those of the leaked rows last."""
        found = dict(self.tested.measured)
        for name, score in self.registry.items():  # after Keras's, which has float32's rounding
            value = score(*self.pair())
            if value is None:
                continue
            if isinstance(value, Interval):
                found |= {f"{name}_low": value.low, f"{name}_high": value.high}
                value = value.value
            found[name] = value
        return {f"test_{name}": float(value) for name, value in found.items()} | self._not_leaked()

    def _not_leaked(self) -> dict[str, float]:
        """How many test rows are training rows too, and the score of all others."""
        leaked = self.tested.leaked
        if leaked is None or not leaked.any():
            return {}
        found: dict[str, float] = {"leaked_rows": int(leaked.sum())}
        if not leaked.all():
            name = f"test_{self.criterion.score}_without_leaked"
            found[name] = float(self.each_row()[~leaked].mean())
        return found

    def write(self, folder: Folder) -> None:
        """Write `predictions.csv` and `classes.csv`."""
        predictions = self.predictions()
        if self.tested.places is not None:
            predictions.insert(0, "from", self.tested.places)
        with folder.write("predictions.csv") as path:
            predictions.to_csv(path, index_label="row", lineterminator="\n")
        with folder.write("classes.csv") as path:
            self.table().to_csv(path, index=False, float_format="%.4f", lineterminator="\n")


class Bins(NamedTuple):
    """Rows in bins of one width, by what the model said: for a calibration picture."""

    between: tuple[float, float]  # the lowest and the highest end
    edges: np.ndarray
    rows: np.ndarray  # in each bin
    said: np.ndarray  # the sum of what the model said, in each bin
    was: np.ndarray  # the sum of what was so
    squares: np.ndarray  # the sum of its squares

    def filled(self) -> Bins:
        """Those with rows; the edges are of all."""
        some = self.rows > 0
        return Bins(self.between, self.edges, *(each[some] for each in self[2:]))


def in_bins(said: np.ndarray, was: np.ndarray, between: tuple[float, float]) -> Bins:
    """Sort rows into 15 bins of what the model said.

    Args:
        said, was: a number for each row.
        between: the lowest and the highest end of the bins.
    """
    said, was = said.astype(float), was.astype(float)

    def total(weights: np.ndarray | None) -> np.ndarray:
        return np.histogram(said, BINS, between, weights=weights)[0]

    edges = np.histogram_bin_edges([], BINS, between)
    return Bins(between, edges, total(None), total(said), total(was), total(was**2))
