"""`near_duplicates.png`: the closest pairs of a training row and a test row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.core.folder import Folder
from tasks.pictures.style import (
    BLUE,
    GRAY,
    ORANGE,
    figure,
    in_color,
    label,
    labels,
    limits,
    picture,
    plain,
    save,
)

FILE = "near_duplicates.png"
PAIRS = 5  # that are drawn
FEATURES = 12  # of a table's rows that are drawn
SPLITS = ("train", "test")

Pairs = list[dict[str, Any]]


def draw(
    folder: Folder,
    pairs: Pairs,
    x_train: np.ndarray,
    x_test: np.ndarray,
    schema: dict[str, Any],
    note: str,
) -> None:
    """Draw the first pairs.

    Args:
        folder: the pipeline's folder.
        pairs: the rows of `near_duplicates.json`, the closest first.
        x_train, x_test: the rows that they number.
        schema: the content of `schema.json`.
        note: which rows were compared, if not all.
    """
    names = schema.get("class_names") or []
    drawn = dict(zip(names, labels(names), strict=True))
    shown = [_with_titles(pair, drawn) for pair in pairs[:PAIRS]]
    rows = [(x_train[pair["train"]], x_test[pair["test"]]) for pair in shown]
    if x_train.ndim > 2:
        _images(folder, shown, rows, note)
    else:
        _features(folder, shown, rows, schema.get("feature_names"), note)


def _with_titles(pair: dict[str, Any], drawn: dict[str, str]) -> dict[str, Any]:
    """A pair with its labels as they are drawn."""
    written = {f"{split} label": pair[f"{split} label"] for split in SPLITS}
    return pair | {key: drawn.get(text) or label(text) for key, text in written.items()}


def draw_text(folder: Folder, text: str) -> None:
    """A sentence in place of the pairs."""
    drawn = figure(7, 0.8)
    drawn.text(0.5, 0.5, text, ha="center", va="center", color=GRAY, fontsize=12)
    save(folder, FILE, drawn)


def _write(drawn: Any, note: str) -> None:
    if note:
        drawn.suptitle(f"test rows compared: {note}", color=GRAY, fontsize=9)


def _images(folder: Folder, pairs: Pairs, rows: list[tuple], note: str) -> None:
    """The training images above, the test images below."""
    between = limits(np.stack([row for pair in rows for row in pair]))
    across = max(len(pairs), 2)
    drawn = figure(2 * across, 5.2)
    _write(drawn, note)
    grid = drawn.subplots(2, across)
    for axes in grid.flat:
        axes.set_axis_off()

    for pair, images, column in zip(pairs, rows, grid.T, strict=False):
        for split, image, axes in zip(SPLITS, images, column, strict=True):
            picture(axes, image, between)
            title = f"{pair[f'{split} label']}\n{split} {pair[split]:,}"
            axes.set_title(title, fontsize=10)
        apart = f"{pair['distance']:.2g} apart"
        column[0].set_title(f"{apart}\n{column[0].get_title()}", fontsize=10)
    save(folder, FILE, drawn, photographs=in_color(rows[0][0][None]))


def _features(
    folder: Folder,
    pairs: Pairs,
    rows: list[tuple],
    features: Sequence[str] | None,
    note: str,
) -> None:
    """The features that differ most, as bars of the training row and of the test row."""
    apart = np.mean([np.abs(train - test) for train, test in rows], axis=0)
    shown = np.argsort(-apart, kind="stable")[:FEATURES]
    names = [label(features[k]) if features else f"feature {k}" for k in shown]

    drawn = figure(1.5 + 2.2 * len(pairs), 1.8 + 0.35 * len(shown))
    _write(drawn, note)
    panels = drawn.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    place = np.arange(len(shown))
    for pair, (train, test), axes in zip(pairs, rows, panels, strict=True):
        axes.barh(place - 0.2, train[shown], 0.4, color=BLUE, label="train")
        axes.barh(place + 0.2, test[shown], 0.4, color=ORANGE, label="test")
        titles = [f"{split} {pair[split]:,}: {pair[f'{split} label']}" for split in SPLITS]
        axes.set_title("\n".join([f"{pair['distance']:.2g} apart", *titles]), fontsize=9)
        axes.set_yticks(place, names)
        plain(axes)

    panels[-1].invert_yaxis()
    handles, _ = panels[-1].get_legend_handles_labels()
    drawn.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    save(folder, FILE, drawn)
