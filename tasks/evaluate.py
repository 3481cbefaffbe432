"""Step 8, evaluate: the score on the test rows, used once; `metrics.json`, `predictions.csv` and three pictures."""

from __future__ import annotations

import operator
from typing import Annotated

import numpy as np
from pydantic import Field

from tasks.arrays import read_arrays
from tasks.base import Folder, Section, UserError, whole


class Params(Section):
    min_accuracy: Annotated[float, Field(ge=0, le=1)] | None = Field(
        description="What a model of classes must reach on the test rows to pass."
    )
    max_mse: Annotated[float, Field(ge=0)] | None = Field(description="The same for regression: at most this.")
    predict: list[float] | None = Field(description="Values of x to predict y for (regression on one number).")


def evaluate(folder: Folder, params: Params) -> str:
    """Read `model.keras`, the test rows and `history.csv`; write the numbers, every prediction, and pictures of both.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: a criterion that does not fit the labels, or an input that is missing or damaged.
    """
    schema = folder.read_json("schema.json")
    regression = schema["labels"] == "regression"
    if (params.min_accuracy if regression else params.max_mse) is not None:
        wrong, right = ("min_accuracy", "max_mse") if regression else ("max_mse", "min_accuracy")
        raise UserError(
            f"evaluate.{wrong} cannot be measured: the labels are {schema['labels']}. Set it to null, and {right}."
        )
    if params.predict is not None and not (regression and schema["input_shape"] == [1]):
        raise UserError("evaluate.predict needs a regression on one number. Set `predict: null`.")

    import pandas as pd

    from tasks import report
    from tasks.network import keras

    x, y = read_arrays(folder, "normalized.npz", "x_test", "y_test")
    table, saved = folder.read("history.csv"), folder.read("model.keras")
    with whole(table):
        history = pd.read_csv(table)
        best_epoch = int(history.loc[history["checkpoint"] == 1, "epoch"].iloc[-1])
    with whole(saved):
        model = keras.models.load_model(saved)
    batch = 256
    measured = model.evaluate(x, y, batch_size=batch, verbose=0, return_dict=True)
    output = model.predict(x, batch_size=batch, verbose=0)

    metrics = {f"test_{name}": float(value) for name, value in measured.items()}
    metrics["best_epoch"] = best_epoch
    if regression:
        predictions = pd.DataFrame({"actual": y.reshape(-1), "predicted": output.reshape(-1)})
        metrics["test_mse"] = float(((predictions["actual"] - predictions["predicted"]) ** 2).mean())
        criterion = ("mse", "max_mse", params.max_mse, operator.le)
        report.regression(folder, x, predictions, model)
    else:
        chances = np.hstack([1 - output, output]) if output.shape[1] == 1 else output
        names = np.array(schema["class_names"])
        actual = y.argmax(axis=1) if schema["labels"] == "one_hot" else y.reshape(-1).astype(int)
        guess, confidence = chances.argmax(axis=1), chances.max(axis=1)
        predictions = pd.DataFrame({"actual": names[actual], "predicted": names[guess], "confidence": confidence})
        metrics["test_accuracy"] = float((actual == guess).mean())  # Keras's has the rounding of float32
        criterion = ("accuracy", "min_accuracy", params.min_accuracy, operator.ge)
        report.classes(folder, x, actual, guess, confidence, schema["class_names"])
    report.learning_curve(folder, history, best_epoch)

    name, key, limit, reaches = criterion
    value = metrics[f"test_{name}"]
    verdict = f"test {name} {value:.4g}"
    if limit is not None:
        metrics["passed"] = bool(reaches(value, limit))
        verdict += f", {'passed' if metrics['passed'] else 'NOT passed'} ({key} {limit:g})"
    if params.predict is not None:
        points = np.array(params.predict, dtype=np.float32).reshape(-1, 1)
        answers = model.predict(points, verbose=0).reshape(-1)
        metrics["predict"] = {
            f"{point:g}": float(answer) for point, answer in zip(params.predict, answers, strict=True)
        }
    with folder.write("predictions.csv") as path:
        predictions.to_csv(path, index_label="row", lineterminator="\n")
    folder.write_json("metrics.json", metrics)
    keras.utils.clear_session()
    return verdict
