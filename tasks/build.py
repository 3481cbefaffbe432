"""Step 4, build: stack the layers and write `architecture.json`."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from tasks.base import Folder, Section, log
from tasks.labels import choose

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "linear"]
Units = Annotated[int, Field(gt=0)]


class Params(Section):
    hidden: list[Units] = Field(description="Units of each hidden layer.")
    activation: Activation = Field(description="Activation of the hidden layers.")
    output_units: Units | Literal["auto"] = Field(
        description="Units of the last layer; `auto` follows from the labels."
    )
    output_activation: Literal["auto", "linear", "sigmoid", "softmax"] = Field(
        description="Activation of the last layer; `auto` follows from the labels."
    )
    dtype_policy: Literal["float32", "mixed_bfloat16"] = Field(
        description="What the hidden layers compute in. Weights and the last layer are float32 with both."
    )


def build(folder: Folder, params: Params) -> str:
    """Read `schema.json`; write `architecture.json` (Keras's configuration) and `summary.txt`, for people.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: the output layer asked for cannot work with the labels.
    """
    schema = folder.read_json("schema.json")
    head = choose(schema, params.output_units, params.output_activation)
    if params.hidden and params.activation == "linear":
        log.warning(
            "build.activation is `linear`: %d linear layers in a row are together one linear layer",
            len(params.hidden) + 1,
        )

    from tasks.network import keras  # here: TensorFlow takes seconds to import

    keras.utils.clear_session()  # names are counted from one again, so they are the same in every run
    model = keras.Sequential(name=folder.path.name)
    model.add(keras.Input(schema["input_shape"]))
    if len(schema["input_shape"]) > 1:
        model.add(keras.layers.Flatten())
    for units in params.hidden:
        model.add(keras.layers.Dense(units, activation=params.activation, dtype=params.dtype_policy))
    model.add(keras.layers.Dense(head.units, activation=head.activation))

    lines: list[str] = []
    model.summary(line_length=80, print_fn=lines.append)
    folder.write_text("summary.txt", "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n")
    folder.write_json("architecture.json", json.loads(model.to_json()))
    return f"{len(model.layers)} layers, {model.count_params():,} parameters"
