"""The pictures of classes: the confusion matrix, and the most confident mistakes on images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix as count_pairs

from tasks.core.folder import Folder
from tasks.pictures.style import figure, in_color, labels, limits, picture, save

MISTAKES = 10
MOST_NAMES = 100  # on an axis


class Cells(NamedTuple):
    """The sizes in a confusion matrix of up to that many classes."""

    classes: int
    side: float  # of a cell, in inches
    digits: int  # size of the numbers; 0: only the color tells
    shares: bool  # whether there is room for a share below each number
    letters: int  # size of the names
    turned: int  # degrees, the names below


CELLS = [
    Cells(12, 0.58, 8, True, 10, 45),
    Cells(26, 0.36, 7, False, 9, 45),
    Cells(MOST_NAMES, 0.13, 0, False, 7, 90),
]


def confusion_matrix(
    folder: Folder, actual: np.ndarray, guess: np.ndarray, class_names: list[str]
) -> None:
    """`predictions.png`: the actual class by the predicted one, colored by the share of the row.

    Args:
        folder: the pipeline's folder.
        actual, guess: the class of each test row, and the predicted one, as numbers.
        class_names: the name of each class.
    """
    count = count_pairs(actual, guess, labels=range(len(class_names)))
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    names = labels(class_names)
    every = -(-len(names) // MOST_NAMES)  # of more classes not all are named
    cells = next(sizes for sizes in CELLS if len(names) <= sizes.classes * every)

    longest = max(map(len, names))
    side = max(3.6, 1 + 0.008 * cells.letters * longest + cells.side * len(names) / every)
    drawn = figure(side, side)
    axes = drawn.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if cells.digits:
        _write_numbers(axes, count, share, cells)

    ticks = range(0, len(names), every)
    aligned = "right" if cells.turned < 90 else "center"
    axes.set_xticks(
        ticks, names[::every], rotation=cells.turned, ha=aligned, fontsize=cells.letters
    )
    axes.set_yticks(ticks, names[::every], fontsize=cells.letters)
    right = f"{np.trace(count):,} of {count.sum():,} right"
    axes.set(xlabel="predicted", ylabel="actual (color: share of its row)", title=right)
    axes.spines[:].set_visible(False)
    save(folder, "predictions.png", drawn)


def _write_numbers(axes, count: np.ndarray, share: np.ndarray, cells: Cells) -> None:
    """The number of test rows in each cell that has some, and their share of the actual class."""
    how = {"ha": "center", "va": "center", "fontsize": cells.digits}
    for row, column in zip(*np.nonzero(count), strict=True):
        color = "white" if share[row, column] > 0.5 else "black"
        below = f"\n{share[row, column]:.1%}" if cells.shares else ""
        axes.text(column, row, f"{count[row, column]}{below}", color=color, **how)


def most_confident(actual: np.ndarray, guess: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """The numbers of the rows to show as mistakes, the most confident one first."""
    wrong = np.flatnonzero(actual != guess)
    return wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]


def mistakes(folder: Folder, x: np.ndarray, wrong: np.ndarray, titles: list[str]) -> None:
    """`mistakes.png`: images with wrong answers; a picture that says so if there are none.

    Args:
        folder: the pipeline's folder.
        x: the test rows.
        wrong: the numbers of the rows to draw.
        titles: a title for each of them.
    """
    count = len(wrong)
    across = min(max(count, 2), MISTAKES // 2)
    down = -(-max(count, 1) // across)
    drawn = figure(2 * across, 2.55 * down if count else 0.8)
    panels = drawn.subplots(down, across, squeeze=False).flatten()
    for axes in panels:
        axes.set_axis_off()

    between = limits(x)
    for axes, row, title in zip(panels, wrong, titles, strict=False):
        picture(axes, x[row], between)
        axes.set_title(title, fontsize=8)
    if not count:
        drawn.suptitle("no mistakes")
    save(folder, "mistakes.png", drawn, photographs=in_color(x))
