"""NPZ files: how they are read, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core.step import UserError
from tasks.families.head import choose
from tests.support.own import SHARE, SIDE, loaded, normalized, of_npz, put_csv, put_npz, rows
from tests.support.wrong import refused


@pytest.mark.parametrize(
    "shape", [(SIDE, SIDE), (SIDE, SIDE, 3), (7,)], ids=["gray", "rgb", "features"]
)
def test_npz_arrays_are_taken_as_they_are(tmp_path, shape):
    x, y = rows(shape=shape)
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    found = loaded(tmp_path / "out", of_npz(file))
    for name, array in {"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6]}.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_npz_with_one_channel_is_gray_and_a_column_of_labels_is_a_row_each(tmp_path):
    x, y = rows(shape=(SIDE, SIDE, 1), first=5)
    found = loaded(
        tmp_path / "out",
        of_npz(put_npz(tmp_path / "in.npz", x_train=x, y_train=y[:, None]), **SHARE),
    )
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
    ids=["integers", "whole floats", "one-hot", "bools", "floats", "integer targets"],
)
def test_npz_labels_of_every_kind_reach_the_schema(tmp_path, y, task, kind, classes):
    x, numbers = rows()
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=y(numbers))
    loaded(tmp_path / "out", of_npz(file, task=task, **SHARE))
    schema = normalized(tmp_path / "out", scale="pixels", validation=3)
    assert (schema["labels"], schema["classes"]) == (kind, classes)
    assert schema["rows"] == {"train": 6, "val": 3, "test": 3}


@pytest.mark.parametrize("kind", [np.int64, ">f8", ">i4", np.longdouble, np.uint32])
def test_large_numbers_of_any_type_that_differ_little_are_told_apart(tmp_path, kind):
    x = (1_700_000_000 + np.arange(60)).reshape(-1, 1).astype(kind)
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=np.arange(60) % 2)
    loaded(tmp_path / "out", of_npz(file, test=0.25))
    normalized(tmp_path / "out", scale="standard", validation=9)
    with np.load(tmp_path / "out/normalized.npz") as found:
        every = np.concatenate([found[f"x_{split}"] for split in ("train", "val", "test")])
    assert len(np.unique(every)) == 60


def test_labels_1_to_10_make_10_outputs_and_not_11(tmp_path):
    file = put_npz(tmp_path / "in.npz", x_train=rows(40)[0], y_train=np.arange(40) % 10 + 1)
    loaded(tmp_path / "out", of_npz(file, **SHARE))
    schema = normalized(tmp_path / "out", scale="pixels")
    assert choose(schema, 10, "softmax").units == 10
    with pytest.raises(
        UserError,
        match=r"Dense\(11, auto\) cannot work: the labels are 10 classes, .* need Dense\(10",
    ):
        choose(schema, 11, "auto")


X, Y = rows()


def arrays(how=SHARE, **arrays):
    """An .npz file: good arrays, with others in their places (None: not there)."""
    return lambda path: of_npz(
        put_npz(path / "in.npz", **{"x_train": X, "y_train": Y, **arrays}), **how
    )


def given(**more):
    return arrays({"test": "given"}, **{"x_test": X, "y_test": Y, **more})


def with_value(array: np.ndarray, value, kind=np.float64) -> np.ndarray:
    changed = array.astype(kind)
    changed[5] = value
    return changed


WRONG = {
    "folder for a file": (
        lambda path: of_npz(path),
        r"load\.path: .* is a folder\. Expected an \.npz file",
    ),
    "no npz": (
        lambda path: of_npz(put_csv(path / "in.npz", "hello")),
        r"in\.npz cannot be read \(.*\)\. Expected an",
    ),
    "empty npz": (
        lambda path: of_npz(put_npz(path / "in.npz")),
        r"no array x_train\. It has nothing\. Expected an",
    ),
    "other names": (
        arrays(y_train=None, labels=Y),
        r"in\.npz: no array y_train\. It has x_train, labels\. Expected a",
    ),
    "x_test alone": (arrays(x_test=X), r"no array y_test\. It has x_train, y_train, x_test"),
    "no test rows": (
        arrays({"test": "given"}),
        r"load\.test is `given`, but .* no test rows .* `test: 0\.2`",
    ),
    "no rows": (arrays(x_train=X[:0]), r"x_train has no rows"),
    "two channels": (
        arrays(x_train=np.zeros((12, 4, 4, 2))),
        r"x_train has the shape \(12, 4, 4, 2\), with 2 channels\. Expected ",
    ),
    "one dimension": (
        arrays(x_train=np.zeros(12)),
        r"x_train has the shape \(12,\)\. Expected numbers of the shape",
    ),
    "channels first": (
        arrays(x_train=np.zeros((12, 3, 4, 4))),
        r"\(12, 3, 4, 4\), with 4 channels\. Expected",
    ),
    "other lengths": (
        arrays(y_train=Y[:-2]),
        r"x_train has 12 rows and y_train 10\. Expected one label for each row",
    ),
    "other shape to test": (
        given(x_test=X[:, :3]),
        r"x_test has the shape \(3, 4\), a row of x_train \(4, 4\)",
    ),
    "NaN": (
        arrays(x_train=with_value(X, np.nan)),
        r"x_train has 16 values that are NaN or infinite, .* row 5\. Fill",
    ),
    "infinite": (
        arrays({**SHARE, "task": "regression"}, y_train=with_value(Y, np.inf)),
        r"y_train has 1 values .* in row 5",
    ),
    "text": (arrays(x_train=np.full((12, 2), "a")), r"x_train has the type <U1\. Expected numbers"),
    "Python objects": (
        arrays(x_train=np.array([{}] * 12)),
        r"in\.npz cannot be read \(.*pickle.*without Python obj",
    ),
    "negative labels": (
        arrays(y_train=with_value(Y, -1, np.int8)),
        r"y_train has the label -1 in row 5\. Expected cl",
    ),
    "float labels": (
        arrays(y_train=with_value(Y, 1.5)),
        r"has the label 1\.5 in row 5.* or set `task: regression`",
    ),
    "two ones in a row": (
        arrays(y_train=np.ones((12, 3))),
        r"row 0 of y_train is not one-hot\. Expected a single ",
    ),
    "more one-hot classes to test": (
        given(y_train=np.eye(3)[Y], y_test=np.eye(4)[Y]),
        r"y_train has 3 classes, y_test 4\. Expected the same classes",
    ),
    "two numbers a row": (
        arrays({**SHARE, "task": "regression"}, y_train=np.zeros((12, 2))),
        r"y_train has the shape \(12, 2\)\. Expect",
    ),
    "one label": (
        arrays(y_train=Y * 0),
        r"has one class only, `0`: there is nothing to tell apart\. Expected two",
    ),
    "class with one row": (
        arrays({"test": 0.5}, y_train=with_value(Y * 0, 1, np.uint8), x_train=X),
        r"load\.test is 0\.5, which leaves no training row of the class `1`: too few rows",
    ),
    "numbers beyond float32": (
        arrays({**SHARE, "task": "regression"}, y_train=with_value(Y, 1e300)),
        r"target is 1e\+300 in size",
    ),
    "one-hot rows of one class": (arrays(y_train=np.eye(3)[Y * 0]), r"has one class only, `0`"),
    "one-hot class only to test": (
        given(y_train=np.eye(3)[Y % 2], y_test=np.eye(3)[Y]),
        r"the class `2` has test rows and no training rows",
    ),
    "class only to validate": (
        arrays(x_val=X, y_val=Y + 1),
        r"the class `3` has validation rows and no training rows\. Add some, or remove",
    ),
    "one-hot to train and integers to test": (
        given(y_train=np.eye(3)[Y]),
        r"y_train has the shape \(12, 3\)\. Expected .*, or one-hot rows in all of them",
    ),
    "x_val alone": (arrays(x_val=X), r"no array y_val\. It has x_train, y_train, x_val"),
    "share of no row": (
        arrays({"test": 0.01}),
        r"load\.test is 0\.01, which is 0 of 12 rows\. Expected some on each",
    ),
    "fewer names than classes": (
        arrays({**SHARE, "class_names": ["a", "b"]}),
        r"class_names has 2 names, but .* has 3 classes: 0, 1, 2\.",
    ),
    "a name twice": (
        arrays({**SHARE, "class_names": ["a", "b", "a"]}),
        r"class_names has `a` twice\. Expected a name of its own",
    ),
    "names for a regression": (
        arrays({**SHARE, "task": "regression", "class_names": ["a"]}),
        r"has 1 names, but a regression has no classes",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_named_with_what_to_do(tmp_path, kind):
    refused(tmp_path, *WRONG[kind])
