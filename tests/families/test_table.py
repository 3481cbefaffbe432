"""The family `table`: what its inputs see of a number, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.build import build
from tasks.core.step import UserError
from tasks.families.table import Table
from tasks.network.assemble import assemble
from tests.support import tiny

PARAMS = Table(family="table", hidden=[4], **tiny.HIDDEN, **tiny.OUTPUT)
NAMES = ["a", "b is missing", "c"]
QUANTILES = {"a": [-2.0, 0.0, 1.0], "c": [-1.0, 3.0, 4.0]}


def built(path, quantiles=QUANTILES, **more):
    folder = tiny.normalized(path, "regression")
    schema = {
        **folder.read_json("schema.json"),
        "input_shape": [len(NAMES)],
        "feature_names": NAMES,
        "quantiles": quantiles,
        **more,
    }
    folder.write_json("schema.json", schema)
    build(folder, PARAMS)
    folder.write_json("compile.json", {"optimizer": "adam", "loss": "mse"})
    return assemble(folder, seed=0)


def test_an_input_rises_between_two_quantiles_and_stays(tmp_path):
    from tasks.network.backend import keras

    model = built(tmp_path / "one")
    (joined,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate))
    inputs = keras.Model(model.inputs, joined.output)
    rows = np.array([[-3, 1, -1], [-1, 0, 1], [0.25, 0, 9]], np.float32)
    expected = [[0, 0, 0, 0], [0.5, 0, 0.5, 0], [1, 0.25, 1, 1]]
    found = inputs.predict(rows, verbose=0)
    np.testing.assert_array_equal(found[:, :3], rows)
    np.testing.assert_allclose(found[:, 3:], expected, atol=1e-6)


def test_a_table_of_words_alone_has_no_quantiles(tmp_path):
    assert [len(layer.weights) for layer in built(tmp_path / "one", {}).layers] == [0, 2, 2]


def test_the_output_is_in_the_targets_own_unit(tmp_path):
    model = built(tmp_path / "one", target={"mean": 5.0, "std": 2.0})
    last = model.layers[-1].get_config()
    assert (last["scale"], last["offset"]) == (2.0, 5.0)


def test_data_that_are_no_table_are_refused_with_the_fix(tmp_path):
    folder = tiny.normalized(tmp_path)
    with pytest.raises(
        UserError, match=r"family is `table`, which is for .* `parquet`\. Set .* to `mlp`"
    ):
        build(folder, PARAMS)
