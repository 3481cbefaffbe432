"""The pictures of a table: its most informative features, and what is unusual about a mistake."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tasks.core.arrays import classes_of
from tasks.core.folder import Folder
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure, label, panel_title, plain, save
from tasks.pictures.style import labels as shown_as

COLUMNS = 5
LETTERS = 24  # in the width of a panel
FEATURES = 10  # that are drawn
DRAWN = 5_000  # rows of a larger table, which would look the same with all of them
NAMED = [  # colors of the largest classes
    "#2f6f9f",
    "#d9772b",
    "#3f9b5c",
    "#b5485d",
    "#7d5fb2",
    "#c2a01e",
]
FILLED = 3  # with more classes, filled histograms would hide each other
BINS = 20
BARS = 5  # features of a mistake
ALIKE = 1e-6  # of a feature's standard deviation: less than this inside the classes is none


def samples(folder: Folder, x: np.ndarray, y: np.ndarray, schema: dict) -> str:
    """`samples.png`: the features that say most about the labels, the best first.

    For classes each feature is a histogram of each class, in shares of its rows; outliers are
    counted at the ends. For regression it is a scatter plot.

    Args:
        folder: the pipeline's folder.
        x, y: the training rows.
        schema: the content of `schema.json`.

    Returns:
        What was drawn, in words.
    """
    names, count = _names(schema, x.shape[1]), len(x)
    if count > DRAWN:
        rows = np.sort(np.random.default_rng(0).choice(count, DRAWN, replace=False))
        x, y = x[rows], y[rows]

    if schema["labels"] == "regression":
        y = y.reshape(-1)
        shown = _best(_correlations(x, y))
        drawn = _scatters(x, y, shown, names, target_name(schema) or "y")
    else:
        y = classes_of(y)
        shown = _best(_separations(x, y))
        drawn = _all_histograms(x, y, shown, names, schema["class_names"])

    some = f"{DRAWN:,} of {count:,}" if count > DRAWN else f"{count:,}"
    best = f"the {len(shown)} most informative of {len(names)} features"
    if len(shown) == len(names):
        best = "all features"
    drawn.suptitle(f"{some} training rows, {best}", fontsize=11)
    save(folder, "samples.png", drawn)
    return f"{best}, in samples.png"


def _best(informative: np.ndarray) -> np.ndarray:
    return np.argsort(-informative, kind="stable")[:FEATURES]


def _scatters(x: np.ndarray, y: np.ndarray, shown: np.ndarray, names: list[str], target: str):
    drawn, panels = _panels(len(shown), 2.1, 2)
    for axes, feature in zip(panels, shown, strict=True):
        axes.set_title(panel_title(names[feature], LETTERS), fontsize=10)
        axes.scatter(x[:, feature], y, color=BLUE, s=4, linewidths=0, alpha=0.6)
    for axes in panels[::COLUMNS]:
        axes.set_ylabel(target)
    return drawn


def _all_histograms(
    x: np.ndarray, y: np.ndarray, shown: np.ndarray, names: list[str], class_names: list[str]
):
    drawn, panels = _panels(len(shown), 2.1, 2)
    for axes, feature in zip(panels, shown, strict=True):
        axes.set_title(panel_title(names[feature], LETTERS), fontsize=10)
        handles = _histograms(axes, x[:, feature], y, class_names)
    columns = 4 if len(shown) > 2 else 2
    drawn.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return drawn


def _histograms(axes, values: np.ndarray, labels: np.ndarray, class_names: list[str]) -> list:
    """One for each of the largest classes, and one for all others; returns the legend's lines."""
    values = values.astype(np.float64)
    low, high = _range(values)
    edges = np.linspace(low, high, BINS + 1)
    parts = _parts(labels, class_names)

    handles = []
    for name, rows, color in parts:
        share = np.histogram(np.clip(values[rows], low, high), edges)[0] / rows.sum()
        handles.append(axes.stairs(share, edges, color=color, label=name, linewidth=1.4))
        if len(parts) <= FILLED:
            axes.stairs(share, edges, color=color, fill=True, alpha=0.15)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return handles


def _range(values: np.ndarray) -> tuple[float, float]:
    """The ends of a histogram: without outliers, and never equal."""
    low, high = np.percentile(values, [0.5, 99.5])
    if low == high:
        low, high = values.min(), values.max()
    if low == high:
        around = max(1, abs(low))
        low, high = low - around, low + around
    return low, high


def _parts(labels: np.ndarray, class_names: list[str]) -> list[tuple[str, np.ndarray, str]]:
    """Name, rows (a mask) and color of the largest classes, and of all others together."""
    each, count = np.unique(labels, return_counts=True)
    largest = np.sort(each[np.argsort(-count, kind="stable")[: len(NAMED)]])
    names = shown_as(class_names)
    parts = [(names[one], labels == one, color) for one, color in zip(largest, NAMED, strict=False)]
    others = len(each) - len(largest)
    if others:
        parts.append((f"{others} other{'s' * (others > 1)}", ~np.isin(labels, largest), GRAY))
    return parts


# Mistakes.


class Mistakes(NamedTuple):
    """Wrong answers to draw; each entry has one value for each of them."""

    x: np.ndarray  # the rows of the test set
    actual: np.ndarray  # the class, as a number
    guess: np.ndarray  # the predicted class
    titles: list[str]


def mistakes(
    folder: Folder, wrong: Mistakes, training: tuple[np.ndarray, np.ndarray], schema: dict
) -> None:
    """`mistakes.png`: the features in which a row is most like the predicted class.

    Args:
        folder: the pipeline's folder.
        wrong: the wrong answers.
        training: the training rows and their labels, which say what a class is like.
        schema: the content of `schema.json`.
    """
    x, labels = training[0], classes_of(training[1])
    means, std = _class_means(x, labels)
    everywhere = x.mean(axis=0)  # a class may have no training rows
    names = _names(schema, x.shape[1])
    bars = min(BARS, x.shape[1])

    drawn, panels = _panels(len(wrong.x), 2.6, 0.7 + 0.3 * bars)
    for axes, row, actual, guess, title in zip(panels, *wrong, strict=True):
        own, other = (means.get(int(each), everywhere) for each in (actual, guess))
        handles = _bars(axes, (row - own) / std, (other - own) / std, names, bars)
        axes.set_title(title, fontsize=8)

    drawn.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    drawn.suptitle("in standard deviations from the mean of the actual class", fontsize=11)
    save(folder, "mistakes.png", drawn)


def _bars(axes, away: np.ndarray, there: np.ndarray, names: list[str], count: int) -> list:
    """One mistake; returns the legend's entries.

    Args:
        axes: to draw on.
        away: how far the row is from the mean of its own class, for each feature.
        there: the same for the mean of the predicted class.
        names: the features'.
        count: features to draw.
    """
    # How much nearer the row is to the predicted class's mean, in squared standard deviations.
    shown = np.argsort((away - there) ** 2 - away**2, kind="stable")[:count]
    place = np.arange(len(shown))
    bars = axes.barh(place, away[shown], 0.55, color=BLUE, label="this row")
    (marks,) = axes.plot(
        there[shown], place, "D", color=ORANGE, markersize=5, label="mean of the predicted class"
    )
    axes.axvline(0, color=GRAY, linewidth=1)
    axes.set_yticks(place, [label(names[k]) for k in shown])
    axes.invert_yaxis()
    return [bars, marks]


# What both share.


def _panels(count: int, width: float, height: float):
    """A figure with room for a title and a legend, and `count` axes in rows of five.

    Args:
        count: of the axes.
        width, height: of one, in inches.
    """
    across = min(count, COLUMNS)
    down = -(-count // across)
    drawn = figure(max(width * across, 5), 0.9 + height * down)
    panels = drawn.subplots(down, across, squeeze=False).flatten()
    for axes in panels[count:]:
        axes.set_axis_off()
    for axes in panels[:count]:
        axes.tick_params(labelsize=8)
        plain(axes)
    return drawn, panels[:count]


def single(schema: dict) -> str:
    """What the axis of a single feature is called."""
    scaled = schema["scaling"] != {"subtract": [0.0], "divide": [1.0]}
    return label(schema.get("feature_names", ["x"])[0]) + ", scaled" * scaled


def target_name(schema: dict) -> str:
    """The name of the column that is predicted, as a picture has it; empty if it has none."""
    return label(schema.get("load", {}).get("target", ""))


def _names(schema: dict, count: int) -> list[str]:
    return schema.get("feature_names") or [f"feature {number}" for number in range(count)]


def _class_means(x: np.ndarray, labels: np.ndarray) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """The mean of each class, and the standard deviation inside classes, of all together."""
    means, squares = {}, np.zeros(x.shape[1])
    for each in np.unique(labels):
        rows = x[labels == each].astype(np.float64)
        means[int(each)] = rows.mean(axis=0)
        squares += ((rows - means[int(each)]) ** 2).sum(axis=0)

    inside = np.sqrt(squares / len(x))
    everywhere = x.std(axis=0, dtype=np.float64)
    std = np.where(inside > ALIKE * everywhere, inside, everywhere)
    return means, np.where(std > 0, std, 1)


def _separations(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each feature, the variance between the classes divided by that inside them."""
    means, std = _class_means(x, labels)
    count = np.array([(labels == each).sum() for each in means])
    apart = (np.stack(list(means.values())) - x.mean(axis=0, dtype=np.float64)) / std
    return (count[:, None] * apart**2).sum(axis=0) / len(x)


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each feature, the size of its correlation with `y`; 0 if one of them never varies."""
    x, y = x - x.mean(axis=0, dtype=np.float64), y - y.mean(dtype=np.float64)
    size = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    return np.abs(y @ x) / np.where(size > 0, size, np.inf)
