"""Step 3, visualize: pictures with content, the same bytes each time; and near-duplicates."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pytest

from tasks.core.folder import Folder
from tasks.core.step import Stopped, UserError, stopping
from tasks.pictures.near_duplicates import FEATURES
from tasks.pictures.samples import COLUMNS, ROWS
from tasks.rows import near_duplicates
from tasks.visualize import LISTED, Params, visualize
from tests.support import tiny

CELLS = ROWS * COLUMNS
NONE, NEAR = Params(near=None), Params(near=0.014)


def picture(folder: Folder, name: str = "samples.png") -> np.ndarray:
    return matplotlib.image.imread(folder.path / name)[..., :3]


def drawn_in(folder: Folder) -> list[bool]:
    """For each of the 2 x 5 cells, whether anything but white is there."""
    image = picture(folder)
    rows = np.array_split(image, ROWS, axis=0)
    return [bool(cell.min() < 0.9) for row in rows for cell in np.array_split(row, COLUMNS, axis=1)]


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot", "regression"])
def test_same_data_gives_the_same_bytes(tmp_path, labels):
    folders = [tiny.normalized(tmp_path / name, labels) for name in "ab"]
    for folder in folders:
        visualize(folder, NONE)
    one, same = (
        tiny.content(folder, "samples.png", "near_duplicates.png", "near_duplicates.json")
        for folder in folders
    )
    assert one == same
    assert b"Matplotlib" not in one["samples.png"]  # no version, no date
    assert picture(folders[0]).std() > 0.02


def test_ten_images_are_shown_in_two_rows_of_five(tmp_path):
    folder = tiny.normalized(tmp_path)
    assert visualize(folder, NONE) == "the first 10 training images in samples.png"
    assert (ROWS, COLUMNS) == (2, 5)
    assert drawn_in(folder) == [True] * CELLS


@pytest.mark.parametrize("count", [1, 7])
def test_fewer_images_leave_the_other_cells_empty(tmp_path, count):
    folder = tiny.normalized(tmp_path, train=count)
    assert visualize(folder, NONE) == f"the first {count} training images in samples.png"
    assert drawn_in(folder) == [True] * count + [False] * (CELLS - count)


def test_images_are_the_first_ten_and_no_others(tmp_path):
    few, many = (
        tiny.normalized(tmp_path / f"{count}", train=count) for count in (CELLS, CELLS + 5)
    )
    with np.load(many.path / "normalized.npz") as file:
        arrays = dict(file)
    for key in ("x_train", "y_train"):
        arrays[key] = arrays[key][:CELLS]
    tiny.write_arrays(few, "normalized.npz", **arrays)
    for folder in (few, many):
        visualize(folder, NONE)
    assert tiny.content(few, "samples.png") == tiny.content(many, "samples.png")


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures, instead of their files."""
    figures = []
    for name in ("samples", "near_duplicates"):
        save = f"tasks.pictures.{name}.save"
        monkeypatch.setattr(save, lambda folder, name, figure, **how: figures.append(figure))
    return figures


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot"])
def test_each_cell_has_an_image_with_the_name_of_its_class(tmp_path, drawn, labels):
    folder = tiny.normalized(tmp_path, labels)
    visualize(folder, NONE)
    data = np.load(folder.path / "normalized.npz")
    y = data["y_train"].argmax(axis=1) if labels == "one_hot" else data["y_train"]
    figure = drawn[0]
    assert len(figure.axes) == CELLS
    for row, axes in enumerate(figure.axes):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), data["x_train"][row])
        assert image.get_clim() == (0, 1)  # the same gray means the same number in every image
        assert axes.get_title() == f"kind {y[row]} ({y[row]})"


def test_regression_targets_are_points(tmp_path, drawn):
    folder = tiny.normalized(tmp_path, "regression")
    assert visualize(folder, NONE) == f"{tiny.ROWS['train']} points in samples.png"
    data = np.load(folder.path / "normalized.npz")
    (axes,) = drawn[0].axes
    (points,) = axes.collections
    np.testing.assert_array_equal(
        points.get_offsets(), np.column_stack([data["x_train"][:, 0], data["y_train"]])
    )


def test_missing_data_is_named(tmp_path):
    with pytest.raises(UserError, match=r"schema\.json is missing"):
        visualize(Folder(tmp_path), NONE)


def test_images_with_a_regression_target_are_images(tmp_path, drawn):
    folder = tiny.normalized(tmp_path)
    data = dict(np.load(folder.path / "normalized.npz"))
    tiny.write_arrays(
        folder, "normalized.npz", **{**data, "y_train": data["y_train"] * np.float32(0.5)}
    )
    folder.write_json("schema.json", {**folder.read_json("schema.json"), "labels": "regression"})
    visualize(folder, NONE)
    assert drawn[0].axes[3].get_title() == f"{data['y_train'][3] / 2:g}"


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3)])
def test_inputs_beyond_0_and_1_are_shown_in_their_own_range(tmp_path, drawn, shape):
    folder = tiny.normalized(tmp_path)
    data = dict(np.load(folder.path / "normalized.npz"))
    x = np.random.default_rng(0).normal(size=(len(data["y_train"]), *shape)).astype(np.float32)
    tiny.write_arrays(folder, "normalized.npz", **{**data, "x_train": x})
    visualize(folder, NONE)
    shown = np.stack([axes.images[0].get_array() for axes in drawn[0].axes])
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert shown.std() > 0.1


def planted(
    path, labels: str = "classes", shape=(4, 4), **more
) -> tuple[Folder, list[tuple[int, int]]]:
    """Noise with three near-duplicates, and their numbers.

    Test rows 3 and 5 are near a training row, test row 7 is near a validation row.
    """
    folder = tiny.normalized(path, labels)
    data = dict(np.load(folder.path / "normalized.npz"))
    random = np.random.default_rng(0)
    for split, count in tiny.ROWS.items():
        data[f"x_{split}"] = random.uniform(0, 1, (count, *shape)).astype(np.float32)
    data["x_test"][3] = data["x_train"][12]
    data["x_test"][5] = data["x_train"][2] + np.float32(0.01)
    data["x_test"][7] = data["x_val"][4] - np.float32(0.005)
    mixed = random.permutation(tiny.ROWS["train"] + tiny.ROWS["val"])
    train, val = np.sort(mixed[: tiny.ROWS["train"]]), np.sort(mixed[tiny.ROWS["train"] :])
    data |= {"row_train": train, "row_val": val, **more}
    tiny.write_arrays(
        folder, "normalized.npz", **{key: value for key, value in data.items() if value is not None}
    )
    return folder, [(3, int(train[12])), (7, int(val[4])), (5, int(train[2]))]


def found(folder: Folder) -> dict:
    return folder.read_json("near_duplicates.json")


@pytest.mark.parametrize("labels", ["classes", "one_hot", "regression"])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (5,)])
def test_planted_near_duplicates_are_listed_the_closest_first_with_their_numbers_in_raw_npz(
    tmp_path, caplog, labels, shape
):
    folder, pairs = planted(tmp_path, labels, shape)
    said = visualize(folder, NEAR)
    content = found(folder)
    assert (content["check"], content["result"], content["count"]) == (
        "near-duplicates",
        "warning",
        3,
    )
    assert content["says"] == "3 of 15 test rows within 0.014 of a training row"
    assert said.endswith(f"; near-duplicates: {content['says']}")
    assert [record.message for record in caplog.records] == [f"near-duplicates: {content['says']}"]
    assert [(row["test"], row["train"]) for row in content["rows"]] == pairs
    np.testing.assert_allclose(
        [row["distance"] for row in content["rows"]], [0, 0.005, 0.01], atol=1e-7
    )
    data = np.load(folder.path / "normalized.npz")
    y = {"test": data["y_test"][7], "train": data["y_val"][4]}
    word = {
        "classes": lambda y: f"kind {y}",
        "one_hot": lambda y: f"kind {y.argmax()}",
        "regression": lambda y: f"{y:g}",
    }[labels]
    assert {split: content["rows"][1][f"{split} label"] for split in y} == {
        split: word(y[split]) for split in y
    }
    assert (folder.path / "near_duplicates.png").stat().st_size < 100_000
    assert picture(folder, "near_duplicates.png").std() > 0.05


def test_validation_rows_that_are_the_test_rows_are_no_training_rows(tmp_path):
    rows = tiny.ROWS["train"]
    folder, _ = planted(tmp_path, row_train=np.arange(rows), row_val=None)
    visualize(folder, NEAR)
    assert [(row["test"], row["train"]) for row in found(folder)["rows"]] == [(3, 12), (5, 2)]
    empty = np.empty((0, 4, 4), np.float32)
    folder, _ = planted(
        tmp_path,
        row_train=np.arange(rows),
        row_val=np.arange(0),
        x_val=empty,
        y_val=np.empty(0, np.uint8),
    )
    visualize(folder, NEAR)
    assert [(row["test"], row["train"]) for row in found(folder)["rows"]] == [(3, 12), (5, 2)]


@pytest.mark.parametrize(
    ("params", "result", "says"),
    [
        (NONE, "skipped", "not looked for: visualize.near is null"),
        (Params(near=0), "skipped", "not looked for: visualize.near is 0"),
        (NEAR, "ok", "none of 15 test rows within 0.014 of a training row"),
    ],
)
def test_without_near_duplicates_the_picture_and_the_list_say_so(
    tmp_path, drawn, caplog, params, result, says
):
    folder = tiny.normalized(tmp_path)
    visualize(folder, params)
    assert found(folder) == {
        "check": "near-duplicates",
        "result": result,
        "says": says,
        "count": 0,
        "rows": [],
    }
    assert [text.get_text() for text in drawn[-1].texts] == [f"near-duplicates: {says}"]
    assert not caplog.records


def test_the_closest_are_drawn_the_training_image_above_the_test_image(tmp_path, drawn):
    folder, _ = planted(tmp_path)
    visualize(folder, NEAR)
    data, rows = np.load(folder.path / "normalized.npz"), found(folder)["rows"]
    axes = np.array(drawn[-1].axes).reshape(2, 3)
    for column, (train, test) in enumerate(
        [(data["x_train"][12], 3), (data["x_val"][4], 7), (data["x_train"][2], 5)]
    ):
        for place, split, image in ((0, "train", train), (1, "test", data["x_test"][test])):
            np.testing.assert_array_equal(axes[place, column].images[0].get_array(), image)
            row = rows[column]
            assert (
                axes[place, column]
                .get_title()
                .endswith(f"{row[f'{split} label']}\n{split} {row[split]}")
            )
    assert axes[0, 0].get_title().startswith("0 apart")


def test_near_duplicates_of_a_table_are_bars_of_the_features_that_differ_most(tmp_path, drawn):
    folder, _ = planted(tmp_path, shape=(30,))
    data = dict(np.load(folder.path / "normalized.npz"))
    data["x_test"][3, 17] += np.float32(0.05)
    tiny.write_arrays(folder, "normalized.npz", **data)
    folder.write_json(
        "schema.json",
        {**folder.read_json("schema.json"), "feature_names": [f"f{k}" for k in range(30)]},
    )
    visualize(folder, NEAR)
    drawing = drawn[-1]
    assert len(drawing.axes) == 3
    assert drawing.axes[0].get_yticklabels()[0].get_text() == "f17"
    assert len(drawing.axes[0].containers[0]) == FEATURES
    np.testing.assert_allclose(
        drawing.axes[1].containers[0][0].get_width(), data["x_train"][12, 17], rtol=1e-6
    )
    np.testing.assert_allclose(
        drawing.axes[1].containers[1][0].get_width(), data["x_test"][3, 17], rtol=1e-6
    )


@pytest.mark.parametrize("labels", ["classes", "regression"])
@pytest.mark.parametrize("shape", [(4, 4), (5,), (1,)])
def test_names_that_would_be_formulas_are_drawn_as_they_are(tmp_path, labels, shape):
    folder, _ = planted(tmp_path, labels, shape)
    odd = r"\c$^{b$"
    schema = folder.read_json("schema.json")
    schema |= {
        "class_names": [f"{odd}{k}" for k in range(schema["classes"])],
        "feature_names": [odd] * shape[0],
    }
    folder.write_json("schema.json", schema)
    visualize(folder, NEAR)
    assert all((folder.path / name).is_file() for name in ("samples.png", "near_duplicates.png"))


def test_many_near_duplicates_are_counted_and_some_are_listed(tmp_path):
    folder, _ = planted(tmp_path)
    x = np.load(folder.path / "normalized.npz")["x_train"]
    folder, _ = planted(tmp_path, x_test=np.repeat(x, 2, axis=0), y_test=np.zeros(40, np.uint8))
    visualize(folder, NEAR)
    assert found(folder)["count"] == 40
    assert len(found(folder)["rows"]) == LISTED


def test_a_search_that_would_take_minutes_looks_at_every_nth_test_row_and_says_so(
    tmp_path, monkeypatch, caplog, drawn
):
    folder, _ = planted(tmp_path)
    monkeypatch.setattr(near_duplicates, "MOST", 10 * 32 * (16 + near_duplicates.PAIR))
    visualize(folder, Params(near=2.0))  # all are near
    says = "8 of 8 test rows (one in 2 of 15, as all would take minutes) within 2 of a training row"
    assert found(folder)["says"] == says
    assert caplog.messages == [f"near-duplicates: {says}"]
    assert {row["test"] for row in found(folder)["rows"]} == set(range(0, 15, 2))
    some = "test rows compared: one in 2 of 15, as all would take minutes"
    assert drawn[-1].get_suptitle() == some


def test_a_long_search_tells_its_progress_and_can_be_stopped(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "tasks")
    folder, _ = planted(tmp_path)
    monkeypatch.setattr(near_duplicates, "TEST", 4)
    monkeypatch.setattr(near_duplicates, "EVERY", 0)
    visualize(folder, Params(near=2.0))
    assert "near-duplicates: 8 of 15 test rows compared" in caplog.messages
    stopping.set()
    try:
        with pytest.raises(Stopped, match="stopped after 0 of 15 test rows"):
            visualize(folder, Params(near=2.0))
    finally:
        stopping.clear()


def test_equal_rows_of_a_table_are_left_to_the_check_that_knows_all_columns(tmp_path):
    folder = tiny.normalized(tmp_path, "regression")
    with np.load(folder.path / "normalized.npz") as file:
        arrays = dict(file)
    arrays["x_test"][0] = arrays["x_train"][0]
    arrays["x_test"][1] = arrays["x_train"][1] + np.float32(0.001)
    tiny.write_arrays(folder, "normalized.npz", **arrays)
    folder.write_json("schema.json", {**folder.read_json("schema.json"), "columns": []})
    visualize(folder, Params(near=0.002))
    found = folder.read_json("near_duplicates.json")["rows"]
    assert 0 not in [each["test"] for each in found]
    assert 1 in [each["test"] for each in found]
