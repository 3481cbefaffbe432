"""Compose docs/results.png, the picture at the top of the README, from the outputs of `fashion`.

    python benchmarks/pictures.py

Run `python flows/fashion.py` first. Everything is drawn anew from the outputs, on one grid and in
one font size, because pictures of different scales do not line up.
"""

from __future__ import annotations

import sys
from pathlib import Path

# So that this file can be started from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd
from matplotlib import rc_context
from sklearn.metrics import confusion_matrix

from tasks.core.arrays import read_arrays
from tasks.core.folder import Folder
from tasks.pictures.classes import most_confident
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure, picture, plain, save

ROOT = Path(__file__).resolve().parents[1]
FONT = 9  # points, everywhere
WIDTH, HEIGHT = 11, 7  # inches
ACROSS, DOWN = 5, 2  # images in a panel


def main() -> None:
    folder = Folder(ROOT / "data" / "fashion")
    names = folder.read_json("schema.json")["class_names"]
    x_train, y_train, x_test = read_arrays(folder, "normalized.npz", "x_train", "y_train", "x_test")
    tested = pd.read_csv(folder.read("predictions.csv"))

    with rc_context({"font.size": FONT, "axes.titlesize": FONT, "axes.labelsize": FONT}):
        drawn = figure(WIDTH, HEIGHT)
        top, bottom = drawn.subfigures(2, 1, height_ratios=[1, 1.2])
        samples, curve = top.subfigures(1, 2, width_ratios=[1.15, 1])
        mistakes, matrix = bottom.subfigures(1, 2, width_ratios=[1.15, 1])

        count = ACROSS * DOWN
        titles = [names[label] for label in y_train[:count]]
        draw_images(samples, "What the model sees", x_train[:count], titles)
        draw_curve(curve, pd.read_csv(folder.read("history.csv")))
        draw_mistakes(mistakes, x_test, tested)
        draw_matrix(matrix, tested, names)
        save(Folder(ROOT / "docs"), "results.png", drawn, photographs=True)


def draw_images(panel, heading: str, x: np.ndarray, titles: list[str]) -> None:
    panel.suptitle(heading, fontsize=FONT, fontweight="bold")
    places = panel.subplots(DOWN, ACROSS).flatten()
    for axes, row, title in zip(places, x, titles, strict=True):
        picture(axes, row, (0.0, 1.0))
        axes.set_title(title)
        axes.set_axis_off()


def draw_curve(panel, history: pd.DataFrame) -> None:
    panel.suptitle("Learning curve", fontsize=FONT, fontweight="bold")
    best = int(history.loc[history["checkpoint"] == 1, "epoch"].iloc[-1])
    axes = panel.subplots()
    axes.plot(history["epoch"], history["loss"], color=BLUE, label="training loss")
    axes.plot(history["epoch"], history["val_loss"], color=ORANGE, label="validation loss")
    axes.axvline(best, color=GRAY, linestyle=":", label=f"checkpoint, epoch {best}")
    axes.set(xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    panel.legend(loc="outside lower center", ncols=3, frameon=False)
    plain(axes)


def draw_mistakes(panel, x: np.ndarray, tested: pd.DataFrame) -> None:
    said = tested["predicted"].to_numpy()
    actual = tested["actual"].to_numpy()
    rows = most_confident(actual, said, tested["confidence"].to_numpy())
    titles = [f"says {said[row]},\nis {actual[row]}" for row in rows]
    draw_images(panel, "Most confident mistakes", x[rows], titles)


def draw_matrix(panel, tested: pd.DataFrame, names: list[str]) -> None:
    count = confusion_matrix(tested["actual"], tested["predicted"], labels=names)
    share = count / count.sum(axis=1, keepdims=True)
    right = f"Confusion matrix: {np.trace(count):,} of {count.sum():,} right"
    panel.suptitle(right, fontsize=FONT, fontweight="bold")

    axes = panel.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    for row, column in zip(*np.nonzero(count), strict=True):
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, count[row, column], ha="center", va="center", color=color)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.spines[:].set_visible(False)


if __name__ == "__main__":
    main()
