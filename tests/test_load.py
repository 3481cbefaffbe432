"""Step 1, load: what all sources share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flows.guess import guess
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.load import load
from tasks.sources import SOURCES
from tests.conftest import ROOT
from tests.support.own import (
    SHARE,
    loaded,
    normalized,
    of_csv,
    of_idx,
    of_images,
    of_npz,
    put_csv,
    put_idx,
    put_image,
    put_images,
    put_npz,
    rows,
    table,
)

NAMES = ["Trouser", "Coat, long", "Bag"]


@pytest.mark.parametrize(
    "params",
    [
        lambda p: of_idx(put_idx(p / "in", first=1), class_names=NAMES),
        lambda p: of_npz(
            put_npz(p / "in.npz", x_train=rows()[0], y_train=rows()[1]), **SHARE, class_names=NAMES
        ),
        lambda p: of_npz(
            put_npz(p / "in.npz", x_train=rows()[0], y_train=np.eye(3)[rows()[1]]),
            **SHARE,
            class_names=NAMES,
        ),
        lambda p: of_csv(
            put_csv(p / "in.csv", *table(target=lambda row: row % 3)), class_names=NAMES
        ),
    ],
    ids=["idx", "integers", "one-hot", "csv"],
)
def test_classes_that_are_numbers_get_the_names_of_params_yaml(tmp_path, params):
    assert loaded(tmp_path / "out", params(tmp_path))["class_names"].tolist() == NAMES
    assert normalized(tmp_path / "out")["class_names"] == NAMES


def given_images(path: Path, test: bool):
    for split, color in (("train", 10), ("val", 50), ("test", 99))[: 2 + test]:
        for name in ("b", "a"):
            for number in range(4):
                put_image(
                    path / "in" / split / name / f"{number}.png", mode="L", color=color + number
                )
    return of_images(path / "in", color="gray", size=[2, 2], test="given" if test else 0.25)


def given_arrays(path: Path, test: bool, y=lambda rows: np.arange(rows) % 2):
    splits = (("train", 10), ("val", 50), ("test", 99))[: 2 + test]
    pixels = np.arange(8, dtype=np.uint8)[:, None, None] // 2 + np.zeros((2, 2), np.uint8)
    x = {f"x_{split}": color + pixels for split, color in splits}
    file = put_npz(path / "in.npz", **x, **{f"y_{split}": y(8) for split, _ in splits})
    return of_npz(file, test="given" if test else 0.25)


def given_tables(path: Path, test: bool):
    for split, color in (("train", 10), ("val", 50), ("test", 99))[: 2 + test]:
        put_csv(
            path / "in" / f"{split}.csv",
            "a,y",
            *(f"{color + row // 2},{row % 2}" for row in range(8)),
        )
    return of_csv(path / "in", test="given" if test else 0.25)


@pytest.mark.parametrize("test", [True, False], ids=["test rows given", "test rows held out"])
@pytest.mark.parametrize(
    "put",
    [
        given_images,
        given_arrays,
        lambda p, test: given_arrays(p, test, lambda rows: np.eye(2)[np.arange(rows) % 2]),
        given_tables,
    ],
    ids=["images", "integers", "one-hot", "csv"],
)
def test_validation_rows_that_are_given_are_those_that_choose_the_checkpoint(tmp_path, put, test):
    before = loaded(tmp_path / "out", put(tmp_path, test))
    assert before["given_train"].sum() == 8
    assert normalized(tmp_path / "out", validation="given")["rows"] == {
        "train": 8 if test else 6, "val": 8, "test": 8 if test else 2,
    }  # fmt: skip
    with np.load(tmp_path / "out/normalized.npz") as found:
        for split, between in {
            "train": (10, 13),
            "val": (50, 53),
            "test": (99, 102) if test else (10, 13),
        }.items():
            assert (
                between[0] <= found[f"x_{split}"].min() <= found[f"x_{split}"].max() <= between[1]
            )
            labels = found[f"y_{split}"]
            assert len(np.unique(labels.argmax(axis=1) if labels.ndim > 1 else labels)) == 2


def test_data_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    file, read = put_csv(tmp_path / "in.csv", *table()), SOURCES["csv"].find

    def find(params, folder):
        found = read(params, folder)
        put_csv(file, *table(20))
        return found

    monkeypatch.setattr(SOURCES["csv"], "find", find)
    with pytest.raises(UserError, match=r"in\.csv changed while it was read"):
        loaded(tmp_path / "out", of_csv(file))
    assert not (tmp_path / "out/raw.npz").exists()


def put_all(root: Path) -> dict:
    """Data of each own source below `mine` of a project, and sections that name it from there."""
    x, y = rows()
    put_idx(root / "mine/idx")
    put_npz(root / "mine/in.npz", x_train=x, y_train=y)
    put_images(root / "mine/images")
    put_csv(root / "mine/in.csv", *table())
    return put_all_params()


@pytest.mark.parametrize("source", ["idx", "npz", "images", "csv"])
def test_a_relative_path_starts_at_the_projects_root_wherever_one_is(tmp_path, monkeypatch, source):
    params = put_all(tmp_path / "project")[source]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    folder = Folder(tmp_path / "project/data/mine")
    assert load(folder, params).endswith(f"rows from {params.path}")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("source", ["idx", "npz", "images", "csv"])
def test_messages_show_a_path_as_it_was_typed(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)  # the command that converts a file is for where one is
    put_all(tmp_path)
    spoilt = {
        "idx": tmp_path / "mine/idx/train-images-idx3-ubyte.gz",
        "npz": tmp_path / "mine/in.npz",
        "images": tmp_path / "mine/images/cat/0.png",
        "csv": tmp_path / "mine/in.csv",
    }[source]
    spoilt.write_bytes(b"a,y\n\xff,1\n")
    with pytest.raises(UserError) as caught:
        load(Folder(tmp_path / "data/mine"), put_all_params()[source])
    assert str(caught.value).startswith(spoilt.relative_to(tmp_path).as_posix())
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("read", ["load", "new"])
def test_a_link_to_a_folder_is_refused_and_one_to_a_file_is_read(tmp_path, read):
    """DVC hashes a file behind a link, and passes over a folder behind one."""
    put_images(tmp_path / "elsewhere", "dark")
    put_images(tmp_path / "mine/images", "cat dog")
    file = tmp_path / "mine/images/cat/9.png"
    file.symlink_to(tmp_path / "elsewhere/dark/0.png")
    folder = Folder(tmp_path / "data/mine")

    def look():
        if read == "load":
            return load(folder, of_images("mine/images"))
        return guess(folder, "mine/images").about

    assert "11" in look() if read == "new" else "8 training and 3 test rows" in look()
    (tmp_path / "mine/images/dark").symlink_to(tmp_path / "elsewhere/dark")
    with pytest.raises(UserError, match=r"^mine/images/dark is a symbolic link to a folder\."):
        look()


@pytest.mark.parametrize("read", ["load", "new"])
def test_what_is_no_file_is_refused(tmp_path, read):
    """Reading a pipe would wait for ever."""
    put_images(tmp_path / "mine/images", "cat dog")
    os.mkfifo(tmp_path / "mine/images/cat/9.png")
    look = {
        "load": lambda folder: load(folder, of_images("mine/images")),
        "new": lambda folder: guess(folder, "mine/images"),
    }[read]
    with pytest.raises(UserError, match=r"^mine/images/cat/9\.png is a pipe, a socket or a device"):
        look(Folder(tmp_path / "data/mine"))


def put_all_params() -> dict:
    return {
        "idx": of_idx("mine/idx"),
        "npz": of_npz("mine/in.npz", **SHARE),
        "images": of_images("mine/images"),
        "csv": of_csv("mine/in.csv"),
    }


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_has_the_name_of_its_module_and_of_its_tests(name):
    module = SOURCES[name]
    assert module.__name__ == f"tasks.sources.{name}"
    assert (Path(__file__).parent / "sources" / f"test_{name}.py").is_file()
    assert module.Params.model_fields["source"].annotation.__args__ == (name,)
    assert "path" in module.Params.model_fields


def test_a_source_says_what_it_predicts_and_that_own_data_is_not_shared():
    assert of_npz("x").predicts == of_csv("x").predicts == "classes"
    assert of_idx("x").predicts == of_images("x").predicts == "classes"
    both = (of_npz("x", task="regression"), of_csv("x", task="regression"))
    assert [params.predicts for params in both] == ["regression", "regression"]
    assert not any(params.shareable for params in put_all_params().values())


def test_the_step_imports_neither_pandas_nor_pillow():
    code = "import sys, tasks.load; print({'pandas', 'PIL', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
