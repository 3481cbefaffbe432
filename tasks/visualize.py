"""Step 3, visualize: draw what the model will see, `samples.png`."""

from __future__ import annotations

import numpy as np

from tasks.arrays import read_arrays
from tasks.base import Folder, Section

ROWS, COLUMNS = 2, 5


class Params(Section):
    """Nothing to choose."""


def visualize(folder: Folder, params: Params) -> str:
    """Read `normalized.npz`; draw the first ten training images with their labels, or for regression all points.

    Raises:
        UserError: `normalized.npz` is missing or damaged.
    """
    from tasks.figures import BLUE, figure, plain, save  # here: Matplotlib takes a second to import

    schema = folder.read_json("schema.json")
    x, y = read_arrays(folder, "normalized.npz", "x_train", "y_train")
    if schema["labels"] == "regression":
        drawn = figure(6, 4)
        axes = drawn.subplots()
        axes.scatter(x[:, 0], y, color=BLUE)
        axes.set(xlabel="x", ylabel="y", title=f"{len(x):,} points to train on")
        plain(axes)
        save(folder, "samples.png", drawn)
        return f"{len(x):,} points in samples.png"

    labels = y.argmax(axis=1) if schema["labels"] == "one_hot" else y.reshape(-1)
    drawn = figure(2 * COLUMNS, 2.3 * ROWS)
    shown = min(len(x), ROWS * COLUMNS)
    for number, axes in enumerate(drawn.subplots(ROWS, COLUMNS).flat):
        axes.set_axis_off()
        if number < shown:
            image = x[number]
            axes.imshow(np.atleast_2d(image), cmap="gray", vmin=0, vmax=1)
            axes.set_title(f"{schema['class_names'][int(labels[number])]} ({int(labels[number])})", fontsize=11)
    save(folder, "samples.png", drawn)
    return f"the first {shown} training images in samples.png"
