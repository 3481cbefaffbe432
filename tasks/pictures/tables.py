"""The pictures of a table: what its features tell of the labels, and in what a wrong answer's row is unusual."""

from __future__ import annotations

import numpy as np

from tasks.core.arrays import classes_of, read_arrays
from tasks.core.folder import Folder
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure, label, plain, save

COLUMNS = 5
FEATURES = 10  # that are drawn
DRAWN = 5_000  # rows of a larger table, which would look the same with all of them
NAMED = ["#2f6f9f", "#d9772b", "#3f9b5c", "#b5485d", "#7d5fb2", "#c2a01e"]  # colours of the largest classes
FILLED = 3  # with more of them one would see nothing
BINS = 20
BARS = 5  # features of a wrong answer


def samples(folder: Folder, x: np.ndarray, y: np.ndarray, schema: dict) -> str:
    """`samples.png`: the features that tell most of the labels, the best first.

    Of classes a histogram for each, in shares of its rows; what lies far out is counted at the ends. Of numbers to
    predict the points.

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
    classes = schema["labels"] != "regression"
    labels = classes_of(y) if classes else y.reshape(-1)
    tells = _tells_classes(x, labels) if classes else _tells_numbers(x, labels)
    shown = np.argsort(-tells, kind="stable")[:FEATURES]
    drawn, panels = _panels(len(shown), 2.1, 2)
    for axes, feature in zip(panels, shown, strict=True):
        axes.set_title(label(names[feature]), fontsize=10)
        if classes:
            handles = _histograms(axes, x[:, feature], labels, schema["class_names"])
        else:
            axes.scatter(x[:, feature], labels, color=BLUE, s=4, linewidths=0, alpha=0.6)
    if classes:
        drawn.legend(handles=handles, loc="outside lower center", ncols=4 if len(shown) > 2 else 2, frameon=False)
    else:
        for axes in panels[::COLUMNS]:
            axes.set_ylabel("y")
    some = f"{DRAWN:,} of {count:,}" if count > DRAWN else f"{count:,}"
    best = "all features" if len(shown) == len(names) else f"the {len(shown)} of {len(names)} features that tell most"
    drawn.suptitle(f"{some} training rows, {best}", fontsize=11)
    save(folder, "samples.png", drawn, few_colors=True)
    return f"{best}, in samples.png"


def mistakes(folder: Folder, x, actual, guess, wrong, titles: list[str], schema: dict) -> None:
    """`mistakes.png`: of each wrong answer the features by which its row is most like the class that was predicted.

    Args:
        folder: the pipeline's folder, with the training rows, by which it is known what a class is like.
        x: the test rows.
        actual, guess: the class of each test row, and the one that was predicted, as numbers.
        wrong: numbers of the rows to draw, with `titles`.
        schema: the content of `schema.json`.
    """
    x_train, y_train = read_arrays(folder, "normalized.npz", "x_train", "y_train")
    means, deviation = _classes(x_train, classes_of(y_train))
    everywhere, names = x_train.mean(axis=0), _names(schema, x.shape[1])  # a class may have no training rows
    bars = min(BARS, x.shape[1])
    drawn, panels = _panels(len(wrong), 2.6, 0.7 + 0.3 * bars)
    for axes, row, title in zip(panels, wrong, titles, strict=True):
        own, other = (means.get(int(of[row]), everywhere) for of in (actual, guess))
        away, there = (x[row] - own) / deviation, (other - own) / deviation
        # What is nearer to the other class's mean than to its own, in squared deviations.
        shown = np.argsort((away - there) ** 2 - away**2, kind="stable")[:bars]
        place = np.arange(len(shown))
        row_bars = axes.barh(place, away[shown], 0.55, color=BLUE, label="this row")
        (marks,) = axes.plot(there[shown], place, "D", color=ORANGE, markersize=5, label="mean of the predicted class")
        axes.axvline(0, color=GRAY, linewidth=1)
        axes.set_yticks(place, [label(names[k]) for k in shown])
        axes.set_title(title, fontsize=9)
        axes.invert_yaxis()
    drawn.legend(handles=[row_bars, marks], loc="outside lower center", ncols=2, frameon=False)
    drawn.suptitle("in standard deviations from the mean of the class that it is", fontsize=11)
    save(folder, "mistakes.png", drawn, few_colors=True)


def _panels(count: int, width: float, height: float):
    """A figure with room for a title and a legend, and so many axes of that size in rows of five."""
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


def _names(schema: dict, count: int) -> list[str]:
    return schema.get("feature_names") or [f"feature {number}" for number in range(count)]


def _classes(x: np.ndarray, labels: np.ndarray) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """The mean of each class, and how far rows of one class deviate from it: of all classes together."""
    means, squares = {}, np.zeros(x.shape[1])
    for each in np.unique(labels):
        rows = x[labels == each].astype(np.float64)
        means[int(each)] = rows.mean(axis=0)
        squares += ((rows - means[int(each)]) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / len(x))
    everywhere = x.std(axis=0, dtype=np.float64)  # of a feature that never varies inside a class
    deviation = np.where(deviation > 1e-6 * everywhere, deviation, everywhere)
    return means, np.where(deviation > 0, deviation, 1)


def _tells_classes(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each feature the variance between the classes by that inside them."""
    means, deviation = _classes(x, labels)
    count = np.array([(labels == each).sum() for each in means])
    apart = (np.stack(list(means.values())) - x.mean(axis=0, dtype=np.float64)) / deviation
    return (count[:, None] * apart**2).sum(axis=0) / len(x)


def _tells_numbers(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of each feature the size of its correlation with `y`; 0 if one of them never varies."""
    x, y = x - x.mean(axis=0, dtype=np.float64), y - y.mean(dtype=np.float64)
    size = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    return np.abs(y @ x) / np.where(size > 0, size, np.inf)


def _histograms(axes, values: np.ndarray, labels: np.ndarray, names: list[str]) -> list:
    """One for each of the largest classes, and one for all others; what to put into the legend."""
    values = values.astype(np.float64)
    low, high = np.percentile(values, [0.5, 99.5])
    if low == high:
        low, high = values.min(), values.max()
    if low == high:
        low, high = (low + side * max(1, abs(low)) for side in (-1, 1))
    edges = np.linspace(low, high, BINS + 1)
    each, count = np.unique(labels, return_counts=True)
    largest = np.sort(each[np.argsort(-count, kind="stable")[: len(NAMED)]])
    parts = [(label(names[one]), labels == one, color) for one, color in zip(largest, NAMED, strict=False)]
    if len(each) > len(largest):
        others = len(each) - len(largest)
        parts.append((f"{others} other{'s' * (others > 1)}", ~np.isin(labels, largest), GRAY))
    handles = []
    for name, rows, color in parts:
        share = np.histogram(np.clip(values[rows], low, high), edges)[0] / rows.sum()
        handles.append(axes.stairs(share, edges, color=color, label=name, linewidth=1.4))
        if len(parts) <= FILLED:
            axes.stairs(share, edges, color=color, fill=True, alpha=0.15)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return handles
