"""What simpler models score on the same rows of a table: is the network any good?

A baseline is a line in CLASSES or REGRESSION.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
from scipy.stats import binomtest, ttest_1samp
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from tasks.core.arrays import blocks, classes_of, read_arrays
from tasks.core.digits import digits
from tasks.core.folder import Folder
from tasks.core.step import log
from tasks.rows.encoding import Encoding
from tasks.scores.base import Verdict
from tasks.scores.criterion import ACCURACY, nothing_learned

MOST = 2**27  # bytes of training rows: with more, they would need more memory than the network
CHANCE = 0.05  # how often a difference between equal models may be taken for a real one

# By their names in metrics.json. The first of each is in NOTHING_LEARNED.
CLASSES: dict[str, Any] = {
    "largest class": DummyClassifier(),
    "linear model": LogisticRegression(max_iter=1000),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
}
REGRESSION: dict[str, Any] = {
    "mean": DummyRegressor(),
    "linear model": Ridge(),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
}
SAID = {"linear model": "a linear model", "gradient boosting": "gradient boosting"}


def compare(folder: Folder, verdict: Verdict) -> dict[str, float]:
    """The score of each baseline on the test rows; a warning where the network is no better.

    Baselines learn from the training rows, as the network does; of a large table from some of them.

    Args:
        folder: the pipeline's folder.
        verdict: on the network.
    """
    found = _learned(folder, verdict, np.full(verdict.tested.x.shape[1], True))
    scores = {name: float(each.mean()) for name, each in found.items()}
    criterion, own = verdict.criterion, verdict.each_row()
    if said := nothing_learned({f"test_{criterion.score}": own.mean(), "baselines": scores}):
        log.warning("%s", said)
    for name in SAID:
        _warn(verdict, name, found[name])
    return scores


def compare_without(
    folder: Folder, verdict: Verdict, columns: Collection[str]
) -> dict[str, dict[str, float]]:
    """The same without some columns of the table: what is left if they gave the target away.

    Args:
        folder: the pipeline's folder.
        verdict: on the network.
        columns: their names.

    Returns:
        By the names of the columns the scores; empty if no other column is left.
    """
    every = Encoding.from_json(verdict.tested.schema).columns
    kept = [column.name not in columns for column in every for _ in column.features]
    if all(kept) or not any(kept):
        return {}
    found = _learned(folder, verdict, np.array(kept))
    return {", ".join(columns): {name: float(each.mean()) for name, each in found.items()}}


def _learned(folder: Folder, verdict: Verdict, features: np.ndarray) -> dict[str, np.ndarray]:
    """What each answer of each baseline scores, if it learns from these features, a mask."""
    x, y = read_arrays(folder, "normalized.npz", "x_train", "y_train")
    classes = verdict.criterion is ACCURACY
    y = classes_of(y) if classes else y.reshape(-1)

    most = MOST // x[:1].nbytes
    if len(x) > most:
        log.info("baselines learn from %s of %s training rows", f"{most:,}", f"{len(x):,}")
        rows = np.linspace(0, len(x) - 1, most).astype(int)  # from everywhere in the file
        x, y = x[rows], y[rows]
    x = x[:, features]
    return {
        name: _each_row(verdict, _answers(model, x, y, verdict.tested.x, features))
        for name, model in (CLASSES if classes else REGRESSION).items()
    }


def _answers(
    model: Any, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """Train, and predict: in one thread, so that the bits are the same anywhere."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is good enough to compare with
        model.fit(x, y)
        return np.concatenate([model.predict(x_test[some][:, features]) for some in blocks(x_test)])


def _each_row(verdict: Verdict, answers: np.ndarray) -> np.ndarray:
    """What each answer scores, as `Verdict.each_row` says it of the network's."""
    y = verdict.tested.y
    if verdict.criterion is ACCURACY:
        return answers == classes_of(y)
    return (answers.astype(np.float64) - y.reshape(-1)) ** 2


def _warn(verdict: Verdict, name: str, each: np.ndarray) -> None:
    """Say so if a baseline is better by more than chance."""
    criterion, own = verdict.criterion, verdict.each_row()
    if criterion.reached(each.mean(), own.mean()) and _differ(own, each):
        scores = f"test {criterion.score} {digits(own.mean())} against {digits(each.mean())}"
        log.warning("The network is worse than %s: %s on the same rows", SAID[name], scores)


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the scores of the same rows differ by more than chance, in a paired test."""
    difference = one.astype(np.float64) - other
    if not difference.any() or len(difference) < 2:
        return False
    if one.dtype == bool:  # McNemar's test
        better, changed = int((difference > 0).sum()), int((difference != 0).sum())
        return bool(binomtest(better, changed).pvalue < CHANCE)
    return bool(ttest_1samp(difference, 0).pvalue < CHANCE)
