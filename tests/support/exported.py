"""Three tiny models, untrained, in every format: dense, convolutional, and of a table.

python -m tests.support.exported FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tasks.core.folder import Folder
from tasks.exports import FORMATS
from tasks.families.table import Table
from tasks.rows.scaling import Scaling
from tests.support import tiny

ROWS, SIDE = 300, 8  # more rows than are asked about at once

PIXELS = {"scaling": {"subtract": [0.0], "divide": [255.0]}, "load": {"type": "|u1"}}
CLASSES = {"labels": "classes", "classes": 3, "class_names": ["kind 0", "kind 1", "kind 2"]}
DENSE = {**PIXELS, **CLASSES, "input_shape": [SIDE, SIDE]}
CNN = {**DENSE, "input_shape": [SIDE, SIDE, 3]}
TABLE = {
    "labels": "regression",
    "classes": 0,
    "input_shape": [3],
    "load": {"type": "<f8"},
    "scaling": {"subtract": [20_000.5, 0.0, 1.0], "divide": [30.0, 1.0, 2.0]},
    "feature_names": ["day", "open", "size"],
    "quantiles": {"day": [-1.0, 0.0, 0.5], "size": [-2.0, 1.0]},
    "target": {"mean": 5.0, "std": 3.0},
}


def models() -> dict[str, tuple]:
    """Of each kind a model and its `schema.json`."""
    from tasks.network.backend import keras  # here: TensorFlow takes seconds to import

    how = {**tiny.HIDDEN, **tiny.OUTPUT, "hidden": [8]}
    cnn = tiny.changed(tiny.CNN, filters=[4, 8], batch_norm=True, dropout=0.1)
    found = {}
    for name, family, schema in (
        ("dense", tiny.BUILD, DENSE),
        ("cnn", cnn, CNN),
        ("table", Table(family="table", **how), TABLE),
    ):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        found[name] = family.model(Folder(f"/data/{name}"), schema, keras), schema
    return found


def rows(schema: dict) -> np.ndarray:
    """Rows before scaling."""
    random = np.random.default_rng(0)
    shape = (ROWS, *schema["input_shape"])
    if schema["load"]["type"] == "|u1":
        return random.integers(0, 256, shape, np.uint8)
    return random.normal([20_000.5, 0.5, 1.0], [30.0, 0.1, 2.0], shape)


def write(folder: Path) -> None:
    for name, (model, schema) in models().items():
        place = folder / name
        place.mkdir(parents=True)
        for module in FORMATS.values():
            module.write(model, schema, place / module.NAME)
        (place / "schema.json").write_text(json.dumps(schema))
        scaling = Scaling.from_json(schema["scaling"])
        np.save(place / "expected.npy", model.predict(scaling.apply(rows(schema)), verbose=0))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
