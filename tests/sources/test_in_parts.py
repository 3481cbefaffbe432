"""A table in parts, each a file of one folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.command.new import new
from tasks.answers.reading import read
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources.in_parts import in_parts
from tasks.sources.place import Place
from tests.support.own import loaded, normalized, of_csv, of_parquet, put_csv, table
from tests.support.project import new_project

LINES = table(24, color=lambda row: ("red", "blue")[row % 2])
HOW = {"columns": {"color": "words"}}
SPARK = "part-0000{}-5f2c7a1e-1c2b-4f5d-9a3e-0123456789ab-c000.snappy.parquet"


def put_parts(place: Path) -> Path:
    """Eleven parts, whose order is that of their numbers: part-10 is the last."""
    head, *rows = LINES
    for number in range(11):
        some = rows[number * 2 : number * 2 + 2] if number < 10 else rows[20:]
        put_csv(place / f"part-{number}.csv", head, *some)
    (place / "_SUCCESS").touch()
    return place


def test_a_table_is_the_same_in_parts_and_whole(tmp_path):
    whole = loaded(tmp_path / "one", of_csv(put_csv(tmp_path / "in.csv", *LINES), **HOW))
    found = loaded(tmp_path / "two", of_csv(put_parts(tmp_path / "in"), **HOW))
    for key in set(whole) - {"load", "from_train", "from_test"}:
        np.testing.assert_array_equal(found[key], whole[key], key)
    places = np.concatenate([found["from_train"], found["from_test"]])
    assert {"part-0.csv 1", "part-0.csv 2", "part-10.csv 4"} <= set(places.tolist())


def test_spark_s_parts_are_read_and_columns_may_stand_in_another_order(tmp_path):
    put_csv(tmp_path / "in.csv", *LINES)
    rows = pd.read_csv(tmp_path / "in.csv")
    (tmp_path / "in").mkdir()
    rows[:12].to_parquet(tmp_path / "in" / SPARK.format(0))
    rows[12:][["y", "color", "b", "a"]].to_parquet(tmp_path / "in" / SPARK.format(1))
    (tmp_path / "in" / f".{SPARK.format(0)}.crc").touch()
    whole = loaded(tmp_path / "one", of_csv(tmp_path / "in.csv", **HOW))
    found = loaded(tmp_path / "two", of_parquet(tmp_path / "in", **HOW))
    np.testing.assert_array_equal(found["x_train"], whole["x_train"])


@pytest.mark.parametrize(
    "names",
    [
        ["train.csv", "test.csv"],
        ["houses_train.csv", "houses_test.csv"],  # else the test rows would be trained on
        ["one.csv"],
        ["part-0.csv", "part-1.csv", "readme.txt"],
        ["part-0.csv", "part-1.parquet"],
        ["year=2024/part-0.csv"],
        [],
    ],
)
def test_other_folders_have_no_parts(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert not in_parts(Place(tmp_path, "in"), ".csv")


def test_a_part_with_other_columns_is_named(tmp_path):
    place = put_parts(tmp_path / "in")
    put_csv(place / "part-3.csv", "a,c,color,y", "1,2,red,0")
    says = r"in/part-3\.csv: only one of part-0\.csv and part-3\.csv has b, c\. Expected"
    with pytest.raises(UserError, match=says):
        loaded(tmp_path / "out", of_csv(place, **HOW))


def test_new_proposes_it_and_new_rows_may_come_so(tmp_path, monkeypatch):
    project = new_project(tmp_path / "project")
    put_parts(project.root / "datasets" / "mine")
    monkeypatch.chdir(project.root)
    new(project, "mine", "datasets/mine")
    assert "path: datasets/mine " in project.params_file.read_text()
    assert project.read("mine").load.columns == {"color": "words"}

    loaded(tmp_path / "out", of_csv(project.root / "datasets" / "mine", **HOW))
    schema = normalized(tmp_path / "out")
    place = Place(project.root / "datasets" / "mine", "new")
    places = [
        row for _, part in read(place, schema, Folder(tmp_path / "out")) for row in part.places
    ]
    assert (places[0], places[-1], len(places)) == ("part-0.csv row 1", "part-10.csv row 4", 24)
