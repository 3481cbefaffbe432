"""What `load.columns` says of a CSV file: words, booleans, dates, and holes in each of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.core.step import UserError
from tests.support.own import loaded, normalized, of_csv, put_csv, table
from tests.support.wrong import refused


def column(tmp_path, kind: str, *values: str, **how) -> np.ndarray:
    """The training rows of a column as `load` writes them, each value once."""
    put_csv(tmp_path / "in/train.csv", "c,y", *(f"{each},{n % 2}" for n, each in enumerate(values)))
    put_csv(tmp_path / "in/test.csv", "c,y", f"{values[0]},0")
    params = of_csv(tmp_path / "in", columns={"c": kind}, test="given", missing="median", **how)
    found = loaded(tmp_path / "out", params)
    assert found["feature_kinds"].tolist() == [kind]
    x = found["x_train"][:, 0]
    return found["words"][x.astype(int)] if kind == "words" and not np.isnan(x).any() else x


@pytest.mark.parametrize(
    "pair", ["true false", "TRUE FALSE", "Yes no", "t f", "Y N", "1 0", "on off"]
)
def test_booleans_are_read_in_the_usual_ways_with_holes(tmp_path, pair):
    yes, no = pair.split()
    np.testing.assert_array_equal(column(tmp_path, "boolean", yes, no, "", yes), [1, 0, np.nan, 1])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("date", "2021-03-04"),
        ("date", "2021-03-04T00:00:00Z"),
        ("date %d.%m.%Y", "04.03.2021"),
        ("date %m/%d/%y", "03/04/21"),
        ("date %b %d %Y", "Mar 4 2021"),
        ("date %d. %B %Y", "4. M\u00e4rz 2021"),
        ("date %d. %b %Y", "4. Mrz. 2021"),
        ("date %d %B %Y", "4 mars 2021"),
        ("date %d %B %Y", "4 de marzo de 2021"),
        ("date %d %B %Y", "4th of March 2021"),
        ("date %G-W%V-%u", "2021-W09-4"),
    ],
)
@pytest.mark.parametrize("hole", ["", "?", " -"])
def test_dates_are_seconds_since_1970(tmp_path, kind, text, hole):
    found = column(tmp_path, kind, text, hole, text)
    np.testing.assert_array_equal(found, [1_614_816_000, np.nan, 1_614_816_000])


@pytest.mark.parametrize(
    ("kind", "text", "day"),
    [
        ("date %Y-Q%q", "2021-Q3", "2021-07-01"),
        ("date %qQ%y", "4Q99", "1999-10-01"),
        ("date %q. Quartal %Y", "1. Quartal 2021", "2021-01-01"),
        ("date %GW%V", "2021W07", "2021-02-15"),
        ("date KW %V/%G", "KW 53/2020", "2020-12-28"),
        ("date %m.%Y", "03.2021", "2021-03-01"),
        ("date %m.%Y", "12.199", "1990-12-01"),  # as programs write the number 12.1990
    ],
)
def test_a_period_is_its_first_day(tmp_path, kind, text, day):
    seconds = np.datetime64(day, "s").astype(float)
    np.testing.assert_array_equal(column(tmp_path, kind, text, day, ""), [seconds, seconds, np.nan])


@pytest.mark.parametrize(("kind", "text"), [("%Y-Q%q", "2021-Q5"), ("%G-W%V", "2021-W53")])
def test_there_is_no_fifth_quarter_and_no_week_after_the_last(tmp_path, kind, text):
    with pytest.raises(UserError, match=f"'{text}' in row 1. Expected dates of the form {kind}"):
        column(tmp_path, f"date {kind}", text)


def test_a_mark_is_missing_among_numbers_and_a_word_among_words(tmp_path):
    found = column(tmp_path, "number", "1.5", "?", " - ", "unknown", "-2")
    np.testing.assert_array_equal(found, [1.5, np.nan, np.nan, np.nan, -2])
    assert column(tmp_path, "words", "a", "?").tolist() == ["a", "?"]
    with pytest.raises(UserError, match=r"'\?' in row 2\. Expected true or false"):
        column(tmp_path, "boolean", "yes", "?")


def test_a_bound_among_numbers_is_the_number_and_no_target(tmp_path):
    assert column(tmp_path, "number", "1.5", "<0.5", "2").tolist() == [1.5, 0.5, 2]
    lines = [line.replace(",3.5", ",<3.5") for line in table(target=lambda row: row * 0.5)]
    file = put_csv(tmp_path / "bounds.csv", *lines)
    refused(
        tmp_path / "bounds", lambda _: of_csv(file, task="regression"), r"y has .<3\.5. in row 8"
    )


def test_a_date_may_be_written_as_iso_beside_another_form(tmp_path):
    found = column(tmp_path, "date %d.%m.%y", "04.03.21", "2021-03-04", "")
    np.testing.assert_array_equal(found, [1_614_816_000, 1_614_816_000, np.nan])
    with pytest.raises(UserError, match=r"'2021-13-04' in row 2\. Expected dates of the form"):
        column(tmp_path, "date %d.%m.%y", "04.03.21", "2021-13-04", "")


def test_years_of_two_digits_are_1930_to_2029_whatever_the_day(tmp_path):
    found = column(tmp_path, "date %m/%d/%y", "02/29/64", "07/14/30", "", "07/14/29", "02/29/00")
    four = ["02/29/1964", "07/14/1930", "", "07/14/2029", "02/29/2000"]
    np.testing.assert_array_equal(found, column(tmp_path, "date %m/%d/%Y", *four))


def test_a_year_of_four_digits_is_itself_where_others_have_two(tmp_path):
    found = column(tmp_path, "date %m/%d/%y", "07/14/21", "2035-07-14")
    assert found.tolist() == column(tmp_path, "date", "2021-07-14", "2035-07-14").tolist()


def test_words_are_read_as_they_are_written(tmp_path):
    assert column(tmp_path, "words", "01", "1", " Ulm ", "é").tolist() == ["01", "1", "Ulm", "é"]
    np.testing.assert_array_equal(column(tmp_path, "words", "a", "NA", ""), [0, np.nan, np.nan])


def test_words_of_all_rows_are_kept(tmp_path):
    put_csv(tmp_path / "in/train.csv", "c,d,y", "b,x,0", "a,y,1")
    put_csv(tmp_path / "in/test.csv", "c,d,y", "z,b,0")
    kinds = {"c": "words", "d": "words"}
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in", columns=kinds, test="given"))
    assert found["words"].tolist() == ["a", "b", "x", "y", "z"]
    assert found["x_test"].tolist() == [[4, 1]]


def test_rows_without_a_target_are_dropped_whatever_missing_says(tmp_path, caplog):
    lines = table(20, target=lambda row: "NA" if row in (3, 4) else ("no", "yes")[row % 2])
    for missing in ("refuse", "median", "drop"):
        caplog.clear()
        file = put_csv(tmp_path / "in.csv", *lines)
        found = loaded(tmp_path / "out", of_csv(file, missing=missing))
        assert found["class_names"].tolist() == ["no", "yes"]
        assert len(found["y_train"]) + len(found["y_test"]) == 18
        assert "dropped 2 of 20 rows, which have no y" in caplog.text


def duplicates(tmp_path, name, different: int = 20) -> int | None:
    """Training rows that equal an earlier one, where a column is no feature."""
    lines = ["a,name,y", *(f"{row % different},{name(row)},{row % 2}" for row in range(60))]
    loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), ignore=["name"], test=10))
    normalized(tmp_path / "out")
    checks = json.loads((tmp_path / "out/checks.json").read_text())
    counts = {each["check"]: each.get("count") for each in checks}
    return counts.get("duplicates in train")


def test_rows_that_differ_in_an_ignored_column_are_no_duplicates(tmp_path):
    assert duplicates(tmp_path, lambda row: f"person {row}") == 0
    assert duplicates(tmp_path, lambda row: "one") > 20


def test_where_few_rows_are_different_equal_ones_are_no_copies(tmp_path):
    assert duplicates(tmp_path, lambda row: "one", different=5) is None
    with np.load(tmp_path / "out/normalized.npz") as found:
        assert not found["leaked_test"].any()


def test_a_row_number_makes_no_difference(tmp_path):
    assert duplicates(tmp_path, lambda row: 100 + row) > 20


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("boolean", "maybe", r"column c has 'maybe' in row 4\. Expected true or false, yes or no"),
        ("date", "4.3.21", r"column c has '4\.3\.21' in row 4\. Expected dates such as 2024-12-31"),
        ("date %d.%m.%Y", "04/03/2021", r"Expected dates of the form %d\.%m\.%Y: correct it, or"),
        ("number", "inf", r"'inf' in row 4\. Expected finite numbers: correct it, or set"),
        ("number", "tall", r"or set `ignore: \['c'\]` or `columns: \{c: words\}`"),
    ],
)
def test_a_value_of_another_kind_is_named(tmp_path, kind, value, says):
    usual = {"boolean": "yes", "date": "2021-03-04", "number": 1}.get(kind, "04.03.2021")
    lines = table(c=lambda row: value if row == 3 else usual)

    def make(path):
        return of_csv(put_csv(path / "in.csv", *lines), columns={"c": kind})

    refused(tmp_path, make, says)


def test_a_column_that_is_not_there_is_named(tmp_path):
    def make(path):
        return of_csv(put_csv(path / "in.csv", *table()), columns={"c": "words"})

    refused(tmp_path, make, r"no column c, which load\.columns names\. It has a, b, y")
