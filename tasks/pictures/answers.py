"""The pictures of `evaluate`."""

from __future__ import annotations

import numpy as np

from tasks.core.folder import Folder
from tasks.pictures import tables
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure, label, limits, picture, plain, save
from tasks.scores.numbers import in_bins

MISTAKES = 10
MOST_NAMES = 100
# Of a confusion matrix: up to so many classes, a cell's side in inches, the height of its number (0: the color alone),
# that of the names, and how those below are turned.
CELLS = [(12, 0.55, 9, 10, 45), (26, 0.36, 7, 9, 45), (MOST_NAMES, 0.13, 0, 7, 90)]


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


def classes(folder: Folder, x, actual, guess, confidence, schema: dict, places=None) -> None:
    """`predictions.png`: the confusion matrix. `mistakes.png`: the wrong answers that the model was surest of."""
    from sklearn.metrics import confusion_matrix

    names = schema["class_names"]
    count = confusion_matrix(actual, guess, labels=range(len(names)))
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    names, every = [label(name) for name in names], -(-len(names) // MOST_NAMES)
    cell, digits, letters, turned = next(sizes for most, *sizes in CELLS if len(names) <= most * every)
    side = max(3.6, 1 + 0.008 * letters * max(map(len, names)) + cell * len(names) / every)
    drawn = figure(side, side)
    axes = drawn.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    for row, column in zip(*np.nonzero(count), strict=True) if digits else ():
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, count[row, column], ha="center", va="center", color=color, fontsize=digits)
    ticks = range(0, len(names), every)
    aligned = "right" if turned < 90 else "center"
    axes.set_xticks(ticks, names[::every], rotation=turned, ha=aligned, fontsize=letters)
    axes.set_yticks(ticks, names[::every], fontsize=letters)
    axes.set(xlabel="predicted", ylabel="actual", title=f"{np.trace(count):,} of {count.sum():,} right")
    axes.spines[:].set_visible(False)
    save(folder, "predictions.png", drawn, few_colors=True)

    wrong = np.flatnonzero(actual != guess)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    titles = [f"{names[guess[row]]}, {confidence[row]:.0%} sure\nis {names[actual[row]]}" for row in wrong]
    if places is not None:
        titles = [f"{title}\n{label(places[row])}" for title, row in zip(titles, wrong, strict=True)]
    if x.ndim == 2 and len(wrong):
        tables.mistakes(folder, x, actual, guess, wrong, titles, schema)
        return
    across = min(max(len(wrong), 2), MISTAKES // 2)
    down = -(-max(len(wrong), 1) // across)
    drawn, between = figure(2 * across, 2.7 * down if len(wrong) else 0.8), limits(x)
    for axes in drawn.subplots(down, across, squeeze=False).flat:
        axes.set_axis_off()
    for axes, row, title in zip(drawn.axes, wrong, titles, strict=False):
        picture(axes, x[row], between)
        axes.set_title(title, fontsize=9)
    if not len(wrong):
        drawn.suptitle("no mistakes")
    save(folder, "mistakes.png", drawn)


def regression(folder: Folder, x, predictions, model, schema: dict) -> None:
    """`predictions.png`: points and the fitted line (or predicted by actual). `mistakes.png`: the residuals."""
    drawn, dot = figure(6, 4), 16 if len(x) <= 500 else 4
    axes = drawn.subplots()
    if x.shape[1:] == (1,):
        across = np.linspace(x.min(), x.max(), 100, dtype=np.float32).reshape(-1, 1)
        axes.plot(across, model.predict(across, verbose=0), color=ORANGE, label="the model")
        axes.scatter(x, predictions["actual"], color=BLUE, s=2 * dot, label="test points", zorder=3)
        axes.set(xlabel=tables.single(schema), ylabel="y")
        axes.legend(frameon=False)
    else:
        axes.scatter(predictions["actual"], predictions["predicted"], color=BLUE, s=dot)
        ends = [predictions["actual"].min(), predictions["actual"].max()]
        axes.plot(ends, ends, color=GRAY, linestyle=":")
        axes.set(xlabel="actual", ylabel="predicted")
    plain(axes)
    save(folder, "predictions.png", drawn)

    drawn = figure(6, 3)
    axes = drawn.subplots()
    axes.axhline(0, color=GRAY, linestyle=":")
    axes.scatter(predictions["predicted"], predictions["predicted"] - predictions["actual"], color=BLUE, s=dot)
    axes.set(xlabel="predicted", ylabel="predicted - actual")
    plain(axes)
    save(folder, "mistakes.png", drawn)


def calibration_of_classes(folder: Folder, right, confidence, error: float) -> None:
    """`calibration.png`: how often the answers are right that the model is so sure of, and how many those are."""
    axes = {"xlabel": "confidence", "ylabel": "share that is right", "xlim": (0, 1.02), "ylim": (0, 1.02)}
    _calibration(folder, confidence, right, (0, 1), **axes, title=f"expected calibration error {error:.3f}")


def calibration_of_numbers(folder: Folder, actual, predicted) -> None:
    """`calibration.png`: what the values are on average where the model says so much, and how often it does."""
    between = (float(predicted.min()), float(predicted.max()))
    _calibration(folder, predicted, actual, between, xlabel="predicted", ylabel="actual, on average")


def _calibration(folder: Folder, said, was, between: tuple[float, float], xlabel: str, **about) -> None:
    """Means in bins of what the model says: on the dotted line it says what is so. Below, the rows in each bin."""
    count, said, was = in_bins(said, was, between)
    some = count > 0
    edges = np.histogram_bin_edges([], len(count), between)
    drawn = figure(5, 5)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    said, was = said[some] / count[some], was[some] / count[some]
    above.plot(*[[min(said.min(), between[0]), max(said.max(), between[1])]] * 2, color=GRAY, linestyle=":")
    above.plot(said, was, color=BLUE, marker="o", markersize=5)
    above.set(**about)
    below.bar(edges[:-1], count, np.diff(edges), align="edge", color=BLUE, edgecolor="white")
    below.set(xlabel=xlabel, ylabel="rows")
    for axes in (above, below):
        plain(axes)
    save(folder, "calibration.png", drawn)
