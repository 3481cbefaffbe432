"""The answers as a table, and their score."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.answers.summary import Part, Score, Summary
from tasks.answers.telling import told
from tasks.core.step import UserError
from tasks.sources.base import New

CLASSES = {
    "labels": "classes",
    "class_names": ["cat", "dog", "cow", "hen"],
    "load": {"labels": ["1", "2", "3", "7"]},
}


def new(count: int, labels=None) -> New:
    return New(np.zeros((count, 1)), [f"row {row}" for row in range(count)], labels)


def test_the_three_most_probable_classes_are_told():
    (row,) = told(np.array([[0.1, 0.6, 0.3, 0.0]]), new(1), CLASSES).to_dict("records")
    assert (row["predicted"], row["second"], row["third"]) == ("dog", "cow", "cat")
    assert (row["confidence"], row["second confidence"]) == (0.6, 0.3)


def test_one_output_is_the_chance_of_the_second_class():
    schema = {"labels": "binary", "class_names": ["no", "yes"], "load": {"labels": ["0", "1"]}}
    answers = told(np.array([[0.25], [0.75]]), new(2), schema)
    assert answers["predicted"].tolist() == ["no", "yes"]
    assert answers["confidence"].tolist() == [0.75, 0.75]
    assert "third" not in answers


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_not_the_first_class(strange):
    output = np.array([[0.1, 0.6, 0.3, 0.0], [strange] * 4])
    with pytest.raises(UserError, match=r"^row 1: the model's answer is not finite\."):
        told(output, new(2), CLASSES)


@pytest.mark.parametrize("labels", [[2, 7, 9], ["2", "7", "9"], [2.0, 7.0, np.nan]])
def test_known_labels_have_the_names_of_the_training(labels):
    output = np.eye(4)[[1, 0, 2]]
    answers = told(output, new(3, np.array(labels)), CLASSES)
    assert answers["actual"].fillna("?").tolist() == ["dog", "hen", "?"]

    score = Score()
    score.add(answers)
    score.add(answers)
    assert (score.right, score.rows, score.unknown) == (2, 4, 2)
    score.add(answers, missing=1)
    assert score.unknown == 2, "a row without a label has none that is unknown"


@pytest.mark.parametrize(
    ("known", "sent", "named"),
    [
        (["1.0", "2.0", "A"], ["2.0", "1.0", "A", "1"], ["2.0", "1.0", "A", "?"]),
        (["1", "1.0", "A"], ["1.0", "1", "B"], ["1.0", "1", "?"]),
        (["-2", "-1"], ["1", "-1", "-2.0"], ["?", "-1", "-2"]),
        (["007", "012"], ["007", "7", "12"], ["007", "?", "?"]),
        (["1", "2"], ["1.00", "1e0", "+1", "1.5", "\xb2", "1e999"], ["1", "1", "1", "?", "?", "?"]),
        (["no", "yes"], ["\xb2", "1", "yes"], ["?", "?", "yes"]),
    ],
)
def test_labels_are_those_of_the_training_as_it_took_them(known, sent, named):
    schema = {"labels": "classes", "class_names": known, "load": {"labels": known}}
    output = np.zeros((len(sent), len(known)))
    answers = told(output, new(len(sent), np.array(sent, dtype=object)), schema)
    assert answers["actual"].fillna("?").tolist() == named


def test_a_number_is_the_place_of_a_word():
    names = ["cat", "dog", "cow", "hen"]
    schema = {**CLASSES, "load": {"labels": names}}
    answers = told(np.eye(4)[[0, 1, 2]], new(3, np.array([3, 0, 9])), schema)
    assert answers["actual"].fillna("?").tolist() == ["hen", "cat", "?"]


def test_a_regression_tells_a_number_and_its_errors():
    schema = {"labels": "regression"}
    answers = told(np.array([[3.0], [5.0]], np.float32), new(2, np.array([1, 5])), schema)
    assert answers["predicted"].tolist() == [3.0, 5.0]
    score = Score()
    score.add(answers)
    assert (score.absolute / score.rows, score.squares / score.rows) == (1, 2)


@pytest.mark.parametrize(("labels", "says"), [("39", "1 row has"), ("99", "2 rows have")])
def test_labels_that_the_training_did_not_see_are_counted(labels, says):
    rows = new(2, np.array(list(labels), dtype=object))
    summary = Summary()
    summary.add(Part(told(np.eye(4)[:2], rows, CLASSES), rows))
    assert f"{says} a label that the training did not see" in summary.lines()
