"""Step 4, build: the layers that were asked for, and the output layer that the labels need."""

from __future__ import annotations

import sys

import pytest

from tasks.base import Folder, UserError
from tasks.build import build
from tests import tiny

OUTPUTS = ("architecture.json", "model.png", "summary.txt")
PIXELS = tiny.SIDE**2


def layers(folder: Folder) -> list[tuple]:
    """Class, and for Dense units and activation, of each layer of `architecture.json`."""
    found = [
        (layer["class_name"], layer["config"]) for layer in folder.read_json("architecture.json")["config"]["layers"]
    ]
    return [(name, config["units"], config["activation"]) if name == "Dense" else (name,) for name, config in found]


@pytest.fixture
def no_keras(monkeypatch):
    """Importing Keras is an error."""
    for name in ("keras", "tensorflow", "tasks.network"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("labels", "last"),
    [
        ("classes", ("Dense", tiny.CLASSES, "softmax")),
        ("one_hot", ("Dense", tiny.CLASSES, "softmax")),
        ("binary", ("Dense", 1, "sigmoid")),
    ],
)
def test_images_are_flattened_then_hidden_layers_then_the_output_that_the_labels_need(tmp_path, labels, last):
    folder = tiny.normalized(tmp_path, labels)
    said = build(folder, tiny.changed(tiny.BUILD, hidden=[6, 5], activation="tanh"))
    assert layers(folder) == [("InputLayer",), ("Flatten",), ("Dense", 6, "tanh"), ("Dense", 5, "tanh"), last]
    weights = PIXELS * 6 + 6 + 6 * 5 + 5 + 5 * last[1] + last[1]
    assert said == f"4 layers, {weights} parameters"
    assert f"{weights}" in (folder.path / "summary.txt").read_text()


def test_numbers_are_not_flattened(tmp_path):
    folder = tiny.normalized(tmp_path, "regression")
    build(folder, tiny.changed(tiny.BUILD, hidden=[]))
    assert layers(folder) == [("InputLayer",), ("Dense", 1, "linear")]
    (input_layer, *_) = folder.read_json("architecture.json")["config"]["layers"]
    assert input_layer["config"]["batch_shape"] == [None, 1]


def test_mixed_precision_is_for_the_hidden_layers_alone(tmp_path):
    folder = tiny.normalized(tmp_path)
    build(folder, tiny.changed(tiny.BUILD, dtype_policy="mixed_bfloat16"))
    policies = [
        layer["config"]["dtype"]["config"]["name"]
        for layer in folder.read_json("architecture.json")["config"]["layers"]
        if layer["class_name"] == "Dense"
    ]
    assert policies == ["mixed_bfloat16", "float32"]


def test_output_layer_may_be_chosen(tmp_path):
    folder = tiny.normalized(tmp_path, "binary")
    build(folder, tiny.changed(tiny.BUILD, output_activation="softmax"))
    assert layers(folder)[-1] == ("Dense", 2, "softmax")


@pytest.mark.parametrize(("hidden", "warned"), [([4, 4], 1), ([4], 1), ([], 0)])
def test_linear_layers_in_a_row_draw_a_warning(tmp_path, caplog, hidden, warned):
    folder = tiny.normalized(tmp_path)
    build(folder, tiny.changed(tiny.BUILD, hidden=hidden, activation="linear"))
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    text = f"build.activation is `linear`: {len(hidden) + 1} linear layers in a row are together one linear layer"
    assert warnings == [text] * warned


def test_other_activations_draw_no_warning(tmp_path, caplog):
    build(tiny.normalized(tmp_path), tiny.BUILD)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_same_parameters_give_the_same_bytes_however_often(tmp_path):
    folders = [tiny.normalized(tmp_path / name / "tiny") for name in "ab"]
    for folder in (*folders, folders[0]):  # in one process, where Keras would number the layers on
        build(folder, tiny.BUILD)
    assert tiny.content(folders[0], *OUTPUTS) == tiny.content(folders[1], *OUTPUTS)
    summary = (folders[0].path / "summary.txt").read_bytes()
    assert summary.endswith(b"\n")
    assert b" \n" not in summary


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"output_units": 9}, r"Dense\(9, auto\) cannot work: the labels are 3 classes"),
        ({"output_activation": "sigmoid"}, r"Dense\(auto, sigmoid\) cannot work: the labels are 3 classes"),
    ],
)
def test_an_output_that_cannot_work_is_refused_before_keras_is_imported(tmp_path, no_keras, asked, message):
    folder = tiny.normalized(tmp_path)
    with pytest.raises(UserError, match=message):
        build(folder, tiny.changed(tiny.BUILD, **asked))
    assert not any((tmp_path / name).exists() for name in OUTPUTS)


def test_missing_schema_is_named_before_keras_is_imported(tmp_path, no_keras):
    with pytest.raises(UserError, match=r"schema\.json is missing: an earlier step makes it"):
        build(Folder(tmp_path), tiny.BUILD)
