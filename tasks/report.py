"""The pictures of `evaluate`."""

from __future__ import annotations

import numpy as np

from tasks.base import Folder
from tasks.figures import BLUE, GRAY, ORANGE, figure, limits, picture, plain, save

MISTAKES = 10


def learning_curve(folder: Folder, history, best: int) -> None:
    """`learning_curve.png`: each number of `history.csv` by epoch, with the epoch of the checkpoint marked."""
    names = [name for name in history.columns if name not in ("epoch", "checkpoint") and not name.startswith("val_")]
    drawn = figure(5 * len(names), 3.6)
    for axes, name in zip(np.atleast_1d(drawn.subplots(1, len(names))), names, strict=True):
        axes.plot(history["epoch"], history[name], color=BLUE, label="train")
        if f"val_{name}" in history:
            axes.plot(history["epoch"], history[f"val_{name}"], color=ORANGE, label="validation")
        axes.axvline(best, color=GRAY, linestyle=":", label=f"checkpoint, epoch {best}")
        if history[name].min() > 0 and history[name].max() > 100 * history[name].min():
            axes.set_yscale("log")
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        plain(axes)
    save(folder, "learning_curve.png", drawn)


def classes(folder: Folder, x, actual, guess, confidence, names: list[str]) -> None:
    """`predictions.png`: the confusion matrix. `mistakes.png`: the wrong answers that the model was surest of."""
    count = np.zeros((len(names), len(names)), int)
    np.add.at(count, (actual, guess), 1)
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.55 * len(names)
    drawn = figure(side, side)
    axes = drawn.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(count.shape):
        if count[row, column]:
            color = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, count[row, column], ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="actual", title=f"{np.trace(count):,} of {count.sum():,} right")
    axes.spines[:].set_visible(False)
    save(folder, "predictions.png", drawn)

    wrong = np.flatnonzero(actual != guess)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    drawn, between = figure(10, 5.4), limits(x)
    grid = drawn.subplots(2, MISTAKES // 2).flat
    for axes in grid:
        axes.set_axis_off()
    for axes, row in zip(drawn.axes, wrong, strict=False):
        picture(axes, x[row], between)
        axes.set_title(f"{names[guess[row]]}, {confidence[row]:.0%} sure\nis {names[actual[row]]}", fontsize=10)
    if not len(wrong):
        drawn.suptitle("no mistakes")
    save(folder, "mistakes.png", drawn)


def regression(folder: Folder, x, predictions, model) -> None:
    """`predictions.png`: points and the fitted line (or predicted by actual). `mistakes.png`: what is left over."""
    drawn = figure(6, 4)
    axes = drawn.subplots()
    if x.shape[1:] == (1,):
        across = np.linspace(x.min(), x.max(), 100, dtype=np.float32).reshape(-1, 1)
        axes.plot(across, model.predict(across, verbose=0), color=ORANGE, label="the model")
        axes.scatter(x, predictions["actual"], color=BLUE, label="test points", zorder=3)
        axes.set(xlabel="x", ylabel="y")
        axes.legend(frameon=False)
    else:
        axes.scatter(predictions["actual"], predictions["predicted"], color=BLUE, s=12)
        ends = [predictions["actual"].min(), predictions["actual"].max()]
        axes.plot(ends, ends, color=GRAY, linestyle=":")
        axes.set(xlabel="actual", ylabel="predicted")
    plain(axes)
    save(folder, "predictions.png", drawn)

    drawn = figure(6, 3)
    axes = drawn.subplots()
    axes.axhline(0, color=GRAY, linestyle=":")
    axes.scatter(predictions["actual"], predictions["predicted"] - predictions["actual"], color=BLUE, s=16)
    axes.set(xlabel="actual", ylabel="predicted - actual")
    plain(axes)
    save(folder, "mistakes.png", drawn)
