"""Step 5, compile: the loss that the labels need, written without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tasks.compile import OPTIMIZERS, compile
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tests.conftest import ROOT
from tests.support import tiny

OUTPUTS = {
    "regression": (1, "linear"),
    "binary": (1, "sigmoid"),
    "classes": (tiny.CLASSES, "softmax"),
    "one_hot": (tiny.CLASSES, "softmax"),
}


def built(path, labels: str, units: int | None = None, activation: str | None = None) -> Folder:
    """A folder with as much of `architecture.json` as `compile` may rely on: its last layer."""
    folder = tiny.normalized(path, labels)
    usual = OUTPUTS[labels]
    last = {
        "class_name": "Dense",
        "config": {"units": units or usual[0], "activation": activation or usual[1]},
    }
    folder.write_json(
        "architecture.json",
        {"config": {"layers": [{"class_name": "InputLayer", "config": {}}, last]}},
    )
    return folder


@pytest.mark.parametrize(
    ("labels", "loss", "metric"),
    [
        ("regression", "mse", "mae"),
        ("binary", "binary_crossentropy", "accuracy"),
        ("classes", "sparse_categorical_crossentropy", "accuracy"),
        ("one_hot", "categorical_crossentropy", "accuracy"),
    ],
)
def test_loss_and_metric_follow_from_the_labels(tmp_path, labels, loss, metric):
    folder = built(tmp_path, labels)
    assert compile(folder, tiny.COMPILE) == f"adam, {loss}, {metric}"
    found = folder.read_json("compile.json")
    assert (found["loss"], found["metrics"]) == (loss, [metric])


def test_weight_decay_is_the_optimizers_unless_it_is_chosen(tmp_path):
    folder = built(tmp_path, "regression")
    compile(folder, tiny.COMPILE)
    assert folder.read_json("compile.json")["optimizer"]["config"] == {"learning_rate": 0.1}
    compile(folder, tiny.changed(tiny.COMPILE, weight_decay=3.0))
    config = folder.read_json("compile.json")["optimizer"]["config"]
    assert config == {"learning_rate": 0.1, "weight_decay": 3.0}


def test_loss_may_be_chosen(tmp_path):
    folder = built(tmp_path, "regression")
    compile(folder, tiny.changed(tiny.COMPILE, loss="huber"))
    assert folder.read_json("compile.json")["loss"] == "huber"


@pytest.mark.parametrize(
    ("labels", "output", "loss"),
    [
        ("classes", (tiny.CLASSES, "softmax"), "mse"),
        ("classes", (tiny.CLASSES, "softmax"), "categorical_crossentropy"),
        ("classes", (9, "softmax"), "auto"),
        ("binary", (1, "sigmoid"), "sparse_categorical_crossentropy"),
        ("regression", (1, "linear"), "binary_crossentropy"),
    ],
)
def test_loss_that_cannot_work_is_refused(tmp_path, labels, output, loss):
    folder = built(tmp_path, labels, *output)
    with pytest.raises(UserError, match=r"cannot work: the labels are .* They need Dense\("):
        compile(folder, tiny.changed(tiny.COMPILE, loss=loss))
    assert not (tmp_path / "compile.json").exists()


@pytest.mark.parametrize(
    ("labels", "metrics"),
    [("classes", ["auc"]), ("binary", ["r2_score"]), ("regression", ["r2_score", "r2_score"])],
)
def test_a_metric_that_the_loss_does_not_allow_is_refused_and_the_others_are_named(
    tmp_path, labels, metrics
):
    folder = built(tmp_path, labels)
    with pytest.raises(
        UserError, match=rf"has `{metrics[0]}`\. .* may have, each once: .*_\w+\.|recall"
    ):
        compile(folder, tiny.changed(tiny.COMPILE, metrics=metrics))
    assert not (tmp_path / "compile.json").exists()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_becomes_that_of_keras_with_its_learning_rate(tmp_path, name):
    from tasks.network.backend import keras

    folder = built(tmp_path, "classes")
    compile(
        folder, tiny.changed(tiny.COMPILE, optimizer=name, learning_rate=0.25, weight_decay=3.0)
    )
    optimizer = keras.optimizers.deserialize(folder.read_json("compile.json")["optimizer"])
    assert type(optimizer) is type(keras.optimizers.get(name))
    assert (float(optimizer.learning_rate), optimizer.weight_decay) == (0.25, 3.0)


def test_same_parameters_give_the_same_bytes(tmp_path):
    folders = [built(tmp_path / name, "classes") for name in "ab"]
    for folder in folders:
        compile(folder, tiny.COMPILE)
    assert tiny.content(folders[0], "compile.json") == tiny.content(folders[1], "compile.json")


def test_compiling_imports_neither_tensorflow_nor_keras(tmp_path):
    folder = built(tmp_path, "classes")
    code = (
        "import sys\nfrom tasks.core.folder import Folder\n"
        "from tasks.compile import Params, compile\n"
        f"params = Params(**{tiny.COMPILE.model_dump()!r})\n"
        f"print(compile(Folder({str(folder)!r}), params))\n"
        "heavy = ('tensorflow', 'keras', 'matplotlib', 'prefect')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["adam, sparse_categorical_crossentropy, accuracy", "[]"]


def test_missing_architecture_is_named(tmp_path):
    folder = tiny.normalized(tmp_path)
    with pytest.raises(UserError, match=r"architecture\.json is missing: an earlier step makes it"):
        compile(folder, tiny.COMPILE)
