"""The pictures of a table, as `visualize` draws them: its most informative features."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pytest

from tasks.core.folder import Folder
from tasks.pictures import tables
from tasks.pictures.tables import FEATURES
from tasks.visualize import Params, visualize
from tests.support import tiny

NONE = Params(near=None)


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures of tables, instead of their files."""
    figures = []
    monkeypatch.setattr(tables, "save", lambda folder, name, figure, **how: figures.append(figure))
    return figures


def of_table(path, labels: str, count: int = 200, features: int = 12, **schema) -> Folder:
    """Noise, except that features 7 and 3 are informative, 7 more so; feature 5 never varies."""
    random = np.random.default_rng(0)
    x = random.normal(size=(count, features)).astype(np.float32)
    kind = np.arange(count) % tiny.CLASSES
    y = {
        "classes": kind,
        "one_hot": np.eye(tiny.CLASSES, dtype=np.float32)[kind],
        "binary": kind % 2,
    }.get(labels, 100 - 20 * kind.astype(np.float32))
    told = kind % 2 if labels == "binary" else kind
    if features > 7:
        x[:, 7] += 3 * told
        x[:, 3] -= told
        x[:, 5] = 1
    folder = tiny.normalized(path, labels)
    tiny.write_arrays(folder, "normalized.npz", x_train=x, y_train=y)
    folder.write_json(
        "schema.json", {**folder.read_json("schema.json"), "input_shape": [features], **schema}
    )
    return folder


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot"])
def test_a_table_with_classes_is_histograms_of_its_most_informative_features(
    tmp_path, drawn, labels
):
    names = [f"width {number}" for number in range(12)]
    folder = of_table(tmp_path, labels, feature_names=names)
    said = "the 10 most informative of 12 features"
    assert visualize(folder, NONE) == f"{said}, in samples.png"
    figure, kinds = drawn[0], 2 if labels == "binary" else tiny.CLASSES
    assert figure.get_suptitle() == f"200 training rows, {said}"
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["width 7", "width 3"]
    assert len(set(titles)) == FEATURES
    assert "width 5" not in titles  # it never varies
    for axes in figure.axes:
        lines = [patch for patch in axes.patches if not patch.get_fill()]
        assert [line.get_label() for line in lines] == [f"kind {number}" for number in range(kinds)]
        np.testing.assert_allclose(
            [line.get_data().values.sum() for line in lines], 1
        )  # shares of the class's rows
        assert len({line.get_edgecolor() for line in lines}) == kinds
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        f"kind {number}" for number in range(kinds)
    ]


def test_a_table_with_a_regression_target_is_scatter_plots_of_its_features(tmp_path, drawn):
    folder = of_table(tmp_path, "regression", features=9, load={"target": "price"})
    assert visualize(folder, NONE) == "all features, in samples.png"
    data = np.load(folder.path / "normalized.npz")
    shown = drawn[0].axes[:9]
    assert shown[0].get_ylabel() == "price"
    assert [axes.get_title() for axes in shown][:2] == ["feature 7", "feature 3"]
    assert shown[-1].get_title() == "feature 5"  # it never varies
    for axes, feature in ((shown[0], 7), (shown[1], 3)):
        points = np.column_stack([data["x_train"][:, feature], data["y_train"]])
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), points)


def test_of_many_classes_the_largest_are_named_and_of_many_rows_some_are_drawn(tmp_path, drawn):
    folder = of_table(
        tmp_path, "classes", count=6000, features=2, class_names=[f"kind {k}" for k in range(9)]
    )
    data = dict(np.load(folder.path / "normalized.npz"))
    data["y_train"] = np.repeat(np.arange(9), 6000 // 9 + 1)[:6000]
    data["y_train"][:300] = 8
    tiny.write_arrays(folder, "normalized.npz", **data)
    visualize(folder, NONE)
    named = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert len(named) == 7
    assert named[-2:] == ["kind 8", "3 others"]
    assert "kind 0" not in named
    assert drawn[0].get_suptitle() == "5,000 of 6,000 training rows, all features"


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot", "regression"])
def test_the_picture_of_a_table_is_the_same_bytes_and_small(tmp_path, labels):
    names = [f"${number} a long name of a feature" for number in range(12)]
    folders = [
        of_table(tmp_path / name, labels, count=20_000, feature_names=names) for name in "ab"
    ]
    for folder in folders:
        visualize(folder, NONE)
    one, same = (tiny.content(folder, "samples.png") for folder in folders)
    assert one == same
    assert len(one["samples.png"]) < 100_000
    assert matplotlib.image.imread(folders[0].path / "samples.png").std() > 0.02


@pytest.mark.parametrize("labels", ["classes", "regression"])
@pytest.mark.parametrize(
    "x",
    [
        np.zeros((1, 3)),
        np.zeros((4, 3)),
        np.full((4, 3), 1e38),
        np.array([[1], [1 + 1.2e-7], [1], [1]]) * np.ones(3),
        np.eye(4)[:, :3] * 1e-38, np.array([[0, 1, -1e38]] * 3 + [[0, 1, 1e38]]),
    ],
)  # fmt: skip
def test_a_table_with_odd_values_is_drawn_without_a_warning(tmp_path, labels, x):
    folder = of_table(tmp_path, labels, count=len(x), features=3)
    data = dict(np.load(folder.path / "normalized.npz"))
    tiny.write_arrays(folder, "normalized.npz", **{**data, "x_train": x.astype(np.float32)})
    visualize(folder, NONE)
