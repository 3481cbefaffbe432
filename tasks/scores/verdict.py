"""Ask a model about the test rows, and judge the answers."""

from __future__ import annotations

import pandas as pd

from tasks.core.arrays import read_arrays
from tasks.core.folder import Folder
from tasks.network.backend import keras
from tasks.network.feed import Stoppable, in_batches
from tasks.pictures import learning_curve as picture
from tasks.rows.outputs import check_finite
from tasks.scores import asking
from tasks.scores.asking import asker as asker
from tasks.scores.base import Tested, Verdict
from tasks.scores.baselines import compare as compare
from tasks.scores.baselines import compare_without as compare_without
from tasks.scores.classes import Classes
from tasks.scores.regression import Regression


def judge(folder: Folder, schema: dict) -> Verdict:
    """The verdict on `model.keras`: `Classes` or `Regression`, by the labels.

    Args:
        folder: the pipeline's folder.
        schema: the content of `schema.json`.

    Raises:
        UserError: an input is missing or damaged, or an answer of the model is not a number.
    """
    kind = Regression if schema["labels"] == "regression" else Classes
    return kind(_asked(folder, schema))


def _asked(folder: Folder, schema: dict) -> Tested:
    """The test rows, and the model's answers to them."""
    x, y, leaked, places = read_arrays(
        folder, "normalized.npz", "x_test", "y_test", optional=("leaked_test", "from_test")
    )
    model = asking.load(folder)
    how = {"verbose": 0, "callbacks": [Stoppable()]}
    measured = model.evaluate(in_batches(x, y), return_dict=True, **how)
    output = model.predict(in_batches(x, y), **how)
    check_finite(output, "test row {}".format, ", or lower compile.learning_rate")
    return Tested(model, schema, x, y, output, measured, leaked, places)


def learning_curve(folder: Folder) -> dict[str, float]:
    """Draw `history.csv` as `learning_curve.png`.

    Returns:
        The epoch of the checkpoint, counted from 1, and its scores on the validation rows.
    """
    with folder.reading("history.csv") as path:
        history = pd.read_csv(path)
        best = history[history["checkpoint"] == 1].iloc[-1]

    epoch = int(best["epoch"])
    picture.draw(folder, history, epoch)
    validation = [name for name in history if name.startswith("val_")]
    return {"best_epoch": epoch} | {name: float(best[name]) for name in validation}


def forget() -> None:
    """Let Keras forget the model, and count its names from one again."""
    keras.utils.clear_session()
