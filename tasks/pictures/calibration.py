"""`calibration.png`: whether what the model says is so on average."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.core.folder import Folder
from tasks.pictures.style import BLUE, GRAY, figure, plain, save

Z = 1.96  # standard deviations on either side of a 95% interval
FEW = 20  # rows in a bin: with fewer it is drawn faintly


def of_classes(folder: Folder, bins: Any, error: float) -> None:
    """The share of right answers by confidence, with Wilson's intervals.

    Args:
        folder: the pipeline's folder.
        bins: see `Bins` in tasks/scores/base.py.
        error: the expected calibration error.
    """
    drawn, above, below = _figure(bins)
    bins = bins.filled()
    share = bins.was / bins.rows
    slack = Z**2 / bins.rows
    middle = (share + slack / 2) / (1 + slack)
    margin = Z * np.sqrt(share * (1 - share) / bins.rows + slack / bins.rows / 4) / (1 + slack)

    _draw_means(above, bins, middle - margin, middle + margin)
    above.set(ylabel="share that is right", xlim=(0, 1.02), ylim=(-0.02, 1.02))
    above.set(title=f"expected calibration error {error:.3f}")
    below.set(xlabel="confidence")
    save(folder, "calibration.png", drawn)


def of_regression(folder: Folder, bins: Any, target: str) -> None:
    """The mean target by prediction, with intervals by the standard error of the mean.

    Args:
        folder: the pipeline's folder.
        bins: as for classes.
        target: what is predicted; may be empty.
    """
    drawn, above, below = _figure(bins)
    bins = bins.filled()
    mean = bins.was / bins.rows
    variance = np.maximum(bins.squares / bins.rows - mean**2, 0)
    margin = Z * np.sqrt(variance / bins.rows)

    _draw_means(above, bins, mean - margin, mean + margin)
    above.set(ylabel=f"actual {target}".strip() + ", on average", title="mean target by prediction")
    below.set(xlabel=f"predicted {target}".strip())
    save(folder, "calibration.png", drawn)


def _figure(bins: Any):
    """A figure with the rows in each bin below, and room for their means above."""
    drawn = figure(5, 5)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    width = np.diff(bins.edges)
    below.bar(bins.edges[:-1], bins.rows, width, align="edge", color=BLUE, edgecolor="white")
    below.set(ylabel="test rows")
    below.yaxis.get_major_locator().set_params(integer=True)
    for axes in (above, below):
        plain(axes)
    return drawn, above, below


def _draw_means(axes, bins: Any, low: np.ndarray, high: np.ndarray) -> None:
    """A point for each bin, with its interval; on the dotted line what the model says is so."""
    said, was = bins.said / bins.rows, bins.was / bins.rows
    ends = [min(said.min(), bins.between[0]), max(said.max(), bins.between[1])]
    axes.plot(ends, ends, color=GRAY, linestyle=":")
    axes.plot(said, was, color=BLUE, linewidth=0.8, alpha=0.5)
    for some, alpha in ((bins.rows < FEW, 0.35), (bins.rows >= FEW, 1)):
        margins = [(was - low)[some], (high - was)[some]]
        axes.errorbar(
            said[some], was[some], np.maximum(margins, 0), fmt="o", color=BLUE, alpha=alpha,
            markersize=5, elinewidth=1.2, capsize=2,
        )  # fmt: skip
