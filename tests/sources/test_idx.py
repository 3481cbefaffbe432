"""IDX files: how they are read, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.support.own import ROWS, SHARE, SIDE, loaded, of_idx, packed, put_csv, put_idx, rows
from tests.support.wrong import cut, emptied, refused

LETTERS = 26


def test_the_rows_are_those_in_the_idx_files_gz_or_not(tmp_path):
    x, y = rows()
    written = set()
    for zipped in (True, False):
        found = loaded(tmp_path / "out", of_idx(put_idx(tmp_path / f"in{zipped}", zipped=zipped)))
        np.testing.assert_array_equal(found["x_train"], x)
        np.testing.assert_array_equal(found["y_train"], y)
        assert found["x_test"].shape == (6, SIDE, SIDE)
        assert found["class_names"].tolist() == ["0", "1", "2"]
        written.add((tmp_path / "out/raw.npz").read_bytes())
    assert len(written) == 1


def test_emnist_letters_1_to_26_become_0_to_25_and_keep_their_names(tmp_path):
    folder = put_idx(tmp_path / "in", "emnist-digits-", test="test")
    x, y = rows(2 * LETTERS, LETTERS, first=1)
    for split in ("train", "test"):
        (folder / f"emnist-letters-{split}-images-idx3-ubyte").write_bytes(packed(x))
        (folder / f"emnist-letters-{split}-labels-idx1-ubyte").write_bytes(packed(y))
    found = loaded(tmp_path / "out", of_idx(folder, prefix="emnist-letters-", transpose=True))
    assert found["y_train"].min() == 0
    assert found["y_train"].max() == LETTERS - 1
    assert found["class_names"].tolist() == [str(letter) for letter in range(1, LETTERS + 1)]
    np.testing.assert_array_equal(found["x_train"], x.transpose(0, 2, 1))


def test_idx_without_test_files_is_split(tmp_path):
    found = loaded(tmp_path / "out", of_idx(put_idx(tmp_path / "in", test=None), **SHARE))
    assert (len(found["x_train"]), len(found["x_test"])) == (9, 3)
    assert sorted(found["y_test"]) == [0, 1, 2]
    assert sorted(np.concatenate([found["x_train"], found["x_test"]])[:, 0, 0]) == list(range(ROWS))


@pytest.mark.parametrize(
    "name",
    [
        "{split}-{kind}-idx{n}-ubyte/{split}-{kind}-idx{n}-ubyte",
        "{split}-{kind}.idx{n}-ubyte",
        "{split}_{kind}_idx{n}_ubyte",
        "{split}-{kind}.IDX{n}",
        "{split}-{kind}.idx",
    ],
)
def test_idx_files_may_be_called_as_others_pack_them(tmp_path, name):
    before = loaded(tmp_path / "out", of_idx(put_idx(tmp_path / "in", zipped=False)))
    for split in ("train", "t10k"):
        for kind, number in (("images", 3), ("labels", 1)):
            file = tmp_path / "in" / f"{split}-{kind}-idx{number}-ubyte"
            other = tmp_path / "other" / name.format(split=split, kind=kind, n=number)
            other.parent.mkdir(parents=True, exist_ok=True)
            other.write_bytes(file.read_bytes())
    found = loaded(tmp_path / "out", of_idx(tmp_path / "other"))
    np.testing.assert_array_equal(found["x_train"], before["x_train"])
    np.testing.assert_array_equal(found["y_test"], before["y_test"])


def test_idx_files_whose_names_have_no_split_are_training_rows(tmp_path):
    folder = put_idx(tmp_path / "in", test=None)
    for kind in ("images-idx3", "labels-idx1"):
        (folder / f"train-{kind}-ubyte.gz").rename(folder / f"{kind.replace('-', '.')}-ubyte.gz")
    assert len(loaded(tmp_path / "out", of_idx(folder, **SHARE))["x_train"]) == 9


X, Y = rows()
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def idx(change, **how):
    """A folder of IDX files, changed."""

    def make(path: Path):
        change(put_idx(path / "in"))
        return of_idx(path / "in", **how)

    return make


def zipped(name: str, content) -> object:
    """Write a file anew, from what was in it."""

    def change(folder: Path) -> None:
        before = gzip.decompress((folder / name).read_bytes())
        (folder / name).write_bytes(
            gzip.compress(content(before) if callable(content) else content)
        )

    return change


WRONG = {
    "nothing there": (
        lambda path: of_idx(path / "no"),
        r"load\.path: there is no .*/no\. Expected a folder with IDX",
    ),
    "file for a folder": (
        lambda path: of_idx(put_csv(path / "x")),
        r"load\.path: .*/x is a file\. Expected a folder",
    ),
    "empty folder": (
        idx(emptied),
        r"/in: no train-images-idx3-ubyte, \.gz or not\. Expected IDX files such as",
    ),
    "other prefix": (
        idx(lambda f: 0, prefix="emnist-"),
        r"no emnist-train-images.*It has other prefixes: set load\.prefix to one of ",
    ),
    "no labels": (idx(lambda f: (f / LABELS).unlink()), r"/in: no train-labels-idx1-ubyte"),
    "truncated gz": (
        idx(lambda f: cut(f / IMAGES)),
        rf"/in/{IMAGES} is damaged: Compressed file ended .* Get it agai",
    ),
    "no gz": (
        idx(lambda f: (f / IMAGES).write_bytes(b"<html>")),
        rf"{IMAGES} is damaged: Not a gzipped file",
    ),
    "wrong magic number": (
        idx(zipped(IMAGES, lambda b: b"\0\0\x0d\x03" + b[4:])),
        rf"{IMAGES} begins with the bytes 00 00 0d 03, expected 00 00 08 03: it is no IDX file "
        rf"of unsigned bytes in 3",
    ),
    "labels for images": (
        idx(zipped(IMAGES, packed(Y))),
        r"begins with the bytes 00 00 08 01, expected 00 00 08 03",
    ),
    "nothing in it": (idx(zipped(LABELS, b"")), rf"{LABELS} begins with the bytes of no content"),
    "header cut": (idx(zipped(IMAGES, lambda b: b[:9])), rf"{IMAGES} ends inside its header"),
    "content cut": (
        idx(zipped(IMAGES, lambda b: b[:-1])),
        rf"{IMAGES} announces 12 x 4 x 4 values, which is 192, but has 191",
    ),
    "more images than labels": (
        idx(zipped(LABELS, packed(Y[:-1]))),
        rf"{IMAGES} has 12 images, but {LABELS} has 11 labels\. Expected one labe",
    ),
    "other size to test": (
        idx(zipped("t10k-images-idx3-ubyte.gz", packed(np.zeros((6, 5, 4))))),
        r"are 4 x 4 and 5 x 4\. Expected one si",
    ),
    "one class": (
        idx(zipped(LABELS, packed(Y * 0))),
        r"the class `1` has test rows and no training rows",
    ),
    "no images": (
        idx(lambda f: [zipped(n, packed(a[:0]))(f) for n, a in ((IMAGES, X), (LABELS, Y))]),
        rf"{IMAGES} has no images",
    ),
    "half a test set": (
        idx(lambda f: (f / "t10k-labels-idx1-ubyte.gz").unlink(), **SHARE),
        r"/in has only test images\. Expected",
    ),
    "test rows and a share": (
        idx(lambda f: 0, **SHARE),
        r"load\.test is 0\.25, but .*/in has test rows of its own",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_named_with_what_to_do(tmp_path, kind):
    refused(tmp_path, *WRONG[kind])
