"""Images in one folder, and a table beside them that says what is on each."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.support.own import loaded, of_images, put_csv, put_image
from tests.support.wrong import refused

COUNT = 12
KINDS = "cat", "dog"


def put(folder: Path, inside: str = "", ending: str = "png") -> Path:
    for number in range(COUNT):
        put_image(folder / inside / f"{number}.{ending}", color=(20 * number,) * 3)
    return folder


def table(folder: Path, name: str, names: str, form: str, separator: str = ",", swap=0) -> Path:
    """A table whose rows name the images as `form` says, and their kinds by turns."""
    rows = [
        separator.join([form.format(number), KINDS[(number + swap) % 2]]) for number in range(COUNT)
    ]
    return put_csv(folder / name, *([names] if names else []), *rows)


FORMS = {
    "names": ("", "labels.csv", "filename,label", "{}.png", ","),
    "without an ending, in a folder": ("images", "list.csv", "id;breed", "{}", ";"),
    "paths": ("images", "list.tsv", "file\tclass", "images/{}.png", "\t"),
    "paths of Windows": ("images", "list.csv", "file,class", ".\\images\\{}.png", ","),
    "no row of names": ("", "list.txt", "", "{}.png", " "),
    "beside train": ("train", "train.csv", "image,label", "{}.png", ","),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_names_the_classes_of_images(tmp_path, form):
    inside, *how = FORMS[form]
    table(put(tmp_path / "in", inside), *how)
    found = loaded(tmp_path / "out", of_images(tmp_path / "in"))
    assert found["class_names"].tolist() == list(KINDS)
    for split in ("train", "test"):
        numbers = [int(Path(name).stem) for name in found[f"from_{split}"]]
        assert found[f"y_{split}"].tolist() == [number % 2 for number in numbers]


def test_splits_of_equal_names_are_not_confused(tmp_path):
    for split in ("train", "test"):
        put(tmp_path / "in", split)
    table(tmp_path / "in", "train.csv", "id,label", "{}.png")
    table(tmp_path / "in", "sample_submission.csv", "id,label", "{}.png", swap=1)
    alone = loaded(tmp_path / "one", of_images(tmp_path / "in"))
    assert {Path(name).parts[0] for name in alone["from_test"]} == {"train"}

    table(tmp_path / "in", "test.csv", "id,label", "{}.png", swap=1)
    found = loaded(tmp_path / "two", of_images(tmp_path / "in", test="given"))
    numbers = [int(Path(name).stem) for name in found["from_test"]]
    assert found["y_test"].tolist() == [(number + 1) % 2 for number in numbers]

    for split in ("train", "test"):
        (tmp_path / "in" / f"{split}.csv").unlink()
    table(tmp_path / "in", "labels.csv", "id,label", "{}.png")
    refused(tmp_path / "three", lambda _: of_images(tmp_path / "in"), "no sub-folders")


def test_images_that_the_table_leaves_out_are_counted(tmp_path, caplog):
    rows = [f"{number}.png,{KINDS[number % 2]}" for number in range(8)]
    put_csv(put(tmp_path / "in") / "labels.csv", "file,label", *rows, "gone.png,cat", "9.png,")
    with caplog.at_level(logging.WARNING):
        found = loaded(tmp_path / "out", of_images(tmp_path / "in"))
    assert len(found["x_train"]) + len(found["x_test"]) == 8
    assert "left out 4 images that " in caplog.text


REFUSED = {
    "two labels": (
        "file,label",
        "{0}.png,cat",
        "1.png,dog",
        r"has two labels for 1\.png, `cat` and",
    ),
    "no classes": ("file,age", "{0}.png,{0}.5", "", r"12 different labels for 12 images"),
    "columns": (
        "file,age,dx",
        "{0}.png,{0},cat",
        "",
        r"with the columns file, age, dx\. Expected one",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_table_that_names_no_classes_is_refused(tmp_path, monkeypatch, what):
    monkeypatch.setattr("tasks.sources.image_list.FEW", 5)
    names, row, last, says = REFUSED[what]
    rows = [row.format(number) for number in range(COUNT)]
    put_csv(put(tmp_path / "in") / "labels.csv", names, *rows, *([last] if last else []))
    refused(tmp_path, lambda _: of_images(tmp_path / "in"), says)
