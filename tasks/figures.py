"""How every picture is drawn: one style, the same bytes for the same content."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.base import Folder

BLUE, ORANGE, GRAY = "#2f6f9f", "#d9772b", "#8a8f98"
DOTS_PER_INCH = 100


def figure(width: float, height: float) -> Figure:
    """A figure of its own, `width` x `height` in inches: no `pyplot`, whose state is not safe beside other threads."""
    drawn = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def plain(axes, *, grid: bool = True) -> None:
    """Take away what does not speak."""
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(color="#e6e8eb", linewidth=0.8)
        axes.set_axisbelow(True)


def limits(x) -> tuple[float, float]:
    """What is black and what is white in images of these rows: 0 and 1, unless they have other values."""
    low, high = float(x.min()), float(x.max())
    return (0.0, 1.0) if (low >= 0 and high <= 1) or low == high else (low, high)


def picture(axes, row, between: tuple[float, float]) -> None:
    """One row of the inputs, gray or in colour; features as a strip."""
    low, high = between
    axes.imshow((np.atleast_2d(row) - low) / (high - low), cmap="gray", vmin=0, vmax=1)


def save(folder: Folder, name: str, drawn: Figure) -> None:
    """As PNG, without the version that Matplotlib writes into it."""
    with folder.write(name) as path:
        drawn.savefig(path, format="png", metadata={"Software": None})
