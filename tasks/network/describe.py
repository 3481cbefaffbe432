"""What can be said of a model without running it: its summary, its work, what is odd about it."""

from __future__ import annotations

import math
from functools import partial
from io import StringIO

import rich.console

from tasks.network.backend import keras, tf

# Layers after which a linear layer and the next one are still one linear layer.
STILL_LINEAR = ("Flatten", "Reshape", "Dropout", "BatchNormalization", "GlobalAveragePooling2D")


def summary(model: keras.Model) -> str:
    """Keras's summary, 80 characters wide, without spaces at the ends of lines."""
    parts: list[str] = []
    usual = rich.console.Console
    # Keras's own is as wide as the terminal, and draws lines of letters that the terminal has.
    rich.console.Console = partial(usual, width=80, file=StringIO())  # type: ignore[assignment, misc]
    try:
        model.summary(line_length=80, print_fn=parts.append)
    finally:
        rich.console.Console = usual  # type: ignore[misc]

    lines = "\n".join(parts).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def linear_in_a_row(model: keras.Model) -> int:
    """The longest run of weight layers without an activation in between.

    0 for a model that is not a `Sequential`: its layers need not follow one another.
    """
    if not isinstance(model, keras.Sequential):
        return 0

    row = longest = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Dense" or kind.startswith("Conv"):
            row += 1
            longest = max(longest, row)
        if kind not in STILL_LINEAR and not _is_linear(layer):
            row = 0
    return longest


def _is_linear(layer) -> bool:
    return getattr(layer, "activation", None) is keras.activations.linear


def multiply_adds(model: keras.Model) -> int:
    """How many one row takes: a layer's weights are used at each place of its output (a pixel)."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):  # a model in the model
            total += multiply_adds(layer)
            continue
        shape = layer._inbound_nodes[-1].output_tensors[0].shape
        places = math.prod(size or 1 for size in shape[1:-1])
        matrices = [weight.shape for weight in layer.weights if len(weight.shape) > 1]
        total += places * sum(map(math.prod, matrices))
    return total


def slow_with_xla(model: keras.Model) -> bool:
    """Whether it has convolutions or dropout, and there is no graphics card for them."""
    if tf.config.list_physical_devices("GPU"):
        return False
    kinds = [type(layer).__name__ for layer in model._flatten_layers()]
    return any("Conv" in kind or "Dropout" in kind for kind in kinds)
