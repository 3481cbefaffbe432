"""How every picture is drawn: one style, and the same bytes for the same content."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tasks.core.folder import Folder

matplotlib.rcdefaults()  # a matplotlibrc of the user's, or of this folder, may have other values

BLUE, ORANGE, GRAY = "#2f6f9f", "#d9772b", "#8a8f98"
DOTS_PER_INCH = 150
COLORS = 64  # of a picture without photographs
LONGEST, BEGIN, END = 18, 10, 7  # letters of a label; of a longer name the first and the last


def figure(width: float, height: float) -> Figure:
    """A figure of `width` x `height` inches.

    Not by `pyplot`, whose state is not safe beside other threads.
    """
    drawn = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def plain(axes, *, grid: bool = True) -> None:
    """Take away the lines that say nothing; add a grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(color="#e6e8eb", linewidth=0.8)
        axes.set_axisbelow(True)


def limits(x: np.ndarray) -> tuple[float, float]:
    """The values of black and white in images: 0 and 1, unless the rows have others."""
    low, high = float(x.min()), float(x.max())
    usual = low >= 0 and high <= 1
    return (0.0, 1.0) if usual or low == high else (low, high)


def picture(axes, row: np.ndarray, between: tuple[float, float]) -> None:
    """One image, gray or in colour."""
    low, high = between
    axes.imshow((row - low) / (high - low), cmap="gray", vmin=0, vmax=1)


def in_color(x: np.ndarray) -> bool:
    """Whether the rows are images in color."""
    return x.ndim == 4 and x.shape[-1] > 1


def label(name: str) -> str:
    """A name as short as there is room for. A dollar sign in it begins no formula."""
    short = name if len(name) <= LONGEST else f"{name[:BEGIN]}…{name[-END:]}"
    return short.replace("$", r"\$")


def save(folder: Folder, name: str, drawn: Figure, *, photographs: bool = False) -> None:
    """Save a figure as PNG, without the version that Matplotlib writes into it.

    Args:
        folder: the pipeline's folder.
        name: the file's.
        drawn: the figure.
        photographs: keep all colors; a picture of 64 is a third as large.
    """
    with folder.write(name) as path:
        if photographs:
            drawn.savefig(path, format="png", metadata={"Software": None})
            return
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()
        shown = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        reduced = shown.quantize(COLORS, dither=Image.Dither.NONE)
        reduced.save(path, format="png", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
