"""The line: six points, and no place that they could be missing from."""

from __future__ import annotations

import numpy as np

from tasks.core.folder import Folder
from tasks.load import load
from tasks.sources import line

LINE = line.Params(source="line", path="data/built-in")


def test_the_line_is_six_points_on_y_equals_x_plus_6_and_needs_no_place(tmp_path):
    folder = Folder(tmp_path / "data/linear")
    assert load(folder, LINE).startswith("6 training and 6 test rows")
    with np.load(folder.path / "raw.npz", allow_pickle=False) as file:
        found = dict(file)
    for split in ("train", "test"):
        assert found[f"x_{split}"].shape == (6, 1)
        np.testing.assert_array_equal(found[f"y_{split}"], found[f"x_{split}"][:, 0] + 6)
    assert len(found["class_names"]) == 0
    again = Folder(tmp_path / "data/again")
    load(again, LINE)
    assert (again.path / "raw.npz").read_bytes() == (folder.path / "raw.npz").read_bytes()


def test_the_line_is_a_regression_that_may_be_shared():
    assert LINE.predicts == "regression"
    assert LINE.shareable
