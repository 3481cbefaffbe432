"""`NAME.drift.png`: new rows beside validation rows, where they differ most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tasks.core.folder import Folder
from tasks.drift.findings import LEVEL, Finding
from tasks.drift.series import Series
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure, label, plain, save

PANELS = 6
BINS = 30
NEW, BEFORE = "new rows", "validation rows"


class Samples(NamedTuple):
    """Both samples, (rows, series)."""

    series: list[Series]
    new: np.ndarray
    before: np.ndarray


def draw(folder: Folder, name: str, samples: Samples, found: list[Finding]) -> None:
    """Draw the series that differ most; the shares of all classes are one panel."""
    classes = tuple(each.name for each in samples.series if each.chance)
    groups = dict.fromkeys(classes if each.name in classes else (each.name,) for each in found)
    shown = list(groups)[:PANELS]

    across = 3 if len(shown) > 4 else 2
    rows = -(-len(shown) // across)
    drawn = figure(3.2 * across, 2.4 * rows + 0.4)
    panels = drawn.subplots(rows, across, squeeze=False).ravel()
    for axes, group in zip(panels, shown, strict=False):
        columns = [k for k, each in enumerate(samples.series) if each.name in group]
        title = label(group[0][8:]) if group[0].startswith("feature ") else group[0]
        if len(group) > 1:
            title = "share of each class"
            _bars(axes, group, samples.new[:, columns], samples.before[:, columns])
        else:
            _histogram(axes, samples.new[:, columns], samples.before[:, columns])
        p = min(each.p for each in found if each.name in group)
        axes.set_title(f"{title}, p {p:.2g}", fontsize=9)
        axes.title.set_color(ORANGE if p < LEVEL else "black")
        axes.tick_params(labelsize=7)
        plain(axes, grid=False)

    for axes in panels[len(shown) :]:
        axes.remove()
    lines = panels[0].get_legend_handles_labels()
    drawn.legend(*lines, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    save(folder, name, drawn)


def _bars(axes, names: tuple[str, ...], new: np.ndarray, before: np.ndarray) -> None:
    """The mean probability of each class."""
    places = np.arange(len(names))
    axes.barh(places - 0.2, before.mean(axis=0), 0.4, color=GRAY, label=BEFORE)
    axes.barh(places + 0.2, new.mean(axis=0), 0.4, color=BLUE, label=NEW)
    axes.set_yticks(places, [label(name) for name in names])
    axes.invert_yaxis()


def _histogram(axes, new: np.ndarray, before: np.ndarray) -> None:
    """Shares of the rows; what lies far outside is in the outermost bins."""
    low, high = np.quantile(np.concatenate([new, before]), [0.001, 0.999])
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    filled = {"color": GRAY, "alpha": 0.6, "label": BEFORE}
    line = {"color": BLUE, "histtype": "step", "linewidth": 1.4, "label": NEW}
    for values, how in ((before, filled), (new, line)):
        weights = np.full(len(values), 1 / len(values))
        axes.hist(np.clip(values.ravel(), low, high), edges, weights=weights, **how)
