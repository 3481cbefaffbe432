"""Data that was made elsewhere, scikit-learn's, in each format that it has: new.py looks at it, and all steps run."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from flows import new
from flows.params import STEPS
from flows.step import run
from tests.conftest import ROOT

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
        lines.append(",".join([*(f"{value:.10g}" for value in values), str(label if names is None else names[label])]))
    folder.mkdir()
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder / "table.csv"


def as_npz(folder: Path, data) -> Path:
    folder.mkdir()
    (x_train, x_test), (y_train, y_test) = split(getattr(data, "images", data.data)), split(data.target)
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


@pytest.mark.parametrize(
    ("name", "form", "score", "least"),
    [
        ("digits", as_csv, "test_accuracy", 0.93),
        ("digits", as_npz, "test_accuracy", 0.93),
        ("digits", as_idx, "test_accuracy", 0.93),
        ("digits", as_images, "test_accuracy", 0.93),
        ("wine", as_csv, "test_accuracy", 0.90),
        ("wine", as_npz, "test_accuracy", 0.90),
        ("breast_cancer", as_csv, "test_accuracy", 0.93),
        ("breast_cancer", as_npz, "test_accuracy", 0.93),
        ("diabetes", as_csv, "test_r2", 0.30),
        ("diabetes", as_npz, "test_r2", 0.30),
    ],
)
def test_it_is_looked_at_trained_on_and_measured(tmp_path, monkeypatch, name, form, score, least):
    for file in (new.FILE, new.GRAPH, new.OFFERED):
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    monkeypatch.setattr(new, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    data = getattr(datasets, f"load_{name}")()
    monkeypatch.setattr("sys.argv", ["new.py", "mine", str(form(tmp_path / "own", data))])
    assert new.main() == 0
    for step in STEPS:
        run(step, "mine")
    metrics = json.loads((tmp_path / "data/mine/metrics.json").read_text())
    assert metrics[score] >= least, metrics
