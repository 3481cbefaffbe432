"""`model.png`: a box for each layer, with its settings, its output's shape and its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.core.folder import Folder
from tasks.pictures import style
from tasks.pictures.style import BLUE, GRAY, ORANGE, figure

ROWS = 8  # boxes in a column
MOST = 32  # boxes in all: the middle of a deeper model is left out

# In inches.
WIDTH, HEIGHT = 2.7, 0.46  # of a box
ACROSS, DOWN = 0.5, 0.24  # between boxes
MARGIN, TITLE = 0.2, 0.32

INK, PALE = "#333333", "#f4f6f8"

# Settings of a layer that are worth a word, how they are said, and what need not be said.
WORDS = {
    "units": ("{}", ""),
    "filters": ("{}", ""),
    "kernel_size": ("{}", ""),
    "pool_size": ("{}", ""),
    "rate": ("{}", ""),
    "strides": ("step {}", "1 x 1"),
    "activation": ("{}", "linear"),
}

Point = tuple[float, float]


class Box(NamedTuple):
    number: int
    title: str
    about: str
    color: str
    follows: bool  # takes the output of the box before it


def save(folder: Folder, model) -> None:
    """Draw a Keras model as `model.png`."""
    style.save(folder, "model.png", draw(model))


def draw(model) -> Figure:
    """The layers of a Keras model from top to bottom, in as many columns as they need."""
    boxes = boxes_of(model)
    shown = boxes if len(boxes) <= MOST else boxes[: MOST // 2] + boxes[-MOST // 2 :]
    columns = -(-len(shown) // ROWS)
    rows = -(-len(shown) // columns)

    width = 2 * MARGIN + columns * (WIDTH + ACROSS) - ACROSS
    height = 2 * MARGIN + rows * (HEIGHT + DOWN) - DOWN + TITLE
    drawn = figure(width, height)
    drawn.set_layout_engine("none")  # everything has its place
    axes = drawn.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.axis("off")

    said = f"{_count(len(boxes) - 1, 'layer')}, {_count(model.count_params(), 'parameter')}"
    if len(shown) < len(boxes):
        said += f"; {len(boxes) - len(shown)} layers in the middle are not shown"
    axes.text(MARGIN, height - MARGIN, said, va="top", fontsize=9, color=INK)
    _draw_boxes(axes, shown, rows, height - MARGIN - TITLE - HEIGHT)
    return drawn


def _draw_boxes(axes, shown: list[Box], rows: int, top: float) -> None:
    """Boxes in columns of `rows`, the first with its lower edge at `top`, joined by arrows."""
    before = (0.0, 0.0)
    for place, box in enumerate(shown):
        column, row = divmod(place, rows)
        x, y = MARGIN + column * (WIDTH + ACROSS), top - row * (HEIGHT + DOWN)
        _draw_box(axes, x, y, box)
        if box.follows:
            left_out = box.number - shown[place - 1].number > 1
            _draw_arrow(axes, before, (x + WIDTH / 2, y + HEIGHT), dotted=left_out)
        before = (x + WIDTH / 2, y)


def _draw_box(axes, x: float, y: float, box: Box) -> None:
    axes.add_patch(Rectangle((x, y), WIDTH, HEIGHT, facecolor=PALE, edgecolor="none"))
    axes.add_patch(Rectangle((x, y), 0.06, HEIGHT, facecolor=box.color, edgecolor="none"))

    upper, lower = y + HEIGHT - 0.15, y + 0.13
    axes.text(x + 0.14, upper, box.title, va="center", fontsize=8.5, color=INK)
    axes.text(x + 0.14, lower, box.about, va="center", fontsize=7.5, color=GRAY)
    if box.number:
        right = x + WIDTH - 0.07
        axes.text(right, upper, box.number, va="center", ha="right", fontsize=7, color=GRAY)


def _draw_arrow(axes, start: Point, end: Point, dotted: bool) -> None:
    """Straight down, or round the corner to the top of the next column."""
    line = [start, end]
    if end[1] > start[1]:
        down, up = start[1] - DOWN / 2, end[1] + DOWN / 2
        between = (start[0] + end[0]) / 2
        line = [start, (start[0], down), (between, down), (between, up), (end[0], up), end]

    dashes = ":" if dotted else "-"
    axes.plot(*zip(*line[:-1], strict=True), color=GRAY, linewidth=1, linestyle=dashes)
    arrow = {
        "arrowstyle": "-|>",
        "mutation_scale": 8,
        "color": GRAY,
        "linewidth": 1,
        "linestyle": dashes,
        "shrinkA": 1,
        "shrinkB": 1,
    }
    axes.annotate("", end, line[-2], arrowprops=arrow)


# What the boxes say.


def boxes_of(model) -> list[Box]:
    """The inputs, and each layer with what it adds to the layer before it."""
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    numbers = {layer.name: number for number, layer in enumerate(layers, 1)}
    inputs = Box(0, "Inputs", _shape(model.input_shape[1:]), ORANGE, follows=False)
    return [inputs, *(_box(layer, number, numbers) for number, layer in enumerate(layers, 1))]


def _box(layer, number: int, numbers: dict[str, int]) -> Box:
    """The box of a layer; `numbers` has that of each layer, by name."""
    node = layer._inbound_nodes[-1]
    parents = {numbers.get(parent.operation.name, 0) for parent in node.parent_nodes}
    follows = number - 1 in parents
    others = sorted(parents - {number - 1})

    about = [_shape(node.output_tensors[0].shape[1:])]
    if layer.count_params():
        about.append(_count(layer.count_params(), "parameter"))
    if others:
        names = ", ".join(str(each) if each else "the inputs" for each in others)
        about.append(f"and from {names}" if follows else f"from {names}")

    title = f"{type(layer).__name__} {', '.join(_settings(layer))}".strip()
    color = BLUE if layer.count_params() else GRAY
    return Box(number, title, "   ".join(about), color, follows)


def _settings(layer) -> Iterator[str]:
    config = layer.get_config()
    if config.get("strides") == config.get("pool_size"):
        config.pop("strides", None)  # as usual
    for key, (said, usual) in WORDS.items():
        value = config.get(key)
        if value is not None and _shape(value) != usual:
            yield said.format(_shape(value))


def _shape(value) -> str:
    """A shape, or a number or word as it is."""
    if isinstance(value, list | tuple):
        return " x ".join(str(each) for each in value)
    return str(value)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
