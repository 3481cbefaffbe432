"""Step 2, normalize: scaled values, and a repeatable validation split of exact counts."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.core.step import TimedOut, UserError, at_most
from tasks.normalize import Params, normalize

COUNTS = (30, 20, 10)  # training rows of each class
TRAIN, TEST, SIDE = sum(COUNTS), 9, 3
HELD, HELD_COUNTS = 12, [6, 4, 2]  # in the classes' proportions
PIXELS = Params(scale="pixels", validation=HELD, seed=0)


def raw(path, labels: str = "classes", **changes: np.ndarray) -> Folder:
    """`raw.npz` as `load` leaves it; the first pixel of an image is its number."""
    random = np.random.default_rng(0)
    classes = random.permutation(np.repeat(np.arange(len(COUNTS), dtype=np.uint8), COUNTS))
    x = random.integers(1, 255, (TRAIN + TEST, SIDE, SIDE), dtype=np.uint8)
    x[:, 0, 0] = np.arange(TRAIN + TEST)
    x[0, 1, 1], x[1, 1, 1] = 0, 255
    y = np.concatenate([classes, np.arange(TEST, dtype=np.uint8) % len(COUNTS)])
    if labels == "one_hot":
        y = np.eye(len(COUNTS), dtype=np.uint8)[y]
    elif labels == "binary":
        y = (y > 0).astype(np.uint8)
    elif labels == "regression":
        x = np.arange(TRAIN + TEST, dtype=np.float64).reshape(-1, 1)
        y = x[:, 0] * 2
    arrays = {"x_train": x[:TRAIN], "y_train": y[:TRAIN], "x_test": x[TRAIN:], "y_test": y[TRAIN:]}
    names = np.array(
        []
        if labels == "regression"
        else ["shirt", "shoe", "bag"][: 2 if labels == "binary" else 3],
        dtype=np.str_,
    )
    folder = Folder(path)
    write_arrays(folder, "raw.npz", **{**arrays, "class_names": names, **changes})
    return folder


def result(folder: Folder) -> dict[str, np.ndarray]:
    with np.load(folder.path / "normalized.npz", allow_pickle=False) as file:
        return dict(file)


def schema(folder: Folder) -> dict:
    return json.loads((folder.path / "schema.json").read_text())


def numbers(x: np.ndarray) -> list[int]:
    """The rows of `raw.npz` that these are."""
    return np.rint(x[:, 0, 0] * 255).astype(int).tolist()


def test_pixels_become_float32_between_0_and_1(tmp_path):
    folder = raw(tmp_path)
    normalize(folder, PIXELS)
    found = result(folder)
    assert list(found)[:6] == ["x_train", "y_train", "x_val", "y_val", "x_test", "y_test"]
    for split in ("train", "val", "test"):
        x = found[f"x_{split}"]
        assert x.dtype == np.float32
        assert x.min() >= 0
        assert x.max() <= 1
    before = np.load(folder.path / "raw.npz")["x_test"]
    np.testing.assert_allclose(found["x_test"] * 255, before, atol=1e-4)


def test_min_and_max_before_and_after_are_reported(tmp_path, caplog):
    caplog.set_level("INFO", "tasks")
    folder = raw(tmp_path)
    normalize(folder, PIXELS)
    assert "min 0, max 255 before; min 0, max 1 after" in caplog.messages
    assert schema(folder)["min_max"] == {"before": [0, 255], "after": [0, 1]}


@pytest.mark.parametrize("labels", ["classes", "one_hot"])
@pytest.mark.parametrize("seed", [0, 1])
def test_held_out_rows_are_stratified(tmp_path, labels, seed):
    folder = raw(tmp_path, labels)
    normalize(folder, Params(scale="pixels", validation=HELD, seed=seed))
    found = result(folder)
    count = (lambda y: y.sum(axis=0)) if labels == "one_hot" else np.bincount
    assert count(found["y_val"]).tolist() == HELD_COUNTS
    assert count(found["y_train"]).tolist() == [
        all_ - held for all_, held in zip(COUNTS, HELD_COUNTS, strict=True)
    ]
    assert schema(folder)["rows"] == {"train": TRAIN - HELD, "val": HELD, "test": TEST}


@pytest.mark.parametrize("held", [1, 7, 40])
def test_split_is_disjoint_and_complete_and_keeps_each_rows_label(tmp_path, held):
    folder = raw(tmp_path)
    normalize(folder, Params(scale="pixels", validation=held, seed=3))
    found = result(folder)
    assert len(found["x_val"]) == held
    rows = numbers(found["x_train"]) + numbers(found["x_val"])
    assert sorted(rows) == list(range(TRAIN))
    assert [*found["row_train"], *found["row_val"]] == rows
    before = np.load(folder.path / "raw.npz")["y_train"]
    np.testing.assert_array_equal(np.concatenate([found["y_train"], found["y_val"]]), before[rows])
    assert numbers(found["x_test"]) == list(range(TRAIN, TRAIN + TEST))


def test_same_seed_gives_the_same_bytes_and_another_seed_other_rows(tmp_path):
    folders = [raw(tmp_path / name) for name in "abc"]
    for folder, seed in zip(folders, (0, 0, 1), strict=True):
        normalize(folder, Params(scale="pixels", validation=HELD, seed=seed))
    with zipfile.ZipFile(
        folders[0].path / "normalized.npz"
    ) as file:  # Python's versions differ in longer headers
        assert {(entry.extract_version, entry.extra) for entry in file.infolist()} == {(20, b"")}
    one, same, other = ((folder.path / "normalized.npz").read_bytes() for folder in folders)
    assert one == same
    assert one != other
    assert numbers(result(folders[0])["x_val"]) != numbers(result(folders[2])["x_val"])
    for name in ("schema.json", "checks.json"):
        one, same, _ = ((folder.path / name).read_bytes() for folder in folders)
        assert one == same


def test_validation_on_the_test_rows_warns(tmp_path, caplog):
    folder = raw(tmp_path)
    normalize(folder, Params(scale="pixels", validation="test", seed=0))
    found = result(folder)
    assert len(found["x_train"]) == TRAIN
    np.testing.assert_array_equal(found["x_val"], found["x_test"])
    np.testing.assert_array_equal(found["y_val"], found["y_test"])
    np.testing.assert_array_equal(found["row_train"], np.arange(TRAIN))
    assert "row_val" not in found
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [
        "normalize.validation is `test`: the checkpoint is chosen on the test rows, so the "
        "score is optimistic"
    ]


def test_validation_none_holds_out_nothing(tmp_path, caplog):
    folder = raw(tmp_path)
    normalize(folder, Params(scale="pixels", validation="none", seed=0))
    found = result(folder)
    assert numbers(found["x_train"]) == list(range(TRAIN))
    assert found["x_val"].shape == (0, SIDE, SIDE)
    assert found["row_val"].shape == (0,)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("scale", ["standard", "none"])
def test_the_schema_has_mean_and_standard_deviation_of_the_training_rows_targets(tmp_path, scale):
    folder = raw(tmp_path)
    arrays = dict(np.load(folder.path / "raw.npz"))
    targets = {f"y_{split}": arrays[f"y_{split}"] * np.float32(1000) for split in ("train", "test")}
    np.savez(folder.path / "raw.npz", **{**arrays, **targets, "class_names": np.array([], "U1")})
    normalize(folder, Params(scale=scale, validation=HELD, seed=0))
    if scale == "none":
        assert "target" not in schema(folder)
    else:
        y = result(folder)["y_train"]
        assert schema(folder)["target"] == pytest.approx({"mean": y.mean(), "std": y.std()})


def test_pixels_between_0_and_1_are_not_divided_again(tmp_path):
    folder = raw(tmp_path)
    arrays = dict(np.load(folder.path / "raw.npz"))
    for split in ("x_train", "x_test"):
        arrays[split] = arrays[split] / arrays["x_train"].max()
    np.savez(folder.path / "raw.npz", **arrays)
    with pytest.raises(
        UserError, match=r"`pixels`, but x_train lies between 0 and 1, .* Set `scale: none`"
    ):
        normalize(folder, PIXELS)


@pytest.mark.parametrize("held", [TRAIN, TRAIN + 1])
def test_holding_out_every_row_is_refused(tmp_path, held):
    folder = raw(tmp_path)
    with pytest.raises(
        UserError,
        match=rf"normalize\.validation is {held}, which is {held} of {TRAIN} rows\. .*: set fewer",
    ):
        normalize(folder, Params(scale="pixels", validation=held, seed=0))
    assert [path.name for path in tmp_path.iterdir()] == ["raw.npz"]


def test_a_class_without_a_training_row_left_is_refused(tmp_path):
    folder = raw(tmp_path)
    with pytest.raises(
        UserError,
        match=r"validation is 59, which leaves no training row of the class `shoe`, `bag`: too",
    ):
        normalize(folder, Params(scale="pixels", validation=59, seed=3))


def test_validation_rows_must_be_given_where_they_are_asked_for(tmp_path):
    folder = raw(tmp_path)
    with pytest.raises(
        UserError,
        match=r"is `given`, but the data has no validation rows\. Set .* `validation: 0\.2`",
    ):
        normalize(folder, Params(scale="pixels", validation="given", seed=0))
    arrays = dict(np.load(folder.path / "raw.npz"))
    np.savez(folder.path / "raw.npz", **arrays, given_train=np.arange(TRAIN) < HELD)
    for other in (HELD, 0.5, "test", "none"):
        with pytest.raises(
            UserError,
            match=rf"is `{other}`, but the data has .* of its own\. Set `validation: given`",
        ):
            normalize(folder, Params(scale="pixels", validation=other, seed=0))
    normalize(folder, Params(scale="pixels", validation="given", seed=0))
    assert numbers(result(folder)["x_val"]) == list(range(HELD))


@pytest.mark.parametrize("split", ["x_train", "x_test"])
@pytest.mark.parametrize("value", [256, -1])
def test_pixels_outside_0_to_255_are_refused(tmp_path, value, split):
    x = np.zeros((TRAIN if split == "x_train" else TEST, SIDE, SIDE), np.float32)
    x[5, 1, 2] = value
    folder = raw(tmp_path, **{split: x})
    with pytest.raises(
        UserError,
        match=r"normalize\.scale is `pixels`, but x_(train|test) lies between .* `scale: none`",
    ):
        normalize(folder, PIXELS)
    normalize(folder, Params(scale="none", validation="none", seed=0))
    np.testing.assert_array_equal(result(folder)[split], x)


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        ("classes", 3, ["shirt", "shoe", "bag"]),
        ("binary", 2, ["shirt", "shoe"]),
        ("regression", 0, []),
    ],
)
def test_schema_says_what_the_labels_are(tmp_path, labels, classes, names):
    folder = raw(tmp_path, labels)
    normalize(folder, Params(scale="none", validation="none", seed=0))
    found = schema(folder)
    assert (found["labels"], found["classes"], found["class_names"]) == (labels, classes, names)
    assert found["input_shape"] == ([1] if labels == "regression" else [SIDE, SIDE])


def test_classes_without_names_are_numbered(tmp_path):
    folder = raw(tmp_path, "one_hot", class_names=np.array([], dtype=np.str_))
    normalize(folder, Params(scale="none", validation="none", seed=0))
    found = schema(folder)
    assert (found["labels"], found["classes"], found["class_names"]) == (
        "one_hot",
        3,
        ["0", "1", "2"],
    )


def test_regression_targets_stay_as_they_are_and_can_be_held_out(tmp_path):
    folder = raw(tmp_path, "regression")
    normalize(folder, Params(scale="none", validation=HELD, seed=0))
    found = result(folder)
    x, y = (np.concatenate([found[f"{name}_train"], found[f"{name}_val"]]) for name in "xy")
    assert sorted(x[:, 0].tolist()) == list(range(TRAIN))
    np.testing.assert_array_equal(y, 2 * x[:, 0])
    assert len(found["x_val"]) == HELD


def test_missing_or_damaged_raw_data_is_named(tmp_path):
    with pytest.raises(UserError, match=r"raw\.npz is missing: an earlier step makes it"):
        normalize(Folder(tmp_path), PIXELS)
    folder = raw(tmp_path)
    file = tmp_path / "raw.npz"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"raw\.npz is damaged .*: delete it, and it is made again"):
        normalize(folder, PIXELS)


def checks(folder: Folder) -> dict[str, dict]:
    return {each["check"]: each for each in folder.read_json("checks.json")}


@pytest.mark.parametrize("validation", [HELD, "test", "none"])
def test_test_rows_that_are_training_rows_are_marked_also_if_those_validate(tmp_path, validation):
    folder = raw(tmp_path)
    arrays = dict(np.load(tmp_path / "raw.npz"))
    held = numbers(result_of(folder, HELD)["x_val"])[0]
    arrays["x_test"][4], arrays["x_test"][7] = arrays["x_train"][held], arrays["x_train"][3]
    folder = raw(tmp_path, x_test=arrays["x_test"])
    assert np.flatnonzero(result_of(folder, validation)["leaked_test"]).tolist() == [4, 7]
    rows = checks(folder)["duplicates across train and test"]["rows"]
    assert [(row["first"], row["row"]) for row in rows] == [
        (f"train {held}", "test 4"),
        ("train 3", "test 7"),
    ]


def result_of(folder: Folder, validation) -> dict[str, np.ndarray]:
    normalize(folder, Params(scale="pixels", validation=validation, seed=0))
    return result(folder)


def test_a_class_without_rows_is_named_with_the_split(tmp_path, caplog):
    folder = raw(tmp_path, y_test=np.zeros(TEST, np.uint8))
    normalize(folder, PIXELS)
    means = "a class without training rows is not learnt, one without test rows not measured"
    says = f"test has no row of shoe, bag: {means}"
    assert checks(folder)["classes in each split"]["says"] == says
    assert f"classes in each split: {says}" in caplog.messages


def test_nan_is_refused_and_nothing_is_written(tmp_path):
    x = np.full((TRAIN, SIDE, SIDE), np.nan)
    folder = raw(tmp_path, x_train=x)
    with pytest.raises(
        UserError, match=r"x_train has NaN or infinity in 60 of 60 rows, first in row 0 \(pixel"
    ):
        normalize(folder, Params(scale="none", validation="none", seed=0))
    assert [path.name for path in tmp_path.iterdir()] == ["raw.npz"]


def test_values_without_a_standard_deviation_in_float64_are_refused(tmp_path):
    x = np.array([[-1e300], [1e300], [0.0]])
    folder = raw(
        tmp_path, "regression", x_train=x, y_train=np.zeros(3), x_test=x, y_test=np.zeros(3)
    )
    with pytest.raises(
        UserError, match=r"normalize\.scale is `standard`, but the squares of some values"
    ):
        normalize(folder, Params(scale="standard", validation="none", seed=0))


def test_values_too_large_for_float32_are_refused_unless_they_are_scaled(tmp_path):
    x = np.random.default_rng(0).normal(size=(TRAIN, 2)) * [1, 1e39]
    names = np.array(["small", "large"])
    folder = raw(tmp_path, x_train=x, x_test=x[:TEST] + 1, feature_names=names)
    with pytest.raises(
        UserError,
        match=r"The scaled x_train has .* \(feature large\).* float32: set `scale: standard`",
    ):
        normalize(folder, Params(scale="none", validation="none", seed=0))
    normalize(folder, Params(scale="standard", validation="none", seed=0))
    assert np.isfinite(result(folder)["x_train"]).all()


def test_scaling_many_rows_can_be_stopped(tmp_path):
    folder = raw(tmp_path)
    with (
        at_most(0, "run.timeouts.normalize"),
        pytest.raises(
            TimedOut, match=r"timeouts\.normalize is 0 seconds: stopped after 0 of \d+ rows"
        ),
    ):
        normalize(folder, PIXELS)
    assert not (folder.path / "normalized.npz").exists()
