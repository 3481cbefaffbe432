"""Scikit-learn's data in each format: `new` looks at them, and all steps run."""

from __future__ import annotations

import csv
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn import datasets

from flows.command import new
from flows.engine.step import run
from flows.project.folder import Project
from flows.project.steps import STEPS
from tests.conftest import change

TEST = 5  # every fifth row, where a format has test rows of its own


def split(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    test = np.arange(len(array)) % TEST == 0
    return array[~test], array[test]


def as_csv(folder: Path, data) -> Path:
    """A table with the names of the features; classes by their names."""
    names = getattr(data, "target_names", None)
    head = [name.replace(",", "") for name in data.feature_names] + ["target"]
    lines = [",".join(head)]
    for values, label in zip(data.data, data.target, strict=True):
        lines.append(
            ",".join(
                [
                    *(f"{value:.10g}" for value in values),
                    str(label if names is None else names[label]),
                ]
            )
        )
    folder.mkdir()
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder / "table.csv"


def as_npz(folder: Path, data) -> Path:
    folder.mkdir()
    (x_train, x_test), (y_train, y_test) = (
        split(getattr(data, "images", data.data)),
        split(data.target),
    )
    np.savez(folder / "arrays.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return folder / "arrays.npz"


def as_idx(folder: Path, data) -> Path:
    folder.mkdir()
    pixels = (data.images * 15).astype(np.uint8)  # 0 to 16 become 0 to 240
    for prefix, x, y in zip(("train", "t10k"), split(pixels), split(data.target), strict=True):
        for name, array in (("images-idx3", x), ("labels-idx1", y)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{prefix}-{name}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())
    return folder


def as_images(folder: Path, data) -> Path:
    for number, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15).astype(np.uint8)).save(folder / str(label) / f"{number}.png")
    return folder


def begin(folder: Path, data: Path) -> Project:
    """A pipeline `mine` on the data, in a project of its own."""
    project = Project(folder)
    project.params_file.write_bytes(Project.here().params_file.read_bytes())
    new.new(project, "mine", str(data))
    return project


def steps(project: Project) -> dict:
    """All eight, in this process; the metrics."""
    for step in STEPS:
        run(project, step, "mine")
    return json.loads((project.data("mine") / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("name", "form", "score", "least"),
    [
        ("digits", as_csv, "test_accuracy", 0.93),
        ("digits", as_npz, "test_accuracy", 0.93),
        # The same arrays as from .npz: that every step runs is enough.
        ("digits", as_idx, "test_accuracy", None),
        ("digits", as_images, "test_accuracy", None),
        ("wine", as_csv, "test_accuracy", 0.85),
        ("wine", as_npz, "test_accuracy", None),
        ("breast_cancer", as_csv, "test_accuracy", 0.93),
        ("diabetes", as_csv, "test_r2", 0.30),
        ("diabetes", as_npz, "test_r2", None),
    ],
)
def test_it_is_looked_at_trained_on_and_measured(tmp_path, name, form, score, least):
    project = begin(tmp_path, form(tmp_path / "own", getattr(datasets, f"load_{name}")()))
    if least is None:
        change(tmp_path / "params.yaml", {"mine.fit.epochs": 1})
    metrics = steps(project)
    if least is not None:
        assert metrics[score] >= least, metrics

    data = getattr(datasets, f"load_{name}")()
    names = getattr(data, "target_names", None) if form is as_csv else None
    with open(tmp_path / "data/mine/predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:  # each is what stands there from where it is
        place = row["from"]
        number = int(re.search(r"\d+(?=\.png$)|\d+$", place)[0])
        told = {as_csv: f"table.csv {number}", as_images: f"{row['actual']}/{number}.png"}.get(
            form, f"test {number}"
        )
        assert place == told
        label = data.target[number - 1] if form is as_csv else data.target[number]
        if form in (as_npz, as_idx):
            label = split(data.target)[1][number]
        if score == "test_r2":
            assert float(row["actual"]) == pytest.approx(label)
        else:
            assert row["actual"] == str(label if names is None else names[label])


def test_the_unit_of_numbers_to_predict_does_not_matter(tmp_path):
    unit, data = 1e6, datasets.load_diabetes()
    data.target = data.target * unit + 10 * unit
    project = begin(tmp_path, as_csv(tmp_path / "own", data))
    metrics = steps(project)
    assert metrics["test_r2"] >= 0.30, metrics
    actual = np.loadtxt(
        tmp_path / "data/mine/predictions.csv", delimiter=",", skiprows=1, usecols=2
    )
    assert set(np.round(actual / unit).astype(int)) <= set(np.round(data.target / unit).astype(int))


def test_what_few_images_begin_with_learns_to_tell_them_apart(tmp_path):
    random = np.random.default_rng(0)
    for name in ("circle", "square", "triangle"):
        for number in range(60):
            side = int(random.integers(24, 64))
            image = Image.new("RGB", (side, side), tuple(random.integers(0, 60, 3).tolist()))
            box = (side // 5, side // 5, side - side // 5, side - side // 5)
            corners = [(box[0], box[3]), (box[2], box[3]), (side // 2, box[1])]
            color, draw = tuple(random.integers(180, 256, 3).tolist()), ImageDraw.Draw(image)
            {"circle": draw.ellipse, "square": draw.rectangle}.get(name, draw.polygon)(
                corners if name == "triangle" else box, fill=color
            )
            file = tmp_path / "own" / name / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            image.save(file)
    project = begin(tmp_path, tmp_path / "own")
    change(tmp_path / "params.yaml", {"mine.load.size": [32, 32]})
    metrics = steps(project)
    assert metrics["test_accuracy"] >= 0.7, metrics  # of three classes


@pytest.mark.parametrize("labels", ["one_hot", "regression"])
def test_images_are_flipped_and_shifted_whatever_their_labels_are(tmp_path, labels):
    data = datasets.load_digits()
    y = (
        np.eye(10)[data.target] if labels == "one_hot" else data.images.mean(axis=(1, 2))
    )  # as bright when flipped
    arrays = {
        "x_train": data.images[:200],
        "y_train": y[:200],
        "x_test": data.images[200:250],
        "y_test": y[200:250],
    }
    np.savez(tmp_path / "own.npz", **arrays)
    project = begin(tmp_path, tmp_path / "own.npz")
    training = {"flip": True, "epochs": 2, "shift": 1}
    change(project.params_file, {f"mine.fit.{key}": value for key, value in training.items()})
    steps(project)  # that they change a training: tests/test_fit.py
    schema = json.loads((project.data("mine") / "schema.json").read_text())
    assert schema["labels"] == labels
