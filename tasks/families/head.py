"""The rule for the output layer and the loss: both follow from the labels. It is written down here and nowhere else."""

from __future__ import annotations

from typing import NamedTuple

from tasks.core.step import UserError


class Head(NamedTuple):
    """An output layer, `Dense(units, activation)`, with the loss and the metric that fit it."""

    units: int
    activation: str
    loss: str
    metric: str


def heads(labels: str, classes: int) -> list[Head]:
    """What works for these labels, the usual choice first.

    Args:
        labels: `regression`, `binary`, `classes` (integers) or `one_hot`, as in `schema.json`.
        classes: how many classes there are; 0 for regression.
    """
    sparse = Head(classes, "softmax", "sparse_categorical_crossentropy", "accuracy")
    return {
        "regression": [Head(1, "linear", loss, "mae") for loss in ("mse", "mae", "huber")],
        "binary": [Head(1, "sigmoid", "binary_crossentropy", "accuracy"), sparse],
        "classes": [sparse],
        "one_hot": [Head(classes, "softmax", "categorical_crossentropy", "accuracy")],
    }[labels]


BY_ITSELF = (
    "In params.yaml set build.output_units, build.output_activation and compile.loss to `auto`, and this follows by "
    "itself."
)


def choose(schema: dict, units: int | str, activation: str, loss: str = "auto", fix: str = BY_ITSELF) -> Head:
    """The usual head for the labels, or the one that was asked for.

    Args:
        schema: the content of `schema.json`.
        units, activation, loss: what `params.yaml` asks for, each possibly `auto`.
        fix: what to do if it cannot work.

    Raises:
        UserError: it cannot work with these labels.
    """
    possible = heads(schema["labels"], schema["classes"])
    for head in possible:
        asked = (units, activation, loss)
        if all(
            want in ("auto", have) for want, have in zip(asked, (head.units, head.activation, head.loss), strict=True)
        ):
            return head
    what = {
        "regression": "numbers to predict",
        "binary": "2 classes, given as 0 and 1",
        "classes": f"{schema['classes']} classes, given as integers",
        "one_hot": f"{schema['classes']} classes, given as one-hot rows",
    }[schema["labels"]]
    got = f"Dense({units}, {activation})" + ("" if loss == "auto" else f" with {loss}")
    ways = "; or ".join(f"Dense({head.units}, {head.activation}) with {head.loss}" for head in possible)
    raise UserError(f"{got} cannot work: the labels are {what}. They need {ways}. {fix}")
