"""Features that a model should not have: row numbers, and what gives the target away."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tasks.rows import leaks
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
    ("columns", "y", "says"),
    [
        ([np.arange(ROWS)], CLASSES, ["c0 rises or falls with the row's number: .* Put it into"]),
        (
            [np.arange(ROWS), -np.arange(ROWS)],
            CLASSES,
            ["c0, c1 rise or fall with the row's number: .* nothing like them. Put them into"],
        ),
        ([CLASSES], CLASSES, [r"c0 \(1\.000\) alone tells nearly every label: .* it is known"]),
        (
            [CLASSES, 3 * CLASSES],
            CLASSES,
            [r"c0 \(1\.000\), c1 \(1\.000\) each tell nearly every label: .* they are known"],
        ),
        (
            [TARGETS, 2 * TARGETS],
            TARGETS,
            [r"c0 .*, c1 .* each explain nearly all of the variance: .* Put them into"],
        ),
    ],
    ids=["a number", "numbers", "a label", "labels", "targets"],
)
def test_one_feature_and_several_have_a_sentence_each(columns, y, says):
    x = np.column_stack([*columns, NOISE]).astype(float)
    names = [f"c{k}" for k in range(x.shape[1])]
    found = entries(x, y, names, ["number"] * len(names), classes=y is CLASSES)
    warnings = [each["says"] for each in found if each["result"] == "warning"]
    assert len(warnings) == len(says)
    assert all(map(re.match, says, warnings))


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
    assert warned(TARGETS + NOISE / 4, TARGETS, more=NOISE[::-1]) == []


def test_a_single_feature_or_few_rows_are_not_judged():
    assert warned(np.arange(ROWS), more=None) == []
    assert warned(np.arange(30), CLASSES[:30], more=NOISE[:30]) == []


def test_a_rare_class_is_not_told_by_every_feature():
    assert warned(NOISE, (np.arange(ROWS) < 2).astype(np.uint8), more=None) == []


WHOLE = np.random.default_rng(1).integers(0, 900, (5, 1000)).astype(float)
A, B, C, D, E = WHOLE


def sums(columns, y, kinds=None, classes=False, do="add up") -> tuple[str, list[str]]:
    """What is said of columns a, b, ... that add up to the target, and which they are."""
    names = [chr(ord("a") + number) for number in range(len(columns))]
    kinds = kinds or ["number"] * len(columns)
    y = y.astype(np.uint8 if classes else np.float32)
    found = entries(np.column_stack(columns), y, names, kinds, classes)
    (one,) = [each for each in found if each["check"] == f"features that {do} to the target"]
    assert one["result"] == ("ok" if one["says"] == "none" else "warning")
    return one["says"].partition(":")[0], suspected([one])


@pytest.mark.parametrize(
    ("columns", "y", "formula", "named"),
    [
        ([A, B, C], A + B, "a + b", "ab"),
        ([A, B, C], C - A, "- a + c", "ac"),
        ([A, B, C, D, E], A + B - C, "a + b - c", "abc"),
        ([A, B, C], (A + B) / 2, "0.5 a + 0.5 b", "ab"),
        ([A, B, C], 100 - A - B, "- a - b + 100", "ab"),
        ([A, B, A + B, C], A + B + C, "c + d", "cd"),  # c is a + b
        ([A, B, C], A * B / 100 + C, "0.01 a * b + c", "abc"),
        ([A + 1, B, C], 100 * (B - A - 1) / (A + 1), "100 b / a - 100", "ba"),
        ([A, B, C, A + B - C], A + B, "c + d, and also a + b", "cdab"),
        ([A > 400, B > 400, C > 400, D], (A > 400) + (B > 400) * 1.0 + (C > 400), "a + b + c", 3),
    ],
)
def test_features_that_add_up_to_the_target_are_warned_of(columns, y, formula, named):
    says, suspects = sums(columns, np.asarray(y, float))
    assert says == f"the target is {formula}"
    assert suspects == list("abc" if named == 3 else named)


def test_dates_may_differ_by_the_target():
    """A stay in days, from the days of arrival and departure in seconds."""
    stay, arrival = D / 100, 1.6e9 + A * 86400
    columns = [arrival, arrival + stay * 86400, B]
    says, suspects = sums(columns, stay, ["date", "date", "number"])
    assert says.startswith("the target is - 1.157e-05 a + 1.157e-05 b")
    assert suspects == ["a", "b"]


def test_a_sum_is_found_where_values_are_missing():
    a = np.where(np.arange(1000) % 7 == 3, np.nan, A)
    assert sums([a, B, C], A + B)[0] == "the target is a + b"
    assert sums([np.full(1000, np.nan), A, B], A + B)[0] == "the target is b + c"


def test_a_sum_of_many_features_is_told_in_short():
    many = list(np.random.default_rng(2).normal(size=(30, 1000)))
    says, suspects = sums(many, np.sum(many, axis=0))
    assert says == "the target is a + b + c + d + e and 25 more columns"
    assert len(suspects) == 30


@pytest.mark.parametrize(
    ("columns", "y", "kinds"),
    [
        ([A, B, C], A + B + D / 50, None),
        ([A, B, C], A * B, None),
        ([A, B, C], A * B / 100 + C + D / 9, None),
        ([A, B], D, None),
        ([A, B], A + B, ["words", "words"]),
        (list(np.random.default_rng(3).normal(size=(30, 45))), D[:45], None),
        ([A, np.full(1000, 5.0)], B, None),
    ],
    ids=["nearly", "a product", "a sum", "nothing", "places of words", "few rows", "constant"],
)
def test_other_features_do_not_add_up_to_the_target(columns, y, kinds):
    assert sums(columns, y, kinds) == ("none", [])


def test_classes_are_no_sums():
    assert sums([A, B, C], (A > B) * 1.0, classes=True) == ("none", [])


def test_a_sum_is_one_in_all_rows():
    """Rows that are not looked at first may differ."""
    a, b, c = np.random.default_rng(4).normal(size=(3, 30_000))
    y = a + b
    assert sums([a, b, c], y)[0] == "the target is a + b"
    rest = np.random.default_rng(0).permutation(len(a))[10_000:]
    y[rest] += c[rest]
    assert sums([a, b, c], y)[0] == "none"


HOLES = np.where(np.arange(1000) % 7 == 3, np.nan, C + 1)


@pytest.mark.parametrize(
    ("columns", "y", "formula", "named"),
    [
        ([A + 1, B + 1, C], (A + 1) * (B + 1), "a * b", "ab"),
        ([A * (A > 9), B + 1, C], A * (A > 9) * (B + 1), "a * b", "ab"),  # some are 0
        ([A - 450.5, B + 1], (A - 450.5) * (B + 1), "a * b", "ab"),
        ([A + 1, B + 1, C], 1.19 * (A + 1) * (B + 1), "1.19 * a * b", "ab"),
        ([A, C, B + 1], A / (B + 1), "a / c", "ac"),
        ([A + 40, B / 900 + 1.5], np.round((A + 40) / (B / 900 + 1.5) ** 2, 1), "a / b^2", "ab"),
        ([A + 1, B + 1, C, D], 60 / (A + 1) / (B + 1), "60 / a / b", "ab"),
        ([A + 5, B / 80 + 0.3], np.round((A + 5) / (B / 80 + 0.3)), "a / b", "ab"),
        ([HOLES, B + 1, A], (C + 1) * (B + 1), "a * b", "ab"),
    ],
)
def test_features_that_multiply_to_the_target_are_warned_of(columns, y, formula, named):
    says, suspects = sums(columns, np.asarray(y, float), do="multiply")
    assert says == f"the target is {formula}"
    assert suspects == list(named)


@pytest.mark.parametrize(
    ("columns", "y", "kinds"),
    [
        ([A + 1, B + 1], (A + 1) * (B + 1) * (1 + D / 2e3), None),
        ([A + 1, B + 1], (A + 1) ** 0.8 * (B + 1) ** 0.7, None),
        ([A * (A > 9), B + 1], np.where(A > 9, A * (B + 1), 7e4), None),
        ([A + 1, B + 1], np.where(D < 50, 0, (A + 1) * (B + 1)), None),
        ([A + 1, B + 1], (A + 1) * (B + 1), ["number", "date"]),
        ([A + 1, B + 1], D, None),
        (list(np.exp(np.random.default_rng(3).normal(size=(30, 45)))), D[:45], None),
    ],
    ids=["nearly", "odd powers", "zeros", "zeros of the target", "dates", "nothing", "few rows"],
)
def test_other_features_do_not_multiply_to_the_target(columns, y, kinds):
    assert sums(columns, np.asarray(y, float), kinds, do="multiply") == ("none", [])


def test_a_product_is_one_in_all_rows():
    """Rows that are not looked at first may have zeros."""
    a, b, c = np.exp(np.random.default_rng(4).normal(size=(3, 30_000)))
    assert sums([a, b, c], a * b, do="multiply")[0] == "the target is a * b"
    y, rest = a * b, np.random.default_rng(0).permutation(len(a))[10_000:]
    a[rest[:100]] = 0
    assert sums([a, b, c], y, do="multiply")[0] == "none"
    ratio = a / b + c
    assert sums([a, b, c], ratio)[0] == "the target is a / b + c"
    b[rest[100:200]] = 0
    assert sums([a, b, c], ratio)[0] == "none"


def test_what_a_feature_tells_is_learned_from_some_rows_of_a_large_table(monkeypatch):
    looked_at, told = [], leaks._told

    def counted(x, y, classes):
        looked_at.append((len(x), len(y)))
        return told(x, y, classes)

    monkeypatch.setattr(leaks, "TOLD", 100)
    monkeypatch.setattr(leaks, "_told", counted)
    assert warned(CLASSES + NOISE / 50) == ["features that give the target away"]
    assert looked_at == [(100, 100)] * 2


class OnDisk(np.ndarray):
    """Columns, one behind the other in a file: a row has as many pages as columns."""

    def __getitem__(self, at):
        whole = self.ndim == 2 and self.shape == (1000, 5)
        rows = at[0] if isinstance(at, tuple) else at
        assert not whole or isinstance(rows, slice), "reads all columns of one row after the other"
        return super().__getitem__(at)


@pytest.mark.parametrize(
    "y", [A + B, (A + 1) * (B + 1), A * B / 100 + C, D], ids=["sum", "product", "both", "none"]
)
def test_large_data_are_read_column_by_column(y):
    columns = [A + 1, B + 1, C, D, E]
    x = np.asfortranarray(np.column_stack(columns)).view(OnDisk)
    found = entries(x, y.astype(np.float32), list("abcde"), ["number"] * 5, classes=False)
    assert suspected(found) == suspected(
        entries(np.asarray(x), y.astype(np.float32), list("abcde"), ["number"] * 5, classes=False)
    )
