"""What `new` proposes for a folder of images, and the near misses that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.command.new import new
from flows.guess import effort
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.load import load
from tests.support.own import put_csv, put_idx, put_image, put_images


def put(folder: Path, sizes: list[int], ending: str = "png", mode: str = "RGB", color=0) -> Path:
    for name in ("a", "b"):
        for number, side in enumerate(sizes):
            put_image(folder / name / f"{number}.{ending}", side, 2 * side, mode, color)
    return folder


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([10, 12, 20], [12, 24]), ([30, 40, 500], [40, 64]), ([300, 400, 500], [64, 64])],
)
def test_the_size_is_the_median_of_the_files_and_at_most_64(project, sizes, expected):
    new(project, "mine", str(put(project.root / "own", sizes)))
    assert project.read("mine").load.size == expected


@pytest.mark.parametrize(
    ("ending", "color", "expected"),
    [
        ("png", (9, 9, 9), "gray"),
        ("jpg", (90, 90, 90), "gray"),
        ("png", (9, 9, 30), "rgb"),
        ("bmp", (90, 9, 9), "rgb"),
    ],
)
def test_gray_that_is_saved_in_colour_is_gray(project, ending, color, expected):
    new(project, "mine", str(put(project.root / "own", [9, 9, 9], ending, color=color)))
    assert project.read("mine").load.color == expected


def test_images_of_16_bits_are_read_as_such(project):
    for name, level in (("a", 500), ("b", 1500)):
        for number in range(5):
            file = project.root / "own" / name / f"{number}.tif"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 9), level + number, np.uint16)).save(file)
    new(project, "mine", str(project.root / "own"))
    found = project.read("mine")
    assert (found.load.color, found.normalize.scale) == ("gray16", "standard")
    folder = Folder(project.data("mine"))
    load(folder, found.load)
    assert np.load(folder.path / "raw.npz")["x_train"].max() == 1504


def test_what_load_would_refuse_new_refuses_with_all_broken_files(project):
    folder = put_images(project.root / "own")
    for name in ("cat/0.png", "dog/1.jpg"):
        (folder / name).write_text("hi")
    with pytest.raises(UserError, match=r"2 of 10 .*cat/0\.png .*dog/1\.jpg .* `--broken skip` to"):
        new(project, "mine", str(folder))
    found = new(project, "mine", str(folder), broken="skip")
    assert found.about == "8 images of 2 classes"
    assert "load.broken: skip, which leaves out 2 of 10 images: cat/0.png, dog/1.jpg" in found.notes
    load(Folder(project.data("mine")), project.read("mine").load)


def test_images_that_load_cannot_read_are_refused_by_new(project):
    folder = put_images(project.root / "own")
    Image.fromarray(np.ones((4, 4), np.float32)).save(folder / "cat/9.tif")
    with pytest.raises(UserError, match=r"own/cat/9\.tif has more than 16 bits .*save it as \.npz"):
        new(project, "mine", str(folder))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["1.png", "2.png"], r"own has images and no sub-folder with images\. .* move those of"),
        (["x/a/1.png", "y/b/1.png"], r"own has no images, but own/x has a folder a with some\."),
        (
            ["__MACOSX/q/1.png", "x/a/2020/1.png", "x/b/2021/1.png"],
            r"own has no images, but own/x/a has a folder 2020 with some\. .* or move the",
        ),
        (
            ["trn/a/1.png", "trn/b/1.png", "tst/a/2.png", "tst/b/2.png"],
            r"has folders trn, tst, and each has a, b\. .*, name them train, val and test\.",
        ),
        (
            ["a/train/1.png", "a/test/1.png", "b/train/1.png", "b/test/1.png"],
            r"has folders a, b, and each has test, train\. .* put the folders a, b into train and",
        ),
        (["a/1.gif", "b/1.gif"], r"folders of files that end in \.gif\. .* such as to PNG\."),
    ],
)
def test_a_near_miss_is_named(project, files, expected):
    for file in files:
        put_image(project.root / "own" / file)
    with pytest.raises(UserError, match=expected):
        new(project, "mine", str(project.root / "own"))


def test_idx_files_further_down_are_named(project):
    put_idx(project.root / "own/MNIST/raw")
    with pytest.raises(UserError, match=r"There are IDX files in own/MNIST/raw: give that path"):
        new(project, "mine", str(project.root / "own"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [("in.csv.gz", "unpack it"), ("in.XLSX", "save its sheet as CSV"), ("x.npy", "as .npz")],
)
def test_what_to_do_about_another_file_is_told(project, name, advice):
    (project.root / name).write_bytes(b"\x1f\x8b")
    with pytest.raises(UserError, match=f"{name} may be one of these in .*{advice}"):
        new(project, "mine", str(project.root / name))


@pytest.mark.parametrize(
    ("shape", "rows", "epochs", "expected"),
    [
        ((28, 28), 50_000, 13, "13 take about 4 minutes"),  # as fashion-cnn takes
        ((48, 48, 3), 640, 100, "100 take about a minute"),
        ((40, 40, 3), 129, 200, "200 take less than a minute"),
        ((512, 512, 3), 100_000, 10, "10 take about 37 hours"),
    ],
)
def test_the_time_of_the_training_is_estimated(shape, rows, epochs, expected):
    assert expected in effort.note(shape, rows, epochs)


def test_new_says_where_the_classes_are_from(project):
    for number in range(8):
        put_image(project.root / f"own/train/{number}.png")
        put_image(project.root / f"bare/{number}.png")
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(8)]
    put_csv(project.root / "own/train.csv", "id,label", *rows)
    notes = new(project, "mine", str(project.root / "own")).notes
    assert "load.path: the classes are from the column label of own/train.csv" in notes
    assert project.read("mine").load.source == "images"

    with pytest.raises(UserError, match="put a table `filename,label` beside them"):
        new(project, "other", str(project.root / "bare"))
