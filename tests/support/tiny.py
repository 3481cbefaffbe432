"""Data to try one step on: a few rows, drawn by a seed, written as the earlier steps write them."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np

from tasks import build, compile, evaluate, fit
from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.families.cnn import Cnn
from tasks.families.mlp import Mlp

ROWS = {"train": 20, "val": 12, "test": 15}
CLASSES, SIDE = 3, 4

OUTPUT = {"output_units": "auto", "output_activation": "auto"}
HIDDEN = {"activation": "relu", "batch_norm": False, "dropout": 0, "dtype_policy": "float32"}
BUILD = Mlp(family="mlp", hidden=[6], **HIDDEN, **OUTPUT)
CNN = Cnn(
    family="cnn", filters=[4, 5], convolutions=1, head="average", hidden=[], **HIDDEN, **OUTPUT
)
COMPILE = compile.Params(
    optimizer="adam", learning_rate=0.1, weight_decay=None, loss="auto", metrics=[]
)
FIT = fit.Params(
    epochs=4,
    batch_size=6,
    monitor="val_loss",
    seed=0,
    jit_compile=False,
    steps_per_execution=1,
    threads=2,
    schedule="constant",
    patience=None,
    class_weights=None,
    flip=False,
    shift=0,
)
EVALUATE = evaluate.Params(
    min_accuracy=None, max_mse=None, max_mae=None, min_r2=None, baselines=False, predict=None
)
RUN = fit.Run(save_every=1000.0, keep_state=False)


def changed(params, **values):
    """The parameters with other values, checked like those of `params.yaml`."""
    return type(params)(**{**params.model_dump(), **values})


def rows(labels: str, count: int, seed: int, wrong: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with something to learn in it: y = 2x + 1, or a bright row that tells the class.

    Args:
        wrong: how many of the images have another label.
    """
    random = np.random.default_rng(seed)
    if labels == "regression":
        x = random.uniform(-1, 1, (count, 1)).astype(np.float32)
        return x, 2 * x[:, 0] + 1
    classes = 2 if labels == "binary" else CLASSES
    y = random.permutation(np.arange(count) % classes).astype(np.uint8)
    x = random.uniform(0, 0.5, (count, SIDE, SIDE)).astype(np.float32)
    x[np.arange(count), y] += np.float32(0.5)
    y[:wrong] = (y[:wrong] + 1) % classes
    return x, np.eye(classes, dtype=np.float32)[y] if labels == "one_hot" else y


def normalized(path: Path, labels: str = "classes", **counts: int) -> Folder:
    """A folder with `normalized.npz` and `schema.json`, as `normalize` leaves it.

    A third of the validation labels is wrong, so the best epoch of FIT is neither the first nor the
    last.
    """
    folder = Folder(path)
    arrays = {}
    for seed, (split, count) in enumerate({**ROWS, **counts}.items()):
        wrong = count // 3 if split == "val" else 0
        arrays[f"x_{split}"], arrays[f"y_{split}"] = rows(labels, count, seed, wrong)
    train, val = len(arrays["x_train"]), len(arrays["x_val"])
    arrays["row_train"], arrays["row_val"] = np.arange(train), np.arange(train, train + val)
    write_arrays(folder, "normalized.npz", **arrays)
    classes = {"regression": 0, "binary": 2}.get(labels, CLASSES)
    schema = {
        "labels": labels,
        "classes": classes,
        "class_names": [f"kind {k}" for k in range(classes)],
        "input_shape": list(arrays["x_train"].shape[1:]),
        "scaling": {"subtract": [0.0], "divide": [1.0]},
    }
    folder.write_json("schema.json", schema)
    return folder


def compiled(
    path: Path, labels: str = "classes", build_params=BUILD, compile_params=COMPILE, **counts: int
) -> Folder:
    """The same with `architecture.json` and `compile.json`: all that `fit` needs."""
    folder = normalized(path, labels, **counts)
    build.build(folder, build_params)
    compile.compile(folder, compile_params)
    # Keras collects garbage when a step begins and ends: half the time of a tiny step.
    gc.collect()
    gc.freeze()
    return folder


def content(folder: Folder, *names: str) -> dict[str, bytes]:
    """The bytes of the outputs of those names."""
    return {name: (folder.path / name).read_bytes() for name in names}
