"""A table larger than memory: read some rows at a time, its numbers on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow.csv import write_csv

from tasks.core import arrays
from tasks.core.folder import Folder
from tasks.core.step import Stopped, UserError, stopping
from tasks.load import load
from tasks.normalize import Params, normalize
from tasks.sources import csv, frames, parquet, text
from tests.conftest import ROOT

ROWS = 60
COMMON = {
    "test": 0.25,
    "seed": 0,
    "class_names": None,
    "target": "y",
    "task": "regression",
    "group": None,
    "ignore": ["note"],
    "columns": {"word": "words", "day": "date", "yes": "boolean"},
    "missing": "mean",
}


def frame() -> pd.DataFrame:
    """Columns whose first rows look otherwise than the last ones."""
    random, row = np.random.default_rng(0), np.arange(ROWS)
    y = random.normal(size=ROWS)
    return pd.DataFrame(
        {
            "number": random.normal(size=ROWS),
            "whole, then parts": [str(k) if k < 40 else f"{k}.25" for k in row],
            "huge, then parts": [str(2**53 + k) if k < 40 else f"{k}.25" for k in row],
            "huge": 2**60 + row,
            "plain, then money": [f"{k}.10" if k < 40 else f"${k}" for k in row],
            "empty at first": np.where(row < 20, np.nan, y**2),
            "word": np.where(row < 30, "01", np.array(["a", "b", "c"])[row % 3]),
            "day": [f"2024-01-{k % 28 + 1:02}" for k in row],
            "yes": np.where(row % 2, "yes", "no"),
            "note": [str(k % 7) if k < 30 else f"n{k}" for k in row],
            "who": row // 4,
            "y": np.where(row == 33, np.nan, y),
        }
    )


def put(place: Path, form: str, ending: str) -> Path:
    """The same rows in one file, in parts, or split."""
    whole = frame()
    cuts = {
        "one": {"train": whole},
        "parts": {"part-0": whole[:25], "part-1": whole[25:]},
        "given": {"train": whole[:40], "val": whole[40:48], "test": whole[48:]},
    }
    place.mkdir()
    for name, rows in cuts[form].items():
        write = rows.to_csv if ending == ".csv" else rows.to_parquet
        write(place / f"{name}{ending}", index=False)
    return place


def params(place: Path, ending: str, **more):
    chosen = {**COMMON, "path": str(place), **more}
    if ending == ".parquet":
        return parquet.Params(source="parquet", **chosen)
    return csv.Params(source="csv", separator=",", header=True, decimal=".", **chosen)


def content(folder: Path, data) -> dict[str, bytes]:
    """What `load` and `normalize` write."""
    folder.mkdir()
    load(Folder(folder), data)
    validation = "given" if data.test == "given" else 0.2
    normalize(Folder(folder), Params(scale="standard", validation=validation, seed=0))
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("form", "more"),
    [
        ("one", {}),
        ("one", {"group": "who", "missing": "drop"}),
        ("parts", {}),
        ("given", {"test": "given"}),
    ],
)
def test_some_rows_at_a_time_the_bytes_are_the_same(tmp_path, monkeypatch, ending, form, more):
    data = params(put(tmp_path / "in", form, ending), ending, **more)
    monkeypatch.setattr(arrays, "BLOCK", 1000)  # in both: sums depend on it
    at_once = content(tmp_path / "at once", data)

    rows = 10
    monkeypatch.setattr(frames, "BLOCK", rows * 8 * len(frame().columns))
    monkeypatch.setattr(arrays, "LARGE", 0)
    in_blocks = content(tmp_path / "in blocks", data)
    assert {"raw.npz", "normalized.npz"} < in_blocks.keys() == at_once.keys()
    assert [name for name in at_once if in_blocks[name] != at_once[name]] == []


def test_a_value_far_down_is_named_by_its_row(tmp_path, monkeypatch):
    rows = frame().drop(columns="note")
    rows["number"] = rows["number"].astype(object)
    rows.loc[47, "number"] = "far"
    rows.to_csv(tmp_path / "in.csv", index=False)
    monkeypatch.setattr(frames, "BLOCK", 1000)
    with pytest.raises(UserError, match=r"number has 'far' in row 48\b"):
        load(Folder(tmp_path), params(tmp_path / "in.csv", ".csv", ignore=[]))


def test_reading_can_be_stopped_between_two_blocks(tmp_path, monkeypatch):
    frame().to_csv(tmp_path / "in.csv", index=False)
    monkeypatch.setattr(frames, "BLOCK", 10 * 8 * len(frame().columns))
    read = text.parts

    def parts(*arguments):
        for number, part in enumerate(read(*arguments)):
            if number == 2:
                stopping.set()
            yield part

    monkeypatch.setattr(text, "parts", parts)
    try:
        with pytest.raises(Stopped, match=r"after 20 rows of in\.csv"):
            load(Folder(tmp_path), params(tmp_path / "in.csv", ".csv"))
    finally:
        stopping.clear()


@pytest.mark.parametrize("order", [["None", "1", "2", "a"], ["a", "1", "2", "None"]])
def test_none_among_words_is_refused_wherever_the_words_are(tmp_path, monkeypatch, order):
    rows = pd.DataFrame({"x": range(40), "y": np.repeat(order, 10)})
    rows.to_csv(tmp_path / "in.csv", index=False)
    monkeypatch.setattr(frames, "BLOCK", 2 * 8 * 10)
    chosen = {"ignore": [], "columns": {}, "task": "classes"}
    first = 1 + 10 * order.index("None")
    with pytest.raises(UserError, match=rf"y has `None` in row {first}: is that a word"):
        load(Folder(tmp_path), params(tmp_path / "in.csv", ".csv", **chosen))


MEMORY = """
import sys
from pathlib import Path

from tasks.core import arrays
from tasks.core.folder import Folder
from tasks.load import load
from tasks.sources import frames
from tests.sources.test_large_table import params
from tests.support.memory import added

place = Path(sys.argv[1])
arrays.LARGE, arrays.BLOCK, frames.BLOCK = 10**6, 2**20, 2**20
chosen = {"ignore": [], "columns": {}}
load(Folder(place), params(place / "few.csv", ".csv", **chosen))
print(added(lambda: load(Folder(place), params(place / "many.csv", ".csv", **chosen))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_a_large_table_is_not_held_in_memory(tmp_path):
    x = np.random.default_rng(0).normal(size=(50_000, 100)).round(2)
    x[7, 0] = np.nan  # a row without a target, which is dropped
    many = pd.DataFrame(x, columns=["y", *(f"x{k}" for k in range(1, 100))])
    write_csv(pa.Table.from_pandas(many), tmp_path / "many.csv")
    many[:100].to_csv(tmp_path / "few.csv", index=False)

    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    needed = int(done.stdout.splitlines()[-1])
    assert needed < 0.8 * x.nbytes, needed  # with LARGE = 10**12 it is 3.2 times the size
