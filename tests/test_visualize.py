"""Step 3, visualize: a picture with something in it, of the same bytes for the same data."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pytest

from tasks.base import Folder, UserError
from tasks.visualize import COLUMNS, ROWS, Params, visualize
from tests import tiny

CELLS = ROWS * COLUMNS


def picture(folder: Folder) -> np.ndarray:
    return matplotlib.image.imread(folder.path / "samples.png")[..., :3]


def drawn_in(folder: Folder) -> list[bool]:
    """For each of the 2 x 5 cells, whether anything but white is there."""
    image = picture(folder)
    rows = np.array_split(image, ROWS, axis=0)
    return [bool(cell.min() < 0.9) for row in rows for cell in np.array_split(row, COLUMNS, axis=1)]


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot", "regression"])
def test_same_data_gives_the_same_bytes(tmp_path, labels):
    folders = [tiny.normalized(tmp_path / name, labels) for name in "ab"]
    for folder in folders:
        visualize(folder, Params())
    one, same = (tiny.content(folder, "samples.png") for folder in folders)
    assert one == same
    assert b"Matplotlib" not in one["samples.png"]  # no version, no date
    assert picture(folders[0]).std() > 0.02


def test_ten_images_are_shown_in_two_rows_of_five(tmp_path):
    folder = tiny.normalized(tmp_path)
    assert visualize(folder, Params()) == "the first 10 training images in samples.png"
    assert (ROWS, COLUMNS) == (2, 5)
    assert drawn_in(folder) == [True] * CELLS


@pytest.mark.parametrize("count", [1, 7])
def test_fewer_images_leave_the_other_cells_empty(tmp_path, count):
    folder = tiny.normalized(tmp_path, train=count)
    assert visualize(folder, Params()) == f"the first {count} training images in samples.png"
    assert drawn_in(folder) == [True] * count + [False] * (CELLS - count)


def test_images_are_the_first_ten_and_no_others(tmp_path):
    few, many = (tiny.normalized(tmp_path / f"{count}", train=count) for count in (CELLS, CELLS + 5))
    with np.load(many.path / "normalized.npz") as file:
        arrays = dict(file)
    for key in ("x_train", "y_train"):
        arrays[key] = arrays[key][:CELLS]
    tiny.write_arrays(few, "normalized.npz", **arrays)
    for folder in (few, many):
        visualize(folder, Params())
    assert tiny.content(few, "samples.png") == tiny.content(many, "samples.png")


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures, instead of their files."""
    figures = []
    monkeypatch.setattr("tasks.figures.save", lambda folder, name, figure: figures.append(figure))
    return figures


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot"])
def test_each_cell_has_an_image_with_the_name_of_its_class(tmp_path, drawn, labels):
    folder = tiny.normalized(tmp_path, labels)
    visualize(folder, Params())
    data = np.load(folder.path / "normalized.npz")
    y = data["y_train"].argmax(axis=1) if labels == "one_hot" else data["y_train"]
    (figure,) = drawn
    assert len(figure.axes) == CELLS
    for row, axes in enumerate(figure.axes):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), data["x_train"][row])
        assert image.get_clim() == (0, 1)  # the same gray means the same number in every image
        assert axes.get_title() == f"kind {y[row]} ({y[row]})"


def test_numbers_to_predict_are_points(tmp_path, drawn):
    folder = tiny.normalized(tmp_path, "regression")
    assert visualize(folder, Params()) == f"{tiny.ROWS['train']} points in samples.png"
    data = np.load(folder.path / "normalized.npz")
    (axes,) = drawn[0].axes
    (points,) = axes.collections
    np.testing.assert_array_equal(points.get_offsets(), np.column_stack([data["x_train"][:, 0], data["y_train"]]))


def test_missing_data_is_named(tmp_path):
    with pytest.raises(UserError, match=r"schema\.json is missing"):
        visualize(Folder(tmp_path), Params())


def test_images_with_a_number_to_predict_are_images(tmp_path, drawn):
    folder = tiny.normalized(tmp_path)
    data = dict(np.load(folder.path / "normalized.npz"))
    tiny.write_arrays(folder, "normalized.npz", **{**data, "y_train": data["y_train"] * np.float32(0.5)})
    folder.write_json("schema.json", {**folder.read_json("schema.json"), "labels": "regression"})
    visualize(folder, Params())
    assert drawn[0].axes[3].get_title() == f"{data['y_train'][3] / 2:g}"


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (5,)])
def test_inputs_beyond_0_and_1_are_shown_in_their_own_range(tmp_path, drawn, shape):
    folder = tiny.normalized(tmp_path)
    data = dict(np.load(folder.path / "normalized.npz"))
    x = np.random.default_rng(0).normal(size=(len(data["y_train"]), *shape)).astype(np.float32)
    tiny.write_arrays(folder, "normalized.npz", **{**data, "x_train": x})
    visualize(folder, Params())
    shown = np.stack([axes.images[0].get_array() for axes in drawn[0].axes])
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert shown.std() > 0.1
