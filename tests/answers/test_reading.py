"""Promise 10: new rows go through the code and the numbers of the training."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from tasks.answers.reading import read
from tasks.answers.sent import Reader
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import csv
from tasks.sources.place import Place
from tests.support.own import (
    KINDS,
    loaded,
    made,
    of_csv,
    of_idx,
    of_images,
    of_npz,
    people,
    put_csv,
    put_idx,
    put_image,
    put_images,
    put_npz,
    rows,
)

ONE = [f"{row % 7},{row % 2}" for row in range(40)]


def again(tmp_path: Path, path: Path, schema: dict) -> tuple[np.ndarray, list[str], list | None]:
    """New rows of a file: scaled, with their places and labels."""
    parts = list(read(Place(path, path.as_posix()), schema, Folder(tmp_path / "out")))
    x = np.concatenate([scaled for scaled, _ in parts])
    places = [place for _, part in parts for place in part.places]
    labelled = all(part.labels is not None for _, part in parts)
    labels = [label for _, part in parts for label in part.labels] if labelled else None
    return x, places, labels


def test_the_rows_of_a_table_read_anew_are_those_of_the_test_to_the_bit(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.sources.new_rows.ROWS", 7)  # several parts
    file = put_csv(tmp_path / "in.csv", *people())
    params = of_csv(file, columns=KINDS, missing="median")
    _, arrays, schema = made(tmp_path, params, "standard")
    x, places, labels = again(tmp_path, file, schema)
    assert labels[:3] == ["0", "1", "0"]

    expected = dict(zip(arrays["from_test"], arrays["x_test"], strict=True))
    found = {place.replace("row", "in.csv"): row for place, row in zip(places, x, strict=True)}
    for place, row in expected.items():
        np.testing.assert_array_equal(found[place], row)
    assert x.dtype == arrays["x_test"].dtype


def test_the_order_of_the_columns_does_not_matter_and_more_of_them_are_named(tmp_path, caplog):
    lines = people()
    file = put_csv(tmp_path / "in.csv", *lines)
    *_, schema = made(tmp_path, of_csv(file, columns=KINDS, missing="median"), "standard")
    turned = [",".join(reversed(line.split(","))) + ",more" for line in lines]
    other = put_csv(tmp_path / "other.csv", *turned)
    np.testing.assert_array_equal(
        again(tmp_path, other, schema)[0], again(tmp_path, file, schema)[0]
    )
    assert [each for each in caplog.messages if "left out" in each] == [
        f"{other}: left out more, which the training rows do not have"
    ]


def test_a_missing_column_and_an_unknown_word_are_named(tmp_path, caplog):
    file = put_csv(tmp_path / "in.csv", *people())
    *_, schema = made(tmp_path, of_csv(file, columns=KINDS, missing="median"), "standard")
    with pytest.raises(UserError, match=r"no columns sex, born, smoker\. The model was"):
        again(tmp_path, put_csv(tmp_path / "new.csv", "age", "3"), schema)

    new = put_csv(tmp_path / "new.csv", "age,sex,born,smoker", "3,alien,01.02.2000,no")
    with caplog.at_level(logging.WARNING):
        x, _, labels = again(tmp_path, new, schema)
    assert "sex: a word that few or no training rows have, in 1 of 1 rows" in caplog.messages
    assert (x.shape, labels) == ((1, schema["input_shape"][0]), None)


@pytest.mark.parametrize("form", ["", " %Y-%m-%d %H:%M"])
@pytest.mark.parametrize("day", ["2024-01-02", "2024-01"])
def test_a_date_without_its_time_is_not_midnight_where_the_hour_is_a_feature(tmp_path, form, day):
    lines = [f"2024-01-{row % 28 + 1:02d} {row % 24:02d}:00,{row % 2}" for row in range(60)]
    file = put_csv(tmp_path / "in.csv", "seen,y", *lines)
    *_, schema = made(tmp_path, of_csv(file, columns={"seen": f"date{form}"}), "standard")
    again(tmp_path, file, schema)
    assert len(Reader(schema, Folder(tmp_path / "out")).values([{"seen": "2024-01-02 00:00"}], 9).x)
    with pytest.raises(UserError, match=rf"seen has '{day}' in row 1. Expected dates .*\d:\d|%H"):
        Reader(schema, Folder(tmp_path / "out")).values([{"seen": day}], 9)
    with pytest.raises(UserError, match=rf"seen has '{day}' in row 1\. Expected dates "):
        again(tmp_path, put_csv(tmp_path / "new.csv", "seen", day), schema)


@pytest.mark.parametrize("target", ["", "1"])
def test_a_row_without_a_value_is_not_answered_from_what_fills_it(tmp_path, target):
    """As Excel saves rows that somebody has emptied."""
    file = put_csv(tmp_path / "in.csv", *people())
    *_, schema = made(tmp_path, of_csv(file, columns=KINDS, missing="median"), "standard")
    with pytest.raises(UserError, match=r"^row 2 has no value in any column"):
        again(tmp_path, put_csv(tmp_path / "new.csv", *people()[:2], f",,,,{target}"), schema)


WEIGHTS = [f"{50 + row} kg,{row % 5},{1000 + row} \u20ac" for row in range(40)]


def weighed(tmp_path, *lines: str, name: str = "new.csv") -> Path:
    return put_csv(tmp_path / name, "weight,b,price", *lines)


@pytest.mark.parametrize("decimal", [".", ","])
def test_new_rows_have_the_units_of_the_training_rows_or_none(tmp_path, decimal):
    params = of_csv(weighed(tmp_path, *WEIGHTS, name="in.csv"), target="price", task="regression")
    params = params.model_copy(update={"decimal": decimal})
    schema = made(tmp_path, params, "standard")[2]
    assert schema["load"]["target_unit"] == "\u20ac"

    x, _, labels = again(tmp_path, weighed(tmp_path, "57 kg,3,1200 \u20ac"), schema)
    plain, _, also = again(tmp_path, weighed(tmp_path, "57,3,1200"), schema)
    np.testing.assert_array_equal(x, plain)
    assert labels == also == [1200]

    says = r"weight has '57000 g' in row 1\. Expected finite numbers in kg, as in the training rows"
    with pytest.raises(UserError, match=says):
        again(tmp_path, weighed(tmp_path, "57000 g,3,1200 \u20ac"), schema)
    with pytest.raises(UserError, match=r"b has '3 %' in row 1\. Expected finite numbers, as in"):
        again(tmp_path, weighed(tmp_path, "57 kg,3 %,1200 \u20ac"), schema)
    with pytest.raises(
        UserError, match=r"price has '\$1200' in row 1\. Expected finite numbers in \u20ac"
    ):
        again(tmp_path, weighed(tmp_path, "57 kg,3,$1200"), schema)
    row = {"weight": "57000 g", "b": 3}
    with pytest.raises(
        UserError, match=r"weight has '57000 g' in row 1. Expected finite numbers in kg"
    ):
        csv.records([row], schema)
    assert csv.records([row | {"weight": "57 kg"}], schema).x.tolist() == [[57, 3]]


def test_rows_given_for_the_test_have_the_units_of_the_training_rows(tmp_path):
    weighed(tmp_path, *WEIGHTS, name="in/train.csv")
    weighed(tmp_path, *(row.replace("kg", "g") for row in WEIGHTS), name="in/test.csv")
    params = of_csv(tmp_path / "in", target="price", task="regression", test="given")
    with pytest.raises(UserError, match=r"test\.csv: the column weight has '50 g' in row 1\. Exp"):
        loaded(tmp_path / "out", params)


@pytest.mark.parametrize("word", ["NA", " n/a ", "null", ""])
def test_what_a_csv_file_leaves_out_is_missing_in_json_too(tmp_path, word):
    lines = ["a,c,y", *(f"{row % 7},{('u', 'v', 'NA')[row % 3]},{row % 2}" for row in range(40))]
    path, how = tmp_path / "in.csv", {"columns": {"c": "words"}, "missing": "median"}
    schema = made(tmp_path, of_csv(put_csv(path, *lines), **how), "standard")[2]
    found = csv.records([{"a": 3, "c": word}, {"a": word, "c": "u"}], schema)
    np.testing.assert_array_equal(found.x, [[3, np.nan], [np.nan, 0]])
    assert found.words.tolist() == ["u"]
    marked = csv.records([{"a": " ? ", "c": "?"}], schema)  # which may be a word, but no number
    np.testing.assert_array_equal(marked.x, [[np.nan, 0]])

    with pytest.raises(UserError, match=r"row 2 has no value in any column, so there is nothing"):
        csv.records([{"a": 3, "c": "u"}, {"a": None, "c": word}], schema)

    schema["load"]["source"] = "parquet"  # where a word is a word
    if word == "NA":
        assert csv.records([{"a": 3, "c": word}], schema).words.tolist() == ["NA"]


def test_one_column_is_a_table(tmp_path):
    *_, schema = made(tmp_path, of_csv(put_csv(tmp_path / "in.csv", "a,y", *ONE)), "standard")
    x, *_ = again(tmp_path, put_csv(tmp_path / "new.csv", "a", "1", "2"), schema)
    assert len(x) == 2


def test_without_names_every_column_is_in_its_place(tmp_path):
    data = of_csv(put_csv(tmp_path / "in.csv", *ONE), header=False, target="column_1")
    *_, schema = made(tmp_path, data, "standard")
    x, *_ = again(tmp_path, put_csv(tmp_path / "new.csv", ",1", ",0"), schema)
    assert len(x) == 2
    with pytest.raises(UserError, match=r"has 1 columns, and no row names them\. Expected the 2"):
        again(tmp_path, put_csv(tmp_path / "new.csv", "1", "0"), schema)


def test_a_value_that_no_training_row_misses_may_not_be_missing(tmp_path):
    file = put_csv(tmp_path / "in.csv", "a,b,y", *(f"{row},{row},{row % 2}" for row in range(20)))
    *_, schema = made(tmp_path, of_csv(file), "standard")
    with pytest.raises(UserError, match="row 2 has no value in the column a, and every row"):
        again(tmp_path, put_csv(tmp_path / "new.csv", "a,b", "1,2", ",3"), schema)


@pytest.mark.parametrize("color", ["gray", "rgb", "gray16"])
def test_images_read_anew_are_those_of_the_test_to_the_bit(tmp_path, color, monkeypatch):
    monkeypatch.setattr("tasks.sources.images.FILES", 3)  # several parts
    folder = put_images(tmp_path / "in", "cat dog", 9)
    _, arrays, schema = made(tmp_path, of_images(folder, color=color), "standard")
    x, places, labels = again(tmp_path, folder, schema)
    assert labels == ["cat"] * 9 + ["dog"] * 9
    found = dict(zip(places, x, strict=True))
    for name, row in zip(arrays["from_test"], arrays["x_test"], strict=True):
        np.testing.assert_array_equal(found[name], row)


def test_one_image_is_a_row_without_a_label(tmp_path):
    *_, schema = made(tmp_path, of_images(put_images(tmp_path / "in", "cat dog", 9)), "pixels")
    x, _, labels = again(tmp_path, put_image(tmp_path / "new.png", 30, 40), schema)
    assert (x.shape, labels) == ((1, 4, 6, 3), None)
    with pytest.raises(UserError, match="cannot be used as an image"):
        again(tmp_path, put_csv(tmp_path / "new.png", "no image"), schema)


def test_files_of_idx_read_anew_are_those_of_the_test_to_the_bit(tmp_path):
    folder = put_idx(tmp_path / "in")
    _, arrays, schema = made(tmp_path, of_idx(folder, transpose=True), "standard")
    x, _, labels = again(tmp_path, folder / "t10k-images-idx3-ubyte.gz", schema)
    np.testing.assert_array_equal(x, arrays["x_test"])
    assert labels == [str(each) for each in rows(6)[1]]


def test_arrays_read_anew_are_those_of_the_test_to_the_bit(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.answers.reading.BATCHES", 1)  # several blocks
    monkeypatch.setattr("tasks.core.arrays.ROWS", 4)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2
    splits = {"x_train": x[:30], "y_train": y[:30], "x_test": x[30:], "y_test": y[30:]}
    _, arrays, schema = made(tmp_path, of_npz(put_npz(tmp_path / "in.npz", **splits)), "standard")
    new = put_npz(tmp_path / "new.npz", x=x[30:].astype(np.float64))
    found, _, labels = again(tmp_path, new, schema)
    np.testing.assert_array_equal(found, arrays["x_test"])
    assert labels is None
    with pytest.raises(UserError, match=r"a row of x has the shape \(2,\)\. Expected that of"):
        again(tmp_path, put_npz(tmp_path / "narrow.npz", x=x[:, :2]), schema)


SCALES = {  # of the training rows, of the new ones, and what is said
    "0 to 1": (
        np.uint8,
        255,
        0,
        r"no whole number from 0 to 255, as expected\. The new values lie",
    ),
    "-1 to 1": (
        np.uint8,
        127.5,
        -1,
        r"between -1 and [0-9.]+, those of the training rows between 0",
    ),
    "not whole": (np.uint8, 1.1, 0, r"no whole number .* between 0 and 255\. Correct the values"),
    "above 255": (np.uint8, 0.1, 0, r"[0-9]+, which is no whole number from 0 to 255"),
    "0 to 1 of floats": (np.float32, 255, 0, "on another scale.*Scale the new ones as those"),
    "-1 to 1 of floats": (np.float64, 127.5, -1, "on another scale.*and no further"),
}


@pytest.mark.parametrize("kind", SCALES)
def test_images_that_somebody_has_scaled_are_refused(tmp_path, kind):
    of_type, divide, add, says = SCALES[kind]
    x, y = rows(40)
    x[0, 0] = (0, 255, 0, 255)
    file = put_npz(tmp_path / "in.npz", x_train=x.astype(of_type), y_train=y)
    *_, schema = made(tmp_path, of_npz(file, test=0.2), "standard")
    expected, *_ = again(tmp_path, put_npz(tmp_path / "new.npz", x=x), schema)
    same, *_ = again(tmp_path, put_npz(tmp_path / "new.npz", x=x.astype(np.float64)), schema)
    np.testing.assert_array_equal(expected, same)

    new = x / divide + add
    with pytest.raises(UserError, match=rf"new\.npz: x .*{says}"):
        again(tmp_path, put_npz(tmp_path / "new.npz", x=new), schema)
    with pytest.raises(UserError, match=f"^the request .*{says}"):
        Reader(schema, Folder(tmp_path / "out")).values(new.tolist(), len(new))


def test_true_and_false_are_no_pixels_of_a_model_of_0_to_255(tmp_path):
    """A PNG of one bit is read as 0 and 255, an array of 0 and 1 may be very dark."""
    x, y = rows(40)
    x[0, 0] = (0, 255, 0, 255)
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=y)
    *_, schema = made(tmp_path, of_npz(file, test=0.2), "none")
    again(tmp_path, put_npz(tmp_path / "new.npz", x=x // 255), schema)
    says = r"another scale\. The new values lie between 0 and 1, those .* between 0 and 255"
    with pytest.raises(UserError, match=says):
        again(tmp_path, put_npz(tmp_path / "new.npz", x=x > 99), schema)


def test_a_whole_number_of_more_than_64_bits_is_a_number(tmp_path):
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=y)
    *_, schema = made(tmp_path, of_npz(file, test=0.2), "none")
    reader = Reader(schema, Folder(tmp_path / "out"))
    assert reader.values([[2**70, 1]], 1).x.tolist() == [[2.0**70, 1]]
    for row in ([2**70, None], [2**70, True], [2**70, "1"]):
        with pytest.raises(UserError, match="A value is not a number"):
            reader.values([row], 1)


def test_images_that_nobody_has_scaled_are_refused_by_a_model_of_scaled_ones(tmp_path):
    x, y = rows(40)
    file = put_npz(tmp_path / "in.npz", x_train=x / 255, y_train=y)
    *_, schema = made(tmp_path, of_npz(file, test=0.2), "none")
    again(tmp_path, put_npz(tmp_path / "new.npz", x=x > 99), schema)
    says = r"another scale\. The new values lie between 0 and 255, those .* between 0 and 1\. Scale"
    with pytest.raises(UserError, match=says):
        again(tmp_path, put_npz(tmp_path / "new.npz", x=x), schema)


def test_features_that_are_whole_numbers_are_not_rounded(tmp_path):
    x, y = np.arange(80).reshape(40, 2) * 3, np.arange(40) % 2
    file = put_npz(tmp_path / "in.npz", x_train=x.astype(np.uint8), y_train=y)
    *_, schema = made(tmp_path, of_npz(file, test=0.2), "none")
    for new in (put_csv(tmp_path / "new.csv", "1,0.5"), put_npz(tmp_path / "new.npz", x=x / 7)):
        with pytest.raises(UserError, match="which is no whole number from 0 to 255"):
            again(tmp_path, new, schema)


def test_a_model_of_arrays_reads_numbers_as_text_too(tmp_path):
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
    *_, schema = made(
        tmp_path, of_npz(put_npz(tmp_path / "in.npz", x_train=x, y_train=y), test=0.2), "none"
    )
    for lines in (["a,b", "1,2.5", "3,-4e0"], ["1,2.5", "3,-4e0"]):
        found, places, _ = again(tmp_path, put_csv(tmp_path / "new.csv", *lines), schema)
        assert found.tolist() == [[1, 2.5], [3, -4]]
        assert places == ["row 1", "row 2"]
    for lines, says in (
        (["1,2,3"], r"a row has 3 values\. The model was trained on 2"),
        (["1,2", "x,3"], "column 1 of row 2 is `x`"),
        (["1,2", ",3"], "column 1 of row 2 is `nan`"),
        (["a,b"], r"new\.csv has no rows\. Expected some, below the names"),
    ):
        with pytest.raises(UserError, match=says):
            again(tmp_path, put_csv(tmp_path / "new.csv", *lines), schema)


def test_a_schema_of_an_earlier_version_is_named(tmp_path):
    *_, schema = made(tmp_path, of_images(put_images(tmp_path / "in", "cat dog", 9)), "pixels")
    old = {key: value for key, value in json.loads(json.dumps(schema)).items() if key != "load"}
    with pytest.raises(UserError, match=r"made by an earlier version\. Train again"):
        again(tmp_path, tmp_path / "in", old)


@pytest.mark.parametrize(
    "rows", [7, 8, 100]
)  # in a part: the last row is alone in its part, or not
def test_a_last_line_that_sums_up_is_no_new_row(tmp_path, monkeypatch, rows):
    monkeypatch.setattr("tasks.sources.new_rows.ROWS", rows)
    lines = people()
    params = of_csv(put_csv(tmp_path / "in.csv", *lines), columns=KINDS, missing="median")
    *_, schema = made(tmp_path, params, "standard")
    for name, row in (("sex", ",Total,,,"), ("age", "Total: 900,,,,")):
        new = put_csv(tmp_path / "new.csv", *lines[:50], row)
        with pytest.raises(UserError, match=rf"row 50 \(`Total.*in {name}\) at the end .* delete"):
            again(tmp_path, new, schema)


def test_a_word_such_as_total_that_the_training_rows_have_is_a_word(tmp_path):
    lines = ["a,loss,y", *(f"{row},{('total', 'partial')[row % 2]},{row % 2}" for row in range(40))]
    params = of_csv(put_csv(tmp_path / "in.csv", *lines), columns={"loss": "words"})
    *_, schema = made(tmp_path, params, "standard")
    new = put_csv(tmp_path / "new.csv", "a,loss", "1,partial", "2,total")
    assert len(again(tmp_path, new, schema)[0]) == 2


def test_a_row_that_is_longer_than_the_names_is_named_wherever_it_is(tmp_path):
    lines = people()
    params = of_csv(put_csv(tmp_path / "people.csv", *lines), columns=KINDS, missing="median")
    _, _, schema = made(tmp_path, params, "standard")
    for row in (1, 3):
        longer = [*lines[:row], lines[row] + ",9", *lines[row + 1 :]]
        with pytest.raises(UserError, match=r"more values than|line 4 has 6 val"):
            again(tmp_path, put_csv(tmp_path / "new.csv", *longer), schema)


@pytest.fixture
def flats(tmp_path) -> tuple[Path, dict]:
    """A model of a table, and its folder."""
    lines = ["Fl\u00e4che,Baujahr,y"]
    lines += [f"{30 + row},{1950 + row},{row % 2}" for row in range(40)]
    params = of_csv(put_csv(tmp_path / "flats.csv", *lines))
    _, _, schema = made(tmp_path, params, "standard")
    return tmp_path, schema


NAMES = {
    "composed otherwise": "Fla\u0308che,Baujahr",
    "blanks": " Fl\u00e4che,Baujahr ",
    "the target, too": "Fl\u00e4che,Baujahr, y",
}


@pytest.mark.parametrize("names", NAMES)
def test_columns_whose_names_look_the_same_are_the_same(flats, names):
    tmp_path, schema = flats
    label = ",1" if "y" in NAMES[names].split(",")[-1] else ""
    usual = put_csv(tmp_path / "usual.csv", "Fl\u00e4che,Baujahr", "40,1970")
    other = put_csv(tmp_path / "other.csv", NAMES[names], f"40,1970{label}")

    expected, found = again(tmp_path, usual, schema), again(tmp_path, other, schema)
    np.testing.assert_array_equal(found[0], expected[0])
    assert (found[2] is not None) == bool(label)

    row = dict(zip(NAMES[names].split(",")[:2], (40, 1970), strict=True))
    sent = Reader(schema, Folder(tmp_path / "out")).values([row], most=1)
    np.testing.assert_array_equal(sent.x, [[40, 1970]])


REFUSED = {
    "another case": ("fl\u00e4che,Baujahr\n40,1970", r"no column Fl.*Is `fl\u00e4che` the column"),
    "empty": ("", r"in\.csv is empty\. Expected the columns Fl"),
    "semicolons": ("Fl\u00e4che;Baujahr\n40;1970\n41;1971", r"`;` stands between its values"),
    "and decimal commas": ("Fl\u00e4che;Baujahr\n4,0;1970\n4,1;1971", r"`;` stands between"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_wrong_with_the_names_is_said(flats, why):
    (tmp_path, schema), (text, says) = flats, REFUSED[why]
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=says):
        again(tmp_path, tmp_path / "in.csv", schema)


def test_a_folder_that_is_no_table_in_parts_is_refused_as_one(flats):
    tmp_path, schema = flats
    with pytest.raises(UserError, match=r"is a folder\. Expected a CSV or Parquet file") as told:
        again(tmp_path, tmp_path, schema)
    assert "params.yaml" not in str(told.value)
