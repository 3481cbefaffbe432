"""Rows of a CSV file: missing values, groups, and the rows that are held out."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core.step import UserError
from tests.support.own import ROWS, loaded, normalized, of_csv, put_csv, table


@pytest.mark.parametrize("how", ["mean", "median"])
def test_missing_values_are_filled_from_the_training_rows_alone(tmp_path, how):
    lines = table(c=lambda row: "" if row in (1, 2, 5) else row * row)
    file = put_csv(tmp_path / "in.csv", *lines)
    loaded(tmp_path / "out", of_csv(file, missing=how, test=0.5))
    normalized(tmp_path / "out", validation=2)
    with np.load(tmp_path / "out/normalized.npz") as found:
        x = {split: found[f"x_{split}"] for split in ("train", "val", "test")}
    empty = {split: np.isin(rows[:, 0], (1, 2, 5)) for split, rows in x.items()}
    assert any(empty["train"])
    assert any(empty["test"])

    known = x["train"][~empty["train"], 2]
    for split, rows in x.items():
        np.testing.assert_allclose(rows[empty[split], 2], getattr(np, how)(known))
        np.testing.assert_array_equal(rows[:, 3], empty[split])
    other = np.concatenate([known, x["val"][~empty["val"], 2]])
    assert getattr(np, how)(known) != getattr(np, how)(other)  # else this test could not fail


def test_missing_values_of_the_only_feature_are_filled_in_two_files_too(tmp_path):
    put_csv(tmp_path / "in/train.csv", "a,y", "1,0", ",1", "3,0", "5,1")
    put_csv(tmp_path / "in/test.csv", "a,y", ",0", "9,1")
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in", test="given", missing="mean"))
    np.testing.assert_array_equal(found["x_train"][:, 0], [1, np.nan, 3, 5])
    normalized(tmp_path / "out")
    with np.load(tmp_path / "out/normalized.npz") as file:
        assert file["x_train"].tolist() == [[1, 0], [3, 1], [3, 0], [5, 0]]
        assert file["x_test"].tolist() == [[3, 1], [9, 0]]


def test_rows_with_missing_values_can_be_dropped(tmp_path, caplog):
    lines = table(
        c=lambda row: "" if row == 3 else 1, target=lambda row: "" if row == 4 else row % 2
    )
    found = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), missing="drop"))
    kept = sorted(np.concatenate([found["x_train"], found["x_test"]])[:, 0])
    assert kept == [row for row in range(ROWS) if row not in (3, 4)]
    assert "dropped 1 of 12 rows, which have no y" in caplog.text
    assert "dropped 1 of 11 rows, which have missing values" in caplog.text


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_on_both_sides(tmp_path, seed):
    lines = table(60, group=lambda row: f"patient {row // 4}", target=lambda row: row // 4 % 2)
    file = put_csv(tmp_path / "in.csv", *lines)
    found = loaded(tmp_path / "out", of_csv(file, group="group", test=0.2, seed=seed))
    assert normalized(tmp_path / "out", validation=12, seed=seed)["rows"] == {
        "train": 36,
        "val": 12,
        "test": 12,
    }
    with np.load(tmp_path / "out/normalized.npz") as file:
        sides = [
            {int(row) // 4 for row in file[f"x_{split}"][:, 0]}
            for split in ("train", "val", "test")
        ]
        assert all(set(file[f"y_{split}"]) == {0, 1} for split in ("train", "val", "test"))
    assert [len(side) for side in sides] == [9, 3, 3]
    assert len(set.union(*sides)) == 15
    assert "group" not in found["feature_names"]


def test_the_split_is_repeatable_stratified_and_follows_the_seed(tmp_path):
    lines = table(40, target=lambda row: "rare" if row % 4 == 0 else "common")
    found = [
        loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), test=0.2, seed=s))
        for s in (0, 0, 1)
    ]
    first, same, other = (each["x_test"][:, 0].tolist() for each in found)
    assert first == same != other
    assert all(np.bincount(each["y_test"]).tolist() == [6, 2] for each in found)


def test_groups_and_classes_are_read_as_they_are_written_whatever_else_is_in_the_file(tmp_path):
    train = table(12, patient=lambda row: f"{row:03}")
    test = [*table(3, patient=lambda row: f"{row + 50:03}"), "1,2,control,0"]
    put_csv(tmp_path / "in/train.csv", *train)
    for more, shared in (("1,2,003,1", "003"), ("1,2,3,1", None)):
        put_csv(tmp_path / "in/test.csv", *test, more)
        params = of_csv(tmp_path / "in", group="patient", test="given")
        if shared is None:
            loaded(tmp_path / "out", params)
        else:
            with pytest.raises(
                UserError, match=f"the group {shared} of the column patient has rows in both train"
            ):
                loaded(tmp_path / "out", params)
