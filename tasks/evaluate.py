"""Step 8, evaluate: the score on the test rows, used once; `metrics.json`, two tables and four pictures."""

from __future__ import annotations

import operator
from typing import Annotated

import numpy as np
from pydantic import Field

from tasks.core.arrays import classes_of, read_arrays
from tasks.core.folder import Folder
from tasks.core.step import Section, UserError


class Params(Section):
    min_accuracy: Annotated[float, Field(ge=0, le=1)] | None = Field(
        description="What a model of classes must reach on the test rows to pass."
    )
    max_mse: Annotated[float, Field(ge=0)] | None = Field(description="The same for regression: at most this.")
    predict: Annotated[list[float], Field(min_length=1)] | None = Field(
        description="Values of x to predict y for (regression on one number)."
    )


def evaluate(folder: Folder, params: Params) -> str:
    """Read `model.keras`, the test rows and `history.csv`; write the numbers, every prediction, and pictures of both.

    `metrics.json` has one number for each thing that is measured, `classes.csv` those of each class. Where test rows
    are in the training set too (`leaked_test`), there is the score without them as well.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: a criterion that does not fit the labels, an input that is missing or damaged, or an answer of the
            model that is no number.
    """
    schema = folder.read_json("schema.json")
    regression = schema["labels"] == "regression"
    check_criterion(params, schema["labels"])
    if params.predict is not None and not (regression and schema["input_shape"] == [1]):
        raise UserError("evaluate.predict needs a regression on one number. Set `predict: null`.")

    import pandas as pd

    from tasks.network.backend import in_batches, keras
    from tasks.pictures import answers as report
    from tasks.scores import numbers as scores

    x, y, leaked, places = read_arrays(folder, "normalized.npz", "x_test", "y_test", optional=("leaked_test", "from_test"))
    with folder.reading("history.csv") as epochs:
        history = pd.read_csv(epochs)
        best_epoch = int(history.loc[history["checkpoint"] == 1, "epoch"].iloc[-1])
    with folder.reading("model.keras") as saved:
        model = keras.models.load_model(saved)
    measured = model.evaluate(in_batches(x, y), verbose=0, return_dict=True)
    output = model.predict(in_batches(x, y), verbose=0)
    strange = np.flatnonzero(~np.isfinite(output).all(axis=1))
    if len(strange):
        raise UserError(
            f"The model's answer to test row {strange[0]} is no number, as to {len(strange):,} of {len(x):,}. "
            "Look for values in that row that are far from all others, or lower compile.learning_rate."
        )

    if regression:
        actual, predicted = y.reshape(-1), output.reshape(-1)
        predictions = pd.DataFrame({"actual": actual, "predicted": predicted})
        numbers, table = scores.regression(actual, predicted), pd.DataFrame(columns=scores.COLUMNS)
        name, each, criterion = "mse", (actual.astype(float) - predicted) ** 2, ("max_mse", params.max_mse, operator.le)
        report.regression(folder, x, predictions, model, schema)
        report.calibration_of_numbers(folder, actual, predicted)
    else:
        chances = np.hstack([1 - output, output]) if output.shape[1] == 1 else output
        names = np.array(schema["class_names"])
        actual = classes_of(y)
        guess, confidence = chances.argmax(axis=1), chances.max(axis=1)
        predictions = pd.DataFrame({"actual": names[actual], "predicted": names[guess], "confidence": confidence})
        numbers, table = scores.classes(actual, chances), scores.each_class(actual, guess, schema["class_names"])
        name, each, criterion = "accuracy", actual == guess, ("min_accuracy", params.min_accuracy, operator.ge)
        report.classes(folder, x, actual, guess, confidence, schema, places)
        report.calibration_of_classes(folder, actual == guess, confidence, numbers["ece"])
    report.learning_curve(folder, history, best_epoch)

    numbers = {**measured, **numbers}  # Keras's accuracy has the rounding of float32
    metrics = {"best_epoch": best_epoch} | {f"test_{key}": float(value) for key, value in numbers.items()}
    metrics |= _without_leaked(name, each, leaked)
    key, limit, reaches = criterion
    if limit is not None:
        metrics["passed"] = bool(reaches(metrics[f"test_{name}"], limit))
    if params.predict is not None:
        points = _as_trained(params.predict, schema["scaling"])
        answers = model.predict(points, verbose=0).reshape(-1)
        asked = [np.format_float_positional(point, trim="-") for point in params.predict]
        metrics["predict"] = dict(zip(asked, answers.tolist(), strict=True))
    if places is not None:
        predictions.insert(0, "from", places)
    with folder.write("predictions.csv") as path:
        predictions.to_csv(path, index_label="row", lineterminator="\n")
    with folder.write("classes.csv") as path:  # without a row for regression: one graph serves all labels
        table.to_csv(path, index=False, float_format="%.4f", lineterminator="\n")
    folder.write_json("metrics.json", metrics)
    keras.utils.clear_session()
    return _verdict(name, metrics, f"{key} {limit:g}" if limit is not None else "")


def _as_trained(points: list[float], scaling: dict[str, list[float]]) -> np.ndarray:
    """Values of x as rows of the inputs: scaled as those that the model has seen."""
    subtract, divide = (np.array(scaling[name]) for name in ("subtract", "divide"))
    return ((np.array(points).reshape(-1, 1) - subtract) / divide).astype(np.float32)


def check_criterion(params: Params, labels: str) -> None:
    """Refuse what cannot be measured: an accuracy of numbers to predict, or an error of classes.

    Args:
        params: see `Params`.
        labels: `regression`, or what classes are given as.
    """
    wrong, right = ("min_accuracy", "max_mse") if labels == "regression" else ("max_mse", "min_accuracy")
    if getattr(params, wrong) is not None:
        raise UserError(f"evaluate.{wrong} cannot be measured: the labels are {labels}. Set it to null, and {right}.")


def _without_leaked(name: str, each: np.ndarray, leaked: np.ndarray | None) -> dict:
    """How many test rows are in the training set too, and the score, the mean of `each`, of all others."""
    if leaked is None or not leaked.any():
        return {}
    found = {"leaked_rows": int(leaked.sum())}
    return found if leaked.all() else found | {f"test_{name}_without_leaked": float(each[~leaked].mean())}


def _verdict(name: str, metrics: dict, asked: str) -> str:
    """The score in one line: with its interval, without the leaked rows, and whether it is what was asked for."""
    score = f"test_{name}"
    said = f"test {name} {metrics[score]:.4g}"
    if f"{score}_low" in metrics:
        said += f" ({metrics[f'{score}_low']:.4g} to {metrics[f'{score}_high']:.4g})"
    if f"{score}_without_leaked" in metrics:
        rows = metrics["leaked_rows"]
        said += f", {metrics[f'{score}_without_leaked']:.4g} without {rows:,} leaked row{'s' * (rows > 1)}"
    if asked:
        said += f", {'passed' if metrics['passed'] else 'NOT passed'} ({asked})"
    return said
