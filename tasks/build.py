"""Step 4, build: stack the layers and write `architecture.json`."""

from __future__ import annotations

import json

from tasks.core.folder import Folder
from tasks.core.step import log
from tasks.families import Family, Params

__all__ = ["IF_MEMORY_IS_SHORT", "WATCHES", "Params", "build"]

WATCHES = ("models",)  # folders of the project besides this step's own code: a user's functions
IF_MEMORY_IS_SHORT = (
    "Make the model smaller: build.hidden, build.filters, or what build.function returns."
)


def build(folder: Folder, params: Family) -> str:
    """Read `schema.json`; write `architecture.json`, Keras's configuration of the model.

    For people it also writes `summary.txt` and the picture `model.png`.

    Args:
        folder: the pipeline's folder.
        params: see the families.

    Raises:
        UserError: the family cannot work with the inputs, or its output layer with the labels.
    """
    schema = folder.read_json("schema.json")
    params.check(schema)

    from tasks.network import describe  # here: TensorFlow takes seconds to import
    from tasks.network.backend import keras
    from tasks.pictures import diagram

    keras.utils.clear_session()  # names are then counted from one, the same in every run
    model = params.model(folder, schema, keras)
    row = describe.linear_in_a_row(model)
    if row > 1:
        log.warning(
            "%d layers in a row have no activation between them: together they are one linear "
            "layer",
            row,
        )

    folder.write_json("architecture.json", json.loads(model.to_json()))
    folder.write_text("summary.txt", describe.summary(model))
    diagram.save(folder, model)
    layers = sum(type(layer).__name__ != "InputLayer" for layer in model.layers)
    return f"{layers} layer{'s' * (layers > 1)}, {model.count_params():,} parameters"
