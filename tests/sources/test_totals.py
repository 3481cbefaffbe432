"""Lines that are no rows: sums and notes at a table's end, units, and names again."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.command.new import new
from tasks.core.step import UserError
from tasks.sources import totals
from tests.support.own import loaded, of_csv, put_csv, table
from tests.support.project import new_project

ROWS = table(30, town=lambda row: ("Ulm", "Bonn")[row % 2], target=lambda row: f"${row}.50")
OF_TOWNS = {"columns": {"town": "words"}, "task": "regression"}


def told(tmp_path, *lines: str) -> tuple[str, str]:
    """What `new` and `load` say of a table."""
    project = new_project(tmp_path / "project")
    before = project.params_file.read_text()
    file = put_csv(project.root / "own/in.csv", *lines)
    with pytest.raises(UserError) as by_new:
        new(project, "mine", str(file))
    assert project.params_file.read_text() == before
    with pytest.raises(UserError) as by_load:
        loaded(tmp_path / "out", of_csv(file, **OF_TOWNS))
    return str(by_new.value), str(by_load.value)


@pytest.mark.parametrize(
    ("line", "cell", "column"),
    [
        ("Total,217.5,,$450.00", "Total", "a"),
        ("435,217.5,Sum,$450.00", "Sum", "town"),
        (",,,TOTAL: $450", "TOTAL: $450", "y"),
        ("Summe,,,", "Summe", "a"),
        (",,Grand total,", "Grand total", "town"),
        ("14.5,7.25,Average,$15.00", "Average", "town"),
    ],
)
def test_a_last_line_that_sums_up_is_named(tmp_path, line, cell, column):
    for said in told(tmp_path, *ROWS, line, ",,,"):
        assert f"row 31 (`{cell}` in {column}) at the end of the table sums up" in said
        assert "delete such lines" in said


def test_a_last_line_without_separators_is_named_as_too_short(tmp_path):
    for said in told(tmp_path, *ROWS, "Summe"):
        assert "row 31 has 1 of 4 values: `Summe`" in said
        assert "delete it" in said


def test_all_such_lines_are_named(tmp_path):
    for said in told(tmp_path, *ROWS, ",,Total,$450", "", ",,Mean:,$15"):
        assert "row 31 (`Total` in town) and row 32 (`Mean:` in town) at the end" in said


def test_a_parquet_file_may_have_such_a_line_too(tmp_path):
    project = new_project(tmp_path / "project")
    file = put_csv(project.root / "own/in.csv", *ROWS, "Total,,,")
    pd.read_csv(file).to_parquet(file := file.with_suffix(".parquet"))
    with pytest.raises(UserError, match=r"in\.parquet: row 31 \(`Total` in a\)"):
        new(project, "mine", str(file))


def test_each_file_may_have_such_a_line(tmp_path):
    put_csv(tmp_path / "in/train.csv", *ROWS)
    put_csv(tmp_path / "in/test.csv", *ROWS[:9], "Total,,,")
    with pytest.raises(UserError, match=r"test\.csv: row 9 \(`Total` in a\)"):
        loaded(tmp_path / "out", of_csv(tmp_path / "in", test="given", **OF_TOWNS))


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["Source: Eurostat, 2020"], "Source: Eurostat, 20"),
        ([",,* estimated,"], "* estimated"),
        (["Source: Eurostat", "Note: Ulm without Wiblingen"], "Note: Ulm without Wi"),
        (["Total,217.5,,$450.00", ",,,", "Quelle: das Amt,,,"], "Quelle: das Amt"),
    ],
)
def test_notes_below_a_table_are_named(tmp_path, lines, named):
    filled = [line if line.count(",") > 1 else f'"{line}",,,' for line in lines]
    for said in told(tmp_path, *ROWS, *filled):
        assert f"`{named}` in " in said
        assert "at the end of the table" in said
        assert "below the rows, as notes and sums are. Expected rows: delete such lines" in said


UNITS = {
    "units": [ROWS[0], "mm,(cm),,USD", *ROWS[1:]],
    "more names": [ROWS[0], "size,height,place,cost", *ROWS[1:]],
    "with a decimal comma": [
        "a;b;town;y",
        "mm;cm;-;-",
        *(f"{row},5;{row},25;Ulm;{row},0" for row in range(9)),
    ],
}


@pytest.mark.parametrize("kind", UNITS)
def test_words_in_the_first_row_above_numbers_are_named(tmp_path, kind):
    project = new_project(tmp_path / "project")
    file = put_csv(project.root / "own/in.csv", *UNITS[kind])
    with pytest.raises(UserError, match=r"row 1 has words above numbers: `\w+` above .* in a, "):
        new(project, "mine", str(file))


def test_names_that_stand_among_the_rows_again_are_named(tmp_path):
    for said in told(tmp_path, *ROWS[:9], *ROWS):
        assert "in.csv: row 9 has the names again. Expected rows: delete it." in said


@pytest.mark.parametrize(
    "lines",
    [
        [*ROWS, ",,Ulm,", "1,2,Ulm,$3"],  # not the last one
        [*ROWS[:5], "1,,,", *ROWS[5:], ",,Ulm,"],  # as another row
        [*ROWS, ",,Augsburg,"],  # a town as any other
        [*ROWS, "1,2,Totalville,$3"],
        [*ROWS, "1,2,Total,$3", "1,2,Ulm,$3"],  # not the last one
        [*ROWS, "1,2,total,$3", "1,2,Total,$3"],  # as another row
    ],
)
def test_other_rows_are_left_alone(tmp_path, lines):
    project = new_project(tmp_path / "project")
    new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines)))
    assert project.read("mine").load.columns == {"town": "words"}
    loaded(tmp_path / "out", of_csv(project.root / "own/in.csv", **OF_TOWNS))


@pytest.mark.parametrize("last", ["5", "k.A."])
def test_a_word_that_stands_for_missing_in_the_first_row_is_no_unit(last):
    below = [*map(str, range(9)), last]
    table = pd.DataFrame({"a": ["k.A.", *below], "b": ["k.A." if last == "k.A." else "1", *below]})
    totals.check("in.csv", table)
