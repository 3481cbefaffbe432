"""Several trainings in one picture: the validation loss of each, by epoch."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tasks.core.folder import Folder
from tasks.pictures.style import by_epoch, figure, label, save


def draw(folder: Folder, name: str, histories: Mapping[str, pd.DataFrame]) -> None:
    """A line for each training, with a dot at the epoch of its checkpoint.

    Args:
        folder: where the picture goes.
        name: the file's.
        histories: the content of each `history.csv`, with a column `val_loss`; ten at most, which
            is as many as there are colors.
    """
    drawn = figure(8, 4)
    axes = drawn.subplots()
    for training, history in histories.items():
        (line,) = axes.plot(history["epoch"], history["val_loss"], label=label(training))
        best = history[history["checkpoint"] == 1].iloc[-1]
        axes.plot(best["epoch"], best["val_loss"], "o", color=line.get_color())

    by_epoch(axes, pd.concat([history["val_loss"] for history in histories.values()]))
    axes.set_title("val_loss (dot: the checkpoint)")
    drawn.legend(loc="outside right upper", frameon=False)
    save(folder, name, drawn)
