"""What of the rows is compared: features, or what an image looks like, and the model's outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tasks.rows.scaling import Scaling

OF_IMAGES = ("mean", "contrast", "sharpness")
TOGETHER = 32  # images: the processor's cache holds so many small ones


class Series(NamedTuple):
    """One number of each row."""

    name: str  # in a sentence: `feature age`
    chance: bool = False  # whether it is the probability of a class
    asked: bool = False  # whether a model has said it


def names(schema: dict[str, Any]) -> list[Series]:
    """The columns of `values`, in their order."""
    shape = schema["input_shape"]
    if len(shape) > 1:
        found = [Series(f"{what} of the images") for what in OF_IMAGES]
    else:
        named = schema.get("feature_names") or [str(number + 1) for number in range(shape[0])]
        found = [Series(f"feature {name}") for name in named]

    if schema["labels"] == "regression":
        return [*found, Series("the prediction", asked=True)]
    classes = schema["class_names"]
    told = classes[len(classes) == 2 :]
    return found + [Series(name, chance=True, asked=True) for name in told]


def values(x: np.ndarray, output: np.ndarray, schema: dict[str, Any]) -> np.ndarray:
    """The numbers of each row, (rows, series).

    Args:
        x: scaled rows.
        output: of the model, for these rows.
        schema: the content of `schema.json`.
    """
    scaling = Scaling.from_json(schema["scaling"])
    of_rows = _of_images(x, scaling) if x.ndim > 2 else x * scaling.divide + scaling.subtract
    output = output.reshape(len(x), -1)
    # Of two classes one probability says all.
    return np.column_stack([of_rows, output[:, 1:] if output.shape[1] == 2 else output])


def _of_images(x: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Mean, standard deviation, and how much neighboring pixels differ, of each image."""
    found = np.empty((len(x), len(OF_IMAGES)))
    divide, subtract = (each.astype(np.float32) for each in (scaling.divide, scaling.subtract))
    for begin in range(0, len(x), TOGETHER):
        some = slice(begin, begin + TOGETHER)
        images = x[some] * divide + subtract
        flat = images.reshape(len(images), -1)
        steps = [np.abs(np.diff(images, axis=axis)).reshape(len(images), -1) for axis in (1, 2)]
        means = [each.mean(axis=1) for each in steps if each.size]  # none of one pixel
        sharpness = np.sum(means, axis=0) / max(1, len(means))
        for column, each in enumerate((flat.mean(axis=1), flat.std(axis=1), sharpness)):
            found[some, column] = each
    return found
