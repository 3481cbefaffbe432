"""Whether a target is classes or a number: the rows of each value are those of public tables."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.command.new import new, told
from flows.guess import task
from tests.support.own import put_csv, table

COUNTS = {
    "visits to a doctor": {
        **{0: 241, 1: 96, 2: 55, 3: 30, 4: 14, 5: 8, 6: 12, 7: 7, 8: 5, 9: 8, 10: 3},
        **{11: 1, 12: 1, 15: 1, 16: 1, 24: 1, 48: 1},
    },
    "children": {0: 1857, 1: 382, 2: 337, 3: 118, 4: 22, 5: 8},
    "bids": {0: 9, 1: 63, 2: 31, 3: 12, 4: 6, 5: 1, 6: 2, 7: 1, 10: 1},
    "goals": {0: 4477, 1: 4963, 2: 2829, 3: 1178, 4: 407, 5: 102, 6: 43, 7: 14, 8: 2, 9: 3},
    "deaths by horse kicks": {0: 144, 1: 91, 2: 32, 3: 11, 4: 2},
}
SPREAD = {
    "miles per gallon": {
        **{18: 4, 19: 3, 20: 5, 21: 6, 22: 5, 23: 8, 24: 4, 25: 3, 26: 5, 27: 4, 28: 2, 29: 1},
        **{30: 1, 32: 2, 33: 4, 34: 1, 35: 1, 37: 1},
    },
    "words": {21: 1, 24: 2, 25: 3, 29: 1, 30: 2, 34: 1, 36: 3, 37: 3, 38: 2, 39: 7, 40: 5},
}
CLASSES = {
    "digits": dict.fromkeys(range(10), 20),
    "quality": {3: 10, 4: 53, 5: 681, 6: 638, 7: 199, 8: 18},
    "cylinders": {4: 11, 6: 7, 8: 14},
    "glass": {1: 70, 2: 76, 3: 17, 5: 13, 6: 9, 7: 29},
    "a rating": {1: 769, 2: 794, 3: 472, 4: 448, 5: 228, 6: 63},
    "answers to a question": {0: 81, 1: 69, 2: 170, 3: 159, 4: 975, 5: 44, 6: 25},
    "a rare class": {0: 45586, 1: 50, 2: 171, 3: 8903, 4: 3267, 5: 10, 6: 13},
    "cover of a forest": {0: 2118, 1: 2833, 2: 357, 3: 27, 4: 95, 5: 173, 6: 205},
    "grades of pain": {0: 3538, 1: 279, 2: 51, 3: 23},
    "yes and no": {0: 990, 1: 10},
}


def column(rows: dict[int, int], name: str = "y") -> pd.Series:
    return pd.Series([value for value, count in rows.items() for _ in range(count)], name=name)


@pytest.mark.parametrize("kind", COUNTS)
def test_counts_are_a_regression(kind):
    found, why = task.of(column(COUNTS[kind]))
    assert found == "regression"
    assert "look like counts of something" in why
    assert "--task classes" in why


@pytest.mark.parametrize("kind", SPREAD)
def test_values_with_few_rows_each_are_a_regression(kind):
    found, why = task.of(column(SPREAD[kind]))
    assert found == "regression"
    assert f"as {sum(SPREAD[kind].values())} rows have {len(SPREAD[kind])} whole numbers" in why


@pytest.mark.parametrize("kind", CLASSES)
def test_other_few_whole_numbers_are_classes(kind):
    assert task.of(column(CLASSES[kind]))[0] == "classes"


def test_a_column_that_is_called_class_has_classes():
    assert task.of(column(COUNTS["bids"], "Class"))[0] == "classes"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("household_size", "regression"),
        ("Age", "regression"),
        ("ModelYear", "regression"),
        ("numRooms", "regression"),
        ("n_visits", "regression"),
        ("Doctor.Visits", "regression"),
        ("age group", "classes"),
        ("stage", "classes"),
        ("number", "classes"),  # perhaps a digit
        ("grade", "classes"),
    ],
)
def test_a_name_may_say_that_numbers_count_or_measure(name, found):
    y = column({1: 30, 2: 35, 3: 20, 4: 15}, name)
    assert task.of(y)[0] == found
    assert task.of(y.clip(upper=3))[0] == "classes"


@pytest.mark.parametrize(
    ("values", "name", "found"),
    [
        ([0.0, 1.0], "y", "classes"),
        ([-1.0, 1.0], "y", "classes"),
        ([0.5, 1.5], "y", "regression"),
        ([100.0, 150.0], "y", "regression"),
        ([0.0, 1.0, 2.0], "dose", "regression"),
        ([0.0, 1.0, 2.0], "label", "classes"),
        ([0.0, 1.0, 1.5], "label", "regression"),
    ],
)
def test_whole_numbers_with_a_decimal_point_may_be_classes(values, name, found):
    assert task.of(pd.Series(values * 20, name=name))[0] == found


def test_counts_are_counts_where_some_are_missing():
    y = pd.concat([column(COUNTS["bids"]), pd.Series([None, None])]).rename("y")
    assert task.of(y.astype(float))[0] == "regression"


def test_a_person_is_told_how_to_change_it(project):
    files = {name: put_csv(project.root / f"own/{name}.csv", *lines) for name, lines in OWN.items()}
    said = "\n".join(told("rated", new(project, "rated", str(files["rated"]))))
    assert "load.task: classes, as y has 6 whole numbers, 3 to 8; if they count" in said
    assert "take --task regression" in said

    said = "\n".join(told("counts", new(project, "counts", str(files["counts"]))))
    assert "load.task: regression, as the 9 whole numbers, 0 to 10, look like counts" in said
    assert project.read("counts").load.task == "regression"

    said = "\n".join(told("chosen", new(project, "chosen", str(files["counts"]), task="classes")))
    assert "load.task: classes, as --task says" in said


def lines(rows: dict[int, int]) -> list[str]:
    y = column(rows).tolist()
    return table(len(y), target=lambda row: y[row])


RATED = {3: 20, 4: 30, 5: 40, 6: 50, 7: 30, 8: 20}
OWN = {"rated": lines(RATED), "counts": lines({**COUNTS["bids"], 7: 5, 10: 3, 6: 5, 5: 5})}
