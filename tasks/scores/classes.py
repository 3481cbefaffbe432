"""The verdict on a classification, and its scores.

A score is a function and a line in `SCORES`. It gets the class of each row as a number, and the
model's probabilities, (rows, classes).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_recall_fscore_support,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from tasks.core.arrays import classes_of, read_arrays
from tasks.core.folder import Folder
from tasks.pictures import calibration, tables
from tasks.pictures import classes as pictures
from tasks.pictures.style import label, labels
from tasks.rows.outputs import probabilities
from tasks.scores.base import COLUMNS, Bins, Interval, Score, Tested, Verdict, in_bins
from tasks.scores.criterion import ACCURACY


def accuracy(actual: np.ndarray, chances: np.ndarray) -> Interval:
    """The share of right answers, with Wilson's interval."""
    right = actual == chances.argmax(axis=1)
    ends = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return Interval(right.mean(), ends.low, ends.high)


def balanced_accuracy(actual: np.ndarray, chances: np.ndarray) -> float:
    """The mean recall of the classes that have test rows.

    scikit-learn's function of that name warns if a class without test rows is predicted.
    """
    guess = chances.argmax(axis=1)
    return recall_score(actual, guess, labels=np.unique(actual), average="macro")


def ece(actual: np.ndarray, chances: np.ndarray) -> float:
    """The expected calibration error (Guo et al. 2017).

    In each of 15 bins of the confidence, the share of right answers differs from the mean
    confidence; this is the mean difference, weighted by the rows in each bin.
    """
    bins = _bins(actual, chances)
    return np.abs(bins.said - bins.was).sum() / len(actual)


def macro_f1(actual: np.ndarray, chances: np.ndarray) -> float:
    """The mean F1 of the classes that have test rows: a rare one counts as much as a large one."""
    guess = chances.argmax(axis=1)
    known = np.unique(actual)
    return f1_score(actual, guess, labels=known, average="macro", zero_division=0)


def pr_auc(actual: np.ndarray, chances: np.ndarray) -> float | None:
    """The average precision, which falls if a rare class is not found."""
    return _one_against_all(average_precision_score, actual, chances)


def roc_auc(actual: np.ndarray, chances: np.ndarray) -> float | None:
    """The area under the ROC curve."""
    return _one_against_all(roc_auc_score, actual, chances)


def _one_against_all(score: Callable, actual: np.ndarray, chances: np.ndarray) -> float | None:
    """The mean score of each class against all others; of two classes that of the rarer one."""
    known, rows = np.unique(actual, return_counts=True)
    if len(known) < 2:
        return None
    rarer = 0 if rows[0] < rows[1] else 1
    classes = known if chances.shape[1] > 2 else [rarer]
    return np.mean([score(actual == each, chances[:, each]) for each in classes])


def top2_accuracy(actual: np.ndarray, chances: np.ndarray) -> float | None:
    """The share of rows whose class is among the two most probable; with two it could only be 1."""
    classes = chances.shape[1]
    if classes == 2:
        return None
    return top_k_accuracy_score(actual, chances, k=2, labels=np.arange(classes))


SCORES: dict[str, Score] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "ece": ece,
    "macro_f1": macro_f1,
    "pr_auc": pr_auc,
    "roc_auc": roc_auc,
    "top2_accuracy": top2_accuracy,
}


class Classes(Verdict):
    """What the model's classes are worth."""

    criterion = ACCURACY
    registry = SCORES

    def __init__(self, tested: Tested) -> None:
        super().__init__(tested)
        self.chances = probabilities(tested.output)
        self.actual = classes_of(tested.y)
        self.guess = self.chances.argmax(axis=1)
        self.confidence = self.chances.max(axis=1)
        self.names = tested.schema["class_names"]

    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        return self.actual, self.chances

    def each_row(self) -> np.ndarray:
        return self.actual == self.guess

    def predictions(self) -> pd.DataFrame:
        names = np.array(self.names)
        return pd.DataFrame(
            {
                "actual": names[self.actual],
                "predicted": names[self.guess],
                "confidence": self.confidence,
            }
        )

    def table(self) -> pd.DataFrame:
        """Precision, recall, F1 and rows of each class; empty where there is nothing to divide."""
        every = range(len(self.names))
        columns = precision_recall_fscore_support(
            self.actual, self.guess, labels=every, zero_division=np.nan
        )
        return pd.DataFrame(dict(zip(COLUMNS, (self.names, *columns), strict=True)))

    def draw(self, folder: Folder) -> None:
        tested = self.tested
        pictures.confusion_matrix(folder, self.actual, self.guess, self.names)
        calibration.of_classes(folder, _bins(self.actual, self.chances), ece(*self.pair()))

        wrong = pictures.most_confident(self.actual, self.guess, self.confidence)
        names = labels(self.names)
        titles = [self._title(row, names) for row in wrong]
        if tested.x.ndim == 2 and len(wrong):
            x_train, y_train = read_arrays(folder, "normalized.npz", "x_train", "y_train")
            given = tables.Mistakes(tested.x[wrong], self.actual[wrong], self.guess[wrong], titles)
            tables.mistakes(folder, given, (x_train, y_train), tested.schema)
        else:
            pictures.mistakes(folder, tested.x, wrong, titles)

    def _title(self, row: int, names: list[str]) -> str:
        """A mistake in three lines: its row and its class; the two most probable classes."""
        places = self.tested.places
        place = f"row {row}" if places is None else label(places[row])
        first, second = np.argsort(-self.chances[row], kind="stable")[:2]
        said, then = (f"{names[k]}, {self.chances[row, k]:.2%}" for k in (first, second))
        return f"{place} is {names[self.actual[row]]}\nsaid {said}\nthen {then}"


def _bins(actual: np.ndarray, chances: np.ndarray) -> Bins:
    right = actual == chances.argmax(axis=1)
    return in_bins(chances.max(axis=1), right, (0, 1))
