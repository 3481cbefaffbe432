"""Step 4, build: the layers that were asked for, and the output layer that the labels need."""

from __future__ import annotations

import io
import json
import os
import py_compile
import shutil
import sys
from typing import get_args

import matplotlib.image
import numpy as np
import pytest
from ruamel.yaml import YAML

from flows.engine import step
from flows.project.folder import Project
from tasks.build import build
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.families import FAMILIES
from tasks.families.function import Function
from tasks.families.layers import MOMENTUM
from tasks.families.linear import Linear
from tasks.pictures import diagram
from tasks.pictures import style as figures
from tests.conftest import ROOT
from tests.support import tiny
from tests.support.tiny import CNN

OUTPUTS = ("architecture.json", "model.png", "summary.txt")
PIXELS = tiny.SIDE**2
LINEAR = Linear(family="linear", **tiny.OUTPUT)


def layers(folder: Folder) -> list[tuple]:
    """Class, and for Dense units and activation, of each layer of `architecture.json`."""
    found = [
        (layer["class_name"], layer["config"])
        for layer in folder.read_json("architecture.json")["config"]["layers"]
    ]
    return [
        (name, config["units"], config["activation"]) if name == "Dense" else (name,)
        for name, config in found
    ]


@pytest.fixture
def no_keras(monkeypatch):
    """Importing Keras is an error."""
    for name in ("keras", "tensorflow", "tasks.network.backend"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("labels", "last"),
    [
        ("classes", ("Dense", tiny.CLASSES, "softmax")),
        ("one_hot", ("Dense", tiny.CLASSES, "softmax")),
        ("binary", ("Dense", 1, "sigmoid")),
    ],
)
def test_images_are_flattened_then_hidden_layers_then_the_output_that_the_labels_need(
    tmp_path, labels, last
):
    folder = tiny.normalized(tmp_path, labels)
    said = build(folder, tiny.changed(tiny.BUILD, hidden=[6, 5], activation="tanh"))
    assert layers(folder) == [
        ("InputLayer",),
        ("Flatten",),
        ("Dense", 6, "tanh"),
        ("Dense", 5, "tanh"),
        last,
    ]
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


def test_regression_targets_are_predicted_in_their_own_unit(tmp_path):
    from tasks.compile import compile
    from tasks.network.assemble import assemble

    folder = tiny.normalized(tmp_path, "regression")
    schema = folder.read_json("schema.json") | {"target": {"mean": 5e6, "std": 1000.0}}
    folder.write_json("schema.json", schema)
    build(folder, tiny.BUILD)
    compile(folder, tiny.COMPILE)
    assert layers(folder)[-1][0] == "Rescaling"
    answers = assemble(folder, seed=0).predict(np.zeros((1, 1), np.float32), verbose=0)
    assert answers.tolist() == [[5e6]]
    assert folder.read_json("compile.json")["loss"] == "mse"


def test_output_layer_may_be_chosen(tmp_path):
    folder = tiny.normalized(tmp_path, "binary")
    build(folder, tiny.changed(tiny.BUILD, output_activation="softmax"))
    assert layers(folder)[-1] == ("Dense", 2, "softmax")


@pytest.mark.parametrize(("hidden", "warned"), [([4, 4], 1), ([4], 1), ([], 0)])
def test_linear_layers_in_a_row_draw_a_warning(tmp_path, caplog, hidden, warned):
    folder = tiny.normalized(tmp_path)
    build(folder, tiny.changed(tiny.BUILD, hidden=hidden, activation="linear"))
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    text = (
        f"{len(hidden) + 1} layers in a row have no activation between them: together they are one "
        "linear layer"
    )
    assert warnings == [text] * warned


def test_layers_of_any_family_are_looked_at_for_that(tmp_path, caplog, monkeypatch):
    def said() -> list[str]:
        found = [record.message for record in caplog.records if record.levelname == "WARNING"]
        caplog.clear()
        return found

    folder = tiny.normalized(tmp_path)
    for family, how in (
        (tiny.CNN, {"head": "flatten"}),
        (tiny.BUILD, {"batch_norm": True, "dropout": 0.5}),
    ):
        build(folder, tiny.changed(family, activation="linear", **how))
        assert len(said()) == (
            family is tiny.BUILD
        )  # the pooling between convolutions is not linear
    build(folder, tiny.changed(tiny.CNN, activation="linear", convolutions=2))
    assert "3 layers in a row have no activation" in said()[0]
    build(folder, tiny.changed(tiny.CNN, convolutions=2, batch_norm=True, dropout=0.5))
    assert not said()


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


def test_the_summary_does_not_depend_on_the_terminal(tmp_path, monkeypatch):
    usual, narrow = (tiny.normalized(tmp_path / name / "tiny") for name in ("usual", "narrow"))
    build(usual, tiny.BUILD)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    build(narrow, tiny.BUILD)
    assert tiny.content(narrow, *OUTPUTS) == tiny.content(usual, *OUTPUTS)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"output_units": 9}, r"Dense\(9, auto\) cannot work: the labels are 3 classes"),
        (
            {"output_activation": "sigmoid"},
            r"Dense\(auto, sigmoid\) cannot work: the labels are 3 classes",
        ),
    ],
)
def test_an_output_that_cannot_work_is_refused_before_keras_is_imported(
    tmp_path, no_keras, asked, message
):
    folder = tiny.normalized(tmp_path)
    with pytest.raises(UserError, match=message):
        build(folder, tiny.changed(tiny.BUILD, **asked))
    assert not any((tmp_path / name).exists() for name in OUTPUTS)


def test_missing_schema_is_named_before_keras_is_imported(tmp_path, no_keras):
    with pytest.raises(UserError, match=r"schema\.json is missing: an earlier step makes it"):
        build(Folder(tmp_path), tiny.BUILD)


# The families.


def test_linear_is_the_output_layer_alone(tmp_path):
    folder = tiny.normalized(tmp_path)
    build(folder, LINEAR)
    assert layers(folder) == [("InputLayer",), ("Flatten",), ("Dense", tiny.CLASSES, "softmax")]


def test_batch_norm_comes_before_the_activation_and_dropout_after_it(tmp_path):
    folder = tiny.normalized(tmp_path)
    build(folder, tiny.changed(tiny.BUILD, hidden=[6], batch_norm=True, dropout=0.5))
    found = folder.read_json("architecture.json")["config"]["layers"]
    names = [layer["class_name"] for layer in found]
    assert names[1:] == ["Flatten", "Dense", "BatchNormalization", "Activation", "Dropout", "Dense"]
    dense, normalization, activation, dropout = (layer["config"] for layer in found[2:6])
    assert (dense["activation"], dense["use_bias"], activation["activation"]) == (
        "linear",
        False,
        "relu",
    )
    assert (dropout["rate"], normalization["momentum"]) == (0.5, MOMENTUM)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "Reshape Conv2D MaxPooling2D Conv2D GlobalAveragePooling2D Dense"),
        (
            {"convolutions": 2},
            "Reshape Conv2D Conv2D MaxPooling2D Conv2D Conv2D GlobalAveragePooling2D Dense",
        ),
        (
            {"head": "flatten", "hidden": [7]},
            "Reshape Conv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense",
        ),
        (  # 4 x 4, 2 x 2, 1 x 1: there is nothing left to halve
            {"filters": [2, 2, 2, 2], "head": "flatten"},
            "Reshape Conv2D MaxPooling2D Conv2D MaxPooling2D Conv2D Conv2D Flatten Dense",
        ),
        (
            {"filters": [4], "batch_norm": True, "dropout": 0.1},
            "Reshape Conv2D BatchNormalization Activation GlobalAveragePooling2D Dropout Dense",
        ),
        (  # normalization has a quarter of the work after the pooling
            {"filters": [4], "batch_norm": True, "head": "flatten"},
            "Reshape Conv2D MaxPooling2D BatchNormalization Activation Flatten Dense",
        ),
    ],
)
def test_a_cnn_is_blocks_of_convolutions_and_a_head(tmp_path, asked, expected):
    folder = tiny.normalized(tmp_path)
    build(folder, tiny.changed(CNN, **asked))
    assert [layer[0] for layer in layers(folder)][1:] == expected.split()


def test_colour_images_have_their_channels_already(tmp_path):
    folder = tiny.normalized(tmp_path)
    folder.write_json("schema.json", {**folder.read_json("schema.json"), "input_shape": [8, 6, 3]})
    build(folder, CNN)
    assert layers(folder)[1] == ("Conv2D",)


def test_a_cnn_on_features_is_refused_with_the_fix(tmp_path):
    folder = tiny.normalized(tmp_path, "regression")
    with pytest.raises(
        UserError,
        match=r"build\.family is `cnn`, which is for images, .* shape \(1,\)\. Set .*`mlp`",
    ):
        build(folder, CNN)
    assert not any((tmp_path / name).exists() for name in OUTPUTS)


# A function of one's own.

USUAL = """
def made(schema):
    inputs = keras.Input(schema["input_shape"])
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Dense(schema["classes"], activation="softmax")(x))
"""
OWN_LAYER = """
class Own(keras.layers.Layer):
    def call(self, x):
        return x

def made(schema):
    last = keras.layers.Dense(3, "softmax")
    return keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), Own(), last])
"""


def stack(*layers: str, shape="(4, 4)") -> str:
    inside = ", ".join([f"keras.Input({shape})", *(f"keras.layers.{layer}" for layer in layers)])
    return f"\ndef made(schema):\n    return keras.Sequential([{inside}])\n"


@pytest.fixture
def own(tmp_path):
    """Build with a function in `models/mine.py` of a project of its own."""

    def run(code: str, name: str = "models.mine:made", **files: str) -> Folder:
        for file, text in {"models/mine": f"import keras\n{code}", **files}.items():
            path = tmp_path / f"{file.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        folder = tiny.normalized(tmp_path / "data" / "tiny")
        build(folder, Function(family="function", function=name))
        return folder

    return run


def test_the_model_of_a_function_is_built_and_a_change_in_its_file_is_seen(own):
    assert layers(own(USUAL))[1:] == [("Flatten",), ("Dense", tiny.CLASSES, "softmax")]
    again = own(USUAL.replace("Flatten()", "Reshape((16,))"))
    assert layers(again)[1:] == [("Reshape",), ("Dense", tiny.CLASSES, "softmax")]


def test_the_example_is_a_model(tmp_path):
    shutil.copytree(ROOT / "models", tmp_path / "models")
    folder = tiny.normalized(tmp_path / "data" / "tiny")
    build(folder, Function(family="function", function="models.example:residual"))
    first = tiny.content(folder, *OUTPUTS)
    build(folder, Function(family="function", function="models.example:residual"))
    assert tiny.content(folder, *OUTPUTS) == first
    assert layers(folder)[-1] == ("Dense", tiny.CLASSES, "softmax")


def test_models_in_models_and_layers_used_twice_are_fine(own):
    folder = own("""
def made(schema):
    inputs = keras.Input(schema["input_shape"])
    part = keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(5)])
    twice = keras.layers.Dense(5, "relu")
    x = keras.layers.Concatenate()([twice(part(inputs)), twice(twice(part(inputs)))])
    return keras.Model(inputs, keras.layers.Dense(schema["classes"], activation="softmax")(x))
""")
    from tasks.network.backend import keras
    from tasks.network.describe import multiply_adds

    model = keras.models.model_from_json(json.dumps(folder.read_json("architecture.json")))
    assert multiply_adds(model) == 16 * 5 + 5 * 5 + 10 * 3
    assert (folder.path / "model.png").is_file()


@pytest.mark.parametrize("name", ["mine.py", "units.txt"])
def test_a_file_of_models_that_changes_while_it_is_built_is_not_recorded(own, tmp_path, name):
    project = Project(tmp_path)
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    chosen = content["pipelines"]["fashion"]
    chosen["build"] = {"family": "function", "function": "models.mine:made"}
    YAML(typ="safe").dump({"pipelines": {"tiny": chosen}}, project.params_file)

    change = f"open(__file__.replace('mine.py', '{name}'), 'a').write('#')"
    own(USUAL.replace("    inputs", f"    {change}\n    inputs", 1))
    with pytest.raises(UserError, match=rf"models/{name} changed while build was running, so"):
        step.run(project, "build", "tiny")
    own(USUAL)
    said, _ = step.run(project, "build", "tiny")
    assert said.endswith("parameters")


WRONG = {
    "no file": (USUAL, {"name": "models.other:made"}, r"there is no models/other\.py"),
    "no function": (
        USUAL,
        {"name": "models.mine:mad"},
        r"models/mine\.py has no function `mad`\. It has made\.",
    ),
    "not Python": ("def made(:", {}, r"models/mine\.py cannot be imported: SyntaxError: "),
    "import fails": (
        "import no_such_thing",
        {},
        r"cannot be imported: ModuleNotFoundError: No module",
    ),
    "fails": (
        "def made(schema):\n    schema['kind']",
        {},
        r"models\.mine:made failed: KeyError: 'kind'\. .*classes",
    ),
    "exits": (
        "import sys\ndef made(s):\n    sys.exit(3)",
        {},
        r"models\.mine:made failed: SystemExit: 3\. Correct",
    ),
    "exits in silence": (
        "def made(s):\n    exit()",
        {},
        r"models\.mine:made failed: SystemExit: None\. Correct",
    ),
    "exits on import": (
        "import sys\nsys.exit(3)",
        {},
        r"models/mine\.py cannot be imported: SystemExit: 3\.",
    ),
    "no model": (
        "def made(schema):\n    pass",
        {},
        r"returned NoneType, not a Keras model\. Expected `return",
    ),
    "other argument": (
        "def made():\n    pass",
        {},
        r"failed: TypeError: made\(\) takes 0 .* called with one argument",
    ),
    "never built": (
        "def made(s):\n    return keras.Sequential([keras.layers.Dense(3)])",
        {},
        r"one input and one out",
    ),
    "other inputs": (
        stack("Flatten()", "Dense(3, 'softmax')", shape="(5, 5)"),
        {},
        r"takes \(None, 5, 5\), but the i",
    ),
    "other classes": (
        stack("Flatten()", "Dense(9, 'softmax')"),
        {},
        r"Dense\(9, softmax\) cannot .* Correct what mod",
    ),
    "no activation": (
        stack("Flatten()", "Dense(3)"),
        {},
        r"Dense\(3, linear\) cannot work: the labels are 3 classes",
    ),
    "last layer": (
        stack("Flatten()", "Dense(3)", "Activation('softmax')"),
        {},
        r"last layer is Activation, ",
    ),
    "not flattened": (
        stack("Dense(3, 'softmax')"),
        {},
        r"last layer is Dense, of shape \(None, 4, 3\)",
    ),
    "own layer": (
        OWN_LAYER,
        {},
        r"cannot be made from its configuration: Own is not one of Keras's own\. The other",
    ),
    "lambda": (
        stack("Flatten()", "Lambda(lambda x: x)", "Dense(3, 'softmax')"),
        {},
        r"Lambda is not one of Keras's o",
    ),
    "frozen": (
        stack("Flatten()", "Dense(4, trainable=False)", "Dense(3, 'softmax')"),
        {},
        r"layer dense has weight",
    ),
    "adapted": (
        stack("Normalization()", "Flatten()", "Dense(3, 'softmax')"),
        {},
        r"layer normalization has weights",
    ),
    "named output": (
        "def made(schema):\n    x = keras.Input((4, 4))\n"
        "    y = keras.layers.Dense(3)(keras.layers.Flatten()(x))\n"
        "    return keras.Model(x, {'y': y})\n",
        {},
        r"the model must have one input and one output",
    ),
    "activation of one's own": (
        "def mine(x):\n    return x\n" + stack("Flatten()", "Dense(3, mine)"),
        {},
        r"mine is not one of Keras's own\.",
    ),
    "a step": (
        "from tasks.there import TEST\n" + USUAL,
        {"tasks__there": ""},
        r"models/mine\.py imports tasks\.t",
    ),
    "helper": (
        "import beside\n" + USUAL,
        {"beside": ""},
        r"imports beside, whose changes DVC would not see\. Move",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_function_that_cannot_be_used_is_refused_with_what_to_do(own, tmp_path, kind):
    code, how, message = WRONG[kind]
    sys.modules.pop("beside", None)
    with pytest.raises(UserError, match=message):
        own(code, **how)
    assert not any((tmp_path / "data/tiny" / name).exists() for name in OUTPUTS)


PARTS = "import keras\ndef last(*how, **more):\n    return keras.layers.Dense(*how, **more)\n"


def test_a_helper_in_the_folder_is_imported_anew_too(own):
    code = "from models.parts import last\n" + USUAL.replace("keras.layers.Dense", "last")
    assert layers(own(code, models__parts=PARTS))[-1] == ("Dense", tiny.CLASSES, "softmax")
    named = PARTS.replace("Dense(*how", "Dense(*how, name='another'")
    folder = own(code, models__parts=named)
    last = folder.read_json("architecture.json")["config"]["layers"][-1]
    assert last["config"]["name"] == "another"


@pytest.mark.parametrize("first", [{}, {"models____init__": ""}], ids=["no __init__", "__init__"])
@pytest.mark.parametrize(
    "line", ["from models.parts import last", "from .parts import last", "from . import parts"]
)
def test_files_in_the_folder_import_each_other_in_every_way(own, first, line):
    used = "parts.last" if line.endswith("parts") else "last"
    code = f"{line}\n" + USUAL.replace("keras.layers.Dense", used)
    assert layers(own(code, models__parts=PARTS, **first))[-1][0] == "Dense"


def test_the_package_runs_as_its_source_says(own, tmp_path):
    """Not as a compiled file does that was made of an earlier source of the same size and time."""
    first = tmp_path / "models/__init__.py"
    first.parent.mkdir()
    for units in (5, 6):
        first.write_text(f"UNITS = {units}\n")
        os.utime(first, (1, 1))
        if units == 5:
            py_compile.compile(str(first))
    own("from models import UNITS\nassert UNITS == 6\n" + USUAL)


def test_another_package_called_models_is_neither_used_nor_lost(own, tmp_path, monkeypatch):
    """One is installed and imported; the project's own comes first, and only while it is used."""
    elsewhere = tmp_path / "elsewhere" / "models"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("")
    (elsewhere / "mine.py").write_text("def made(schema):\n    raise AssertionError\n")
    monkeypatch.syspath_prepend(elsewhere.parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == "models"]:
        monkeypatch.delitem(sys.modules, name)

    import models.mine as installed

    try:
        assert installed.__file__ == str(elsewhere / "mine.py")
        assert layers(own(USUAL))[-1] == ("Dense", tiny.CLASSES, "softmax")
        assert sys.modules["models.mine"] is installed
    finally:
        del sys.modules["models"], sys.modules["models.mine"]


def test_a_function_does_not_change_how_other_models_compute(own):
    from tasks.network.backend import keras

    policy = "    keras.config.set_dtype_policy('mixed_bfloat16')\n    inputs"
    code = USUAL.replace("    inputs", policy, 1)
    own(code.replace('activation="softmax"', 'activation="softmax", dtype="float32"'))
    assert keras.config.dtype_policy().name == "float32"


def test_each_family_is_known_by_the_name_of_its_file():
    for name, family in FAMILIES.items():
        assert family.__module__ == f"tasks.families.{name}"
        assert get_args(family.model_fields["family"].annotation) == (name,)


# The picture.


@pytest.mark.parametrize(
    ("layers_of", "columns"), [(LINEAR, 1), (tiny.BUILD, 1), (CNN, 1), ([8] * 12, 2), ([8] * 60, 4)]
)
def test_the_picture_has_a_box_for_each_layer_and_stays_small(tmp_path, layers_of, columns):
    folder = tiny.normalized(tmp_path)
    build(
        folder,
        tiny.changed(tiny.BUILD, hidden=layers_of) if isinstance(layers_of, list) else layers_of,
    )
    file = folder.path / "model.png"
    assert file.stat().st_size < 75_000
    width = matplotlib.image.imread(file).shape[1] / figures.DOTS_PER_INCH
    assert width == pytest.approx(
        2 * diagram.MARGIN + columns * (diagram.WIDTH + diagram.ACROSS) - diagram.ACROSS, 0.02
    )


def test_the_boxes_say_what_comes_out_and_where_a_layer_takes_its_input_from():
    from models.example import residual

    boxes = diagram.boxes_of(residual({"input_shape": [28, 28], "classes": 10}))
    assert boxes[0][1:3] == ("Inputs", "28 x 28")
    assert boxes[2][1:3] == ("Conv2D 16, 3 x 3, step 2 x 2, relu", "14 x 14 x 16   160 parameters")
    assert boxes[4][1:3] == ("Add", "14 x 14 x 16   and from 2")
    assert all(box.follows for box in boxes[1:])
