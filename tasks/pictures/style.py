"""How every picture is drawn: one style, the same bytes for the same content."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tasks.core.folder import Folder

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
    """One image, gray or in colour."""
    low, high = between
    axes.imshow((row - low) / (high - low), cmap="gray", vmin=0, vmax=1)


def label(name: str) -> str:
    """A class's name as there is room for it: of a long one both ends. A dollar sign begins no formula."""
    short = name if len(name) <= 18 else f"{name[:10]}…{name[-7:]}"
    return short.replace("$", r"\$")


def save(folder: Folder, name: str, drawn: Figure, *, few_colors: bool = False) -> None:
    """As PNG, without the version that Matplotlib writes into it; with 64 colors, for many words, a third as large."""
    with folder.write(name) as path:
        if few_colors:
            drawn.canvas.draw()
            shown = Image.fromarray(np.asarray(drawn.canvas.buffer_rgba())).convert("RGB")
            shown.quantize(64, dither=Image.Dither.NONE).save(path, format="png", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
        else:
            drawn.savefig(path, format="png", metadata={"Software": None})
