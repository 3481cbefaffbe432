"""What is proposed for a user's data, format by format: it suits the data, and it can be run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from flows import guess
from flows.command.new import new, told
from flows.guess import columns, csv, doubts, section
from flows.guess import table as guessed
from flows.guess.notes import nearly_numbers
from flows.guess.tabular import Table
from flows.project.steps import STEPS, meaning, step
from tasks import fit, normalize, sources
from tasks.core.arrays import read_arrays
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.load import load
from tests.support.own import put_csv, put_idx, put_image, put_images, put_npz, rows, table

X, Y = rows(40)
PRICE = {"id": str, "town": lambda row: "Ulm", "target": lambda row: row * 1.5}
PRICES = [line.replace(",", ";") for line in table(30, **PRICE)]
HOLES = table(30, c=lambda row: "" if row == 3 else row)


def gray(folder: Path) -> Path:
    for name in ("a", "b"):
        for number in range(5):
            put_image(folder / name / f"{number}.png", 9, 7, "L", number)
    return folder


def given(folder: Path, train: Sequence[str] = ()) -> Path:
    put_csv(folder / "train.csv", *(train or table(30)))
    put_csv(folder / "test.csv", *(HOLES[:11] if train else table(10)))
    return folder


def divided(folder: Path) -> Path:
    put_images(folder / "val", count=2)
    put_images(folder / "train", count=6)
    return folder


def npz(folder: Path, x=X, y=Y, **more) -> Path:
    return put_npz(folder / "in.npz", x_train=x, y_train=y, **more)


FEATURES = X.reshape(40, -1)
# What there is, and what is proposed for it: keys of load, the scale, and a part of the notes.
FOUND = {
    "idx": (
        lambda p: put_idx(p / "in"),
        {"source": "idx", "test": "given", "prefix": ""},
        "pixels",
        "transpose",
    ),
    "emnist": (
        lambda p: put_idx(p / "in", "emnist-letters-", test=None, first=1),
        {"source": "idx", "prefix": "emnist-letters-", "transpose": True, "test": 0.2},
        "pixels",
        "transpose",
    ),
    "npz": (
        lambda p: npz(p, x_test=X, y_test=Y),
        {"source": "npz", "task": "classes", "test": "given"},
        "pixels",
        "task: classes",
    ),
    "npz of a regression": (
        lambda p: npz(p, FEATURES * 1.5, np.arange(40) / 3),
        {"source": "npz", "task": "regression", "test": 0.2},
        "standard",
        "features, a regression target",
    ),
    "csv files with holes in the target": (
        lambda p: put_csv(
            p / "in.csv",
            *table(40, lambda row: "" if row < 3 else row % 2, c=lambda row: row or ""),
        ),
        {"missing": "refuse"},
        "standard",
        "3 of 40 rows have no y: they are left out",
    ),
    "csv with an empty column": (
        lambda p: put_csv(p / "in.csv", *table(40, note=lambda row: "")),
        {"missing": "refuse", "ignore": ["a", "note"]},
        "standard",
        "ignore: note; no value in any row",
    ),
    "npz of a regression in a column": (
        lambda p: npz(p, FEATURES * 1.5, np.arange(40)[:, None] / 3),
        {"source": "npz", "task": "regression", "test": 0.2},
        "standard",
        "task: regression",
    ),
    "npz between 0 and 1": (
        lambda p: npz(p, X / 255, np.eye(3)[Y]),
        {"task": "classes"},
        "none",
        "",
    ),
    "npz of features that are bits": (
        lambda p: npz(p, FEATURES > 99),
        {"source": "npz"},
        "standard",
        "",
    ),
    "npz of images of bits": (
        lambda p: npz(p, X > 99),
        {"source": "npz"},
        "none",
        "class_names: null, so classes are called 0, 1, 2; a list",
    ),
    "npz with validation rows": (
        lambda p: npz(p, x_val=X[:9], y_val=Y[:9]),
        {"test": 0.2},
        "pixels",
        "",
    ),
    "images": (
        lambda p: put_images(p / "in", count=6),
        {"source": "images", "size": [7, 7], "color": "gray", "broken": "refuse"},
        "pixels",
        "12 images of 2 classes",
    ),
    "small gray images": (
        lambda p: gray(p / "in"),
        {"size": [9, 7], "color": "gray", "test": 0.2},
        "pixels",
        "size",
    ),
    "images with validation rows": (
        lambda p: divided(p / "in"),
        {"test": 0.2},
        "pixels",
        "size",
    ),
    "csv": (
        lambda p: put_csv(p / "in.csv", *table(30, target=lambda row: ("x", "y")[row % 2])),
        {"source": "csv", "target": "y", "task": "classes", "missing": "refuse"},
        "standard",
        "target: y",
    ),
    "csv of prices": (
        lambda p: put_csv(p / "in.csv", *PRICES),
        {"separator": ";", "task": "regression", "ignore": ["a", "id", "town"]},
        "standard",
        "ignore: a, id; numbers of the rows",
    ),
    "csv with holes": (
        lambda p: put_csv(p / "in.csv", *HOLES),
        {"missing": "median"},
        "standard",
        "missing: median",
    ),
    "csv files": (
        lambda p: given(p / "in"),
        {"source": "csv", "test": "given"},
        "standard",
        "target: y",
    ),
    "csv files with a hole in one": (
        lambda p: given(p / "in", table(30, c=str)),
        {"missing": "median"},
        "standard",
        "as 1 of 40 rows have missing",
    ),
}


@pytest.mark.parametrize("kind", FOUND)
def test_what_is_proposed_can_be_run(project, kind):
    put, keys, scale, note = FOUND[kind]
    said = "\n".join(told("mine", new(project, "mine", str(put(project.root / "own")))))
    assert note in said

    found = project.read("mine")
    family = "mlp" if found.load.source == "npz" else "table"
    assert found.build.family == (family if " feature" in said else "cnn")
    assert {key: getattr(found.load, key) for key in keys} == keys
    assert found.load.path.startswith("own/")
    assert found.normalize.scale == scale
    assert found.normalize.validation == ("given" if "validation" in kind else 0.2)

    folder = Folder(project.data("mine"))
    load(folder, found.load)
    normalize.normalize(folder, found.normalize)
    counts = folder.read_json("schema.json")["rows"]
    assert counts["train"] > counts["val"] >= 1
    assert found.fit.epochs * -(-counts["train"] // found.fit.batch_size) >= 100


def test_images_begin_with_a_cnn_that_can_be_trained(project):
    new(project, "mine", str(gray(project.root / "own")))
    found = project.read("mine")
    folder = Folder(project.data("mine"))
    for name in ("load", "normalize", "build", "compile"):
        step(name).function(folder, getattr(found, name))
    section = found.fit.model_copy(update={"epochs": 1})
    run = fit.Run(save_every=30, keep_state=False)
    assert fit.fit(folder, section, run).startswith("1 epoch, lowest val_loss ")


def test_few_rows_are_seen_often(project):
    """800 rows are 20 batches of the 640 that remain for training: 50 epochs are 1,000 updates."""
    random = np.random.default_rng(0)
    npz(project.root / "own", random.normal(size=(1000, 3)), np.arange(1000) % 2)
    new(project, "mine", str(project.root / "own/in.npz"))
    assert project.read("mine").fit.epochs == 50
    assert "epochs: 50 # 1,000 updates in all, 20 an epoch" in project.params_file.read_text()


@pytest.mark.parametrize(
    ("rows", "batch", "rate", "decay", "monitor"),
    [(1000, 32, 0.001, 6.0, "loss"), (2000, 128, 0.003, None, "val_loss")],
)
def test_a_table_begins_with_what_suits_its_rows(project, rows, batch, rate, decay, monitor):
    put_csv(project.root / "own/in.csv", *table(rows))
    new(project, "mine", str(project.root / "own/in.csv"))
    found = project.read("mine")
    assert (found.build.family, found.fit.schedule) == ("table", "one_cycle")
    assert (found.fit.batch_size, found.fit.monitor) == (batch, monitor)
    assert (found.compile.learning_rate, found.compile.weight_decay) == (rate, decay)


def test_each_format_is_called_like_the_source_that_reads_it():
    assert set(guess.FORMATS) <= set(sources.SOURCES)
    assert all(module.LOOKED_FOR for module in guess.FORMATS.values())


def sniffed(root: Path, *lines: str) -> Table:
    put_csv(root / "in.csv", *lines)
    return csv.sniff(root, [Path("in.csv")], {})


def test_sniff_finds_separator_and_names(tmp_path):
    found = sniffed(tmp_path, "a;b,c;", "1;2;3")
    assert (found.layout["separator"], found.names, found.tested) == (";", ["a", "b,c"], False)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "in.csv").write_text("a,y\n1,2\n", encoding="utf-8-sig")
    assert csv.sniff(tmp_path, [Path("in.csv")], {}).names == ["a", "y"]


@pytest.mark.parametrize(
    ("lines", "target", "task"),
    [
        (["a,Label,b", "1,0,2", "3,1,4"], "Label", "classes"),
        (["a,b", "1,0.5", "3,1"], "b", "regression"),
        (["a,b", "1,0.0", "3,1.0"], "b", "classes"),
        (["a,b", "1,0.0", "3,1.0", "2,2.0"], "b", "regression"),
        (["a,b", "1,0", "3,", "4,1"], "b", "classes"),  # pandas makes floats of them
        (["a,b", "1,x", "3,y"], "b", "classes"),
        (["a,b", *(f"1,{number}" for number in [*range(20)] * 5)], "b", "classes"),
        (["a,b", *(f"1,{number}" for number in [*range(21)] * 5)], "b", "regression"),
        (["a,b", *(f"1,{number}" for number in range(20))], "b", "regression"),  # a row of each
    ],
)
def test_roles_follow_from_names_and_values(tmp_path, lines, target, task):
    found = guessed.roles(sniffed(tmp_path, *lines), {"target": target})
    assert (found.target, found.task) == (target, task)


def test_roles_ignore_words_and_row_numbers(tmp_path):
    table = sniffed(tmp_path, ",No,town,a,y", "0,1,Ulm,2,0", "1,2,Bonn,,1")
    found = guessed.roles(table, {})
    assert list(found.ignore) == ["Unnamed: 0", "No", "town"]
    assert found.missing == "median"
    assert guessed.roles(table, {"target": "a"}).missing == "refuse"  # rows without one are dropped
    assert guessed.roles(table, {"task": "regression"}).task == "regression"


@pytest.mark.parametrize("odd", ["3 or 4", "inf", "1,00", "5%", "3 kg"])
def test_a_column_that_is_left_out_though_it_is_nearly_numbers_is_told(project, odd):
    more = {
        "c": lambda row: f'"{odd}"' if row == 4 else row,
        "d": lambda row: f"word {row}",
    }
    file = put_csv(project.root / "own/IN.CSV", *table(30, **more))
    notes = [note for note in new(project, "mine", str(file)).notes if "correct that" in note]
    assert notes == [
        f"load.ignore: c has '{odd}' in row 5; correct that to use the column: a cell may be left "
        "empty"
    ]


def test_a_mark_among_numbers_or_dates_is_missing_and_told(project):
    more = {
        "power": lambda row: "?" if row % 20 == 4 else "" if row == 6 else 70 + row,
        "doors": lambda row: " ?" if row == 9 else 3 + row % 3,
        "sold": lambda row: "-" if row % 9 == 1 else f"{1 + row % 28:02}.{1 + row % 12:02}.2021",
        "vote": lambda row: "y" if row % 3 else "?",
    }
    lines = table(60, lambda row: "*" if row == 30 else row / 7, **more)
    notes = new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines))).notes
    end = " is read as a missing value; if it means 0, or anything else, write that into the cells"
    assert [note for note in notes if "read as a missing" in note] == [
        f"load.missing: `?` in 3 rows of power, 1 row of doors{end}",
        f"load.missing: `-` in 7 rows of sold{end}",
        f"load.missing: `*` in 1 row of y{end}",
    ]
    folder, found = Folder(project.data("mine")), project.read("mine").load
    assert found.columns == {"sold": "date %d.%m.%Y", "vote": "words"}
    assert found.missing == "median"
    load(folder, found)
    (x,) = read_arrays(folder, "raw.npz", "x_train")
    (x_test,) = read_arrays(folder, "raw.npz", "x_test")
    every = np.concatenate([x, x_test])
    assert np.isnan(every).sum(axis=0).tolist() == [0, 4, 1, 7, 0]
    assert len(every) == 59


def test_bounds_and_amounts_of_time_are_numbers_and_told(project):
    more = {
        "lead": lambda row: "<0.5" if row % 5 == 0 else row,
        "took": lambda row: f"{row % 7}h 5m",
    }
    file = put_csv(project.root / "in.csv", *table(60, **more))
    found = new(project, "mine", str(file))
    assert found.load["columns"] == {}
    said = " ".join(found.notes)
    assert "`<0.5` is 0.5 (a bound, as in 12 of 60 rows) in lead" in said
    assert "`0h 5m` is 300 s in took" in said


@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_that_begin_with_0_are_codes_and_told(project, decimal):
    more = {
        "zip": lambda row: ("02139", "94107")[row % 2],
        "month": lambda row: f"{row % 12 + 1:02}",
        "padded": lambda row: f"{row * 7 % 40:02}",
    }
    lines = [line.replace(",", ";").replace(".", decimal) for line in table(60, **more)]
    file = put_csv(project.root / "in.csv", *lines)
    found = new(project, "mine", str(file))
    assert found.load["columns"] == {"zip": "words"}
    assert "zip: words, as numbers such as `02139` are codes" in " ".join(found.notes)


def test_words_in_a_column_of_numbers_are_counted(project):
    words = {4: "k.A.", 9: " k.A.", 11: "unknown", 12: ".", 13: "?", 14: "?"}
    lines = table(60, c=lambda row: words.get(row, row / 2))
    file = put_csv(project.root / "own/in.csv", *lines)
    (said,) = [note for note in new(project, "mine", str(file)).notes if "correct that" in note]
    assert "load.ignore: c has 'k.A.' in 2, '?' in 2, 'unknown' in 1, 1 more such value, in" in said
    assert "in 6 of 60 rows in all, the first in row 5; correct that" in said


def test_a_few_words_that_make_numbers_words_are_told(project):
    more = {
        "grade": lambda row: "x" if row % 20 == 7 else row % 5,
        "rank": lambda row: ("1st", "2nd", "3rd")[row % 3],
        "story": lambda row: ("1Story", "1Story", "2Story")[row % 3],
    }
    file = put_csv(project.root / "own/in.csv", *table(60, **more))
    notes = [note for note in new(project, "mine", str(file)).notes if "is a number" in note]
    assert notes == [
        "load.columns: grade has 'x' in 3 of 60 rows, the first in row 8; without "
        "that it is a number: a cell may be left empty"
    ]


@pytest.mark.parametrize(
    ("name", "each", "expected"),
    [
        ("patient", "P{:03}", "{}, so all rows of one are on the same side of a split: 40 in 200"),
        ("Patient_ID", "{}", "{}, so all rows of one"),
        ("subjects", "S{}", "{}, so all rows of one"),
        ("individual", "{}", "{}, so all rows of one"),
        ("customerId", "{}", "null, so rows of one {} may be on both sides, and the score would"),
        ("nr", "{}", "null, so rows of one {} may be on both sides"),
        ("case_id", "{}", "null, so rows of one {} may be on both sides"),
        ("patient age", "{}", "null; if rows belong together"),
        ("customer type", "t{}", "null; if rows belong together"),
        ("paid", "{}", "null; if rows belong together"),
    ],
)
def test_rows_of_one_patient_are_on_one_side(project, name, each, expected):
    lines = table(200, **{name: lambda row: each.format(row * 7 % 40)})
    notes = new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines))).notes
    (said,) = [note for note in notes if note.startswith("load.group")]
    assert said.startswith(f"load.group: {expected.format(name)}")
    found = project.read("mine").load
    assert found.group == (name if expected.startswith("{}") else None)
    assert not found.group or name not in {*found.columns, *found.ignore}


def test_a_number_of_children_is_no_child(project):
    counts = [0] * 80 + [1] * 60 + [2] * 35 + [3] * 15 + [4] * 7 + [5] * 3
    lines = table(200, child618=lambda row: counts[row * 7 % 200], patient=lambda row: row % 40)
    new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines)))
    assert project.read("mine").load.group == "patient"


def test_whose_rows_they_are_does_not_matter_if_somebody_has_split_them(project):
    for split, count in {"train": 200, "test": 50}.items():
        lines = table(count, patient=lambda row: row % 20)
        put_csv(project.root / f"own/{split}.csv", *lines)
    new(project, "mine", str(project.root / "own"))
    assert project.read("mine").load.group is None


@pytest.mark.parametrize("rows", [1, 100])
def test_few_values_and_a_row_each_say_nothing_of_whose_rows_they_are(rows):
    assert doubts.owner(pd.DataFrame({"patient": [row // rows for row in range(200)]})) is None


def test_values_that_mostly_begin_as_numbers_are_nearly_numbers():
    rows = pd.DataFrame({"a": ["1", "2", "n/a"], "b": ["x", "1", "y"], "c": ["1", "2", "3"]})
    assert nearly_numbers(rows) == ["a has 'n/a' in row 3"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{}.5 kg", ""),
        ("{}.5*", ""),
        ("<{}.5", "has '<"),
        ("lot {}", "has 'lot"),
        (
            "{0} {0}/8",
            r"has 60 different words in 60 rows, such as `0 0/8`: if they are amounts, w",
        ),
        ("word {}", "has 60 different words in 60 rows. Expected numbers like 1234.5, or classes"),
        ("2020-01-01T00:{:02}", "has dates, such as `2020-01-01T00:00`. Expected numbers like"),
        ("\u20ac{}", "has numbers in more than one unit: `$` in 40, `\u20ac` in 20. Expected"),
    ],
)
def test_a_target_that_is_nearly_numbers_is_no_classes(project, value, says):
    # The values of every third row; the others are plain, or dollars.
    plain = {"<": "{}", "l": "{}", "\u20ac": "${}"}.get(value[0], value)
    lines = table(60, price=lambda row: (plain if row % 3 else value).format(row))
    file = str(put_csv(project.root / "own/in.csv", *lines))
    if not says:
        new(project, "mine", file, target="price")
        assert project.read("mine").load.task == "regression"
        return
    with pytest.raises(UserError, match=re.escape(f"own/in.csv: the target price {says}")) as error:
        new(project, "mine", file, target="price")
    assert "--task classes takes each value for a class" in str(error.value)


def test_a_mark_or_an_empty_cell_is_a_feature_and_no_target(project):
    lines = table(60, paid=lambda row: "\u2713" if row % 3 else "")
    file = str(put_csv(project.root / "own/in.csv", *lines))
    with pytest.raises(UserError, match=r"no value but `\u2713`, and 20 of 60 cells are empty\."):
        new(project, "mine", file, target="paid")

    new(project, "mine", file)
    assert project.read("mine").load.columns == {"paid": "words"}
    folder = Folder(project.data("mine"))
    load(folder, project.read("mine").load)
    normalize.normalize(folder, project.read("mine").normalize)
    assert "paid = \u2713" in str(folder.read_json("schema.json"))


def test_why_no_column_is_left_is_told(project):
    lines = ["phone,review,y", *(f"tel{row}0-{row},text {row},{row % 2}" for row in range(30))]
    expected = (
        "no column is left as a feature: phone: 30 different words in 30 rows; review: 30 different"
    )
    with pytest.raises(UserError, match=expected):
        new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines)))


def test_a_word_among_few_numbers_of_a_target_is_told(project):
    lines = table(60, grade=lambda row: "?" if row % 20 < 2 else 1 + row % 3)
    found = new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines)), target="grade")
    assert project.read("mine").load.task == "classes"
    (said,) = [note for note in found.notes if "as any other" in note]
    assert said.startswith("load.target: grade has '?' in 6 of 60 rows, the first in row 1, a cl")


def test_a_mark_among_words_of_a_target_is_told(project):
    lines = table(60, grade=lambda row: "?" if row % 20 < 2 else "abc"[row % 3])
    found = new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines)), target="grade")
    (said,) = [note for note in found.notes if "as any other" in note]
    assert said.startswith("load.target: `?` in 6 of 60 rows is a class as any other")


def test_a_person_may_name_the_target_and_the_task(project):
    more = {"name": lambda row: f"wine {row}", "target": lambda row: f"2020-01-{row}"}
    file = str(put_csv(project.root / "own/in.csv", *table(30, **more)))
    with pytest.raises(UserError, match="y was taken for the target: --target names another"):
        new(project, "mine", file)
    with pytest.raises(UserError, match=r"no column `z` to be the target\. It has a, b, name, y"):
        new(project, "mine", file, target="z")

    new(project, "mine", file, target="a", task="regression")
    found = project.read("mine").load
    assert (found.target, found.task, found.ignore) == ("a", "regression", ["name", "y"])
    assert project.read("mine").evaluate.min_r2 == 0  # better than always answering the mean


def test_a_word_is_written_as_yaml_reads_it_back():
    odd = ["y", "yes", "null", "1", "a b", "a: b", "a,b", "", "# x", "[x", '"', "\t", ",", "é"]
    words = [*odd, "~", "-", "{"]
    for value in (*words, 0.2, None, True, words):
        written = f"key: {section.word(value)} # comment"
        assert YAML(typ="safe").load(written) == {"key": value}


def test_every_parameter_has_a_meaning_of_one_sentence():
    for name in STEPS:
        for model in step(name).sections:
            tag = step(name).tag
            kinds = model.model_fields[tag].annotation.__args__ if tag else [None]
            for key in set(model.model_fields) - {"family"}:  # which is never written
                said = meaning(name, kinds[0], key)
                assert 5 < len(said) < 200, (name, key, said)
                assert "\n" not in said


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", ""], "number"),
        (["True", "False", ""], "boolean"),
        (["y", "N"], "boolean"),
        (["yes", "no", "maybe"], "words"),
        (["2021-03-04", "2020-12-31"], "date"),
        (["2021-03-04 05:06", "2020-12-31 00:00"], "date"),
        (["31.12.2020", "01.02.2021"], "date %d.%m.%Y"),
        (["01/31/2012 10:00", "12/01/2013 11:30"], "date %m/%d/%Y %H:%M"),
        (["Jan 1 2000", "Feb 1 2000"], "date %b %d %Y"),
        (["31. 12. 2020", "1. 2. 2021"], "date %d. %m. %Y"),
        (["31/12/2020 18h30", "01/02/2021 09h00"], "date %d/%m/%Y %Hh%M"),
        (["31/Dec/2020:18:30:00 +0100"] * 2, "date %d/%b/%Y:%H:%M:%S %z"),
        (["18h30", "9h05"], "words"),  # perhaps amounts of time
        (["1-Jan-85", "15-Feb-99"], "date %d-%b-%y"),
        (["03/2021", "12/2020"], "date %m/%Y"),
        (["31.12.2020, 18:30", "01.02.2021, 09:00"], "date %d.%m.%Y, %H:%M"),
        (["1/31/2020, 3:04:05 PM", "2/1/2020, 9:00:00 AM"], "date %m/%d/%Y, %I:%M:%S %p"),
        (["03:16 PM", "11:00 AM"], "date %I:%M %p"),
        (["Thu, 31 Dec 2020 10:00:00 +0100"] * 2, "date %a, %d %b %Y %H:%M:%S %z"),
        (["2020\u5e741\u670831\u65e5"] * 2, "date %Y\u5e74%m\u6708%d\u65e5"),
        (["15. M\u00e4rz 2021", "1. April 2020"], "date %d. %B %Y"),
        (["ao\u00fbt 2021", "f\u00e9vrier 2020"], "date %b %Y"),
        (["3 de mayo de 2021", "12 de enero de 2020"], "date %d %b %Y"),
        (["Freitag, 3. Mai 2020", "lunes 4. mayo 2020"], "date %d. %B %Y"),
        (["Friday, 3 May 2020", "Monday, 4 August 2020"], "date %d %B %Y"),
        (["2021-Q3", "2020-Q1"], "date %Y-Q%q"),
        (["Q3 2021", "Q1 2020"], "date Q%q %Y"),
        (["2021-W07", "2020-W53"], "date %G-W%V"),
        (["2021W07", "2020W53"], "date %GW%V"),
        (["03.2021", "12.2020", "10.2020"], "date %m.%Y"),
        (["3.2021", "3.2021", "0.5"], "number"),
        (["3.2021", "4.2021"], "number"),  # perhaps prices
        (["2021.09", "2021.1", "2021.11"], "number"),  # in order, though the zero of 10 is gone
        (["7-Q3", "9-Q1"], "words"),
        (["red", "green"], "words"),
    ],
)
def test_the_kind_of_a_column_follows_from_its_values(tmp_path, values, kind):
    lines = [f'"{value}",{row}' for row, value in enumerate(values * 9)]
    assert columns.kind(sniffed(tmp_path, "c,y", *lines).rows["c"]) == kind


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("id", [3, 1, 2], "numbers of the rows"),
        ("PassengerId", [3, 1, 2], "numbers of the rows"),
        ("sample", [1000, 1002, 1007], "numbers of the rows"),
        ("Year", [1990, 1991, 1992], ""),
        ("paid", [3, 1, 2], ""),
        ("x", [1.5, 2.5, 3.5], ""),
        ("x", [1, 1, 2], ""),
        ("row", [1, 1, 2], "called row, as numbers of the rows are"),
        ("NO", [12.5, 12.5, 3.0], ""),  # nitric oxide
        ("index", [101.5, 99.2, 100.1], ""),  # of prices
        ("Unnamed: 2", [1, 1, 2], "a column without a name: give it one to use it"),
        ("town", [f"town {row}" for row in range(30)], "30 different words in 30 rows"),
        ("town", [*["Ulm"] * 40, *map("w{}".format, range(60))], "61 different words in 100 rows"),
        ("town", [*map("w{}".format, range(30))] * 7, "no word is in more than 7 of 210 rows"),
        ("town", [*map("w{}".format, range(24))] * 8, ""),
        ("town", ["Ulm", "Bonn"] * 10, ""),
        ("town", ["Ulm"] * 9, "no word but `Ulm`, in 9 of 9 rows"),
        ("new", ["x", None, "x"], "no word but `x`, in 2 of 3 rows"),
        ("new", ["x"] * 8 + [None] * 8, ""),
        ("order_nr", [7, 3, 5], "numbers of the rows"),
        *(
            (
                "size",
                [form.format(row) for row in range(1, 31)],
                f"30 different words in 30 rows, such as `{form.format(1)}`: if they are amounts, "
                "write each as one number",
            )
            for form in ("{} - 40", "{}:02.5", "{}h 5m", "{} \u00b1 2", "{}\u00b051' N", "-{},5/3")
        ),
        ("size", [f"{row} of many" for row in range(30)], "30 different words in 30 rows"),
        ("size", [f"{row} kg" if row % 2 else f"{row} lb" for row in range(30)], "nearly numbers"),
        (
            "seen",
            [f"{day} maja 2020" for day in range(1, 29)],
            "28 different words in 28 rows, such as `1 maja 2020`: if they are dates, write them "
            "as 2024-12-31",
        ),
        ("film", [f"Part ({year})" for year in range(1950, 1999)], "49 different words in 49 rows"),
        ("key", [f"{17 * row:x}-{row}a" for row in range(30)], "30 different words in 30 rows"),
        ("size", ["3 kg", "4 kg"] * 10, ""),
    ],
)
def test_a_column_that_says_nothing_of_new_rows_is_left_out(name, values, why):
    column = pd.Series(values, name=name)
    assert columns.left_out(column, columns.kind(column)) == why


def test_words_and_dates_become_features_and_the_person_is_told(project):
    more = {
        "sex": lambda row: ("male", "female")[row % 2],
        "born": lambda row: f"{1 + row % 28:02}.03.{1950 + row}",
        "name": lambda row: f"name {row}",
    }
    file = put_csv(project.root / "own/in.csv", *table(40, **more))
    said = "\n".join(told("mine", new(project, "mine", str(file))))
    assert "load.columns: sex: words" in said
    assert "load.columns: born: date %d.%m.%Y" in said
    assert "load.ignore: name; 40 different words in 40 rows" in said
    found = project.read("mine").load
    assert found.columns == {"sex": "words", "born": "date %d.%m.%Y"}
    assert found.ignore == ["a", "name"]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("born", [19580329, 20240131], "date %Y%m%d"),
        ("born", [19580329, None, 20240131], "date %Y%m%d"),
        ("period", [202401, 202312], "date %Y%m"),
        ("hour", [2024013123, 2024013100], "date %Y%m%d%H"),
        ("seen", [20240131235959, 20240131000000], "date %Y%m%d%H%M%S"),
        ("born", [19580329, 20240132], "number"),  # no such day
        ("born", [17580329, 20240131], "number"),
        ("born", [20240131, 0], "number"),
        ("price", [202401, 202312], "number"),
        ("order_id", [20240131, 20240201], "number"),
        ("Year", [2024, 2025], "number"),
        ("seconds", [1600000000, 1700000000], "number"),
        ("x", [20240131, 20240131], "number"),
        ("x", [20240131, float("inf")], "number"),
    ],
)
def test_dates_may_be_whole_numbers(name, values, kind):
    assert columns.kind(pd.Series(values, name=name)) == kind


def test_years_of_two_digits_are_told(project):
    more = {"born": lambda row: f"07/{14 + row % 9}/{(60 + row) % 100:02}"}
    file = put_csv(project.root / "own/in.csv", *table(40, **more))
    assert (
        "load.columns: born: years of two digits are read as 1930 to 2029, here 1960 to 1999; if "
        "a century is wrong, write years with four digits"
    ) in new(project, "mine", str(file)).notes
    assert project.read("mine").load.columns["born"] == "date %m/%d/%y"


def test_dates_that_may_be_a_century_too_late_are_counted():
    rows = pd.DataFrame({"born": ["07/14/25", "07/14/29", None, "07/14/30"]})
    today = pd.Timestamp("2026-11-28", tz="UTC")
    (said,) = doubts.short_years(rows, {"born": "date %m/%d/%y"}, today)
    assert "here 1930 to 2029; 1 of 4 rows are later than today; if a century" in said


@pytest.mark.parametrize(("last", "told"), [("12/11/2020", True), ("13/11/2020", False)])
def test_dates_whose_first_number_may_be_the_month_are_told(last, told):
    rows = pd.DataFrame({"seen": ["03/04/2020", None, last]})
    notes = list(doubts.day_or_month(rows, {"seen": "date %d/%m/%Y"}))
    assert len(notes) == told
    if told:
        assert "`03/04/2020` the first number is taken for the day" in notes[0]
        assert "write `date %m/%d/%Y`" in notes[0]


def test_words_that_look_nearly_the_same_are_told(project):
    more = {
        "town": lambda row: ("Bad Ems", "bad  ems", "Ulm", "Bonn")[row % 4],
        "size": lambda row: ("S", "M")[row % 2],
        "pay": lambda row: ("<=50K", "<=50K.", ">50K", "...")[row % 4],
        "drink": lambda row: ("Caf\u00e9", "Cafe\u0301", "Tea")[row % 3],
    }
    lines = table(40, lambda row: ("Yes", "yes", "No", "no", " no")[row % 5], **more)
    file = put_csv(project.root / "own/in.csv", *lines)
    advice = "form of an accent alone, and count as different words: write them alike if"
    notes = [note for note in new(project, "mine", str(file)).notes if advice in note]
    assert [note.partition(" differ")[0] for note in notes] == [
        "y: `no` (16 rows) and `No` (8 rows); `Yes` (8 rows) and `yes` (8 rows)",
        "town: `Bad Ems` (10 rows) and `bad  ems` (10 rows)",
        "pay: `<=50K` (10 rows) and `<=50K.` (10 rows)",
        "drink: `Caf\u00e9` (14 rows) and `Cafe\u0301` (13 rows)",
    ]


def test_folders_that_differ_in_blanks_alone_are_told(project):
    for name in ("red cat", "red  cat", "dog"):
        for number in range(5):
            put_image(project.root / f"own/in/{name}/{number}.png", color=(number, 9, 9))
    notes = new(project, "mine", str(project.root / "own/in")).notes
    assert any("`red  cat` (5 rows) and `red cat` (5 rows) differ" in note for note in notes)


def test_numbers_that_may_stand_for_missing_are_told(project):
    more = {
        "size": lambda row: -999 if row % 10 == 3 else 1.5 + row,
        "price": lambda row: 9999 if row == 7 else f'"{9000 + 40 * row}"',  # among the others
    }
    lines = table(200, lambda row: (99999, -9999)[row % 2] if row % 9 == 0 else row / 7, **more)
    file = put_csv(project.root / "own/in.csv", *lines)
    notes = [note for note in new(project, "mine", str(file)).notes if "stand for missing" in note]
    assert notes == [
        "size: -999 in 20 of 200 rows is far from all other values, 1.5 to 200.5, and may stand "
        "for missing: if so, leave the cells empty",
        "y: -9999 in 11 of 200 rows is far from all other values, 0.142857 to 28.4286, and may "
        "stand for missing: if so, leave the cells empty",
        "y: 99999 in 12 of 200 rows is far from all other values, 0.142857 to 28.4286, and may "
        "stand for missing: if so, leave the cells empty",
    ]


def test_codes_of_questionnaires_that_may_stand_for_missing_are_told():
    answers = pd.DataFrame({"q1": [1, 2, 3, 4, 88, 99] * 14, "age": range(16, 100)})
    assert [said.partition(" in ")[0] for said in doubts.sentinels(answers)] == ["q1: 88", "q1: 99"]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["2024-01-01T10:00Z", "2024-01-01 11:00"], "seen: 1 of 2 times have an offset"),
        (["2024-01-01T10:00:00.5-0500", None, "2024-01-02"], "seen: 1 of 2 times have an offset"),
        (["2024-01-01T10:00Z", "2024-01-01T10:00+02:00"], ""),
        (["2024-01-01T10:00", "2024-01-01"], ""),
    ],
)
def test_times_of_which_some_have_an_offset_are_told(times, told):
    notes = "".join(doubts.some_offsets(pd.DataFrame({"seen": times}), {"seen": "date"}))
    assert told in notes
    assert bool(told) == bool(notes)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["North", None, None, "South", None, "North", None, None], True),
        ([2020, None, 2021, None, 2022, None], True),
        (["North", None, "North", None, "North", None], False),  # the same again
        ([None, "North", None, "South", None, "North", None], False),  # nothing above the first
        (["x", "y", None, None, "x", None, None, "y"], False),
        ([2.5, None, 3.5, None, 4.5, None], False),  # measured in some rows
        (["North", "South", "East", None, None, None], False),
    ],
)
def test_cells_that_may_have_been_merged_are_told(cells, told):
    notes = list(doubts.merged_cells(pd.DataFrame({"region": cells})))
    assert len(notes) == told
    assert not told or "empty, each below a value such as `" in notes[0]


def test_sums_among_the_rows_are_told(project):
    towns = ("Ulm", "Bonn", "Subtotal", "total commander")
    lines = table(40, town=lambda row: towns[row % 4])
    notes = new(project, "mine", str(put_csv(project.root / "own/in.csv", *lines))).notes
    assert [note for note in notes if "sum up" in note] == [
        "town: `Subtotal` in 10 of 40 rows may mean that they sum up others, and they are learned "
        "as any other row: if so, delete them"
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_dates_that_are_whole_numbers_are_read_as_such(project, ending):
    lines = table(
        40,
        born=lambda row: "" if row % 9 == 5 else f"{1950 + row}{1 + row % 12:02}07",
        seen=lambda row: f"202401{1 + row % 31:02}",
        left=lambda row: "" if row % 9 == 5 else f"20{10 + row}0131.0",
        paid=lambda row: f'"$20,240,1{10 + row % 18}"',
    )
    file = put_csv(project.root / "own/in.csv", *lines)
    if ending == "parquet":
        pd.read_csv(file).to_parquet(file := file.with_suffix(".parquet"))
    said = "\n".join(told("mine", new(project, "mine", str(file))))
    assert "load.columns: born, seen, left: date %Y%m%d" in said

    folder, found = Folder(project.data("mine")), project.read("mine")
    load(folder, found.load)
    normalize.normalize(folder, found.normalize)
    features = folder.read_json("schema.json")["feature_names"]
    assert {"born: time", "born: season (sine)", "born is missing"} <= set(features)
    assert {"seen: time", "seen: Monday", "left: time"} <= set(features)
