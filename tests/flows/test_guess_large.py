"""A table that is too large for `new` to look at as a whole."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.command.new import new
from flows.guess import csv, sample
from tests.support.own import put_csv, table

ROWS = 2000
COLUMNS = {
    "patient": lambda row: f"p{row // 4}",  # those of one follow each other
    "plz": lambda row: f"{row % 6 * 401:05}",
    "weight": lambda row: "" if row == 790 else row * 31 % 97,
    "town": lambda row: "Ulm" if row % 3 else "Bonn",
    "paid": lambda row: f'"${row % 90 + 1},000"',
    "born": lambda row: f"19{row % 50 + 50}-0{row % 9 + 1}-11",
}


@pytest.mark.parametrize("ending", ["csv", "parquet", "parts"])
def test_a_large_table_gets_the_proposal_of_a_small_one(project, monkeypatch, ending):
    lines = table(ROWS, lambda row: row * 17 % 101 / 7, **COLUMNS)
    file = put_csv(project.root / "own/in.csv", *lines)
    if ending == "parquet":
        pd.read_csv(file, dtype={"plz": str}).to_parquet(file := file.with_suffix(".parquet"))
    if ending == "parts":
        half = ROWS // 2
        put_csv(project.root / "own/parts/in-1.csv", *lines[: half + 1])
        put_csv(project.root / "own/parts/in-2.csv", lines[0], *lines[half + 1 :])
        file = project.root / "own/parts"
    whole = new(project, "whole", str(file))

    monkeypatch.setattr(csv, "LARGE", 1000)
    monkeypatch.setattr(csv, "CHUNK", 90)
    monkeypatch.setattr(sample, "VALUES", 4000)
    monkeypatch.setattr(sample, "RUN", 16)
    some = new(project, "some", str(file))
    assert some.load == whole.load
    assert some.load["group"] == "patient"
    assert some.load["missing"] == "median"  # for one row, which a sample may lack
    assert some.load["columns"]["plz"] == "words"

    assert not any("were looked at" in note for note in whole.notes)
    (said,) = [note for note in some.notes if "were looked at" in note]
    assert said.endswith(
        " of 2,000 rows were looked at, and are counted here; load reads all of them"
    )
    assert 100 < int(said.split()[0]) < 600
