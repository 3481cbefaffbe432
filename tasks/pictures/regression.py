"""The pictures of a regression: its predictions, and its residuals."""

from __future__ import annotations

import numpy as np

from tasks.core.digits import digits
from tasks.core.folder import Folder
from tasks.pictures import tables
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure, plain, save

FEW = 500  # rows, up to which the dots are large
POINTS = 100  # of the fitted line


def fitted_line(folder: Folder, x: np.ndarray, actual: np.ndarray, model, schema: dict) -> None:
    """`predictions.png` for a single feature: the test points, and the model as a line.

    Args:
        folder: the pipeline's folder.
        x, actual: the test rows, (rows, 1), and their targets.
        model: the Keras model.
        schema: the content of `schema.json`.
    """
    across = np.linspace(x.min(), x.max(), POINTS, dtype=np.float32).reshape(-1, 1)
    drawn = figure(6, 4)
    axes = drawn.subplots()
    axes.plot(across, model.predict(across, verbose=0), color=ORANGE, label="the model")
    axes.scatter(x, actual, color=BLUE, s=2 * _dot(x), label="test points", zorder=3)
    axes.set(xlabel=tables.single(schema), ylabel=tables.target_name(schema) or "y")
    axes.set(title="what the model predicts")
    drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    plain(axes)
    save(folder, "predictions.png", drawn)


def predicted_by_actual(
    folder: Folder, actual: np.ndarray, predicted: np.ndarray, schema: dict
) -> None:
    """`predictions.png`: a perfect prediction lies on the dotted line."""
    drawn = figure(6, 4)
    axes = drawn.subplots()
    axes.scatter(actual, predicted, color=BLUE, s=_dot(actual))
    ends = [actual.min(), actual.max()]
    axes.plot(ends, ends, color=GRAY, linestyle=":")
    name = tables.target_name(schema)
    axes.set(xlabel=f"actual {name}".strip(), ylabel=f"predicted {name}".strip())
    axes.set(title=f"{len(actual):,} test rows")
    plain(axes)
    save(folder, "predictions.png", drawn)


def residuals(folder: Folder, actual: np.ndarray, predicted: np.ndarray, schema: dict) -> None:
    """`mistakes.png`: the residuals by the predictions."""
    drawn = figure(6, 3)
    axes = drawn.subplots()
    errors = predicted - actual
    axes.axhline(0, color=GRAY, linestyle=":")
    axes.scatter(predicted, errors, color=BLUE, s=_dot(actual))
    axes.set(xlabel=f"predicted {tables.target_name(schema)}".strip(), ylabel="predicted - actual")
    mean, spread = digits(errors.mean(), 2), digits(errors.std(), 2)
    axes.set(title=f"mean {mean}, standard deviation {spread}")
    plain(axes)
    save(folder, "mistakes.png", drawn)


def _dot(rows: np.ndarray) -> int:
    """The area of a dot, in points squared."""
    return 16 if len(rows) <= FEW else 4
