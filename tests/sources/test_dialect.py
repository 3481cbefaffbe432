"""The layout of a table's text: comments, separators, and whether there are names."""

from __future__ import annotations

import re

import numpy as np
import pytest

from flows.guess import layout
from tasks.core.step import UserError
from tasks.sources import dialect, header, text, text_frames
from tasks.sources.place import Place
from tasks.sources.unreadable import TooShort
from tests.support.own import ROWS, loaded, of_csv, put_csv, table

# Rows of the same table, as others write it; and how params.yaml says so.
LAYOUTS = {
    "pipes": (lambda lines: [line.replace(",", "|") for line in lines], {"separator": "|"}),
    "carets": (lambda lines: [line.replace(",", "^") for line in lines], {"separator": "^"}),
    "blanks": (
        lambda lines: ["  " + line.replace(",", "   ") + " " for line in lines],
        {"separator": " "},
    ),
    "sep=": (
        lambda lines: ["sep=;", *(line.replace(",", ";") for line in lines)],
        {"separator": ";"},
    ),
    "comments": (
        lambda lines: ["# by hand, in 2020, twice", "#", *lines[:5], "# a pause", *lines[5:]],
        {},
    ),
    "single quotes": (
        lambda lines: [re.sub(r"[^,]+", r"'\g<0>'", line) for line in lines],
        {},
    ),
    "decimal commas": (
        lambda lines: [line.replace(",", ";").replace(".", ",") for line in lines],
        {"separator": ";", "decimal": ","},
    ),
    "currency": (
        lambda lines: [lines[0], *(line.replace(",", ",$ ", 1) for line in lines[1:])],
        {},
    ),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_table_is_the_same_however_it_is_laid_out(tmp_path, kind):
    change, how = LAYOUTS[kind]
    plain = loaded(tmp_path / "plain", of_csv(put_csv(tmp_path / "plain.csv", *table())))
    found = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *change(table())), **how))
    for name in ("x_train", "x_test", "y_train", "y_test", "feature_names", "class_names"):
        np.testing.assert_array_equal(found[name], plain[name])


def test_blanks_may_stand_before_quotation_marks(tmp_path):
    lines = [f'{n}, "red, {n % 3}", {n % 2}' for n in range(20)]
    file = put_csv(tmp_path / "in.csv", "a, color, y", *lines)
    found = loaded(tmp_path / "out", of_csv(file, columns={"color": "words"}))
    assert found["words"].tolist() == ["red, 0", "red, 1", "red, 2"]
    assert layout.separator(file) == ","


NAMES_OF_TOWNS = ["Ulm", "New York, NY", "L\\'Aquila", "", "Rome"]


def test_in_single_quotes_is_what_the_separator_does_not_divide(tmp_path):
    lines = [f"{n}, '{town}', {n % 2}" for n, town in enumerate(NAMES_OF_TOWNS * 4)]
    file = put_csv(tmp_path / "in.csv", "'a', 'town', 'y'", *lines)
    found = loaded(tmp_path / "out", of_csv(file, columns={"town": "words"}, missing="mean"))
    assert found["words"].tolist() == ["L'Aquila", "New York, NY", "Rome", "Ulm"]
    assert layout.separator(file) == ","


def test_an_apostrophe_is_no_quotation_mark(tmp_path):
    names = ["'t Hooft", "O'Brien", "rock 'n' roll", "dogs'"]
    lines = [f"{n},{names[n % 4]},{n % 2}" for n in range(20)]
    file = put_csv(tmp_path / "in.csv", "a,name,y", *lines)
    found = loaded(tmp_path / "out", of_csv(file, columns={"name": "words"}))
    assert found["words"].tolist() == sorted(names)


ALIGNED = """\
 a   town           y
 1   New York     yes
20   Rome          no
     Ulm          yes
 4                 no
 5   Rio de J.     no
"""


def test_columns_may_stand_at_fixed_places(tmp_path):
    file = put_csv(tmp_path / "in.csv", *(ALIGNED + ALIGNED.partition("\n")[2]).splitlines())
    assert layout.separator(file) == " "
    how = {"separator": " ", "columns": {"town": "words"}, "missing": "mean"}
    found = loaded(tmp_path / "out", of_csv(file, **how))
    assert found["words"].tolist() == ["New York", "Rio de J.", "Rome", "Ulm"]
    x = np.concatenate([found["x_train"], found["x_test"]])
    assert np.isnan(x).sum(axis=0).tolist() == [2, 2]


def test_without_names_no_row_is_lost(tmp_path):
    file = put_csv(tmp_path / "in.csv", *table()[1:])
    found = loaded(tmp_path / "out", of_csv(file, header=False, target="column_3"))
    assert len(found["x_train"]) + len(found["x_test"]) == ROWS
    assert found["feature_names"].tolist() == ["column_1", "column_2"]


@pytest.mark.parametrize("names", ["#a,b,y", "# a,b,y"])
def test_names_may_begin_like_a_comment(tmp_path, names):
    file = put_csv(tmp_path / "in.csv", names, *table()[1:])
    found = loaded(tmp_path / "out", of_csv(file))
    assert found["feature_names"].tolist() == [names.split(",")[0], "b"]


ROW = ["30", "Ulm", "2.5", "yes"]
BELOW = [["31", "Bonn", "1.5", "no"], ["32", "Ulm", "", "yes"], ["33", "Ulm", "4.5", "no"]] * 4
NAMES = {
    "words above numbers": (["age", "town", "size", "kept"], BELOW, True),
    "a word above dates": (["day", "Ulm"], [["2020-01-02", "Bonn"], ["2020-01-03", "Ulm"]], True),
    "values": (ROW, BELOW, False),
    "a missing value": (["?", *ROW[1:]], BELOW, False),
    "years and a word": (["2019", "town", "2021", "kept"], BELOW, True),
    "as pandas numbers them": (["0", "1"], [["1", "2"], ["3", "4"]], True),
    "wavelengths": (
        ["400.5", "410.5", "420.5", "430.5", "440.5", "class"],
        [["3", "1", "2", "5", "4", "a"], ["1", "7", "3", "2", "9", "b"]],
        True,
    ),
    "numbers in no order": (
        ["400.5", "10.5", "420.5", "3.5", "440.5", "class"],
        [["3", "1", "2", "5", "4", "a"], ["1", "7", "3", "2", "9", "b"]],
        False,
    ),
    "words alone": (["color", "form"], [["red", "round"], ["blue", "flat"]], True),
    "words that are below, too": (["red", "flat"], [["red", "round"], ["blue", "flat"]], False),
    "no rows": (["a", "b"], [], True),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_are_told_by_the_rows_below_them(kind):
    first, below, expected = NAMES[kind]
    assert header.has_names([first, *below]) == expected


TITLES = {
    "a line": ["Sales of 2024", "a;b;y", "1;2;0", "3;4;1"],
    "with commas, and a blank line": ["Sales, by region", " ", "a,b,y", "1,2,0", "3,4,1"],
    "filled up by a spreadsheet": ["Sales,,", ",,", "a,b,y", "1,2,0", "3,4,1"],
    "above two columns": ["Sales", "a,y", "1,0", "3,1"],
}


@pytest.mark.parametrize("kind", TITLES)
def test_titles_above_the_names_are_passed_over(tmp_path, kind):
    file = put_csv(tmp_path / "in.csv", *TITLES[kind])
    separator = layout.separator(file)
    found = text_frames.frame(file, separator, True)
    assert (found.columns[0], found.columns[-1]) == ("a", "y")
    assert found.to_numpy()[:, [0, -1]].tolist() == [[1, 0], [3, 1]]


FROM_R = {
    "blanks": ['"mpg" "gear"', '"Mazda RX4" 21 6', '"Datsun 710" 22.8 4'],
    "tabs": ["mpg\tgear", "Mazda RX4\t21\t6", "Datsun 710\t22.8\t4"],
    "one column": ['"gear"', '"Mazda RX4" 6', '"Datsun 710" 4'],
}


@pytest.mark.parametrize("kind", FROM_R)
def test_the_rows_names_that_r_writes_are_a_column(tmp_path, kind):
    file = put_csv(tmp_path / "in.csv", *FROM_R[kind])
    found = text_frames.frame(file, layout.separator(file), True)
    assert found.columns[0] == dialect.names(file, layout.separator(file), True)[0] == "row_names"
    assert found["row_names"].tolist() == ["Mazda RX4", "Datsun 710"]
    assert found["gear"].tolist() == [6, 4]


WRONG = {
    "windows": ("a,y\nK\u00f6ln,1\n".encode("cp1252"), r"iconv -f WINDOWS-1252 -t UTF-8 \S*in"),
    "utf-16": ("a,y\n1,0\n".encode("utf-16"), r"Save it as UTF-8\. If it is UTF-16: `iconv"),
    "utf-16 without a mark": ("a,y\n1,0\n".encode("utf-16-be"), r"If it is UTF-16BE: `iconv"),
    "a web page": (b"\n <!DOCTYPE  html>\n<p>404", r"in\.csv is a web page.*download the file"),
    "JSON": (b'\xef\xbb\xbf[\n  {"a": 1}]', r"in\.csv is JSON\. Expected a \.csv file"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid x\n", "`git lfs pull` gets"),
    "an open quote": (b'a,y\n1,0\n2,"1\n3,0\n', r"the quotation mark in line 3 is never closed"),
    "more values than names": (b"a,y\n1,2,0\n1,3,1\n", r"more values than .*`a,y`\. Exp"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_read_is_one_line_with_what_to_do(tmp_path, kind):
    content, expected = WRONG[kind]
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(UserError, match=expected) as caught:
        loaded(tmp_path / "out", of_csv(tmp_path / "in.csv"))
    assert len(str(caught.value).splitlines()) == 1


SHORT = {
    "the last line": (["a,b,y", "1,2,0", "3,4,1", "5,,1", "5,6"], ",", 4),
    "a line in between": (["a;b;y", "1;2;0", "3;4", "5;6;1"], ";", 2),
    "below blank lines": (["a,b,y", "", "1,2,0", " ", "3"], ",", 2),
    "separators in quotes": (["a,b,y", '"1,5","2,5",0', '"3,5","4,5"'], ",", 2),
    "a line break in quotes": (["a,b,y", '1,"x', 'z",0', "3,4"], ",", 2),
    "blanks": (["a b  y", " 1  2 0 ", " 3 4 "], " ", 2),
    "tabs": (["a\tb\ty", "1\t2\t0", "3\t4"], "\t", 2),
    "below a comment": (["# by hand", "a,b,y", "1,2,0", "# a pause", "3,4"], ",", 2),
    "the rows' names of R": (
        ['"a" "y"', *(f'"r {row}" 1 0' for row in range(300)), '"r" 3'],
        " ",
        301,
    ),
}


@pytest.mark.parametrize("rows", [None, 1])
@pytest.mark.parametrize("kind", SHORT)
def test_a_row_that_is_shorter_than_the_names_is_named(tmp_path, kind, rows):
    lines, separator, row = SHORT[kind]
    params = of_csv(put_csv(tmp_path / "in.csv", *lines), separator=separator)
    with pytest.raises(
        UserError, match=rf"in\.csv: row {row} has [12] of [23] values: `.*Complete"
    ):
        list(text.parts(Place(tmp_path / "in.csv", "in.csv"), params, rows))


LEFT_OFF = [
    "y,a,b,c,d",
    *(f"{row % 2},1,{row}" + (",x,late" if row < 3 else "") for row in range(40)),
]
ENDS = {
    "all lines": (LEFT_OFF, "\n", True),
    "blank lines too": ([*LEFT_OFF, ""], "", True),
    "the last line in full": ([*LEFT_OFF, "1,1,3,,"], "", True),
    "within the last line": (LEFT_OFF, "", False),
    "a shorter line": ([*LEFT_OFF, "1,1"], "\n", False),
    "a single value": ([*LEFT_OFF[:9], "North", *LEFT_OFF[9:]], "\n", False),
    "a few such lines": ([*LEFT_OFF[:4], *["1,1,1,,"] * 100, *LEFT_OFF[4:8]], "\n", False),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_spreadsheet_may_leave_off_separators_and_a_broken_download_may_not(
    tmp_path, caplog, end
):
    lines, last, whole = ENDS[end]
    (tmp_path / "in.csv").write_text("\n".join(lines) + last)
    if not whole:
        with pytest.raises(TooShort, match=r"values.*Complete the row, perhaps by a new d"):
            text_frames.frame(tmp_path / "in.csv", ",", True)
        return
    found = text_frames.frame(tmp_path / "in.csv", ",", True)
    assert found["b"].tolist()[:40] == list(range(40))
    assert found["d"].notna().sum() == 3
    assert "in.csv: 37 of 4" in caplog.text


WHOLE = {
    "missing values": ["a,b,y", "1,,", ",,", '"",2,""'],
    "blank lines": ["a,b,y", "1,2,", "", "  ", "3,4,"],
    "a separator behind the names alone": ["a,b,y,", "1,2,", "3,4,1"],
    "a line break in the last value": ["a,b,y", "1,2,", '3,4,"one', 'two"'],
}


@pytest.mark.parametrize("kind", WHOLE)
def test_rows_with_all_separators_are_whole_whatever_is_missing(tmp_path, kind):
    file = put_csv(tmp_path / "in.csv", *WHOLE[kind])
    assert (
        len(text_frames.frame(file, ",", True))
        == len([line for line in WHOLE[kind] if "," in line]) - 1
    )


def test_a_decimal_comma_that_params_yaml_does_not_name_is_advised(tmp_path):
    lines = [line.replace(",", ";").replace(".", ",") for line in table()]
    file = put_csv(tmp_path / "in.csv", *lines)
    with pytest.raises(UserError, match=r"'0,0' in row 1\. .* \(`decimal: ','` reads more of them"):
        loaded(tmp_path / "out", of_csv(file, separator=";"))


def test_a_test_file_without_the_target_has_new_rows_to_predict(tmp_path):
    put_csv(tmp_path / "in/train.csv", *table())
    put_csv(tmp_path / "in/test.csv", "a,b", "1,2")
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in"))
    assert len(found["x_train"]) + len(found["x_test"]) == ROWS
    with pytest.raises(UserError, match=r"no test rows \(test\.csv has no column y: new rows"):
        loaded(tmp_path / "out", of_csv(tmp_path / "in", test="given"))
