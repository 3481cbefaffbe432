"""Columns of a table as features: fitted to the training rows, and read back from schema.json."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.rows.encoding import BINS, BUCKETS, IN_A_BIN, MOST, Encoding, quantiles
from tasks.rows.scaling import Scaling
from tasks.sources import kinds
from tasks.sources.place import Place
from tests.support.own import loaded, normalized, of_csv, put_csv

ROWS = 60
KINDS = {"sex": "words", "born": "date %d.%m.%Y", "smoker": "boolean"}


def lines() -> list[str]:
    """People with holes in every column, and a word that is rare."""
    random = np.random.default_rng(0)
    found = ["age,sex,born,smoker,y"]
    for row in range(ROWS):
        age = "" if row % 7 == 0 else f"{random.normal(40, 9):.2f}"
        sex = "" if row % 11 == 0 else "other" if row == 30 else ("male", "female")[row % 2]
        born = "" if row % 13 == 0 else f"{1 + row % 28:02}.{1 + row % 12:02}.{1950 + row}"
        smoker = "" if row % 9 == 0 else ("yes", "No")[row % 3 == 0]
        found.append(f"{age},{sex},{born},{smoker},{row % 2}")
    return found


def encoded(kind: str, values: list, words=(), fill="median", new=None) -> list[list[float]]:
    """The features of some rows, with an encoding that is fitted to all of them or to others."""
    x, words = np.array(values, float), np.array(words, dtype=np.str_)
    encoding = Encoding.of([x], ["c"], [kind], words, fill)
    rows = x if new is None else np.array(new, float)
    return encoding.apply(rows[:, None], words).tolist()


def test_new_rows_are_read_by_the_schema_alone_to_the_bit(tmp_path):
    file = put_csv(tmp_path / "in.csv", *lines())
    found = loaded(tmp_path / "out", of_csv(file, columns=KINDS, missing="median"))
    normalized(tmp_path / "out", scale="standard", validation=0.2)
    with np.load(tmp_path / "out/normalized.npz") as arrays:
        expected = arrays["x_test"]

    schema = json.loads((tmp_path / "out/schema.json").read_text())
    of_kind = {column["name"]: column["kind"] for column in schema["columns"]}
    texts = {name: str for name, kind in of_kind.items() if kind != "number"}
    rows = [int(place.rpartition(" ")[2]) - 1 for place in found["from_test"]]
    new = pd.read_csv(file, dtype=texts).iloc[rows[::-1]]

    place = Place.named(str(file), Folder(tmp_path / "out"))
    x, words = kinds.arrays({"new": place}, {"new": new}, of_kind)
    features = Encoding.from_json(schema).apply(x["new"], words)
    scaled = Scaling.from_json(schema["scaling"]).apply(features)
    assert scaled.dtype == expected.dtype
    np.testing.assert_array_equal(scaled[::-1], expected)
    assert scaled.shape[1] == len(schema["feature_names"]) == schema["input_shape"][0]


def test_the_features_say_what_they_are(tmp_path):
    file = put_csv(tmp_path / "in.csv", *lines())
    loaded(tmp_path / "out", of_csv(file, columns=KINDS, missing="mean"))
    names = normalized(tmp_path / "out")["feature_names"]
    assert names[:5] == ["age", "age is missing", "sex = female", "sex = male", "sex is missing"]
    assert names[5:8] == ["born: time", "born: season (sine)", "born: season (cosine)"]
    assert names[8] == "born: Monday"
    assert names[-3:] == ["born is missing", "smoker", "smoker is missing"]


def test_rare_and_unknown_words_are_none_of_the_features():
    words, codes = ["a", "b", "new", "rare"], [0] * 5 + [1] * 6 + [3] * 4
    found = encoded("words", codes, words, new=[0, 1, 2, 3])
    assert found == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_the_most_frequent_words_are_features_and_all_others_share_some():
    words = [f"w{number:03}" for number in range(MOST + 5)] + ["new", "newer"]
    codes = [code for code in range(MOST + 5) for _ in range(6 if code < MOST else 5)]
    rows = np.array(encoded("words", codes, words, new=[*range(len(words)), np.nan]))
    assert rows.shape[1] == MOST + BUCKETS
    np.testing.assert_array_equal(rows[:MOST, :MOST], np.eye(MOST))

    others = rows[MOST:-1, MOST:]
    assert not rows[MOST:, :MOST].any()
    assert others.sum(axis=1).tolist() == [1] * 7
    assert len(np.unique(others, axis=0)) > 3  # most of them can be told apart
    assert rows[-1].sum() == 0


def test_up_to_so_many_words_none_is_shared():
    words = [f"w{number:03}" for number in range(MOST)] + ["rare"]
    codes = [code for code in range(MOST) for _ in range(5)] + [MOST]
    assert np.shape(encoded("words", codes, words)) == (5 * MOST + 1, MOST)


def test_a_missing_value_has_the_usual_one_and_a_feature_that_tells():
    assert encoded("number", [1, np.nan, 4, 10]) == [[1, 0], [4, 1], [4, 0], [10, 0]]
    assert encoded("number", [1, np.nan, 4, 10], fill="mean")[1] == [5, 1]
    assert encoded("boolean", [0, np.nan, 1, 1])[1] == [1, 1]
    words = [0] * 5 + [np.nan]
    assert encoded("words", words, ["a"])[4:] == [[1, 0], [0, 1]]


def test_where_no_training_row_misses_a_value_there_is_no_feature_and_a_hole_is_filled():
    assert encoded("number", [1, 4, 10], new=[np.nan, 7]) == [[4], [7]]
    with pytest.raises(UserError, match="c has 1 missing values, the first in row 1"):
        encoded("number", [1, 4, 10], fill="", new=[7, np.nan])


def test_the_parts_of_a_date_are_those_that_vary():
    day, hour = 86_400, 3_600
    names = {
        "yearly": [f"{year}-01-01" for year in range(1990, 2020)],
        "monthly": [f"{2000 + m // 12}-{1 + m % 12:02}-01" for m in range(36)],
        "daily": [str(np.datetime64("2020-01-01") + number) for number in range(400)],
        "hourly": [f"2020-01-01T{number:02}:00" for number in range(24)],
    }
    parts = {}
    for name, dates in names.items():
        seconds = np.array(dates, dtype="datetime64[s]").astype(float)
        parts[name] = Encoding.of([seconds], [name], ["date"], np.array([]), "").columns[0].parts
    assert parts == {
        "yearly": ["time"],
        "monthly": ["time", "season"],
        "daily": ["time", "season", "weekday"],
        "hourly": ["time", "hour"],
    }

    # 1970-01-01 was a Thursday: at 6 o'clock the sine of the hour is 1.
    row = encoded("date", [number * day / 2 for number in range(400)], new=[6 * hour])[0]
    assert row[0] == 0.25
    assert row[3:10] == [0, 0, 0, 1, 0, 0, 0]
    np.testing.assert_allclose(row[10:], [1, 0], atol=1e-12)


def test_scaling_leaves_what_is_small_by_itself(tmp_path):
    file = put_csv(tmp_path / "in.csv", *lines())
    loaded(tmp_path / "out", of_csv(file, columns=KINDS, missing="median"))
    normalized(tmp_path / "out", scale="standard")
    with np.load(tmp_path / "out/normalized.npz") as arrays:
        x = arrays["x_train"]
    names = json.loads((tmp_path / "out/schema.json").read_text())["feature_names"]
    for name, values in zip(names, x.T, strict=True):
        if name in ("age", "born: time"):
            assert abs(values.mean()) < 1e-6
            assert values.std() == pytest.approx(1, abs=1e-6)
        elif "season" not in name:
            assert set(values) <= {0, 1}, name


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        (lambda row: "", "number", "c has no value in any training row. Put it into load.ignore"),
        (lambda row: f"w{row}", "words", "c has no word that 5 training rows share"),
    ],
)
def test_a_column_with_nothing_to_learn_from_is_refused(tmp_path, column, kind, says):
    table = ["a,c,y", *(f"{row},{column(row)},{row % 2}" for row in range(40))]
    params = of_csv(put_csv(tmp_path / "in.csv", *table), columns={"c": kind}, missing="median")
    loaded(tmp_path / "out", params)
    with pytest.raises(UserError, match=says):
        normalized(tmp_path / "out")


@pytest.mark.parametrize(("rows", "bins"), [(4 * IN_A_BIN, 4), (10, 2), (9999 * BINS, BINS)])
def test_more_rows_have_more_quantiles_and_a_bit_has_none(rows, bins):
    x = np.column_stack([np.arange(rows), np.arange(rows) % 2, np.arange(rows) % 3])
    found = quantiles(x.astype(np.float32), ["a", "b", "c"])
    assert list(found) == ["a", "c"]
    np.testing.assert_allclose(found["a"], np.linspace(0, rows - 1, bins + 1), atol=0.5)
    assert found["c"] == sorted(set(found["c"]))
    assert len(found["c"]) <= 3
