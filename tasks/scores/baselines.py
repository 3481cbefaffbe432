"""What simpler models score on the same rows of a table: is the network any good?

A baseline is a line in CLASSES or REGRESSION.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import binomtest, ttest_1samp
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from tasks.core.arrays import classes_of, read_arrays
from tasks.core.folder import Folder
from tasks.core.step import log
from tasks.scores.base import Verdict

CHANCE = 0.05  # a difference that comes by chance at most so often is one

# By their names in metrics.json. The first knows the labels alone.
CLASSES: dict[str, Any] = {
    "largest class": lambda: DummyClassifier(),
    "linear model": lambda: LogisticRegression(max_iter=1000),
    "gradient boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}
REGRESSION: dict[str, Any] = {
    "mean": lambda: DummyRegressor(),
    "linear model": lambda: Ridge(),
    "gradient boosting": lambda: HistGradientBoostingRegressor(random_state=0),
}


def compare(folder: Folder, verdict: Verdict) -> dict[str, float]:
    """The score of each baseline on the test rows; a warning where the network is no better.

    They learn from the training rows as the network does, in one thread: for the same bytes
    anywhere.

    Args:
        folder: the pipeline's folder.
        verdict: on the network.
    """
    x, y = read_arrays(folder, "normalized.npz", "x_train", "y_train")
    tested, classes = verdict.tested, verdict.criterion.score == "accuracy"
    y = classes_of(y) if classes else y.reshape(-1)
    actual = classes_of(tested.y) if classes else tested.y.reshape(-1)

    scores = {}
    for name, make in (CLASSES if classes else REGRESSION).items():
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            answer = make().fit(x, y).predict(tested.x)
        each = answer == actual if classes else (answer.astype(np.float64) - actual) ** 2
        scores[name] = float(each.mean())
        _warn(verdict, name, scores[name], each, only_labels=len(scores) == 1)
    return scores


def _warn(verdict: Verdict, name: str, score: float, each: np.ndarray, only_labels: bool) -> None:
    """Say so if a baseline is as good by the labels alone, or better by more than chance."""
    own = verdict.each_row()
    criterion = verdict.criterion
    if not criterion.reached(score, own.mean()):
        return
    if not only_labels and not _differ(own, each):
        return
    log.warning(
        "The network is no better than %s: test %s %.4g against %.4g. %s",
        f"always answering the {name}" if only_labels else f"a {name}".replace("a grad", "grad"),
        criterion.score,
        own.mean(),
        score,
        "It has learned nothing of use from these features" if only_labels else "Use that, or tune",
    )


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the scores of the same rows differ by more than chance, in a paired test."""
    difference = one.astype(np.float64) - other
    if not difference.any() or len(difference) < 2:
        return False
    if one.dtype == bool:  # McNemar's test
        return binomtest(int((difference > 0).sum()), int((difference != 0).sum())).pvalue < CHANCE
    return bool(ttest_1samp(difference, 0).pvalue < CHANCE)
