"""Rows in memory are read as those of a file."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from flows.predict import _in_a_file
from tasks.answers.reading import read
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tests.support.own import loaded, normalized, of_csv, put_csv

KINDS = {"city": "words", "sold": "date %d.%m.%Y", "new": "boolean", "zone": "words"}
NAMES = ["rooms", *KINDS]


@pytest.fixture
def model(tmp_path):
    """The folder of a model of a table, up to `normalize`."""
    lines = [",".join([*NAMES, "y"])]
    for row in range(60):
        rooms = "" if row % 9 == 0 else row % 5
        date = f"{1 + row % 28:02}.{1 + row % 12:02}.{1990 + row % 20}"
        city, new = ("Oslo", "Rome")[row % 2], ("yes", "no")[row % 3 == 0]
        lines.append(f"{rooms},{city},{date},{new},{row % 4},{row % 2}")
    path = put_csv(tmp_path / "flats.csv", *lines)
    loaded(tmp_path / "out", of_csv(path, columns=KINDS, missing="median"))
    normalized(tmp_path / "out", validation=0.2)
    return tmp_path / "out"


def scaled(model, data) -> np.ndarray:
    schema = Folder(model).read_json("schema.json")
    with _in_a_file(data, model) as place:
        return np.concatenate([x for x, _ in read(place, schema, Folder(model))])


@pytest.fixture
def expected(model, tmp_path):
    """What a file of two rows is read as."""
    lines = (",".join(NAMES), "3,Oslo,31.12.2001,yes,1", ",Rome,01.02.2003,no,2")
    return scaled(model, put_csv(tmp_path / "new.csv", *lines))


DATES = {
    "of Python": [datetime.date(2001, 12, 31), datetime.date(2003, 2, 1)],
    "of NumPy": np.array(["2001-12-31", "2003-02-01"], dtype="datetime64[s]"),
    "with the time": [pd.Timestamp(2001, 12, 31, 8), pd.Timestamp(2003, 2, 1, 9)],
    "as they are written": ["31.12.2001", "01.02.2003"],
}


@pytest.mark.parametrize("dates", DATES)
def test_a_date_is_one_however_a_frame_has_it(model, expected, dates):
    frame = pd.DataFrame(
        {"rooms": [3, None], "city": ["Oslo", "Rome"], "sold": DATES[dates], "new": [True, False]}
    )
    np.testing.assert_array_equal(scaled(model, frame.assign(zone=[1, 2])), expected)


def test_a_parquet_file_has_dates_that_the_training_rows_wrote_otherwise(model, expected, tmp_path):
    frame = pd.DataFrame({"rooms": [3, None], "city": ["Oslo", "Rome"], "new": [True, False]})
    frame = frame.assign(sold=DATES["with the time"], zone=["1", "2"])
    frame["sold"] = frame["sold"].dt.normalize()
    frame.to_parquet(tmp_path / "new.parquet")
    np.testing.assert_array_equal(scaled(model, tmp_path / "new.parquet"), expected)


ROW = {"rooms": [3], "city": ["Oslo"], "sold": ["31.12.2001"], "new": [True], "zone": [1]}
WRONG = {
    "lists": ({"city": [["Oslo"]]}, r"the column city has the type list<"),
    "bytes": ({"city": [b"Oslo"]}, r"the column city has the type binary\."),
    "complex": ({"rooms": [3j]}, r"^The data frame cannot be read: "),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_column_that_no_file_could_have_is_refused(model, what):
    other, says = WRONG[what]
    with pytest.raises(UserError, match=says):
        scaled(model, pd.DataFrame({**ROW, **other}))


def test_an_array_is_no_table(model):
    with pytest.raises(
        UserError, match=r"^The data are an array.* with rooms, city, sold, new, zo"
    ):
        scaled(model, np.zeros((1, 5)))


def test_rows_may_be_dictionaries(model, expected):
    rows = [
        {"rooms": 3, "city": "Oslo", "sold": "31.12.2001", "new": True, "zone": 1},
        {"city": "Rome", "sold": "01.02.2003", "new": False, "zone": 2, "rooms": None},
    ]
    np.testing.assert_array_equal(scaled(model, rows), expected)
    np.testing.assert_array_equal(
        scaled(model, [rows[0], {**rows[1], "zone": None}])[0], expected[0]
    )


def test_bounds_amounts_of_time_and_codes_are_read_as_in_the_training(tmp_path):
    lines = ["lead,took,zip,y"]
    for row in range(60):
        lead, place = "<0.5" if row % 5 == 0 else row, ("02139", "94107")[row % 2]
        lines.append(f"{lead},{row % 7 + 1}h 5m,{place},{row % 2}")
    path = put_csv(tmp_path / "in.csv", *lines)
    loaded(tmp_path / "out", of_csv(path, columns={"zip": "words"}))
    normalized(tmp_path / "out", validation=0.2, scale="standard")

    file = put_csv(tmp_path / "new.csv", "lead,took,zip", "<0.5,45 min,02139")
    expected = scaled(tmp_path / "out", file)
    for row in (("<0.5", "0:45:00", "02139"), (0.5, 2700, "02139")):
        found = scaled(tmp_path / "out", [dict(zip(("lead", "took", "zip"), row, strict=True))])
        np.testing.assert_array_equal(found, expected)
