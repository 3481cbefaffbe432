"""What `new` finds out about a table's text by itself, and what it asks a person."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.command import new as command
from flows.command.new import new
from flows.guess import layout
from flows.guess.section import Question
from tasks.core.step import UserError
from tests.support.own import put_csv, table
from tests.support.project import PARAMS

SEPARATORS = {
    "quoted names with commas": (['"a, b, c";"d, e, f";y', "1;2;x", "3;4;z"], ";"),
    "line breaks in names": (['"a\n(cm)"|"b|c"|y', "1|2|x", "3|4|z"], "|"),
    "decimal commas": (["a, cm;b, cm", "1,5;2,5", "3,5;4,5"], ";"),
    "tabs": (["a\tb c\ty", "1\t2,5\tx", "3\t4,5\tz"], "\t"),
    "blanks": (["a b  y", " 1  2.5 x", "30 4.5 z"], " "),
    "blanks and a tab": (['18.0  8  307.0\t"ford a"', '15.0  6  304.0\t"saab b"'], " "),
    "a tab beside blanks": (["name\ta unit", "b c\t12 kg", "d e\t13 kg"], "\t"),
    "blanks in words": (["a,b,y", "New York,1,x", "San Jose,2,z"], ","),
    "times": (["a,b,y", "12:30,1,x", "13:40,2,z"], ","),
    "names without commas, and one decimal comma in each row": (
        ["day;price;size", *(f"{row}.1.2024;60 733 Kč;5{row},5" for row in range(1, 9))],
        ";",
    ),
    "row names of R": (['"x"', '"a",1', '"b",2'], ","),
    "one column": (["a", "1", "2"], ","),
}


@pytest.mark.parametrize("kind", SEPARATORS)
def test_the_separator_is_the_one_that_divides_all_rows_alike(tmp_path, kind):
    lines, expected = SEPARATORS[kind]
    assert layout.separator(put_csv(tmp_path / "in.csv", *lines)) == expected


MARKS = {
    "points": ({"a": ["1.5", "2.25"]}, ",", "."),
    "commas": ({"a": ["1,5", "2,25"]}, ";", ","),
    "both": ({"a": ["1.234,5", "12"]}, ";", ","),
    "thousands": ({"a": ["1,234", "257"]}, ",", "."),
    "three digits behind each": ({"a": ["1.234", "2.571"]}, ",", "."),
    "another column tells": ({"a": ["16.455", "257"], "b": ["1,5", "2"]}, ";", ","),
    "money": ({"a": ["16.455 €", "257 €"]}, ";", ","),
    "dollars": ({"a": ["$1,200", "$150"]}, "\t", "."),
    "several groups": ({"a": ["1.234.567", "1.234"]}, ";", ","),
    "a word among them": ({"a": ["1,5", "2,5", "none"]}, ";", ","),
    "whole numbers": ({"a": ["1", "2"]}, ";", "."),
}


@pytest.mark.parametrize("kind", MARKS)
def test_the_decimal_mark_is_told_by_all_columns(kind):
    columns, separated, expected = MARKS[kind]
    assert layout.decimal("in.csv", pd.DataFrame(columns), separated) == expected


@pytest.mark.parametrize(
    ("values", "separated"),
    [(["16.455", "257"], ";"), (["16.455", "257"], ","), (["1,234", "257"], "\t")],
)
def test_a_decimal_mark_that_nothing_tells_is_asked(values, separated):
    with pytest.raises(Question, match=r"a has `.*` in row 1: which is .* Expected --decimal"):
        layout.decimal("in.csv", pd.DataFrame({"a": values}), separated)


RENTS = [
    "Raum;Miete",
    *(f"{row};{1000 + 37 * row:,}".replace(",", ".") for row in range(40)),
    "9;257",
]


def test_what_a_person_says_about_the_decimal_mark_is_done(project):
    file = str(put_csv(project.root / "own/in.csv", *RENTS))
    with pytest.raises(Question, match=r"own/in\.csv: the column Miete has `1\.000` in row 1"):
        new(project, "mine", file, target="Miete")
    found = new(project, "mine", file, target="Miete", decimal=",")
    assert "numbers: `1.000` is 1000 in Miete" in found.notes
    load = project.read("mine").load
    assert (load.decimal, load.task) == (",", "regression")


def test_the_same_is_read_by_load(project):
    """A target and a feature with currency signs, decimal commas and a declared separator."""
    lines = ["sep=;", "Preis;Fläche;Stadt"]
    lines += [f"{row},50 €;{row}.000,25;S{row}" for row in range(1, 40)]
    found = new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines)), target="preis")
    assert found.about == "39 rows of 1 feature, a regression target"
    assert found.load["target"] == "Preis"
    assert "numbers: `1,50 €` is 1.5 in Preis; `1.000,25` is 1000.25 in Fläche" in found.notes


def test_a_table_without_names_gets_some(project):
    file = str(put_csv(project.root / "own/in.data", *table(30)[1:]))
    with pytest.raises(Question, match=r"as it has none, --target COLUMN: column_1 to column_3\."):
        new(project, "mine", file)
    found = new(project, "mine", file, target="column_3")
    assert found.about.startswith("30 rows of 1 feature")
    assert any("the columns are called column_1 to column_3" in note for note in found.notes)


def test_without_a_target_the_candidates_are_named(project, capsys):
    file = str(put_csv(project.root / "own/in.csv", *(line[:-2] for line in table(30, c=str))))
    assert command.main(["mine", file]) == 1
    said = capsys.readouterr().err
    assert said == (
        "error own/in.csv: which column is the target? Expected --target COLUMN: a, b, c.\n"
    )
    assert project.params_file.read_text() == PARAMS


@pytest.mark.parametrize("typed", [["c"], ["d", "3"], ["", "0", "a"]])
def test_on_a_terminal_a_person_is_asked(project, capsys, monkeypatch, typed):
    file = str(put_csv(project.root / "own/in.csv", *(line[:-2] for line in table(30, c=str))))
    answers = iter(typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    assert command.main(["mine", file]) == 0
    assert "which column is the target?" in capsys.readouterr().out
    assert project.read("mine").load.target == ("a" if typed[-1] == "a" else "c")


@pytest.mark.parametrize("key", [KeyboardInterrupt, EOFError])  # Ctrl-C, Ctrl-D
def test_on_a_terminal_a_person_may_give_up(project, monkeypatch, key):
    file = str(put_csv(project.root / "own/in.csv", "a,b", "1,2", "3,4"))

    def interrupted(prompt):
        raise key

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", interrupted)
    assert command.main(["mine", file]) == 130
    assert project.params_file.read_text() == PARAMS


def test_new_rows_to_predict_are_left_out_and_tell_the_target(project):
    put_csv(
        project.root / "own/train.csv", "a,kept,b", *(f"{n % 7},{n % 2},{n}" for n in range(30))
    )
    put_csv(project.root / "own/test.csv", "a,b", "1,2")
    found = new(project, "mine", str(project.root / "own"))
    assert (found.load["target"], found.load["test"]) == ("kept", 0.2)
    assert any("test.csv has no column kept" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "wanted"), [("rents.csv", "train.csv"), ("RENTS.PARQUET", "train.parquet")]
)
def test_a_folder_of_tables_with_other_names_is_a_near_miss(project, name, wanted):
    put_csv(project.root / "own" / name, *table(30))
    with pytest.raises(UserError, match=rf"has {name}: name one file, or rename .* to {wanted}\."):
        new(project, "mine", str(project.root / "own"))


@pytest.mark.parametrize("texts", [["1e-3", "2,5"], ["1e300", "2"], ["1", "2"]])
def test_numbers_are_whole_only_where_they_are_written_so(project, texts):
    lines = [f"{text};{row % 7};{row % 5},5" for row, text in enumerate(texts * 15)]
    file = str(put_csv(project.root / "own/in.csv", "t;a;b", *lines))
    whole = texts == ["1", "2"]
    expected = "classes" if whole else "regression"
    if "1e300" in texts:
        with pytest.raises(UserError, match=r"a regression target is 1e\+300 in size"):
            new(project, "mine", file, target="t")
    else:
        assert new(project, "mine", file, target="t").load["task"] == expected


def test_names_in_single_quotes_may_be_typed_with_them_and_without(project):
    lines = [line.replace("y", "'vote'") for line in table(30)]
    file = str(put_csv(project.root / "own/in.csv", *lines))
    for name, typed in {"mine": "vote", "other": "'vote'"}.items():
        assert new(project, name, file, target=typed).load["target"] == "vote"


def test_a_separator_that_a_person_names_is_taken(project, capsys):
    file = str(put_csv(project.root / "own/in.csv", "a:b;y", *(f"{n}:{n};{n}" for n in range(9))))
    with pytest.raises(UserError, match=r"no column `b;y` .* It has a:b, y"):
        new(project, "mine", file, target="b;y", separator=";")
    with pytest.raises(SystemExit):
        command.main(["mine", file, "--separator", "x"])
    assert "got `x`, expected one of , ; | : ^ ~ tab space" in capsys.readouterr().err
