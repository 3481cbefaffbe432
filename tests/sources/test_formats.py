"""A user's own data: each format as it is read, split and numbered. What is wrong with one is in test_wrong_data.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import normalize
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.rows.splits import held_out
from tasks.sources import csv as csv_table
from tests.support.own import (  # fmt: skip
    ROWS,
    SHARE,
    SIDE,
    loaded,
    of_csv,
    of_idx,
    of_images,
    of_npz,
    packed,
    put_csv,
    put_idx,
    put_image,
    put_images,
    put_npz,
    rows,
    table,
)

LETTERS = 26


def test_the_rows_are_those_in_the_idx_files_gz_or_not(tmp_path):
    x, y = rows()
    written = set()
    for zipped in (True, False):
        found = loaded(tmp_path / "out", of_idx(put_idx(tmp_path / f"in{zipped}", zipped=zipped)))
        np.testing.assert_array_equal(found["x_train"], x)
        np.testing.assert_array_equal(found["y_train"], y)
        assert found["x_test"].shape == (6, SIDE, SIDE)
        assert found["class_names"].tolist() == ["0", "1", "2"]
        written.add((tmp_path / "out/raw.npz").read_bytes())
    assert len(written) == 1


def test_emnist_letters_1_to_26_become_0_to_25_and_keep_their_names(tmp_path):
    folder = put_idx(tmp_path / "in", "emnist-digits-", test="test")
    x, y = rows(2 * LETTERS, LETTERS, first=1)
    for split in ("train", "test"):
        (folder / f"emnist-letters-{split}-images-idx3-ubyte").write_bytes(packed(x))
        (folder / f"emnist-letters-{split}-labels-idx1-ubyte").write_bytes(packed(y))
    found = loaded(tmp_path / "out", of_idx(folder, prefix="emnist-letters-", transpose=True))
    assert found["y_train"].min() == 0
    assert found["y_train"].max() == LETTERS - 1
    assert found["class_names"].tolist() == [str(letter) for letter in range(1, LETTERS + 1)]
    np.testing.assert_array_equal(found["x_train"], x.transpose(0, 2, 1))


def test_idx_without_test_files_is_split(tmp_path):
    found = loaded(tmp_path / "out", of_idx(put_idx(tmp_path / "in", test=None), **SHARE))
    assert (len(found["x_train"]), len(found["x_test"])) == (9, 3)
    assert sorted(found["y_test"]) == [0, 1, 2]
    assert sorted(np.concatenate([found["x_train"], found["x_test"]])[:, 0, 0]) == list(range(ROWS))


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE, SIDE, 3), (7,)], ids=["gray", "rgb", "features"])
def test_npz_arrays_are_taken_as_they_are(tmp_path, shape):
    x, y = rows(shape=shape)
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    found = loaded(tmp_path / "out", of_npz(file))
    for name, array in {"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6]}.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_npz_with_one_channel_is_gray_and_a_column_of_labels_is_a_row_each(tmp_path):
    x, y = rows(shape=(SIDE, SIDE, 1), first=5)
    found = loaded(tmp_path / "out", of_npz(put_npz(tmp_path / "in.npz", x_train=x, y_train=y[:, None]), **SHARE))
    assert found["x_train"].shape == (9, SIDE, SIDE)
    assert found["y_train"].shape == (9,)
    assert found["class_names"].tolist() == ["5", "6", "7"]


@pytest.mark.parametrize(
    ("y", "task", "kind", "classes"),
    [
        (lambda y: y, "classes", "classes", 3),
        (lambda y: y.astype(float), "classes", "classes", 3),
        (lambda y: np.eye(3)[y], "classes", "one_hot", 3),
        (lambda y: y > 0, "classes", "binary", 2),
        (lambda y: y * 0.5, "regression", "regression", 0),
        (lambda y: y, "regression", "regression", 0),
    ],
    ids=["integers", "whole floats", "one-hot", "bools", "floats", "integers to predict"],
)
def test_npz_labels_of_every_kind_reach_the_schema(tmp_path, y, task, kind, classes):
    x, numbers = rows()
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=y(numbers))
    loaded(tmp_path / "out", of_npz(file, task=task, **SHARE))
    schema = normalized(tmp_path / "out", scale="pixels", validation=3)
    assert (schema["labels"], schema["classes"]) == (kind, classes)
    assert schema["rows"] == {"train": 6, "val": 3, "test": 3}


def normalized(path: Path, **how) -> dict:
    normalize.normalize(Folder(path), normalize.Params(**{"scale": "none", "validation": "none", "seed": 0, **how}))
    return json.loads((path / "schema.json").read_text())


NAMES = ["Trouser", "Coat, long", "Bag"]


@pytest.mark.parametrize(
    "params",
    [
        lambda p: of_idx(put_idx(p / "in", first=1), class_names=NAMES),
        lambda p: of_npz(put_npz(p / "in.npz", x_train=rows()[0], y_train=rows()[1]), **SHARE, class_names=NAMES),
        lambda p: of_npz(put_npz(p / "in.npz", x_train=rows()[0], y_train=np.eye(3)[rows()[1]]), **SHARE,
                         class_names=NAMES),
        lambda p: of_csv(put_csv(p / "in.csv", *table(target=lambda row: row % 3)), class_names=NAMES),
    ],
    ids=["idx", "integers", "one-hot", "csv"],
)  # fmt: skip
def test_classes_that_are_numbers_get_the_names_of_params_yaml(tmp_path, params):
    assert loaded(tmp_path / "out", params(tmp_path))["class_names"].tolist() == NAMES
    assert normalized(tmp_path / "out")["class_names"] == NAMES


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_images_of_mixed_sizes_and_kinds_get_one_size_and_the_folders_names(tmp_path, color):
    found = loaded(tmp_path / "out", of_images(put_images(tmp_path / "in"), color=color, test=0.2))
    assert found["x_train"].shape == ((8, 4, 6) if color == "gray" else (8, 4, 6, 3))
    assert found["x_train"].dtype == np.uint8
    assert found["class_names"].tolist() == ["cat", "dog"]
    assert sorted(found["y_test"]) == [0, 1]
    for split in ("train", "test"):
        bright = found[f"x_{split}"].reshape(len(found[f"y_{split}"]), -1).mean(axis=1) > 100
        np.testing.assert_array_equal(bright, found[f"y_{split}"] == 1)


def test_images_in_train_and_test_folders_are_not_mixed(tmp_path):
    for split, color in (("train", 10), ("test", 99)):
        for name in ("b", "a"):
            put_image(tmp_path / "in" / split / name / "1.png", mode="L", color=color)
    (tmp_path / "in/train/.hidden").mkdir()
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", color="gray", test="given"))
    assert (found["x_train"] == 10).all()
    assert (found["x_test"] == 99).all()
    assert found["class_names"].tolist() == ["a", "b"]


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # the left side of the pixels is the top
    picture = Image.new("L", (8, 4), 0)
    picture.paste(255, (0, 0, 4, 4))
    for name in ("a", "b"):
        for number in range(2):
            (tmp_path / "in" / name).mkdir(parents=True, exist_ok=True)
            picture.save(tmp_path / "in" / name / f"{number}.jpg", exif=turned, quality=95)
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", color="gray", size=[8, 4], test=0.5))
    assert found["x_train"][0, :3].min() > 240
    assert found["x_train"][0, 5:].max() < 15


def test_what_is_transparent_is_white(tmp_path):
    for name, ink in (("a", 0), ("b", 60)):
        for number, mode in enumerate(("RGBA", "LA", "P", "L")):
            image = Image.new("RGBA", (6, 6), (0, 0, 0, 0))
            image.paste((ink, ink, ink, 255), (0, 0, 3, 6))
            image = image if mode == "RGBA" else image.convert(mode)
            file = tmp_path / "in" / name / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            image.save(file, **({"transparency": image.getpixel((5, 0))} if mode == "P" else {}))
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", color="gray", size=[6, 6]))
    for split in ("train", "test"):
        for row, label in zip(found[f"x_{split}"], found[f"y_{split}"], strict=True):
            assert set(row[:, :3].flat) <= {60 * label, 51}  # 51: the palette's nearest
    assert (found["x_train"][:, :, 3:] == 255).sum() >= 6 * 18 - 2 * 18  # but for images without transparency


def test_what_a_mac_zips_is_passed_over(tmp_path):
    put_image(put_images(tmp_path / "in") / "__MACOSX/cat/._0.png")
    assert loaded(tmp_path / "out", of_images(tmp_path / "in", test=0.2))["class_names"].tolist() == ["cat", "dog"]


def test_other_files_beside_images_are_told_and_left_out(tmp_path, caplog):
    (put_images(tmp_path / "in") / "cat" / "notes.txt").write_text("x")
    (tmp_path / "in/labels.csv").write_text("x")
    assert len(loaded(tmp_path / "out", of_images(tmp_path / "in", test=0.2))["x_train"]) == 8
    assert "/in: left out labels.csv. Expected a folder with" in caplog.text
    assert "/in/cat: left out notes.txt. Expected" in caplog.text


def test_a_folder_beside_train_and_test_is_told_and_left_out(tmp_path, caplog):
    for split in ("train", "test", "valid"):
        put_images(tmp_path / "in" / split, count=1)
    assert len(loaded(tmp_path / "out", of_images(tmp_path / "in", test="given"))["x_train"]) == 2
    assert "/in: left out valid. Expected a folder with" in caplog.text


def given_images(path: Path, test: bool):
    for split, color in (("train", 10), ("val", 50), ("test", 99))[: 2 + test]:
        for name in ("b", "a"):
            for number in range(4):
                put_image(path / "in" / split / name / f"{number}.png", mode="L", color=color + number)
    return of_images(path / "in", color="gray", size=[2, 2], test="given" if test else 0.25)


def given_arrays(path: Path, test: bool, y=lambda rows: np.arange(rows) % 2):
    splits = (("train", 10), ("val", 50), ("test", 99))[: 2 + test]
    pixels = np.arange(8, dtype=np.uint8)[:, None, None] // 2 + np.zeros((2, 2), np.uint8)
    x = {f"x_{split}": color + pixels for split, color in splits}
    file = put_npz(path / "in.npz", **x, **{f"y_{split}": y(8) for split, _ in splits})
    return of_npz(file, test="given" if test else 0.25)


def given_tables(path: Path, test: bool):
    for split, color in (("train", 10), ("val", 50), ("test", 99))[: 2 + test]:
        put_csv(path / "in" / f"{split}.csv", "a,y", *(f"{color + row // 2},{row % 2}" for row in range(8)))
    return of_csv(path / "in", test="given" if test else 0.25)


@pytest.mark.parametrize("test", [True, False], ids=["test rows given", "test rows held out"])
@pytest.mark.parametrize(
    "put",
    [given_images, given_arrays, lambda p, test: given_arrays(p, test, lambda rows: np.eye(2)[np.arange(rows) % 2]),
     given_tables],
    ids=["images", "integers", "one-hot", "csv"],
)  # fmt: skip
def test_validation_rows_that_are_given_are_those_that_choose_the_checkpoint(tmp_path, put, test):
    before = loaded(tmp_path / "out", put(tmp_path, test))
    assert before["given_train"].sum() == 8
    assert normalized(tmp_path / "out", validation="given")["rows"] == {
        "train": 8 if test else 6, "val": 8, "test": 8 if test else 2,
    }  # fmt: skip
    with np.load(tmp_path / "out/normalized.npz") as found:
        for split, between in {"train": (10, 13), "val": (50, 53), "test": (99, 102) if test else (10, 13)}.items():
            assert between[0] <= found[f"x_{split}"].min() <= found[f"x_{split}"].max() <= between[1]
            labels = found[f"y_{split}"]
            assert len(np.unique(labels.argmax(axis=1) if labels.ndim > 1 else labels)) == 2


def test_a_share_of_rows_is_held_out_or_a_number_of_them(tmp_path):
    lines = table(40)
    for test, validation, expected in ((0.25, 0.1, (27, 3, 10)), (10, 3, (27, 3, 10)), (2, 0.5, (19, 19, 2))):
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


def test_csv_words_are_the_same_with_blanks_around_them(tmp_path):
    lines = table(target=lambda row: ["yes", " yes ", "no", "no\t"][row % 4])
    loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines)))
    assert normalized(tmp_path / "out")["class_names"] == ["no", "yes"]
    put_csv(tmp_path / "in.csv", *lines[:-1], "1,2,  ")
    with pytest.raises(UserError, match="missing values: y 1; the first in row"):
        loaded(tmp_path / "out", of_csv(tmp_path / "in.csv"))


def test_csv_numbers_to_predict_are_numbers_though_they_are_whole(tmp_path):
    file = put_csv(tmp_path / "in.csv", *(line.replace(",", ";") for line in table(target=lambda row: 10 * row)))
    found = loaded(tmp_path / "out", of_csv(file, task="regression", separator=";"))
    np.testing.assert_array_equal(found["y_train"], 10 * found["x_train"][:, 0])
    assert normalized(tmp_path / "out")["labels"] == "regression"


def test_csv_files_for_train_and_test_may_have_their_columns_in_another_order(tmp_path):
    put_csv(tmp_path / "in/train.csv", *table())
    put_csv(tmp_path / "in/test.csv", "y,b,a", "0,8,7", "1,9,6")
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in", test="given"))
    assert len(found["x_train"]) == ROWS
    assert found["x_test"].tolist() == [[7, 8], [6, 9]]


@pytest.mark.parametrize("how", ["mean", "median"])
def test_missing_values_are_filled_from_the_training_rows_alone(tmp_path, how):
    lines = table(c=lambda row: "" if row in (1, 2, 5) else row * row)
    found = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), missing=how, test=0.5))
    empty = {split: np.isin(found[f"x_{split}"][:, 0], (1, 2, 5)) for split in ("train", "test")}
    assert any(empty["train"])
    assert any(empty["test"])
    known = found["x_train"][~empty["train"], 2]
    for split in ("train", "test"):
        np.testing.assert_allclose(found[f"x_{split}"][empty[split], 2], getattr(np, how)(known))
    other = np.concatenate([known, found["x_test"][~empty["test"], 2]])
    assert getattr(np, how)(known) != getattr(np, how)(other)  # else this test could not fail


def test_missing_values_of_the_only_feature_are_filled_in_two_files_too(tmp_path):
    put_csv(tmp_path / "in/train.csv", "a,y", "1,0", ",1", "3,0", "5,1")
    put_csv(tmp_path / "in/test.csv", "a,y", ",0", "9,1")
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in", test="given", missing="mean"))
    assert found["x_train"][:, 0].tolist() == [1, 3, 3, 5]
    assert found["x_test"][:, 0].tolist() == [3, 9]


def test_rows_with_missing_values_can_be_dropped(tmp_path, caplog):
    lines = table(c=lambda row: "" if row == 3 else 1, target=lambda row: "" if row == 4 else row % 2)
    found = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), missing="drop"))
    kept = sorted(np.concatenate([found["x_train"], found["x_test"]])[:, 0])
    assert kept == [row for row in range(ROWS) if row not in (3, 4)]
    assert "2 of 12 rows have missing values, and are dropped" in caplog.text


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_on_both_sides(tmp_path, seed):
    lines = table(60, group=lambda row: f"patient {row // 4}", target=lambda row: row // 4 % 2)
    file = put_csv(tmp_path / "in.csv", *lines)
    found = loaded(tmp_path / "out", of_csv(file, group="group", test=0.2, seed=seed))
    assert normalized(tmp_path / "out", validation=12, seed=seed)["rows"] == {"train": 36, "val": 12, "test": 12}
    with np.load(tmp_path / "out/normalized.npz") as file:
        sides = [{int(row) // 4 for row in file[f"x_{split}"][:, 0]} for split in ("train", "val", "test")]
        assert all(set(file[f"y_{split}"]) == {0, 1} for split in ("train", "val", "test"))
    assert [len(side) for side in sides] == [9, 3, 3]
    assert len(set.union(*sides)) == 15
    assert "group" not in found["feature_names"]


@pytest.mark.parametrize("count", [1, 10, 50, 90])
def test_groups_of_many_sizes_come_near_to_what_was_asked_for(count):
    random = np.random.default_rng(count)
    groups = np.repeat(np.arange(20), random.integers(1, 10, 20))[:100]
    mask = held_out("key", count, random.integers(0, 3, len(groups)), 0, groups)
    assert not set(groups[mask]) & set(groups[~mask])
    assert 0 < mask.sum() < len(groups)
    assert abs(mask.sum() - count) <= 9


def test_the_split_is_repeatable_stratified_and_follows_the_seed(tmp_path):
    lines = table(40, target=lambda row: "rare" if row % 4 == 0 else "common")
    found = [
        loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), test=0.2, seed=s)) for s in (0, 0, 1)
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
            with pytest.raises(UserError, match=f"the group {shared} of the column patient has rows in both train"):
                loaded(tmp_path / "out", params)


@pytest.mark.parametrize("kind", [np.int64, ">f8", ">i4", np.longdouble, np.uint32])
def test_large_numbers_of_any_type_that_differ_little_are_told_apart(tmp_path, kind):
    x = (1_700_000_000 + np.arange(60)).reshape(-1, 1).astype(kind)
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=np.arange(60) % 2)
    loaded(tmp_path / "out", of_npz(file, test=0.25))
    normalized(tmp_path / "out", scale="standard", validation=9)
    with np.load(tmp_path / "out/normalized.npz") as found:
        every = np.concatenate([found[f"x_{split}"] for split in ("train", "val", "test")])
    assert len(np.unique(every)) == 60


def test_standard_scale_knows_the_training_rows_alone(tmp_path):
    lines = table(40, c=lambda row: 7, big=lambda row: 1_700_000_000 + row)
    before = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), test=0.25))
    schema = normalized(tmp_path / "out", scale="standard", validation=10)
    with np.load(tmp_path / "out/normalized.npz") as file:
        after = dict(file)
    x = after["x_train"].astype(np.float64)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=0), [1, 1, 0, 1], atol=1e-6)  # c never varies
    assert abs(np.concatenate([x, after["x_val"]])[:, 0].mean()) > 1e-3  # else this test could not fail
    scaling = {name: np.array(value) for name, value in schema["scaling"].items()}
    again = (before["x_test"] - scaling["subtract"]) / scaling["divide"]  # as a reader would apply it
    np.testing.assert_allclose(again, after["x_test"], rtol=1e-6)


@pytest.mark.parametrize(("shape", "colors"), [((SIDE, SIDE), 1), ((SIDE, SIDE, 3), 3)])
def test_standard_scale_of_images_goes_by_colour(tmp_path, shape, colors):
    x, y = rows(shape=shape)
    loaded(tmp_path / "out", of_npz(put_npz(tmp_path / "in.npz", x_train=x, y_train=y), **SHARE))
    schema = normalized(tmp_path / "out", scale="standard")
    assert len(schema["scaling"]["subtract"]) == colors
    with np.load(tmp_path / "out/normalized.npz") as file:
        assert abs(file["x_train"].mean()) < 1e-6
        assert abs(file["x_train"].std() - 1) < 1e-2


def test_data_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    file, read = put_csv(tmp_path / "in.csv", *table()), csv_table.find

    def find(params):
        found = read(params)
        put_csv(file, *table(20))
        return found

    monkeypatch.setattr(csv_table, "find", find)
    with pytest.raises(UserError, match=r"in\.csv changed while it was read"):
        loaded(tmp_path / "out", of_csv(file))
    assert not (tmp_path / "out/raw.npz").exists()


def test_a_table_as_spreadsheets_write_it_is_read(tmp_path):
    words = ("no", '"yes\nno"')
    lines = ['"a, in cm";b;y', *(f'"{row}";{row * 2};{words[row % 2]}' for row in range(ROWS))]
    (tmp_path / "in.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    found = loaded(tmp_path / "out", of_csv(tmp_path / "in.csv", separator=";"))
    assert found["feature_names"].tolist() == ["a, in cm", "b"]
    assert found["class_names"].tolist() == ["no", "yes\nno"]
    assert found["x_train"].shape == (9, 2)
