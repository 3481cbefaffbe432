"""Values to begin with: for a table or for images, by their number of rows and their range."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

from flows.guess.section import Proposal
from tasks.core.folder import Folder
from tasks.sources.base import Dataset, some

SHARE, SEED = 0.2, 0  # rows to test on, and to validate on, where the data has none for that
UPDATES, MOST_EPOCHS = 1000, 200  # so many updates at least, unless that takes more epochs
MANY = 1000  # rows of a table, which are then seen in larger batches
MOST_OF_A_TABLE = 100  # epochs: a small one is learned by then, and its training takes seconds

# What suits features and what suits images; everything else is left to `defaults:`.
FEATURES: dict[str, dict[str, Any]] = {
    "build": {"family": "mlp"},
    "compile": {},
    "fit": {"epochs": 20, "batch_size": 32},
}
IMAGES: dict[str, dict[str, Any]] = {
    "build": {"family": "cnn"},
    "compile": {"learning_rate": 0.003},
    "fit": {"epochs": 10, "batch_size": 64, "schedule": "one_cycle", "jit_compile": False},
}


def read(folder: Folder, source: ModuleType, load: dict[str, Any], notes: list[str]) -> Proposal:
    """Read the data with the parameters that are proposed, and choose the rest by what is in it.

    Args:
        folder: of the pipeline; relative paths start at its project's root.
        source: the module that reads this format.
        load: every key of the section `load`.
        notes: guesses that a person should check.

    Raises:
        UserError: the source cannot read the data.
    """
    found: Dataset = source.find(source.Params(**load), folder)
    x, x_test = found.arrays["x_train"], found.arrays["x_test"]
    names = found.class_names
    if names and all(name.isdigit() for name in names):
        notes = [
            *notes,
            f"load.class_names: null, so classes are called {some(names)}; a list gives them names",
        ]

    shape = " x ".join(str(size) for size in x.shape[1:])
    what = "pixels" if x.ndim > 2 else f"feature{'s' * (x.shape[1] != 1)}"
    target = f"{len(names)} classes" if names else "a regression target"
    about = f"{len(x) + len(x_test):,} rows of {shape} {what}, {target}"
    if "feature_kinds" in found.arrays:
        values, most = of_table(len(x)), MOST_OF_A_TABLE
    else:
        values, most = FEATURES if x.ndim == 2 else IMAGES, MOST_EPOCHS
    return proposal(load, about, found.arrays, scale(x), values, notes, most)


def of_table(rows: int) -> dict[str, dict[str, Any]]:
    """What suits a table, by its rows: measured on public ones, see docs/benchmarks.md."""
    if rows < MANY:
        return {
            "build": {"family": "table", "hidden": [256, 256], "dropout": 0.3},
            "compile": {"learning_rate": 0.001, "weight_decay": 6},
            "fit": {"epochs": 40, "batch_size": 32, "schedule": "one_cycle", "monitor": "loss"},
        }
    return {
        "build": {"family": "table", "hidden": [256, 256], "dropout": 0.1},
        "compile": {"learning_rate": 0.003},
        "fit": {"epochs": 40, "batch_size": 128, "schedule": "one_cycle"},
    }


def proposal(
    load: dict[str, Any],
    about: str,
    arrays: dict[str, np.ndarray],
    scaling: str,
    values: dict[str, dict[str, Any]],
    notes: list[str],
    most: int = MOST_EPOCHS,
) -> Proposal:
    """The sections behind `load`.

    Args:
        load: every key of the section `load`.
        about: one line: what the data is.
        arrays: `y_train`, and `given_train` if the data has validation rows.
        scaling: a value for `normalize.scale`.
        values: FEATURES, IMAGES, or those of a table.
        notes: guesses that a person should check.
        most: epochs.
    """
    fit, reasons = _training(values["fit"], trained_on(arrays), most)
    limit = {}
    if load.get("task") == "regression":  # of classes, accuracy alone says little
        limit = {"min_r2": 0}
        why = "to pass, be better than always answering the mean; 1 is perfect, so ask for more"
        reasons = {"evaluate.min_r2": why, **reasons}

    wanted = {
        "normalize": {
            "scale": scaling,
            "validation": "given" if "given_train" in arrays else SHARE,
        },
        "visualize": {},
        "build": values["build"],
        "compile": values["compile"],
        "fit": fit,
        "evaluate": limit,
        "run": {},
    }
    return Proposal(about, load, wanted, reasons, notes)


def _training(fit: dict[str, Any], rows: float, most: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The section `fit`, with enough epochs for few rows; and the reasons for its values."""
    updates = math.ceil(rows / fit["batch_size"])
    epochs = min(most, math.ceil(UPDATES / updates))

    reasons = {}
    if epochs > fit["epochs"]:  # few rows are few updates an epoch
        fit = {**fit, "epochs": epochs}
        reasons["fit.epochs"] = f"{epochs * updates:,} updates in all, {updates:,} an epoch"
    if fit.get("monitor") == "loss":
        reasons["fit.monitor"] = (
            "keeps one of the last epochs; set val_loss if that rises well before them"
        )
    return fit, reasons


def trained_on(arrays: dict[str, np.ndarray]) -> float:
    """The number of rows that no split holds out."""
    given = arrays.get("given_train")
    return len(arrays["y_train"]) * (1 - SHARE) if given is None else (~given).sum()


def scale(x: np.ndarray) -> str:
    """A value for `normalize.scale`, from the range and the type of the inputs."""
    if x.ndim == 2:
        return "standard"
    if x.min() >= 0 and x.max() <= 1:
        return "none"
    return "pixels" if x.dtype == np.uint8 else "standard"
