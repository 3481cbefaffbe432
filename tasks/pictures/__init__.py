"""The pictures, and what each is called. Light: drawing one imports its module, and Matplotlib."""

from __future__ import annotations

import os
from typing import NamedTuple

os.environ.pop("MPLBACKEND", None)  # a notebook's: Matplotlib does not start with an unknown one


class Title(NamedTuple):
    """What a picture is called for classes, and for regression if that is something else."""

    classes: str
    regression: str | None = None


TITLES = {  # of a pipeline's folder, in the order in which they are shown
    "samples.png": Title("What the model sees"),
    "near_duplicates.png": Title("Near-duplicates of training rows in the test set"),
    "model.png": Title("The layers"),
    "learning_curve.png": Title("Learning curve"),
    "predictions.png": Title("Confusion matrix", regression="Predicted and actual"),
    "calibration.png": Title("Calibration"),
    "mistakes.png": Title("Most confident mistakes", regression="Residuals"),
}


def titles(labels: str) -> dict[str, str]:
    """The title of each picture, by its file's name.

    Args:
        labels: `regression`, or anything else for classes, as in `schema.json`.
    """
    regression = labels == "regression"
    return {
        name: title.regression if regression and title.regression else title.classes
        for name, title in TITLES.items()
    }
