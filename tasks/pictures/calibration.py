"""`calibration.png`: whether what the model says is so on average."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.core.folder import Folder
from tasks.pictures.style import BLUE, GRAY, figure, plain, save


def of_classes(folder: Folder, bins: Any, error: float) -> None:
    """The share of right answers by confidence.

    Args:
        folder: the pipeline's folder.
        bins: the lowest and the highest end (`between`), all `edges`, and for each bin the rows
            (`rows`), the sum of what the model `said`, and of what `was` so.
        error: the expected calibration error.
    """
    drawn, above, below = _figure(bins)
    _draw_means(above, bins)
    above.set(ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    above.set(title=f"expected calibration error {error:.3f}")
    below.set(xlabel="confidence")
    save(folder, "calibration.png", drawn)


def of_regression(folder: Folder, bins: Any) -> None:
    """The mean target by prediction.

    Args:
        folder: the pipeline's folder.
        bins: as for classes.
    """
    drawn, above, below = _figure(bins)
    _draw_means(above, bins)
    above.set(ylabel="actual, on average")
    below.set(xlabel="predicted")
    save(folder, "calibration.png", drawn)


def _figure(bins: Any):
    """A figure with the rows in each bin below, and room for their means above."""
    drawn = figure(5, 5)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    width = np.diff(bins.edges)
    below.bar(bins.edges[:-1], bins.rows, width, align="edge", color=BLUE, edgecolor="white")
    below.set(ylabel="rows")
    for axes in (above, below):
        plain(axes)
    return drawn, above, below


def _draw_means(axes, bins: Any) -> None:
    """On the dotted line, the model says on average what is so."""
    some = bins.rows > 0
    said, was = bins.said[some] / bins.rows[some], bins.was[some] / bins.rows[some]
    low, high = bins.between
    ends = [min(said.min(), low), max(said.max(), high)]
    axes.plot(ends, ends, color=GRAY, linestyle=":")
    axes.plot(said, was, color=BLUE, marker="o", markersize=5)
