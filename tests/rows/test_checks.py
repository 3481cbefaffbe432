"""The checks before training: each with data in which it must find something, and without."""

from __future__ import annotations

import json
import re
import time
import tracemalloc

import numpy as np
import pytest

from tasks.core import arrays as arrays_module
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.load import load
from tasks.rows import duplicates, near_duplicates
from tasks.rows.checks import Table, check
from tasks.rows.duplicates import Beside, first_of_equals
from tasks.sources import fashion_mnist
from tests.conftest import ROOT

TRAIN, TEST, SIDE = 30, 12, 4
NAMES = ["shirt", "shoe", "bag"]


def data(shape=(SIDE, SIDE), kind=np.uint8) -> dict[str, np.ndarray]:
    """Rows that all differ, of three classes in turn."""
    x = np.random.default_rng(0).integers(1, 255, (TRAIN + TEST, *shape)).astype(kind)
    x.reshape(len(x), -1)[:, 0] = np.arange(len(x))
    y = (np.arange(TRAIN + TEST) % len(NAMES)).astype(np.uint8)
    return {"x_train": x[:TRAIN], "y_train": y[:TRAIN], "x_test": x[TRAIN:], "y_test": y[TRAIN:]}


def look(arrays: dict[str, np.ndarray], held=(), names=NAMES, features=None):
    """The entries of `checks.json` by name, and the mask of the leaked rows."""
    mask = np.isin(np.arange(len(arrays["y_train"])), held)
    x, y = ({split: arrays[f"{name}_{split}"] for split in ("train", "test")} for name in "xy")
    found, leaked = check(x, y, mask, names, features)
    return {each["check"]: each for each in json.loads(json.dumps(found))}, leaked


def warnings(found: dict) -> set[str]:
    return {name for name, each in found.items() if each["result"] == "warning"}


def test_rows_of_a_table_that_differ_in_an_ignored_column_alone_are_told():
    arrays = data(shape=(3,), kind=np.float64)
    arrays["x_test"][:2], arrays["y_test"][:2] = arrays["x_train"][:2], arrays["y_train"][:2]
    x, y = ({split: arrays[f"{name}_{split}"] for split in ("train", "test")} for name in "xy")
    numbers = np.arange(TRAIN + TEST)  # as an ignored column of identities has them
    table = Table(["number"] * 3, {"train": numbers[:TRAIN], "test": numbers[TRAIN:]})
    mask = np.zeros(TRAIN, bool)
    found, leaked = check(x, y, mask, NAMES, list("abc"), table=table)
    (across,) = (each for each in found if each["check"] == "duplicates across train and test")
    assert "; 2 have the inputs and the label of one, and differ in columns" in across["says"]
    assert not leaked.any()


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32, np.float64])
def test_data_with_nothing_wrong_pass_and_all_that_was_looked_at_is_listed(caplog, kind):
    found, leaked = look(data(kind=kind), held=range(9))
    assert {name: each["says"] for name, each in found.items()} == {
        "shapes": "x_train 30 x 4 x 4, x_test 12 x 4 x 4; a label for each row",
        "types": f"x_train {np.dtype(kind)}, y_train uint8, x_test {np.dtype(kind)}, y_test uint8",
        "NaN and infinity": "none",
        "value range": "train 0 to 254, test 1 to 254",
        "labels": "0 to 2, none outside",
        "classes in each split": "each of the 3 in train, validation, test",
        "class balance": "7 training rows of each",
        "constant features": "none of 16",
        "duplicates in train": "none",
        "duplicates in test": "none",
        "duplicates across train and test": "no test row has the inputs of a training row",
        "different labels of the same inputs": "none",
    }
    assert found["classes in each split"]["rows"][2] == {
        "class": "bag",
        "test": 4,
        "train": 7,
        "validation": 3,
    }
    assert not warnings(found)
    assert not leaked.any()
    assert leaked.shape == (TEST,)
    assert not caplog.records


def spoilt(name: str, place, value, **more):
    """Data with another value somewhere."""

    def make():
        arrays = data(**{"shape": (3,), "kind": np.float64, **more})
        if name.startswith("y") and isinstance(value, float):
            arrays |= {key: arrays[key].astype(np.float32) for key in ("y_train", "y_test")}
        arrays[name][place] = value
        return arrays

    return make


def replaced(**changes):
    return lambda: data() | changes


NO_NAMES = {"names": []}
ERRORS = {
    "NaN": (
        spoilt("x_train", (7, 1), np.nan),
        {"features": ["a", "b", "c"]},
        r"x_train has NaN or infinity in 1 of 30 rows, first in row 7 \(feature b\), counted "
        r"from 0\. Fill the values,",
    ),
    "infinity": (
        spoilt("x_test", (slice(3, 5), 2), -np.inf),
        {},
        r"x_test has NaN or infinity in 2 of 12 rows, first in row 3 \(feature 2\), counted "
        r"from 0\. .* leave the rows",
    ),
    "NaN in an image": (
        spoilt("x_train", (1, 2, 3), np.nan, shape=(4, 5)),
        {},
        r"1 of 30 rows, first in row 1 \(pixel \[2, 3\]\)",
    ),
    "NaN to predict": (
        spoilt("y_train", 5, float("nan")),
        NO_NAMES,
        r"y_train has NaN or infinity in 1 of 30 rows, first in row 5, c",
    ),
    "label above": (
        replaced(y_test=np.array([0, 1, 3, 7] * 3)),
        {},
        r"y_test has labels outside 0 to 2 in 6 of 12 rows, first 3 in row 2, counted from 0\. "
        r"Number the classes",
    ),
    "label below": (
        replaced(y_train=np.arange(TRAIN) % 3 - 1),
        {},
        r"y_train has labels .* in 10 of 30 rows, first -1 in row 0, c",
    ),
    "rows and labels": (
        replaced(y_train=np.zeros(29, np.uint8)),
        {},
        r"x_train has the shape \(30, 4, 4\), y_train \(29,\)\. Expected",
    ),
    "no rows": (
        replaced(x_test=np.zeros((0, 4, 4)), y_test=np.zeros(0, int)),
        {},
        r"x_test has the shape \(0, 4, 4\), y_test",
    ),
    "sizes of rows": (
        replaced(x_test=np.zeros((TEST, 4, 5))),
        {},
        r"A row of x_test has the shape \(4, 5\), a row of x_train \(4, 4\)",
    ),
    "kinds of labels": (
        replaced(y_test=np.eye(3)[np.arange(TEST) % 3]),
        {},
        r"A row of y_test has the shape \(3,\), a row of y_train",
    ),
    "words": (
        replaced(x_test=np.full((TEST, 4, 4), "a")),
        {},
        r"x_test has the type <U1\. Expected numbers: save it as such",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_data_that_nothing_can_be_trained_on_are_refused_with_the_place_and_the_way_out(name):
    make, how, message = ERRORS[name]
    with pytest.raises(UserError, match=message):
        look(make(), held=range(5), **{"names": NAMES, **how})


@pytest.mark.parametrize(
    ("change", "held", "missing"),
    [
        ({"y_test": np.arange(TEST) % 2}, range(9), "test has no row of bag"),
        ({}, range(2, TRAIN, 3), "train has no row of bag; validation has no row of shirt, shoe"),
        ({}, (0, 3, 6), "validation has no row of shoe, bag"),
    ],
)
def test_a_class_that_is_missing_in_a_split_is_named(caplog, change, held, missing):
    found, _ = look(data() | change, held)
    means = "a class without training rows is not learnt, one without test rows not measured"
    says = f"{missing}: {means}"
    assert found["classes in each split"]["says"] == says
    assert caplog.messages[0] == f"classes in each split: {says}"


@pytest.mark.parametrize(("small", "warned"), [(8, False), (3, False), (2, True), (1, True)])
def test_classes_of_very_different_size_draw_a_warning(small, warned):
    y = np.zeros(TRAIN, np.uint8)
    y[:small] = 1
    y[small : small + 8] = 2
    found, _ = look(data() | {"y_train": y})
    assert ("class balance" in warnings(found)) is warned
    says = f"{small} training rows of shoe, {TRAIN - small - 8} of shirt"
    assert found["class balance"]["says"].startswith(says)


@pytest.mark.parametrize(
    ("shape", "places", "features", "named"),
    [
        ((3,), [1], ["a", "b", "c"], "1 of 3 have one value in all training rows: b$"),
        ((4,), [1, 3], None, "2 of 4 .*: feature 1, feature 3$"),
        ((4, 5), [7], None, r"1 of 20 .*: pixel \[1, 2\]$"),
        ((3, 3, 3), [1], None, r"1 of 27 .*: pixel \[0, 0, 1\]$"),
        ((60,), range(5, 40), None, r"35 of 60 .*: feature 5, .*, feature 24 and 15 more$"),
    ],
)
def test_features_that_never_vary_are_named(caplog, shape, places, features, named):
    arrays = data(shape)
    arrays["x_train"].reshape(TRAIN, -1)[:, list(places)] = 7
    found, _ = look(arrays, features=features)
    assert re.search(named.replace(": b", ": feature b"), found["constant features"]["says"])
    assert found["constant features"]["count"] == len(places)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_planted_duplicates_are_found_inside_and_across(caplog, kind):
    arrays = data(kind=kind)
    x_train, x_test = arrays["x_train"], arrays["x_test"]
    x_train[20] = x_train[5]  # both a bag
    x_train[25] = x_train[5]  # a shoe
    x_test[4] = x_test[1]  # both a shoe
    x_test[8] = x_train[5]
    x_test[11] = x_train[5]
    found, leaked = look(arrays, held=[0, 1, 5])  # a row to validate on is a training row
    across = "duplicates across train and test"
    assert warnings(found) == {
        "duplicates in train", "duplicates in test", across, "different labels of the same inputs"
    }  # fmt: skip
    assert [(row["first"], row["row"]) for row in found["duplicates in train"]["rows"]] == [
        ("train 5", "train 20"), ("train 5", "train 25"),
    ]  # fmt: skip
    assert [(row["first"], row["row"]) for row in found["duplicates in test"]["rows"]] == [
        ("test 1", "test 4"), ("test 8", "test 11"),
    ]  # fmt: skip
    assert found[across]["rows"] == [
        {"first": "train 5", "first label": "bag", "row": "test 8", "row label": "bag"},
        {"first": "train 5", "first label": "bag", "row": "test 11", "row label": "bag"},
    ]
    assert found["different labels of the same inputs"]["rows"] == [
        {"first": "train 5", "first label": "bag", "row": "train 25", "row label": "shoe"}
    ]
    counts = {
        name: each["count"]
        for name, each in found.items()
        if "same" in name or "duplicates" in name
    }
    assert list(counts.values()) == [2, 2, 2, 1]
    assert np.flatnonzero(leaked).tolist() == [8, 11]
    assert (
        "duplicates across train and test: 2 of 12 test rows have the inputs of a training row"
        in caplog.text
    )
    assert len(caplog.records) == 4


def test_many_duplicates_are_counted_and_some_are_listed(monkeypatch):
    monkeypatch.setattr(duplicates, "LISTED", 7)
    arrays = data()
    arrays["x_train"][:] = arrays["x_train"][0]
    found, _ = look(arrays)
    assert found["duplicates in train"]["count"] == TRAIN - 1
    assert len(found["duplicates in train"]["rows"]) == duplicates.LISTED


def test_equal_values_of_two_types_and_of_two_zeros_are_equal():
    arrays = data((3,), np.uint8)
    _, leaked = look(arrays | {"x_test": arrays["x_train"][:TEST].astype(np.int32)})
    assert leaked.all()
    arrays["x_test"] = arrays["x_test"].astype(np.float64)
    arrays["x_test"][2] = arrays["x_train"][0]
    assert arrays["x_test"][2, 0] == 0
    arrays["x_test"][2, 0] = -0.0
    _, leaked = look(arrays)
    assert np.flatnonzero(leaked).tolist() == [2]


def test_rows_with_the_same_hash_are_compared(monkeypatch):
    class Same:
        def __init__(self, *_, **__):
            pass

        def digest(self):
            return b""

    monkeypatch.setattr(duplicates, "blake2b", Same)
    arrays = data()
    arrays["x_test"][3] = arrays["x_train"][0]
    first = first_of_equals(arrays["x_train"], arrays["x_test"])
    assert np.flatnonzero(first != np.arange(len(first))).tolist() == [TRAIN + 3]


@pytest.mark.parametrize("block", [1, 7, 30, 4096])
def test_blocks_do_not_matter(monkeypatch, block):
    monkeypatch.setattr(arrays_module, "BLOCK", block)
    x = np.random.default_rng(0).integers(0, 3, (50, 3))
    expected = [min(k for k in range(50) if (x[k] == x[row]).all()) for row in range(50)]
    assert first_of_equals(x[:33], x[33:]).tolist() == expected
    beside = [Beside(part[:, :2], part[:, 2].astype(float)) for part in (x[:33], x[33:])]
    assert first_of_equals(*beside).tolist() == expected
    assert len(set(expected)) < 40


def test_rows_with_more_columns_than_the_features_are_compared_without_a_copy_of_all(monkeypatch):
    monkeypatch.setattr(arrays_module, "BLOCK", 2**18)
    x = {"train": np.random.default_rng(0).normal(size=(1000, 2000)), "test": np.zeros((9, 2000))}
    x["test"][1:] = x["train"][:8]  # 0 is another; 1 has another label
    y = {"train": np.ones(1000), "test": np.array([1, 0, *[1] * 7])}
    tracemalloc.start()
    try:
        assert duplicates.alike(x, y) == 7
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x["train"].nbytes / 4


def test_one_hot_labels_are_classes():
    arrays = data()
    arrays |= {name: np.eye(3, dtype=np.uint8)[arrays[name]] for name in ("y_train", "y_test")}
    arrays["x_test"][1] = arrays["x_train"][0]  # a shoe and a shirt
    found, _ = look(arrays, held=range(9))
    assert found["labels"]["says"] == "one-hot rows of 3 classes"
    assert found["classes in each split"]["rows"][0] == {
        "class": "shirt",
        "test": 4,
        "train": 7,
        "validation": 3,
    }
    assert found["different labels of the same inputs"]["rows"][0]["row label"] == "shoe"


def test_regression_targets_have_no_classes_and_no_contradictions():
    arrays = data((2,), np.float64)
    arrays |= {name: arrays[name] * 1.5 for name in ("y_train", "y_test")}
    arrays["x_test"][1] = arrays["x_train"][0]
    found, _ = look(arrays, names=[])
    assert found["labels"]["says"] == "regression targets, train 0 to 3, test 0 to 3"
    assert not {
        "classes in each split",
        "class balance",
        "different labels of the same inputs",
    } & set(found)
    row = {"first": "train 0", "first label": "0", "row": "test 1", "row label": "1.5"}
    assert found["duplicates across train and test"]["rows"] == [row]


def test_fashion_mnist_has_no_equal_pair_and_five_near_duplicates(tmp_path):
    folder = Folder(tmp_path)
    load(
        folder,
        fashion_mnist.Params(source="fashion_mnist", path=str(ROOT / "data/built-in"), folder=None),
    )
    with np.load(tmp_path / "raw.npz") as file:
        arrays = dict(file)
    began = time.process_time()
    found, leaked = look(arrays, names=arrays["class_names"].tolist())
    exact = time.process_time() - began
    assert not warnings(found)
    assert not leaked.any()
    assert all(found[name]["count"] == 0 for name in found if "duplicates" in name)
    scaled = [arrays[name].astype(np.float32) / np.float32(255) for name in ("x_train", "x_test")]
    began = time.process_time()
    near = near_duplicates.find(*scaled, 100 / 28 / 255)
    searched = time.process_time() - began
    # Seconds of the processor, several times what they take: comparing each pair takes minutes.
    assert exact < 10
    assert searched < 40
    pixels = near.distance * 28 * 255
    np.testing.assert_allclose(pixels, [20.809, 65.719, 77.208, 95.089, 99.800], atol=1e-3)
    for test, train, distance in zip(near.test, near.train, pixels, strict=True):
        apart = arrays["x_test"][test].astype(float) - arrays["x_train"][train]
        np.testing.assert_allclose(np.sqrt((apart**2).sum()), distance, atol=1e-4)

    arrays["x_test"][77], arrays["x_train"][59_999] = (
        arrays["x_train"][50_000],
        arrays["x_train"][3],
    )
    found, leaked = look(arrays, names=arrays["class_names"].tolist())
    assert np.flatnonzero(leaked).tolist() == [77]
    assert found["duplicates across train and test"]["rows"][0]["first"] == "train 50000"
    assert found["duplicates in train"]["rows"][0]["row"] == "train 59999"
