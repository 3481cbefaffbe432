"""A picture of a model: a box for each layer, with what it is, what comes out of it, and how many parameters it has."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.pictures.style import BLUE, GRAY, ORANGE, figure

ROWS, MOST = 8, 32  # boxes in a column; boxes in all: of a deeper model the middle is left out
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN, TITLE = 2.7, 0.46, 0.5, 0.24, 0.2, 0.32  # inches
INK, PALE = "#333333", "#f4f6f8"
# What of a layer's configuration is worth a word, how it is said, and what need not be said.
WORDS = {
    "units": ("{}", ""), "filters": ("{}", ""), "kernel_size": ("{}", ""), "pool_size": ("{}", ""), "rate": ("{}", ""),
    "strides": ("step {}", "1 x 1"), "activation": ("{}", "linear"),
}  # fmt: skip


class Box(NamedTuple):
    number: int
    title: str
    about: str
    color: str
    follows: bool  # takes what the box before it gives


def draw(model) -> Figure:
    """The layers of a Keras model from top to bottom, in as many columns as they need."""
    boxes = _boxes(model)
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
    before = (0.0, 0.0)
    for place, box in enumerate(shown):
        column, row = divmod(place, rows)
        x, y = MARGIN + column * (WIDTH + ACROSS), height - MARGIN - TITLE - HEIGHT - row * (HEIGHT + DOWN)
        _draw_box(axes, x, y, box)
        if box.follows:
            left_out = box.number - shown[place - 1].number > 1
            _draw_arrow(axes, before, (x + WIDTH / 2, y + HEIGHT), dotted=left_out)
        before = (x + WIDTH / 2, y)
    return drawn


def _draw_box(axes, x: float, y: float, box: Box) -> None:
    axes.add_patch(Rectangle((x, y), WIDTH, HEIGHT, facecolor=PALE, edgecolor="none"))
    axes.add_patch(Rectangle((x, y), 0.06, HEIGHT, facecolor=box.color, edgecolor="none"))
    axes.text(x + 0.14, y + HEIGHT - 0.15, box.title, va="center", fontsize=8.5, color=INK)
    axes.text(x + 0.14, y + 0.13, box.about, va="center", fontsize=7.5, color=GRAY)
    if box.number:
        axes.text(x + WIDTH - 0.07, y + HEIGHT - 0.15, box.number, va="center", ha="right", fontsize=7, color=GRAY)


def _draw_arrow(axes, start: tuple[float, float], end: tuple[float, float], dotted: bool) -> None:
    """Straight down, or round the corner to the top of the next column."""
    line = [start, end]
    if end[1] > start[1]:
        down, up, between = start[1] - DOWN / 2, end[1] + DOWN / 2, (start[0] + end[0]) / 2
        line = [start, (start[0], down), (between, down), (between, up), (end[0], up), end]
    style = {"color": GRAY, "linewidth": 1, "linestyle": ":" if dotted else "-", "shrinkA": 1, "shrinkB": 1}
    axes.plot(*zip(*line[:-1], strict=True), color=GRAY, linewidth=1, linestyle=style["linestyle"])
    axes.annotate("", end, line[-2], arrowprops={"arrowstyle": "-|>", "mutation_scale": 8, **style})


def _boxes(model) -> list[Box]:
    """The inputs, and each layer with what it adds to the layer before it."""
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    numbers = {layer.name: number for number, layer in enumerate(layers, 1)}
    boxes = [Box(0, "Inputs", _shape(model.input_shape[1:]), ORANGE, follows=False)]
    for number, layer in enumerate(layers, 1):
        node = layer._inbound_nodes[-1]
        parents = {numbers.get(parent.operation.name, 0) for parent in node.parent_nodes}
        follows, others = number - 1 in parents, sorted(parents - {number - 1})
        config = layer.get_config()
        if config.get("strides") == config.get("pool_size"):
            config.pop("strides", None)  # as usual
        words = [
            said.format(_shape(config[key]))
            for key, (said, usual) in WORDS.items()
            if key in config and config[key] is not None and _shape(config[key]) != usual
        ]
        about = [_shape(node.output_tensors[0].shape[1:])]
        if layer.count_params():
            about.append(_count(layer.count_params(), "parameter"))
        if others:
            names = ", ".join(str(each) if each else "the inputs" for each in others)
            about.append(f"and from {names}" if follows else f"from {names}")
        title = " ".join([type(layer).__name__, ", ".join(words)]).strip()
        boxes.append(Box(number, title, "   ".join(about), BLUE if layer.count_params() else GRAY, follows))
    return boxes


def _shape(value) -> str:
    """A shape, or a number or word as it is."""
    return " x ".join(str(each) for each in value) if isinstance(value, list | tuple) else str(value)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
