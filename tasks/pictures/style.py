"""How every picture is drawn: one style, and the same bytes for the same content."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.ticker import ScalarFormatter
from PIL import Image

from tasks.core.folder import Folder
from tasks.core.step import log

matplotlib.rcdefaults()  # a matplotlibrc of the user's, or of this folder, may have other values

BLUE, ORANGE, GRAY = "#2f6f9f", "#d9772b", "#8a8f98"
DOTS_PER_INCH = 150
COLORS = 64  # of a picture without photographs
FONT = "DejaVu Sans"  # which Matplotlib brings
UNKNOWN = "□"  # in place of a letter that no font has
WIDE = 100  # times the lowest value: a wider range is drawn on a logarithmic axis
LONGEST = 18  # letters of a label; of a longer name the first and the last
SIZES = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))  # of the numbers on an axis, the largest first
LARGE = 10_000  # from here on an axis has them


def figure(width: float, height: float) -> Figure:
    """A figure of `width` x `height` inches.

    Not by `pyplot`, whose state is not safe beside other threads.
    """
    drawn = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


class _Numbers(ScalarFormatter):
    """Writes 1.5M where Matplotlib has 1.5, and 1e6 at the end of the axis, in a title's place."""

    def format_ticks(self, values):
        largest = max(map(abs, values), default=0)
        for size, sign in SIZES if LARGE <= largest < 1e15 else ():
            short = [self.fix_minus(f"{v / size:g}{sign if v else ''}") for v in values]
            if largest >= size and len(set(short)) == len(short):
                self.set_locs([])  # of which an offset would be told
                return short
        return super().format_ticks(values)


def plain(axes, *, grid: bool = True) -> None:
    """Take away the lines that say nothing; add a grid behind the data; keep numbers short."""
    for axis in (axes.xaxis, axes.yaxis):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(_Numbers())
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(color="#e6e8eb", linewidth=0.8)
        axes.set_axisbelow(True)


def by_epoch(axes, values: Any) -> None:
    """Axes for values by epoch.

    Args:
        axes: Matplotlib's.
        values: all of them, as an array or a column of a table.
    """
    if values.min() > 0 and values.max() > WIDE * values.min():
        axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    plain(axes)


def limits(x: np.ndarray) -> tuple[float, float]:
    """The values of black and white in images: 0 and 1, unless the rows have others."""
    low, high = float(x.min()), float(x.max())
    usual = low >= 0 and high <= 1
    return (0.0, 1.0) if usual or low == high else (low, high)


def picture(axes, row: np.ndarray, between: tuple[float, float]) -> None:
    """One image, gray or in colour."""
    low, high = between
    axes.imshow((row - low) / (high - low), cmap="gray", vmin=0, vmax=1)


def in_color(x: np.ndarray) -> bool:
    """Whether the rows are images in color."""
    return x.ndim == 4 and x.shape[-1] > 1


def label(name: str) -> str:
    """A name as short as there is room for. A dollar sign in it begins no formula."""
    return _drawn(_short(name, LONGEST))


def panel_title(name: str, letters: int) -> str:
    """A name above a panel, on lines of so many letters at most."""
    lines = textwrap.wrap(_short(name, 2 * letters), letters)
    return "\n".join(map(_drawn, lines))


def _short(name: str, longest: int) -> str:
    """A name, or its first and its last letters."""
    name = " ".join(name.split())
    if len(name) <= longest:
        return name
    end = round(0.4 * (longest - 1))
    return f"{name[: longest - 1 - end]}…{name[-end:]}"


def _drawn(short: str) -> str:
    drawn = "".join(letter if _has(letter) else UNKNOWN for letter in short)
    # A legend leaves out what begins with an underscore.
    drawn = f"\u200a{drawn}" if drawn.startswith("_") else drawn
    return drawn.replace("$", r"\$")


def labels(class_names: Sequence[str]) -> list[str]:
    """The names of all classes; a number follows where no font has all letters of a name."""
    found = [label(name) for name in class_names]
    strange = [k for k, drawn in enumerate(found) if UNKNOWN in drawn]
    if strange:
        _tell(len(strange), class_names[strange[0]])
    return [f"{drawn} ({k})" if k in strange else drawn for k, drawn in enumerate(found)]


@cache  # every picture asks
def _tell(count: int, first: str) -> None:
    log.warning(
        "no font here has all letters of %d class names, such as `%s`: pictures show %s and the "
        "number of the class. Install a font that has them, such as Noto Sans.",
        count,
        first,
        UNKNOWN,
    )


def _has(letter: str) -> bool:
    return (letter.isascii() and letter.isprintable()) or _font(letter) is not None


@cache
def _font(letter: str) -> str | None:
    """The first font that has a letter: Matplotlib's own, or else one of the system."""
    others = sorted(
        (font.name, str(font.fname))
        for font in fontManager.ttflist
        if not font.name.startswith("Last Resort")  # boxes, one for each script
    )
    for name, path in [(FONT, str(findfont(FONT))), *others]:
        if get_font(path).get_char_index(ord(letter)):
            return name
    return None


def _use_fonts(drawn: Figure) -> None:
    """Let all texts of a figure have the letters that only other fonts have."""
    texts = drawn.findobj(Text)
    letters = sorted({letter for text in texts for letter in text.get_text()})
    fonts = [_font(letter) for letter in letters if not letter.isascii()]
    others = dict.fromkeys(font for font in fonts if font and font != FONT)
    if not others:
        return
    for text in texts:
        text.set_fontfamily([FONT, *others])
    for axes in drawn.axes:
        axes.tick_params(labelfontfamily=[FONT, *others])


def save(folder: Folder, name: str, drawn: Figure, *, photographs: bool = False) -> None:
    """Save a figure as PNG, without the version that Matplotlib writes into it.

    Args:
        folder: the pipeline's folder.
        name: the file's.
        drawn: the figure.
        photographs: keep all colors; a picture of 64 is a third as large.
    """
    _use_fonts(drawn)
    with folder.write(name) as path:
        if photographs:
            drawn.savefig(path, format="png", metadata={"Software": None})
            return
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()
        shown = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        reduced = shown.quantize(COLORS, dither=Image.Dither.NONE)
        reduced.save(path, format="png", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
