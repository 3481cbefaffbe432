"""Step 4, build: stack the layers and write `architecture.json`."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from tasks.base import Folder
from tasks.families import Cnn, Function, Linear, Mlp
from tasks.labels import choose
from tasks.own_model import own_model

# One of the families' own sections: `family` says which, and each has its own keys.
Params = Annotated[Mlp | Cnn | Linear | Function, Field(discriminator="family")]


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

    from tasks.network import keras  # here: TensorFlow takes seconds to import

    keras.utils.clear_session()  # names are counted from one again, so they are the same in every run
    if own:
        model = own_model(params.function, schema)
    else:
        model = keras.Sequential(name=folder.path.name)
        model.add(keras.Input(schema["input_shape"]))
        for layer in params.layers(tuple(schema["input_shape"])):
            model.add(layer)
        model.add(keras.layers.Dense(head.units, activation=head.activation))

    from tasks import diagram, figures  # here: Matplotlib takes a second

    lines: list[str] = []
    model.summary(line_length=80, print_fn=lines.append)
    folder.write_text("summary.txt", "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n")
    folder.write_json("architecture.json", json.loads(model.to_json()))
    figures.save(folder, "model.png", diagram.draw(model))
    return f"{len(model.layers)} layers, {model.count_params():,} parameters"
