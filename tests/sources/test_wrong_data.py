"""A user's own data that cannot be used: the message names the file, row, column or key, and what to do."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from flows.project.params import ROOT, read
from tasks import normalize
from tasks.core.folder import Folder
from tasks.core.step import Stopped, UserError, stopping
from tasks.families.head import choose
from tests.support.own import (  # fmt: skip
    SHARE,
    loaded,
    of_csv,
    of_idx,
    of_images,
    of_npz,
    packed,
    put_csv,
    put_idx,
    put_image,
    put_images,
    put_npz,
    rows,
    table,
)

X, Y = rows()
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def idx(change, **how):
    """A folder of IDX files, changed."""

    def make(path: Path):
        change(put_idx(path / "in"))
        return of_idx(path / "in", **how)

    return make


def cut(file: Path, count: int = 9) -> None:
    file.write_bytes(file.read_bytes()[:-count])


def zipped(name: str, content) -> object:
    """Write a file anew, from what was in it."""

    def change(folder: Path) -> None:
        before = gzip.decompress((folder / name).read_bytes())
        (folder / name).write_bytes(gzip.compress(content(before) if callable(content) else content))

    return change


def arrays(how=SHARE, **arrays):
    """An .npz file: good arrays, with others in their places (None: not there)."""
    return lambda path: of_npz(put_npz(path / "in.npz", **{"x_train": X, "y_train": Y, **arrays}), **how)


def given(**more):
    return arrays({"test": "given"}, **{"x_test": X, "y_test": Y, **more})


def folders(change, **how):
    """A folder of images, changed."""

    def make(path: Path):
        change(put_images(path / "in"))
        return of_images(path / "in", **how)

    return make


def lines(*text: str, **how):
    return lambda path: of_csv(put_csv(path / "in.csv", *text), **how)


def pair(train: list[str], test: list[str], **how):
    def make(path: Path):
        put_csv(path / "in/train.csv", *train)
        put_csv(path / "in/test.csv", *test)
        return of_csv(path / "in", **{"test": "given", **how})

    return make


def with_value(array: np.ndarray, value, kind=np.float64) -> np.ndarray:
    changed = array.astype(kind)
    changed[5] = value
    return changed


def deep(folder: Path) -> None:
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(folder / "cat" / "9.png")


def emptied(folder: Path) -> None:
    for file in sorted(folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()


GROUPS = {"g": lambda row: f"g{row // 4}"}
WRONG = {
    "nothing there": (lambda path: of_idx(path / "no"), r"load\.path: there is no .*/no\. Expected a folder with IDX"),
    "file for a folder": (lambda path: of_idx(put_csv(path / "x")), r"load\.path: .*/x is a file\. Expected a folder"),
    "folder for a file": (lambda path: of_npz(path), r"load\.path: .* is a folder\. Expected an \.npz file"),
    # IDX
    "empty folder": (idx(emptied), r"/in: no train-images-idx3-ubyte, \.gz or not\. Expected IDX files such as"),
    "other prefix": (idx(lambda f: 0, prefix="emnist-"), r"no emnist-train-images.*Sets with other prefixes.*one of "),
    "no labels": (idx(lambda f: (f / LABELS).unlink()), r"/in: no train-labels-idx1-ubyte"),
    "truncated gz": (idx(lambda f: cut(f / IMAGES)), rf"/in/{IMAGES} is damaged: Compressed file ended .* Get it agai"),
    "no gz": (idx(lambda f: (f / IMAGES).write_bytes(b"<html>")), rf"{IMAGES} is damaged: Not a gzipped file"),
    "wrong magic number": (
        idx(zipped(IMAGES, lambda b: b"\0\0\x0d\x03" + b[4:])),
        rf"{IMAGES} begins with the bytes 00 00 0d 03, expected 00 00 08 03: it is no IDX file of unsigned bytes in 3",
    ),
    "labels for images": (idx(zipped(IMAGES, packed(Y))), r"begins with the bytes 00 00 08 01, expected 00 00 08 03"),
    "nothing in it": (idx(zipped(LABELS, b"")), rf"{LABELS} begins with the bytes of no content"),
    "header cut": (idx(zipped(IMAGES, lambda b: b[:9])), rf"{IMAGES} ends inside its header"),
    "content cut": (
        idx(zipped(IMAGES, lambda b: b[:-1])), rf"{IMAGES} announces 12 x 4 x 4 values, which is 192, but has 191",
    ),
    "more images than labels": (
        idx(zipped(LABELS, packed(Y[:-1]))), rf"{IMAGES} has 12 images, but {LABELS} has 11 labels\. Expected one labe",
    ),
    "other size to test": (
        idx(zipped("t10k-images-idx3-ubyte.gz", packed(np.zeros((6, 5, 4))))), r"are 4 x 4 and 5 x 4\. Expected one si",
    ),
    "one class": (idx(zipped(LABELS, packed(Y * 0))), r"the class `1` has test rows and no training rows"),
    "no images": (
        idx(lambda f: [zipped(n, packed(a[:0]))(f) for n, a in ((IMAGES, X), (LABELS, Y))]), rf"{IMAGES} has no images",
    ),
    "half a test set": (
        idx(lambda f: (f / "t10k-labels-idx1-ubyte.gz").unlink(), **SHARE), r"/in has test images alone\. Expected",
    ),
    "test rows and a share": (idx(lambda f: 0, **SHARE), r"load\.test is 0\.25, but .*/in has test rows of its own"),
    # NPZ
    "no npz": (lambda path: of_npz(put_csv(path / "in.npz", "hello")), r"in\.npz cannot be read \(.*\)\. Expected an"),
    "empty npz": (lambda path: of_npz(put_npz(path / "in.npz")), r"no array x_train\. It has nothing\. Expected an"),
    "other names": (arrays(y_train=None, labels=Y), r"in\.npz: no array y_train\. It has x_train, labels\. Expected a"),
    "x_test alone": (arrays(x_test=X), r"no array y_test\. It has x_train, y_train, x_test"),
    "no test rows": (arrays({"test": "given"}), r"load\.test is `given`, but .* no test rows .* `test: 0\.2`"),
    "no rows": (arrays(x_train=X[:0]), r"x_train has no rows"),
    "two channels": (
        arrays(x_train=np.zeros((12, 4, 4, 2))), r"x_train has the shape \(12, 4, 4, 2\), with 2 channels\. Expected ",
    ),
    "one dimension": (arrays(x_train=np.zeros(12)), r"x_train has the shape \(12,\)\. Expected numbers of the shape"),
    "channels first": (arrays(x_train=np.zeros((12, 3, 4, 4))), r"\(12, 3, 4, 4\), with 4 channels\. Expected"),
    "other lengths": (arrays(y_train=Y[:-2]), r"x_train has 12 rows and y_train 10\. Expected as many"),
    "other shape to test": (given(x_test=X[:, :3]), r"x_test has the shape \(3, 4\), one of x_train \(4, 4\)"),
    "NaN": (arrays(x_train=with_value(X, np.nan)), r"x_train has 16 values that are NaN or infinite, .* row 5\. Fill"),
    "infinite": (
        arrays({**SHARE, "task": "regression"}, y_train=with_value(Y, np.inf)), r"y_train has 1 values .* in row 5",
    ),
    "text": (arrays(x_train=np.full((12, 2), "a")), r"x_train has the type <U1\. Expected numbers"),
    "Python objects": (arrays(x_train=np.array([{}] * 12)), r"in\.npz cannot be read \(.*pickle.*without Python obj"),
    "negative labels": (arrays(y_train=with_value(Y, -1, np.int8)), r"y_train has the label -1 in row 5\. Expected cl"),
    "float labels": (arrays(y_train=with_value(Y, 1.5)), r"has the label 1\.5 in row 5.* or set `task: regression`"),
    "two ones in a row": (arrays(y_train=np.ones((12, 3))), r"row 0 of y_train is no one-hot row\. Expected a single "),
    "more one-hot classes to test": (
        given(y_train=np.eye(3)[Y], y_test=np.eye(4)[Y]), r"y_train has 3 classes, y_test 4\. Expected as many",
    ),
    "two numbers a row": (
        arrays({**SHARE, "task": "regression"}, y_train=np.zeros((12, 2))), r"y_train has the shape \(12, 2\)\. Expect",
    ),
    "one label": (arrays(y_train=Y * 0), r"has one class only, `0`: there is nothing to tell apart\. Expected two"),
    "class with one row": (
        arrays({"test": 0.5}, y_train=with_value(Y * 0, 1, np.uint8), x_train=X),
        r"load\.test is 0\.5, and leaves no row of the class `1` to train on: it has too few rows",
    ),
    "numbers beyond float32": (
        arrays({**SHARE, "task": "regression"}, y_train=with_value(Y, 1e300)), r"predict is 1e\+300 in size",
    ),
    "one-hot rows of one class": (arrays(y_train=np.eye(3)[Y * 0]), r"has one class only, `0`"),
    "one-hot class only to test": (
        given(y_train=np.eye(3)[Y % 2], y_test=np.eye(3)[Y]), r"the class `2` has test rows and no training rows",
    ),
    "class only to validate": (
        arrays(x_val=X, y_val=Y + 1), r"the class `3` has validation rows and no training rows\. Add some, or remove",
    ),
    "one-hot to train and integers to test": (
        given(y_train=np.eye(3)[Y]), r"y_train has the shape \(12, 3\)\. Expected .*, or one-hot rows in all of them",
    ),
    "x_val alone": (arrays(x_val=X), r"no array y_val\. It has x_train, y_train, x_val"),
    "share of no row": (arrays({"test": 0.01}), r"load\.test is 0\.01: of 12 rows that is 0\. Expected some on each"),
    "fewer names than classes": (
        arrays({**SHARE, "class_names": ["a", "b"]}), r"class_names has 2 names, but .* has 3 classes: 0, 1, 2\.",
    ),
    "a name twice": (
        arrays({**SHARE, "class_names": ["a", "b", "a"]}), r"class_names has `a` twice\. Expected another name",
    ),
    "names for numbers": (
        arrays({**SHARE, "task": "regression", "class_names": ["a"]}), r"has 1 names, but numbers are to be pred",
    ),
    # images
    "no folders": (folders(emptied), r"/in has no sub-folders\. Expected a folder with a sub-folder of PNG or JPEG"),
    "empty class": (folders(lambda f: (f / "emu").mkdir()), r"/in/emu has no image: no file ends in \.png, \.jpg"),
    "one folder": (folders(lambda f: emptied(f / "cat") or (f / "cat").rmdir()), r"one class only, `dog`"),
    "truncated PNG": (folders(lambda f: cut(f / "cat/0.png", 40)), r"/in/cat/0\.png cannot be read as an image: .* Re"),
    "truncated JPEG": (folders(lambda f: cut(f / "dog/1.jpg", 300)), r"/in/dog/1\.jpg cannot be read as an image: T"),
    "text named PNG": (folders(lambda f: put_csv(f / "cat/x.png", "hi")), r"cat/x\.png cannot be read as an image: ca"),
    "16 bits": (folders(deep), r"cat/9\.png has more than 8 bits a channel \(Pillow's mode I;16\)\. Convert it"),
    "no test folder": (folders(lambda f: 0, test="given"), r"no test rows \(sub-folders `train` and `test`\)"),
    "no memory": (folders(lambda f: 0, size=[10**6, 10**6]), r"load\.size is 1000000 x 1000000, .* GB of disk"),
    # CSV
    "no content": (lines(), r"in\.csv cannot be read: No columns to parse from file"),
    "names alone": (lines("a,b,y"), r"in\.csv has column names and no rows"),
    "target absent": (lines(*table(), target="label"), r"no column label, which load\.target names\. It has a, b, y"),
    "group absent": (lines(*table(), group="g"), r"no column g, which load\.group names"),
    "ignored absent": (lines(*table(), ignore=["id"]), r"no column id, which load\.ignore names"),
    "other separator": (
        lines(*table(), separator=";"), r"no column y, .* It has a,b,y\. Is `separator: ';'` right\?",
    ),
    "no features": (lines(*table(), ignore=["a", "b"]), r"no column is left to predict from"),
    "text in a number column": (
        lines(*table(c=lambda row: "tall" if row == 3 else row)),
        r"the column c has 'tall' in row 4\. Expected finite numbers: correct it, or set `ignore: \['c'\]`",
    ),
    "infinity": (lines(*table(c=lambda row: "inf" if row == 3 else row)), r"the column c has 'inf' in row 4"),
    "missing values": (
        lines(*table(c=lambda row: row or "", d=lambda row: "" if row in (2, 3) else 1)),
        r"missing values: c 1, d 2; the first in row 1\. Fill them, or set `missing: mean`, `median` or `drop`",
    ),
    "missing target": (
        lines(*table(target=lambda row: row % 2 if row else ""), missing="mean"), r"missing values: y 1; .* `missing: ",
    ),
    "all missing": (lines(*table(c=lambda row: ""), missing="drop"), r"every row has a missing value, so `missing: dr"),
    "empty column": (lines(*table(c=lambda row: ""), missing="mean"), r"the column c has no value in any training row"),
    "column twice": (lines("a,a,y", "1,2,0", "3,4,1"), r"the column a stands there twice\. Expected each name once"),
    "column without a name": (lines(",a,y", "0,1,0", "1,2,1"), r"no name, .* `ignore: \['Unnamed: 0'\]`"),
    "too many values": (lines("a,y", "1,0", "1,0,3"), r"in\.csv cannot be read: .*Expected 2 fields in line 3, saw 3"),
    "each row too long": (lines("a,y", "1,0,3", "1,0,3"), r"in\.csv cannot be read: "),
    "not UTF-8": (
        lambda path: (path / "in.csv").write_bytes(b"a,y\n\xff,1\n") and of_csv(path / "in.csv"), r"in\.csv is not UTF",
    ),
    "float classes": (
        lines(*table(target=lambda row: row / 4)), r"the column y has 0\.25 in row 2\. .* set `task: regression`",
    ),
    "words to predict": (
        lines(*table(target=lambda row: "yes"), task="regression"), r"column y has 'yes' in row 1\. .* `task: classes`",
    ),
    "numbers to predict beyond float32": (
        lines(*table(target=lambda row: "-2e40"), task="regression"), r"predict is 2e\+40 in size",
    ),
    "numbers to predict that float32 cannot tell apart": (
        lines(*table(target=lambda row: 1_700_000_000 + row / 4), task="regression"),
        r"to predict lie between 1700000000 and 1700000003\. Float32, .* Expected numbers nearer to 0",
    ),
    "one number to predict": (
        lines(*table(target=lambda row: 0.1), task="regression"), r"every number to predict is 0\.1: there is no",
    ),
    "a word that may be none": (
        lines(*table(target=lambda row: ("None", "light", "heavy")[row % 3])),
        r"y has `None` in 4 rows, the first in row 1: is that a word, or a missing value\? Write the word otherwise",
    ),
    "a name that is not UTF-8": (
        folders(lambda f: put_image(f / "cat/caf\udce9.png")), r"/in/cat: the name 'caf\\udce9\.png' is not UTF-8\.",
    ),
    "one target": (lines(*table(target=lambda row: "yes")), r"in\.csv has one class only, `yes`"),
    "one group": (lines(*table(g=lambda row: "all"), group="g"), r"load\.test: all rows are of one group"),
    "class in one group": (
        lines(*table(g=lambda row: row // 4, target=lambda row: row // 4), group="g", test=0.34),
        r"leaves no row of the class `\d` to train on: it has too few groups",
    ),
    "group on both sides": (
        pair(table(**GROUPS), table(4, **GROUPS), group="g"), r"the group g0 of the column g has rows in both train\.c",
    ),
    "other columns to test": (pair(table(c=str), table()), r"train\.csv and test\.csv differ in the columns c\. Expec"),
    "class only to test": (
        pair(table(), table(target=lambda row: row % 3)), r"the class `2` has test rows and no training rows",
    ),
    "no test.csv": (
        lambda path: put_csv(path / "in/train.csv", *table()) and of_csv(path / "in", test="given"),
        r"load\.test is `given`, but .*/in has no test rows \(test\.csv in a folder\)\. Set a share",
    ),
    "no train.csv": (
        lambda path: put_csv(path / "in/test.csv", *table()) and of_csv(path / "in", test="given"),
        r"there is no .*/in/train\.csv\. Expected a \.csv file .* or a folder with train\.csv",
    ),
    "group to validate and to test": (
        lambda path: [
            put_csv(path / f"in/{split}.csv", *table(g=lambda row, split=split: split[:1] if split == "train" else "v"))
            for split in ("train", "val", "test")
        ] and of_csv(path / "in", test="given", group="g"),
        r"the group v of the column g has rows in both val\.csv and test\.csv",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_named_with_what_to_do(tmp_path, kind):
    make, expected = WRONG[kind]
    with pytest.raises(UserError) as caught:
        loaded(tmp_path / "out", make(tmp_path))
    said = str(caught.value)
    assert re.search(expected, said), said
    assert len(said.splitlines()) == 1
    assert re.search(
        r"Expected|expected|Set|set|Get|Correct|Fill|Make|Add|Move|Put|Convert|[Rr]ename|Replace|Save|Write", said
    ), said
    assert not (tmp_path / "out").exists()


def test_labels_1_to_10_make_10_outputs_and_not_11(tmp_path):
    file = put_npz(tmp_path / "in.npz", x_train=rows(40)[0], y_train=np.arange(40) % 10 + 1)
    loaded(tmp_path / "out", of_npz(file, **SHARE))
    folder = Folder(tmp_path / "out")
    normalize.normalize(folder, normalize.Params(scale="pixels", validation="none", seed=0))
    schema = folder.read_json("schema.json")
    assert choose(schema, 10, "softmax").units == 10
    with pytest.raises(UserError, match=r"Dense\(11, auto\) cannot work: the labels are 10 classes, .* need Dense\(10"):
        choose(schema, 11, "auto")


def test_reading_many_images_can_be_stopped(tmp_path):
    folder = put_images(tmp_path / "in")
    stopping.set()
    try:
        with pytest.raises(Stopped, match="stopped after 0 of 8 images"):
            loaded(tmp_path / "out", of_images(folder, test=0.2))
    finally:
        stopping.clear()


CSV = {"source": "csv", "path": "in.csv", "separator": ",", "target": "y", "task": "classes", "group": None,
       "ignore": [], "missing": "refuse", "test": 0.2, "seed": 0, "class_names": None}  # fmt: skip
PICTURES = {"source": "images", "path": "in", "size": [8, 8], "color": "gray", "test": 0.2, "seed": 0}
SOURCES = "`fashion_mnist`, `line`, `idx`, `npz`, `images`, `csv`"
SECTIONS = {
    "unknown source": ({**CSV, "source": "cvs"}, rf"\.source: got 'cvs', expected {SOURCES}\. Did you mean `csv`\?"),
    "source that is null": ({**CSV, "source": None}, rf"\.source: got null, expected {SOURCES}\."),
    "source that is a list": ({**CSV, "source": [1]}, rf"\.source: got \[1\], expected {SOURCES}\."),
    "no source": ({"path": "in.csv"}, rf"\.source: missing\. Expected {SOURCES}\."),
    "unknown key": ({**CSV, "taget": "y"}, r"\.taget: unknown key\. Did you mean `target`\? Known here: source, path"),
    "key of another source": ({**CSV, "folder": None}, r"\.folder: unknown key\. Known here: source, path, .*, missin"),
    "missing key": ({k: v for k, v in CSV.items() if k != "target"}, r"\.target: missing\. Every key must be there"),
    "wrong word": ({**CSV, "missing": "meen"}, r"\.missing: got 'meen', expected `refuse`, .* Did you mean `mean`\?"),
    "share above 1": ({**CSV, "test": 1.5}, r"\.test: got 1.5, expected a whole number above 0, or a numb"),
    "empty path": ({**CSV, "path": ""}, r"\.path: got '', expected a text with content\."),
    "text in a list": ({**CSV, "ignore": "id"}, r"\.ignore: got 'id', expected a list, each of it a text"),
    "three sizes": ({**PICTURES, "size": [8, 8, 3]}, r"\.size: got \[8, 8, 3\], expected a list of 2, each of it a wh"),
    "one size": ({**PICTURES, "size": 8}, r"\.size: got 8, expected a list of 2, each of it a whole number above 0\."),
    "no size": ({**PICTURES, "size": [8, 0]}, r"\.size\.1: got 0, expected a whole number above 0\."),
    "other color": ({**PICTURES, "color": "grey"}, r"\.color: got 'grey', expected `gray`, `rgb`\. .* `gray`\?"),
    "number as a name": ({**CSV, "class_names": [0]}, r"\.class_names\.0: got 0, expected a text with content\."),
    "names of folders": ({**PICTURES, "class_names": None}, r"\.class_names: unknown key\."),
    "no section": ([1], r": got \[1\], expected a section with keys\."),
}  # fmt: skip


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_mistake_in_a_sources_section_is_one_line_with_the_keys_path(tmp_path, monkeypatch, kind):
    section, expected = SECTIONS[kind]
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    content["mine"] = {**content["fashion"], "load": section}
    YAML(typ="safe").dump(content, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        read("mine")
    said = str(caught.value)
    assert re.fullmatch(rf"params\.yaml: mine\.load{expected}.*", said), said
    assert len(said) < 250


def test_good_sections_are_their_sources_own(tmp_path, monkeypatch):
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    for section in (CSV, PICTURES):
        content["mine"] = {**content["fashion"], "load": section}
        YAML(typ="safe").dump(content, tmp_path / "params.yaml")
        monkeypatch.chdir(tmp_path)
        assert read("mine").load.model_dump() == section
