"""Step 8, evaluate: the score on the test rows, used once, with two tables and four pictures."""

from __future__ import annotations

import json
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import Section, UserError
from tasks.drift import validation
from tasks.rows.scaling import Scaling
from tasks.scores.criterion import asked, check_criterion, missed, sentence


class Params(Section):
    min_accuracy: Annotated[float, Field(ge=0, le=1)] | None = Field(
        description="The accuracy on the test rows that a model of classes must reach to pass."
    )
    max_mse: Annotated[float, Field(ge=0)] | None = Field(
        description="The mean squared error that a regression may have at most to pass."
    )
    max_mae: Annotated[float, Field(ge=0)] | None = Field(
        description="The mean absolute error that a regression may have at most to pass, in the "
        "unit of the target."
    )
    min_r2: Annotated[float, Field(le=1)] | None = Field(
        description="The R² that a regression must reach to pass: 0 is no better than always "
        "answering the mean, 1 is perfect."
    )
    baselines: bool = Field(
        description="For a table: whether simpler models are trained on the same rows to compare "
        "with: the largest class or the mean, a linear model, gradient boosting."
    )
    predict: Annotated[list[float], Field(min_length=1)] | None = Field(
        description="Values of x to predict y for, if the regression has one feature."
    )


def evaluate(folder: Folder, params: Params) -> str:
    """Read `model.keras`, the test rows and `history.csv`; write scores, predictions and pictures.

    `metrics.json` has the scores: those of the checkpoint on the validation rows (`val_*`), by
    which to choose among models, and those on the test rows (`test_*`). `classes.csv` has those of
    each class, `predictions.csv` a row for each test row. If test rows are in the training set too
    (`leaked_test`), the score is also given without them. For a table, `metrics.json` also has the
    scores of simpler models; and if columns are suspected of giving the target away, their scores
    without these. `validation.npz` is what `predict` compares new rows with, to find drift.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: a criterion that does not fit the labels, an input that is missing or damaged,
            or an answer of the model that is not a number.
    """
    schema = folder.read_json("schema.json")
    check_criterion(params, schema["labels"])
    _check_predict(params, schema)

    from tasks.scores import verdict as scores  # here: TensorFlow takes seconds to import

    verdict = scores.judge(folder, schema)
    metrics: dict[str, Any] = {**scores.learning_curve(folder), **verdict.scores()}

    if limits := asked(params):
        metrics["passed"] = not missed(metrics, limits)
    if params.baselines and "columns" in schema:
        metrics["baselines"] = scores.compare(folder, verdict)
        if schema["suspects"]:
            without = scores.compare_without(folder, verdict, schema["suspects"])
            metrics["baselines_without"] = without
    if params.predict is not None:
        scaling = Scaling.from_json(schema["scaling"])
        metrics["predict"] = _answers(verdict.tested.model, params.predict, scaling)

    validation.write(folder, schema, scores.asker(verdict.tested.model))

    # In this order: who chooses among models reads the validation scores first.
    folder.write_text("metrics.json", json.dumps(metrics, indent=2) + "\n")
    verdict.write(folder)
    verdict.draw(folder)
    scores.forget()
    return sentence(metrics, params)


def _check_predict(params: Params, schema: dict) -> None:
    single = schema["labels"] == "regression" and schema["input_shape"] == [1]
    if params.predict is not None and not single:
        raise UserError("evaluate.predict needs a regression on one feature. Set `predict: null`.")


def _answers(model, points: list[float], scaling: Scaling) -> dict[str, float]:
    """The predictions for some values of x, which are scaled as the training rows were."""
    x = scaling.apply(np.array(points).reshape(-1, 1))
    found = model.predict(x, verbose=0).reshape(-1)
    names = [np.format_float_positional(point, trim="-") for point in points]
    return dict(zip(names, found.tolist(), strict=True))
