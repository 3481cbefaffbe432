"""`samples.png`: some of the rows that the model will see."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.core.arrays import classes_of
from tasks.core.folder import Folder
from tasks.pictures import tables
from tasks.pictures.style import (
    BLUE,
    figure,
    in_color,
    labels,
    limits,
    panel_title,
    picture,
    plain,
    save,
)

ROWS, COLUMNS = 2, 5
TITLE, LETTERS = 11, 20  # points; of them in the width of a panel


def draw(folder: Folder, x: np.ndarray, y: np.ndarray, schema: dict[str, Any]) -> str:
    """Draw images, the points of a single feature, or the features of a table.

    Args:
        folder: the pipeline's folder.
        x, y: the training rows.
        schema: the content of `schema.json`.

    Returns:
        What was drawn, in words.
    """
    regression = schema["labels"] == "regression"
    if x.ndim > 2:
        return _images(folder, x, y, schema)
    if x.shape[1] == 1 and regression:
        return _points(folder, x, y, schema)
    return tables.samples(folder, x, y, schema)


def _points(folder: Folder, x: np.ndarray, y: np.ndarray, schema: dict[str, Any]) -> str:
    drawn = figure(6, 4)
    axes = drawn.subplots()
    axes.scatter(x[:, 0], y, color=BLUE)
    axes.set(xlabel=tables.single(schema), ylabel=tables.target_name(schema) or "y")
    axes.set(title=f"{len(x):,} points to train on")
    plain(axes)
    save(folder, "samples.png", drawn)
    return f"{len(x):,} points in samples.png"


def _images(folder: Folder, x: np.ndarray, y: np.ndarray, schema: dict[str, Any]) -> str:
    """The first images in a grid, each with its label."""
    count = min(len(x), ROWS * COLUMNS)
    between = limits(x)
    titles = _titles(y[:count], schema)

    drawn = figure(2 * COLUMNS, 2.3 * ROWS)
    panels = drawn.subplots(ROWS, COLUMNS).flatten()
    for axes in panels:
        axes.set_axis_off()
    for axes, row, title in zip(panels, x, titles, strict=False):
        picture(axes, row, between)
        axes.set_title(title, fontsize=TITLE)

    save(folder, "samples.png", drawn, photographs=in_color(x))
    return f"the first {count} training images in samples.png"


def _titles(y: np.ndarray, schema: dict[str, Any]) -> list[str]:
    """A class's name and number, or a target."""
    if schema["labels"] == "regression":
        return [f"{value:g}" for value in y.reshape(-1)]
    labels(schema["class_names"])  # says which names cannot be drawn
    return [panel_title(f"{schema['class_names'][k]} ({k})", LETTERS) for k in classes_of(y)]
