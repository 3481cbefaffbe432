"""CSV files: how they are read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.own import ROWS, loaded, normalized, of_csv, put_csv, table
from tests.support.wrong import refused


def test_a_share_of_rows_is_held_out_or_a_number_of_them(tmp_path):
    lines = table(40)
    for test, validation, expected in (
        (0.25, 0.1, (27, 3, 10)),
        (10, 3, (27, 3, 10)),
        (2, 0.5, (19, 19, 2)),
    ):
        loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), test=test))
        found = normalized(tmp_path / "out", scale="standard", validation=validation)["rows"]
        assert (found["train"], found["val"], found["test"]) == expected


def test_classes_of_a_csv_are_its_words_unless_all_are_whole_numbers(tmp_path):
    for words, expected in (
        ("01 1 02", ["01", "02", "1"]),
        ("10 9 -1", ["-1", "9", "10"]),
        ("1.0 2.0 3", ["1", "2", "3"]),
        ("True False True", ["False", "True"]),
        ("9007199254740993 9007199254740992 1", ["1", "9007199254740992", "9007199254740993"]),
    ):
        classes = words.split()
        lines = table(12, target=lambda row, classes=classes: classes[row % 3])
        found = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines)))
        assert found["class_names"].tolist() == expected
        numbers = np.concatenate([found["y_train"], found["y_test"]])
        rows = np.concatenate([found["x_train"], found["x_test"]])[:, 0].astype(int)
        assert [float(expected[k]) if "." in words else expected[k] for k in numbers] == [
            float(classes[row % 3]) if "." in words else classes[row % 3] for row in rows
        ]


def test_among_numbers_none_is_a_missing_value(tmp_path):
    lines = table(12, target=lambda row: ("None", 1, 2)[row % 3])
    found = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), missing="drop"))
    assert found["class_names"].tolist() == ["1", "2"]
    assert len(found["x_train"]) + len(found["x_test"]) == 8


def test_csv_has_features_in_order_and_their_names(tmp_path):
    file = put_csv(tmp_path / "in.csv", *table(c=lambda row: -row))
    found = loaded(tmp_path / "out", of_csv(file, ignore=["b"]))
    assert found["feature_names"].tolist() == ["a", "c"]
    np.testing.assert_array_equal(found["x_train"][:, 0], -found["x_train"][:, 1])
    np.testing.assert_array_equal(found["y_train"], found["x_train"][:, 0] % 2)
    assert normalized(tmp_path / "out")["feature_names"] == ["a", "c"]


@pytest.mark.parametrize(
    ("target", "kind", "names"),
    [
        (lambda row: ("yes", "no")[row % 2], "binary", ["no", "yes"]),
        (lambda row: ("red", "green", "blue")[row % 3], "classes", ["blue", "green", "red"]),
        (lambda row: (3, 5)[row % 2], "binary", ["3", "5"]),
        (lambda row: (-1, 1)[row % 2], "binary", ["-1", "1"]),
        (lambda row: row % 2 == 0, "binary", ["False", "True"]),
        (lambda row: 10 - row % 3, "classes", ["8", "9", "10"]),
    ],
    ids=["two words", "three words", "3 and 5", "-1 and 1", "True and False", "8 to 10"],
)
def test_csv_targets_become_classes_and_keep_their_names(tmp_path, target, kind, names):
    found = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *table(target=target))))
    schema = normalized(tmp_path / "out")
    assert (schema["labels"], schema["class_names"]) == (kind, names)
    expected = [str(target(int(row))) for row in found["x_train"][:, 0]]
    assert [names[label] for label in found["y_train"]] == expected


def test_csv_words_are_the_same_with_blanks_around_them(tmp_path, caplog):
    lines = table(target=lambda row: ["yes", " yes ", "no", "no\t"][row % 4])
    loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines)))
    assert normalized(tmp_path / "out")["class_names"] == ["no", "yes"]
    put_csv(tmp_path / "in.csv", *lines[:-1], "1,2,  ")
    loaded(tmp_path / "out", of_csv(tmp_path / "in.csv"))
    assert "dropped 1 of 12 rows, which have no y" in caplog.text


def test_csv_regression_targets_are_numbers_though_they_are_whole(tmp_path):
    file = put_csv(
        tmp_path / "in.csv",
        *(line.replace(",", ";") for line in table(target=lambda row: 10 * row)),
    )
    found = loaded(tmp_path / "out", of_csv(file, task="regression", separator=";"))
    np.testing.assert_array_equal(found["y_train"], 10 * found["x_train"][:, 0])
    assert normalized(tmp_path / "out")["labels"] == "regression"


def test_csv_files_for_train_and_test_may_have_their_columns_in_another_order(tmp_path):
    put_csv(tmp_path / "in/train.csv", *table())
    put_csv(tmp_path / "in/test.csv", "y,b,a", "0,8,7", "1,9,6")
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in", test="given"))
    assert len(found["x_train"]) == ROWS
    assert found["x_test"].tolist() == [[7, 8], [6, 9]]


def test_a_table_as_spreadsheets_write_it_is_read(tmp_path):
    words = ("no", '"yes\nno"')
    lines = ['"a, in cm";b;y', *(f'"{row}";{row * 2};{words[row % 2]}' for row in range(ROWS))]
    (tmp_path / "in.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in.csv", separator=";"))
    assert found["feature_names"].tolist() == ["a, in cm", "b"]
    assert found["class_names"].tolist() == ["no", "yes\nno"]
    assert found["x_train"].shape == (9, 2)


def lines(*text: str, **how):
    return lambda path: of_csv(put_csv(path / "in.csv", *text), **how)


def pair(train: list[str], test: list[str], **how):
    def make(path: Path):
        put_csv(path / "in/train.csv", *train)
        put_csv(path / "in/test.csv", *test)
        return of_csv(path / "in", **{"test": "given", **how})

    return make


GROUPS = {"g": lambda row: f"g{row // 4}"}


WRONG = {
    "no content": (lines(), r"in\.csv cannot be read: No columns to parse from file"),
    "names alone": (lines("a,b,y"), r"in\.csv has column names and no rows"),
    "target absent": (
        lines(*table(), target="label"),
        r"no column label, which load\.target names\. It has a, b, y",
    ),
    "group absent": (lines(*table(), group="g"), r"no column g, which load\.group names"),
    "ignored absent": (lines(*table(), ignore=["id"]), r"no column id, which load\.ignore names"),
    "other separator": (
        lines(*table(), separator=";"),
        r"no column y, .* It has a,b,y\. Is `separator: ';'` right\?",
    ),
    "no features": (lines(*table(), ignore=["a", "b"]), r"no column is left to predict from"),
    "text in a number column": (
        lines(*table(c=lambda row: "tall" if row == 3 else row)),
        r"the column c has 'tall' in row 4\. Expected finite numbers: correct it, or set "
        r"`ignore: \['c'\]`",
    ),
    "infinity": (
        lines(*table(c=lambda row: "inf" if row == 3 else row)),
        r"the column c has 'inf' in row 4",
    ),
    "missing values": (
        lines(*table(c=lambda row: row or "", d=lambda row: "" if row in (2, 3) else 1)),
        r"missing values: c 1, d 2; the first in row 1\. Fill them, or set `missing: mean`, "
        r"`median` or `drop`",
    ),
    "no target anywhere": (
        lines(*table(target=lambda row: "")),
        r"the column y is empty in every row\. Expected the target",
    ),
    "no target in test.csv": (
        pair(table(), table(target=lambda row: "")),
        r"test\.csv: the column y is empty in every row\. .* out if these are new rows to predict",
    ),
    "missing group": (
        lines(*table(g=lambda row: row or ""), group="g", missing="mean"),
        r"missing values: g 1; the first in row 1\. Fill them, or set `missing: drop`",
    ),
    "all missing": (
        lines(*table(c=lambda row: ""), missing="drop"),
        r"every row has a missing value, so `missing: dr",
    ),
    "column twice": (
        lines("a,a,y", "1,2,0", "3,4,1"),
        r"two columns are named a\. Expected each name once",
    ),
    "two columns without a name": (
        lines("a,y,,", "1,0,,", "3,1,,"),
        r"a column has no name, .* set `ignore: \['Unnamed: 2', 'Unnamed: 3'\]`",
    ),
    "two separators": (
        lines("a::y::b", "1::0::2", "3::1::2", separator=":"),
        r"every second column has no name\..* perhaps not `::`: replace it by `:`\.",
    ),
    "a count for classes": (
        lines(
            "a,y", *(f"{row},{row % 12 if row < 30 else 3 + row}" for row in range(40)), test=0.5
        ),
        r"of the class `3\d`, .* and 2 more: too few rows\. .* `new --task regression`, or set",
    ),
    "column without a name": (
        lines(",a,y", "0,1,0", "1,2,1"),
        r"no name, .* `ignore: \['Unnamed: 0'\]`",
    ),
    "too many values": (
        lines("a,y", "1,0", "1,0,3"),
        r"in\.csv cannot be read: line 3 has 3 values, and the lines above it have 2: if there is",
    ),
    "each row too long": (lines("a,y", "1,0,3", "1,0,3"), r"in\.csv cannot be read: "),
    "not UTF-8": (
        lambda path: (path / "in.csv").write_bytes(b"a,y\n\xff,1\n") and of_csv(path / "in.csv"),
        r"in\.csv is not UTF",
    ),
    "float classes": (
        lines(*table(target=lambda row: row / 4)),
        r"the column y has 0\.25 in row 2\. .* set `task: regression`",
    ),
    "words to predict": (
        lines(*table(target=lambda row: "yes"), task="regression"),
        r"column y has 'yes' in row 1\. .* `task: classes`",
    ),
    "targets beyond float32": (
        lines(*table(target=lambda row: "-2e40"), task="regression"),
        r"target is 2e\+40 in size",
    ),
    "targets that float32 cannot tell apart": (
        lines(*table(target=lambda row: 1_700_000_000 + row / 4), task="regression"),
        r"targets lie between 1700000000 and 1700000003\. Float32, .* Expected values nearer to 0",
    ),
    "one target in a regression": (
        lines(*table(target=lambda row: 0.1), task="regression"),
        r"every regression target is 0\.1, so there is no",
    ),
    "a word that may be none": (
        lines(*table(target=lambda row: ("None", "light", "heavy")[row % 3])),
        r"y has `None` in row 1: is that a word, or a missing value\? "
        r"Write the word otherwise",
    ),
    "one target": (lines(*table(target=lambda row: "yes")), r"in\.csv has one class only, `yes`"),
    "one group": (
        lines(*table(g=lambda row: "all"), group="g"),
        r"load\.test: all rows are of one group",
    ),
    "class in one group": (
        lines(*table(g=lambda row: row // 4, target=lambda row: row // 4), group="g", test=0.34),
        r"leaves no training row of the class `\d`: too few groups",
    ),
    "group on both sides": (
        pair(table(**GROUPS), table(4, **GROUPS), group="g"),
        r"the group g0 of the column g has rows in both train\.c",
    ),
    "other columns to test": (
        pair(table(c=str), table()),
        r"train\.csv and test\.csv differ in the columns c\. Expec",
    ),
    "class only to test": (
        pair(table(), table(target=lambda row: row % 3)),
        r"the class `2` has test rows and no training rows",
    ),
    "no test.csv": (
        lambda path: put_csv(path / "in/train.csv", *table()) and of_csv(path / "in", test="given"),
        r"load\.test is `given`, but .*/in has no test rows \(test\.csv in a folder\)\. Set a "
        r"share",
    ),
    "no train.csv": (
        lambda path: put_csv(path / "in/test.csv", *table()) and of_csv(path / "in", test="given"),
        r"there is no .*/in/train\.csv\. Expected a \.csv file .* a folder with train\.csv",
    ),
    "group to validate and to test": (
        lambda path: (
            [
                put_csv(
                    path / f"in/{split}.csv",
                    *table(g=lambda row, split=split: split[:1] if split == "train" else "v"),
                )
                for split in ("train", "val", "test")
            ]
            and of_csv(path / "in", test="given", group="g")
        ),
        r"the group v of the column g has rows in both val\.csv and test\.csv",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_named_with_what_to_do(tmp_path, kind):
    refused(tmp_path, *WRONG[kind])
