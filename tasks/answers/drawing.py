"""Pictures of answers: the first images with what was said of them, and how often it was said."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tasks.core.folder import Folder
from tasks.pictures.style import (
    BLUE,
    figure,
    in_color,
    label,
    limits,
    panel_title,
    picture,
    plain,
    save,
)

COLUMNS, ROWS = 5, 2
LETTERS = 20  # in the width of a panel
BARS = 12  # classes, the most frequent first


def images(folder: Folder, name: str, x: np.ndarray, answers: list[str]) -> None:
    """Draw the first images, each with its answer.

    Args:
        folder: where to.
        name: the file's.
        x: images before scaling, (rows, height, width) or (rows, height, width, colours).
        answers: one for each.
    """
    x = x[: COLUMNS * ROWS].astype(np.float32)
    lines = -(-len(x) // COLUMNS)
    drawn = figure(2 * COLUMNS, 2.3 * lines)
    panels = drawn.subplots(lines, COLUMNS, squeeze=False).flatten()
    for axes in panels:
        axes.set_axis_off()
    for axes, row, answer in zip(panels, x, answers, strict=False):
        picture(axes, row, limits(x))
        axes.set_title(panel_title(answer, LETTERS), fontsize=11)
    save(folder, name, drawn, photographs=in_color(x))


def classes(folder: Folder, name: str, counts: Counter[str]) -> None:
    """Draw how many rows got each class."""
    most = counts.most_common(BARS)[::-1]
    drawn = figure(6, 0.8 + 0.3 * len(most))
    axes = drawn.subplots()
    axes.barh([label(each) for each, _ in most], [count for _, count in most], color=BLUE)
    axes.set(xlabel="rows")
    plain(axes)
    save(folder, name, drawn)


def numbers(folder: Folder, name: str, predicted: np.ndarray) -> None:
    """Draw the distribution of a regression's answers."""
    drawn = figure(6, 3.2)
    axes = drawn.subplots()
    axes.hist(predicted, bins=30, color=BLUE)
    axes.set(xlabel="predicted", ylabel="rows")
    plain(axes)
    save(folder, name, drawn)
