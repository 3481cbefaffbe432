"""The rule for the output layer and the loss, and what it refuses."""

from __future__ import annotations

import itertools

import pytest

from tasks.core.step import UserError
from tasks.families.head import Head, choose

CLASSES = 10
SCHEMAS = {
    "regression": {"labels": "regression", "classes": 0},
    "binary": {"labels": "binary", "classes": 2},
    "classes": {"labels": "classes", "classes": CLASSES},
    "one_hot": {"labels": "one_hot", "classes": CLASSES},
}
# The table of the design, row by row.
TABLE = {
    "regression": Head(1, "linear", "mse", "mae"),
    "binary": Head(1, "sigmoid", "binary_crossentropy", "accuracy"),
    "classes": Head(CLASSES, "softmax", "sparse_categorical_crossentropy", "accuracy"),
    "one_hot": Head(CLASSES, "softmax", "categorical_crossentropy", "accuracy"),
}
OVERRIDES = [  # labels, units, activation, loss: what is asked for; and what it gives
    ("regression", "auto", "auto", "mae", Head(1, "linear", "mae", "mae")),
    ("regression", 1, "linear", "huber", Head(1, "linear", "huber", "mae")),
    (
        "binary",
        "auto",
        "softmax",
        "auto",
        Head(2, "softmax", "sparse_categorical_crossentropy", "accuracy"),
    ),
    (
        "binary",
        2,
        "auto",
        "auto",
        Head(2, "softmax", "sparse_categorical_crossentropy", "accuracy"),
    ),
    ("binary", 1, "auto", "auto", TABLE["binary"]),
    ("classes", CLASSES, "softmax", "auto", TABLE["classes"]),
    ("one_hot", CLASSES, "auto", "categorical_crossentropy", TABLE["one_hot"]),
]
REFUSALS = [
    ("classes", 9, "auto", "auto"),
    ("classes", 11, "auto", "auto"),
    ("classes", "auto", "sigmoid", "auto"),
    ("classes", CLASSES, "sigmoid", "sparse_categorical_crossentropy"),
    ("classes", CLASSES, "linear", "auto"),
    ("classes", CLASSES, "softmax", "mse"),
    ("classes", CLASSES, "softmax", "categorical_crossentropy"),
    ("classes", 1, "sigmoid", "binary_crossentropy"),
    ("one_hot", CLASSES, "softmax", "sparse_categorical_crossentropy"),
    ("one_hot", CLASSES, "sigmoid", "auto"),
    ("one_hot", 9, "auto", "auto"),
    ("binary", 1, "softmax", "auto"),
    ("binary", 1, "sigmoid", "mse"),
    ("binary", 2, "sigmoid", "auto"),
    ("binary", 2, "softmax", "binary_crossentropy"),
    ("regression", 1, "softmax", "mse"),
    ("regression", 1, "sigmoid", "auto"),
    ("regression", 2, "auto", "auto"),
    ("regression", "auto", "auto", "binary_crossentropy"),
]


@pytest.mark.parametrize("labels", TABLE)
def test_auto_follows_the_table(labels):
    assert choose(SCHEMAS[labels], "auto", "auto") == TABLE[labels]


@pytest.mark.parametrize("labels", TABLE)
def test_auto_is_the_same_as_asking_for_it_in_part_or_in_full(labels):
    units, activation, loss, _ = TABLE[labels]
    for asked in itertools.product((units, "auto"), (activation, "auto"), (loss, "auto")):
        assert choose(SCHEMAS[labels], *asked) == TABLE[labels]


@pytest.mark.parametrize(("labels", "units", "activation", "loss", "head"), OVERRIDES)
def test_what_works_may_be_asked_for(labels, units, activation, loss, head):
    assert choose(SCHEMAS[labels], units, activation, loss) == head


@pytest.mark.parametrize(("labels", "units", "activation", "loss"), REFUSALS)
def test_what_cannot_work_is_refused_with_the_fix(labels, units, activation, loss):
    with pytest.raises(UserError) as caught:
        choose(SCHEMAS[labels], units, activation, loss)
    message, usual = str(caught.value), TABLE[labels]
    assert message.startswith(
        f"Dense({units}, {activation})" + ("" if loss == "auto" else f" with {loss}")
    )
    assert f"Dense({usual.units}, {usual.activation}) with {usual.loss}" in message
    for key in ("build.output_units", "build.output_activation", "compile.loss", "`auto`"):
        assert key in message


def test_the_whole_message():
    with pytest.raises(UserError) as caught:
        choose(SCHEMAS["classes"], 9, "auto")
    assert str(caught.value) == (
        "Dense(9, auto) cannot work: the labels are 10 classes, given as integers. "
        "They need Dense(10, softmax) with sparse_categorical_crossentropy. "
        "In params.yaml set build.output_units, build.output_activation and compile.loss to "
        "`auto`: they then follow from the labels."
    )


@pytest.mark.parametrize("classes", [2, 3, 100])
def test_the_output_has_as_many_units_as_there_are_classes(classes):
    for labels in ("classes", "one_hot"):
        assert choose({"labels": labels, "classes": classes}, "auto", "auto").units == classes
