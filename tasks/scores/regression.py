"""The verdict on a regression, and its scores.

A score is a function and a line in `SCORES`. It gets the targets and the predictions, one number
for each row.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import sem, t
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from tasks.core.folder import Folder
from tasks.pictures import calibration
from tasks.pictures import regression as pictures
from tasks.pictures.tables import target_name
from tasks.scores.base import COLUMNS, Interval, Score, Tested, Verdict, in_bins
from tasks.scores.criterion import ERROR

ROWS = 30  # for an interval, at least


def mae(actual: np.ndarray, predicted: np.ndarray) -> float:
    """The mean absolute error."""
    return mean_absolute_error(actual, predicted)


def mse(actual: np.ndarray, predicted: np.ndarray) -> float | Interval:
    """The mean squared error with Student's interval, whose lower end is not below 0.

    Fewer than 30 rows have no interval. Squared errors are skewed, so a 95% interval contains the
    truth less often: for normal errors in 82, 86, 89, 90 and 94 of 100 samples of 5, 10, 20, 30 and
    100 rows. A BCa bootstrap is no better below 30 (Hesterberg 2015 says why).
    """
    value = mean_squared_error(actual, predicted)
    if len(actual) < ROWS:
        return value
    margin = t.ppf(0.975, len(actual) - 1) * sem((actual - predicted) ** 2)
    return Interval(value, max(value - margin, 0), value + margin)


def r2(actual: np.ndarray, predicted: np.ndarray) -> float | None:
    """The share of the variance that is explained; rows of one value have no variance."""
    return r2_score(actual, predicted) if np.ptp(actual) > 0 else None


SCORES: dict[str, Score] = {
    "mae": mae,
    "mse": mse,
    "r2": r2,
}


class Regression(Verdict):
    """What the model's predictions are worth."""

    criterion = ERROR
    registry = SCORES

    def __init__(self, tested: Tested) -> None:
        super().__init__(tested)
        self.actual, self.predicted = tested.y.reshape(-1), tested.output.reshape(-1)

    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        return self.actual.astype(float), self.predicted.astype(float)

    def each_row(self) -> np.ndarray:
        return (self.actual.astype(float) - self.predicted) ** 2

    def predictions(self) -> pd.DataFrame:
        return pd.DataFrame({"actual": self.actual, "predicted": self.predicted})

    def table(self) -> pd.DataFrame:
        """No row: one graph of steps serves all labels, so the file is there."""
        return pd.DataFrame(columns=COLUMNS)

    def draw(self, folder: Folder) -> None:
        tested, predicted = self.tested, self.predicted
        if tested.x.shape[1:] == (1,):
            pictures.fitted_line(folder, tested.x, self.actual, tested.model, tested.schema)
        else:
            pictures.predicted_by_actual(folder, self.actual, predicted, tested.schema)
        pictures.residuals(folder, self.actual, predicted, tested.schema)

        ends = (float(predicted.min()), float(predicted.max()))
        bins = in_bins(predicted, self.actual, ends)
        calibration.of_regression(folder, bins, target_name(tested.schema))
