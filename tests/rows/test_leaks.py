"""Features that a model should not have: row numbers, and what gives the target away."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.rows.entry import entry
from tasks.rows.leaks import entries, suspected
from tests.support.own import loaded, normalized, of_csv, put_csv, table

ROWS = 200
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=ROWS)
CLASSES = (RANDOM.random(ROWS) < 0.5).astype(np.uint8)
TARGETS = RANDOM.normal(size=ROWS).astype(np.float32)


def warned(column, y=CLASSES, kind="number", more=NOISE) -> list[str]:
    """The checks that warn of a column beside one of noise."""
    x = np.column_stack([np.asarray(column, float), *([more] if more is not None else [])])
    names, kinds = ["c", "noise"][: x.shape[1]], [kind, "number"][: x.shape[1]]
    found = entries(x, y, names, kinds, classes=y.dtype == np.uint8)
    assert all("noise" not in each["says"] for each in found)
    warnings = [each["check"] for each in found if each["result"] == "warning"]
    assert suspected([entry("types", ""), *found]) == (["c"] if warnings else [])
    return warnings


def test_the_schema_names_the_columns_that_are_warned_of(tmp_path):
    lines = table(60, c=lambda row: 5 + row % 2, d=lambda row: row * 7 % 11)
    loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines)))
    assert normalized(tmp_path / "out")["suspects"] == ["a", "c"]


@pytest.mark.parametrize("step", [1, -3])
def test_whole_numbers_that_rise_or_fall_with_the_row_are_warned_of(step):
    assert warned(1000 + step * np.arange(ROWS)) == ["row numbers as features"]


@pytest.mark.parametrize(
    "column",
    [np.arange(ROWS) // 2, np.arange(ROWS) / 3, np.roll(np.arange(ROWS), 1), NOISE],
    ids=["repeated", "fractions", "out of order", "noise"],
)
def test_other_numbers_are_not(column):
    assert warned(column) == []


@pytest.mark.parametrize(
    ("column", "y", "kind"),
    [
        (CLASSES * 3, CLASSES, "number"),
        (CLASSES, CLASSES, "words"),
        (CLASSES + NOISE / 100, CLASSES, "number"),
        (np.where(CLASSES, np.nan, NOISE), CLASSES, "number"),
        (np.round(TARGETS * 3), np.round(TARGETS * 3), "number"),
    ],
    ids=["label", "word", "nearly the label", "missing for one class", "target"],
)
def test_a_feature_that_gives_the_target_away_is_warned_of(column, y, kind):
    assert warned(column, y, kind) == ["features that give the target away"]


def test_a_good_feature_is_no_leak():
    assert warned(CLASSES + NOISE / 2) == []
    assert warned(TARGETS + NOISE / 4, TARGETS) == []


def test_a_single_feature_or_few_rows_are_not_judged():
    assert warned(np.arange(ROWS), more=None) == []
    assert warned(np.arange(30), CLASSES[:30], more=NOISE[:30]) == []


def test_a_rare_class_is_not_told_by_every_feature():
    assert warned(NOISE, (np.arange(ROWS) < 2).astype(np.uint8), more=None) == []
