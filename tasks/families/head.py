"""The rule for the output layer and the loss: both follow from the labels. It stands here alone."""

from __future__ import annotations

from typing import NamedTuple

from tasks.core.step import UserError

BY_ITSELF = (
    "In params.yaml set build.output_units, build.output_activation and compile.loss to `auto`: "
    "they then follow from the labels."
)


class Head(NamedTuple):
    """An output layer, `Dense(units, activation)`, with the loss and the metric that fit it."""

    units: int
    activation: str
    loss: str
    metric: str

    def __str__(self) -> str:
        return f"Dense({self.units}, {self.activation}) with {self.loss}"

    def fits(self, units: int | str, activation: str, loss: str) -> bool:
        """Whether it is what was asked for, each possibly `auto`."""
        asked = (units, activation, loss)
        have = (self.units, self.activation, self.loss)
        return all(want in ("auto", one) for want, one in zip(asked, have, strict=True))


def heads(labels: str, classes: int) -> list[Head]:
    """The heads that work for these labels, the usual choice first.

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


def choose(
    schema: dict, units: int | str, activation: str, loss: str = "auto", fix: str = BY_ITSELF
) -> Head:
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
        if head.fits(units, activation, loss):
            return head

    got = f"Dense({units}, {activation})" + ("" if loss == "auto" else f" with {loss}")
    ways = "; or ".join(map(str, possible))
    raise UserError(
        f"{got} cannot work: the labels are {_in_words(schema)}. They need {ways}. {fix}"
    )


def _in_words(schema: dict) -> str:
    classes = schema["classes"]
    return {
        "regression": "numbers (regression)",
        "binary": "2 classes, given as 0 and 1",
        "classes": f"{classes} classes, given as integers",
        "one_hot": f"{classes} classes, given as one-hot rows",
    }[schema["labels"]]
