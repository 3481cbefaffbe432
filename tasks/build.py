"""Step 4, build: stack the layers and write `architecture.json`."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import log
from tasks.families.function import own_model
from tasks.families.head import choose
from tasks.families.layers import Cnn, Function, Linear, Mlp

# One of the families' own sections: `family` says which, and each has its own keys.
Params = Annotated[Mlp | Cnn | Linear | Function, Field(discriminator="family")]


NO_CHANGE = ("Flatten", "Reshape", "Dropout", "BatchNormalization", "GlobalAveragePooling2D")  # none that is not linear


def build(folder: Folder, params: Params) -> str:
    """Read `schema.json`; write `architecture.json` (Keras's configuration); for people `summary.txt` and `model.png`.

    Args:
        folder: the pipeline's folder.
        params: see the families.

    Raises:
        UserError: the family cannot work with the inputs, or the output layer asked for not with the labels.
    """
    schema = folder.read_json("schema.json")
    own = isinstance(params, Function)
    head = None if own else choose(schema, params.output_units, params.output_activation)

    from tasks.network.backend import keras  # here: TensorFlow takes seconds to import

    keras.utils.clear_session()  # names are counted from one again, so they are the same in every run
    if own:
        model = own_model(params.function, schema)
    else:
        model = keras.Sequential(name=folder.path.name)
        model.add(keras.Input(schema["input_shape"]))
        for layer in params.layers(tuple(schema["input_shape"])):
            model.add(layer)
        model.add(keras.layers.Dense(head.units, activation=head.activation))
        if target := schema.get("target"):  # else the units of y would decide how well it is learnt
            model.add(keras.layers.Rescaling(target["std"], target["mean"]))

    row = linear_in_a_row(model)
    if row > 1:
        log.warning("%d layers in a row have no activation between them: together they are one linear layer", row)

    from tasks.pictures import diagram
    from tasks.pictures import style as figures  # here: Matplotlib takes a second

    lines: list[str] = []
    model.summary(line_length=80, print_fn=lines.append)
    folder.write_text("summary.txt", "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n")
    folder.write_json("architecture.json", json.loads(model.to_json()))
    figures.save(folder, "model.png", diagram.draw(model))
    return f"{len(model.layers)} layers, {model.count_params():,} parameters"


def linear_in_a_row(model) -> int:
    """Of how many layers with weights, at most, one follows the other with no activation between them.

    Args:
        model: a Keras model; of one that is no `Sequential` layers need not follow one another, so none are counted.
    """
    from tasks.network.backend import keras

    if not isinstance(model, keras.Sequential):
        return 0
    row = longest = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Dense" or kind.startswith("Conv"):
            row += 1
            longest = max(longest, row)
        if kind not in NO_CHANGE and getattr(layer, "activation", None) is not keras.activations.linear:
            row = 0
    return longest
