"""Parquet files: the same table as from a CSV file, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.command.new import new
from tasks.answers.reading import read
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources.place import Place
from tests.support.own import loaded, normalized, of_csv, of_parquet
from tests.support.project import new_project
from tests.support.wrong import refused

ROWS = 60
KINDS = {"sex": "words", "born": "date", "smoker": "boolean", "seen": "date", "zip": "words"}


def people() -> pa.Table:
    """A column of each type that a model can use, most of them with a hole."""
    random = np.random.default_rng(0)
    row = np.arange(ROWS)
    hole = row % 11 == 0
    days = pd.date_range("1950-03-01", periods=ROWS, freq="97D")
    sexes = pa.array(np.where(row % 2, "male", "female"), mask=hole)
    return pa.table(
        {
            "age": pa.array(random.normal(40, 9, ROWS), mask=hole),
            "short": pa.array(random.normal(size=ROWS).astype(np.float32)),
            "children": pa.array(row % 4, pa.int8(), mask=hole),
            "income": pa.array([Decimal(int(each)) / 100 for each in row * 12345 % 7001]),
            "sex": sexes.dictionary_encode(),
            "zip": pa.array(row % 3 + 10_000, pa.int32()),
            "smoker": pa.array(row % 3 == 0, mask=hole),
            "born": pa.array(days.date),
            "seen": pa.array(days + pd.Timedelta("18:30:05"), pa.timestamp("us", tz="UTC")),
            "y": pa.array(row % 2, mask=row == 7),
        }
    )


def put(path: Path, table: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=20)
    return path


def as_csv(path: Path, table: pa.Table) -> Path:
    table.to_pandas(integer_object_nulls=True).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("task", ["classes", "regression"])
def test_a_table_is_the_same_from_either_file(tmp_path, task):
    how = {"columns": KINDS, "missing": "median", "task": task}
    file = put(tmp_path / "in.parquet", people())
    found = loaded(tmp_path / "one", of_parquet(file, **how))
    text = loaded(tmp_path / "two", of_csv(as_csv(tmp_path / "in.csv", people()), **how))
    assert sorted(found) == sorted(text)

    short = found["feature_names"].tolist().index("short")
    for key in set(found) - {"load", "from_train", "from_test"}:
        exact, written = found[key], text[key]
        if key.startswith("x"):  # a float32 of six digits is another number as float64
            np.testing.assert_allclose(exact[:, short], written[:, short], rtol=1e-6)
            exact, written = np.delete(exact, short, 1), np.delete(written, short, 1)
        np.testing.assert_array_equal(exact, written, key)


@pytest.mark.parametrize("asked", ["parquet", "csv"])
def test_rows_read_anew_are_those_of_the_test_to_the_bit(tmp_path, monkeypatch, asked):
    monkeypatch.setattr("tasks.sources.new_rows.ROWS", 7)  # several parts
    rows = people().drop_columns(["short"])
    file = put(tmp_path / "in.parquet", rows)
    loaded(tmp_path / "out", of_parquet(file, columns=KINDS, missing="median"))
    schema = normalized(tmp_path / "out", scale="standard", validation=0.2)
    with np.load(tmp_path / "out/normalized.npz") as saved:
        places, expected = saved["from_test"], saved["x_test"]

    if asked == "csv":  # new rows may come as another kind of file
        file = as_csv(tmp_path / "new.csv", rows)
    parts = list(read(Place(file, file.name), schema, Folder(tmp_path / "out")))
    x = np.concatenate([scaled for scaled, _ in parts])
    assert [place for _, part in parts for place in part.places] == [
        f"row {row + 1}" for row in range(ROWS)
    ]
    numbers = [int(place.split()[-1]) - 1 for place in places]
    np.testing.assert_array_equal(x[numbers], expected)


def test_validation_and_test_rows_are_files_of_a_folder(tmp_path):
    for split, rows in (("train", 30), ("val", 10), ("test", 20)):
        put(tmp_path / f"in/{split}.parquet", people().slice(0, rows))
    how = {"columns": KINDS, "missing": "median", "test": "given"}
    found = loaded(tmp_path / "out", of_parquet(tmp_path / "in", **how))
    assert found["from_train"][[0, -1]].tolist() == ["train.parquet 1", "val.parquet 10"]
    assert found["given_train"].sum() == 9  # one has no target
    assert len(found["x_test"]) == 19


def odd(**columns) -> pa.Table:
    found = people().select(["children", "y"])
    for name, values in columns.items():
        found = found.append_column(name, values)
    return found


LISTS = pa.array([[row % 3] for row in range(ROWS)])
TIMES = pa.array([1] * ROWS, pa.duration("s"))

WRONG = {
    "a list": (odd(tags=LISTS), {}, r"the column tags has the type list<.*int64>\. Expected num"),
    "a duration": (odd(lasted=TIMES), {}, r"column lasted has the type duration\[s\]\. .*`ignore"),
    "target absent": (people(), {"target": "z"}, r"no column z, which load\.target names"),
    "no rows": (people().slice(0, 0), {}, r"has columns and no rows\. Expected some"),
    "words in a number": (people(), {"missing": "median"}, r"sex has 'male' in row 2\. Expected"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_named_with_what_to_do(tmp_path, kind):
    table, how, expected = WRONG[kind]
    refused(tmp_path, lambda path: of_parquet(put(path / "in.parquet", table), **how), expected)


def test_a_file_of_another_kind_or_one_that_is_cut_is_refused(tmp_path):
    whole = put(tmp_path / "whole.parquet", people()).read_bytes()
    for content in (b"a,y\n1,2\n", whole[:-20]):
        (tmp_path / "in.parquet").write_bytes(content)
        with pytest.raises(UserError, match=r"in\.parquet cannot be read: .*\. Expected a \.parq"):
            loaded(tmp_path / "out", of_parquet(tmp_path / "in.parquet"))


def test_an_ignored_column_may_have_any_type(tmp_path):
    file = put(tmp_path / "in.parquet", odd(tags=LISTS))
    found = loaded(tmp_path / "out", of_parquet(file, ignore=["tags"], missing="drop"))
    assert found["feature_names"].tolist() == ["children"]


def test_new_proposes_a_section_that_works(tmp_path):
    project = new_project(tmp_path / "project")
    table = people().append_column("tags", LISTS)
    proposal = new(project, "mine", str(put(project.root / "own/in.parquet", table)))
    load = proposal.load
    assert (load["source"], load["target"], load["task"]) == ("parquet", "y", "classes")
    assert load["ignore"] == ["tags"]
    assert load["columns"] == {each: kind for each, kind in KINDS.items() if each != "zip"}
    assert any("tags; the type list<" in note for note in proposal.notes)
    assert project.read("mine").load.source == "parquet"
