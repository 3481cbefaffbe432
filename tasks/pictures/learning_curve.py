"""`learning_curve.png`: loss and metrics by epoch."""

from __future__ import annotations

import numpy as np

from tasks.core.folder import Folder
from tasks.pictures.style import BLUE, GRAY, ORANGE, by_epoch, figure, save


def draw(folder: Folder, history, best: int) -> None:
    """Each number of the history by epoch, with the epoch of the checkpoint marked.

    Args:
        folder: the pipeline's folder.
        history: the content of `history.csv`, a data frame.
        best: the epoch of the checkpoint, counted from 1.
    """
    names = [name for name in history.columns if _is_drawn(name)]
    drawn = figure(5 * len(names), 3.6)
    panels = np.atleast_1d(drawn.subplots(1, len(names)))

    for axes, name in zip(panels, names, strict=True):
        values = history[name]
        axes.plot(history["epoch"], values, color=BLUE, label="train")
        if f"val_{name}" in history:
            axes.plot(history["epoch"], history[f"val_{name}"], color=ORANGE, label="validation")
        axes.axvline(best, color=GRAY, linestyle=":", label=f"checkpoint, epoch {best}")

        by_epoch(axes, values)
        axes.set_title(name)
    handles, _ = panels[0].get_legend_handles_labels()
    drawn.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    save(folder, "learning_curve.png", drawn)


def _is_drawn(name: str) -> bool:
    """Whether a column has an axis of its own."""
    return name not in ("epoch", "checkpoint") and not name.startswith("val_")
