"""`sweep.png`: how a sweep went, which parameters mattered, and which values were good."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from tasks.core.folder import Folder
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure, label, plain, save
from tasks.sweeps.table import PICTURE, Row, word

COLORS = colormaps["viridis"]
WIDE = 20  # times the lowest value: a wider range is drawn on a logarithmic axis
TEXT: dict[str, Any] = {  # of a value beside its axis, on what is drawn below it
    "xytext": (4, 0),
    "textcoords": "offset points",
    "fontsize": "small",
    "va": "center",
    "bbox": {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8},
}
TICKS = 5  # on the axis of a range


def draw(
    folder: Folder,
    rows: list[Row],
    objective: str,
    maximize: bool,
    space: dict[str, Any],
    importance: dict[str, float],
) -> None:
    """Draw three panels.

    Args:
        folder: the pipeline's folder.
        rows: the trials, in order of number.
        objective: the name of the value.
        maximize: whether more is better.
        space: a list or a range for each key.
        importance: the share of each key in the differences; nothing if it is not known.
    """
    drawn = figure(10, 7)
    grid = drawn.add_gridspec(2, 5, height_ratios=(1, 1.2))
    _history(drawn.add_subplot(grid[0, :3]), rows, objective, maximize)
    _importance(drawn.add_subplot(grid[0, 3:]), importance)
    _parallel(drawn, drawn.add_subplot(grid[1, :]), rows, objective, maximize, space)
    save(folder, PICTURE, drawn, photographs=True)  # the scale has many colors


def _value(row: Row) -> float:
    assert row.value is not None  # of a trial that did not fail
    return row.value


def _wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > WIDE * min(values)


def _history(axes, rows: list[Row], objective: str, maximize: bool) -> None:
    """The value of each trial, and the best so far."""
    done = [row for row in rows if row.state == "done"]
    early = [row for row in rows if row.value is not None and row.state != "done"]
    failed = [row for row in rows if row.value is None]
    if early:
        points = [row.trial for row in early], [row.value for row in early]
        axes.scatter(*points, color=GRAY, s=14, label="stopped early")
    axes.scatter([r.trial for r in done], [r.value for r in done], color=BLUE, s=22, label="trial")
    for row in failed:
        axes.axvline(row.trial, color=ORANGE, linewidth=1, alpha=0.5)
    if failed:
        axes.plot([], [], color=ORANGE, alpha=0.5, label="failed")

    best = np.maximum if maximize else np.minimum
    so_far = best.accumulate([_value(row) for row in done])
    ends = [*(row.trial for row in done), len(rows)]
    axes.step(ends, [*so_far, so_far[-1]], where="post", color=ORANGE, label="best so far")
    if _wide([_value(row) for row in rows if row.value is not None]):
        axes.set_yscale("log")
    axes.set(xlabel="trial", title=objective, xlim=(0, len(rows) + 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize="small")
    plain(axes)


def _importance(axes, importance: dict[str, float]) -> None:
    axes.set(title="importance", xlim=(0, 1), xlabel="share of the differences")
    names = sorted(importance, key=lambda key: importance[key])
    if names:
        axes.barh([label(_short(key)) for key in names], [importance[k] for k in names], color=BLUE)
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "too few trials to tell", color=GRAY, ha="center", va="center")
    plain(axes)
    axes.grid(visible=False, axis="y")


def _rank(row: Row, maximize: bool) -> tuple:
    """The higher, the better; one that was stopped early is no winner, however low its value."""
    return row.state == "done", _value(row) if maximize else -_value(row), -row.trial


def _short(key: str) -> str:
    return key.partition(".")[2]


def _parallel(
    drawn, axes, rows: list[Row], objective: str, maximize: bool, space: dict[str, Any]
) -> None:
    """A line for each trial through its values; the better, the brighter and the thicker."""
    done = [row for row in rows if row.value is not None]
    order = sorted(done, key=lambda row: _rank(row, maximize))
    values = [_value(row) for row in done]
    norm = (LogNorm if _wide(values) else Normalize)(min(values), max(values))

    scales = {key: _Scale(domain) for key, domain in space.items()}
    for place, row in enumerate(order):
        points = [
            (x, scales[key].at(row.values[key])) for x, key in enumerate(space) if key in row.values
        ]
        best = place == len(order) - 1
        color = ORANGE if best else COLORS(norm(_value(row)) if maximize else 1 - norm(_value(row)))
        width = 3 if best else 1.2
        axes.plot(
            *zip(*points, strict=True), color=color, linewidth=width, alpha=1 if best else 0.7
        )

    for x, (_, scale) in enumerate(scales.items()):
        axes.axvline(x, color=GRAY, linewidth=0.8)
        for at, text in [(at, label(text)) for at, text in scale.ticks()]:
            axes.annotate(text, (x, at), **TEXT)
    axes.set_xticks(range(len(space)), [label(_short(key)) for key in space])
    axes.set(yticks=[], ylim=(-0.05, 1.05), xlim=(-0.1, len(space) - 0.6))
    axes.set_title("values of each trial; the best is orange")
    axes.spines[:].set_visible(False)
    mapped = COLORS if maximize else COLORS.reversed()
    bar = drawn.colorbar(ScalarMappable(norm, mapped), ax=axes, label=objective, pad=0.01)
    plain(bar.ax, grid=False)


class _Scale:
    """Where a value is on its axis, from 0 to 1."""

    def __init__(self, domain: Any) -> None:
        self.domain = domain
        self.words = [word(each) for each in domain] if isinstance(domain, list) else []

    def at(self, value: Any) -> float:
        if self.words:
            place = [json.loads(json.dumps(each)) for each in self.domain].index(value)
            return (place + 0.5) / len(self.words)
        low, high = self.domain.low, self.domain.high
        if self.domain.log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        if self.words:
            return [(self.at(v), w) for v, w in zip(self.domain, self.words, strict=True)]
        low, high = self.domain.low, self.domain.high
        if self.domain.log:
            powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
            inside = [10.0**power for power in powers if low < 10.0**power < high]
            return [(self.at(value), f"{value:g}") for value in [low, *inside, high]]
        return [(self.at(value), f"{value:g}") for value in np.linspace(low, high, TICKS)]
