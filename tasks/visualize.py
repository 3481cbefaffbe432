"""Step 3, visualize: draw what the model will see, `samples.png`."""

from __future__ import annotations

from tasks.arrays import read_arrays
from tasks.base import Folder, Section

ROWS, COLUMNS = 2, 5


class Params(Section):
    """Nothing to choose."""


def visualize(folder: Folder, params: Params) -> str:
    """Read `normalized.npz`; draw the first ten training images with their labels, or for a line all points.

    Raises:
        UserError: `normalized.npz` is missing or damaged.
    """
    from tasks.figures import BLUE, figure, limits, picture, plain, save  # here: Matplotlib takes a second to import

    schema = folder.read_json("schema.json")
    x, y = read_arrays(folder, "normalized.npz", "x_train", "y_train")
    regression = schema["labels"] == "regression"
    if regression and x.ndim == 2:  # of several features the first
        drawn = figure(6, 4)
        axes = drawn.subplots()
        axes.scatter(x[:, 0], y, color=BLUE)
        axes.set(xlabel=schema.get("feature_names", ["x"])[0], ylabel="y", title=f"{len(x):,} points to train on")
        plain(axes)
        save(folder, "samples.png", drawn)
        return f"{len(x):,} points in samples.png"

    labels = y.argmax(axis=1) if schema["labels"] == "one_hot" else y.reshape(-1)
    between = limits(x)
    drawn = figure(2 * COLUMNS, 2.3 * ROWS)
    shown = min(len(x), ROWS * COLUMNS)
    for number, axes in enumerate(drawn.subplots(ROWS, COLUMNS).flat):
        axes.set_axis_off()
        if number < shown:
            label = labels[number]
            title = f"{label:g}" if regression else f"{schema['class_names'][int(label)]} ({int(label)})"
            picture(axes, x[number], between)
            axes.set_title(title, fontsize=11)
    save(folder, "samples.png", drawn)
    return f"the first {shown} training images in samples.png"
