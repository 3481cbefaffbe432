"""What the proof of an exported model says, and when it fails."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core.folder import Folder
from tasks.exports.proof import Answers, compared, rows
from tasks.rows.scaling import Scaling
from tests.support.own import KINDS, made, of_csv, people, put_csv

LABELS = np.array(["cat", "dog", "dog"])
SURE = Answers(LABELS, np.array([0.9, 0.8, 0.7]))
NUMBERS = Answers(None, np.array([1.0, 2.0, -200.0]))


def test_the_same_answers_are_a_proof():
    found = compared(SURE, SURE._replace(numbers=SURE.numbers + 3e-6))
    assert found == {"rows": 3, "differ": 0, "largest_difference": 3e-6, "worst": None}


def test_another_label_is_named_before_a_larger_difference():
    other = Answers(np.array(["cat", "cat", "dog"]), np.array([0.9, 0.5, 0.1]))
    found = compared(SURE, other)
    assert (found["differ"], found["largest_difference"]) == (1, 0.6)
    assert found["worst"] == "test row 1 is cat (0.5), in predictions.csv dog (0.8)"


def test_a_confidence_that_differs_too_much_is_no_proof():
    found = compared(SURE, SURE._replace(numbers=np.array([0.9, 0.8, 0.70002])))
    assert found["differ"] == 0
    assert found["worst"] == "test row 2 is dog (0.70002), in predictions.csv dog (0.7)"


@pytest.mark.parametrize(("number", "differ"), [(2.001, 0), (2.003, 1), (np.nan, 1)])
def test_numbers_of_a_regression_differ_relative_to_the_largest(number, differ):
    found = compared(NUMBERS, NUMBERS._replace(numbers=np.array([1.0, number, -200.0])))
    assert found["differ"] == differ
    assert bool(found["worst"]) == bool(differ)


def test_the_raw_test_rows_are_those_that_evaluate_has_scaled(tmp_path):
    file = put_csv(tmp_path / "in.csv", *people())
    params = of_csv(file, columns=KINDS, missing="median")
    _, arrays, schema = made(tmp_path, params, "standard")
    found = np.concatenate(list(rows(Folder(tmp_path / "out"), schema)))
    scaled = Scaling.from_json(schema["scaling"]).apply(found)
    np.testing.assert_array_equal(scaled, arrays["x_test"])
