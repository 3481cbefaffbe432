"""Fashion-MNIST: where it is looked for, and that nothing is used before its checksum is right.

The dataset here is a fabricated one of a few rows; no place outside `tmp_path` is looked at.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.load import load
from tasks.sources import fashion_mnist
from tasks.sources.fashion_mnist import Params

TRAIN, TEST, SIDE = 12, 5, 4
BUILT_IN = {"source": "fashion_mnist", "path": "data/built-in"}
FASHION = Params(**BUILT_IN, folder=None)


FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


PLACES = ("keras", "debian", "own")


NAMES = {
    "keras": "Keras's cache",
    "debian": "Debian's package dataset-fashion-mnist",
    "own": "the cache of keras-flows",
}


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def known(monkeypatch, arrays: dict[str, np.ndarray], root: Path) -> None:
    """Make these arrays the dataset of a project."""
    shapes = {key: (FILES[key], arrays[key].shape) for key in FILES}
    monkeypatch.setattr(fashion_mnist, "SHAPES", shapes)
    sums = [f"{hashlib.sha256(idx(arrays[key])).hexdigest()}  {FILES[key]}\n" for key in FILES]
    (root / "data/built-in").mkdir(parents=True, exist_ok=True)
    (root / "data/built-in/fashion-mnist.sha256").write_text("".join(sums))


def put(arrays: dict[str, np.ndarray], folder: Path, packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for key, array in arrays.items():
        if packed:
            (folder / f"{FILES[key]}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / FILES[key]).write_bytes(idx(array))
    return folder


def script(path: Path, lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def arrays(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    made = {
        "x_train": random.integers(0, 256, (TRAIN, SIDE, SIDE), dtype=np.uint8),
        "y_train": random.integers(0, 10, TRAIN, dtype=np.uint8),
        "x_test": random.integers(0, 256, (TEST, SIDE, SIDE), dtype=np.uint8),
        "y_test": random.integers(0, 10, TEST, dtype=np.uint8),
    }
    known(monkeypatch, made, tmp_path)
    return made


@pytest.fixture
def places(tmp_path, monkeypatch) -> dict[str, Path]:
    """Every place that is looked at, inside `tmp_path`; programs fail as without a network."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    keras = script(tmp_path / "bin/python", "echo 'URL fetch failure' >&2; exit 1")
    monkeypatch.setattr(sys, "executable", str(keras))
    script(tmp_path / "bin/apt-get", "echo 'E: Unable to connect to mirror.example' >&2; exit 100")
    script(tmp_path / "bin/dpkg-deb", "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return {
        "keras": tmp_path / "keras/datasets/fashion-mnist",
        "debian": tmp_path / "debian",
        "own": tmp_path / "cache/keras-flows/fashion-mnist",
        "bin": tmp_path / "bin",
    }


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "data" / "fashion")


def raw(folder: Folder) -> dict[str, np.ndarray]:
    with np.load(folder.path / "raw.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
def test_the_arrays_are_those_in_the_files(arrays, places, folder, packed):
    put(arrays, places["keras"], packed)
    assert load(folder, FASHION) == f"{TRAIN} training and {TEST} test rows from Keras's cache"
    found = raw(folder)
    assert tuple(found.pop("class_names")) == fashion_mnist.CLASS_NAMES
    assert [*found][:4] == ["x_train", "y_train", "x_test", "y_test"]
    for key, array in arrays.items():
        assert found[key].dtype == np.uint8
        np.testing.assert_array_equal(found[key], array)


def test_same_source_gives_the_same_bytes(arrays, places, tmp_path):
    written = set()
    for name, packed in (("a", True), ("b", False)):  # how the files are packed does not matter
        put(arrays, places["keras"], packed)
        load(Folder(tmp_path / "data" / name), FASHION)
        written.add((tmp_path / "data" / name / "raw.npz").read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_places_without_a_network_come_first_and_in_order(arrays, places, folder, first):
    for name in PLACES[first:]:
        put(arrays, places[name])
    for program in ("python", "apt-get"):
        script(places["bin"] / program, f"touch {places['bin'] / 'called'}; exit 1")
    assert load(folder, FASHION).endswith(f"from {NAMES[PLACES[first]]}")
    assert not (places["bin"] / "called").exists()


def test_a_damaged_place_is_passed_over_with_a_warning(arrays, places, folder, caplog):
    put(arrays, places["keras"])
    put(arrays, places["debian"])
    image = places["keras"] / f"{FILES['x_train']}.gz"
    image.write_bytes(gzip.compress(idx(arrays["x_train"] ^ 1)))
    assert load(folder, FASHION).endswith(f"from {NAMES['debian']}")
    np.testing.assert_array_equal(raw(folder)["x_train"], arrays["x_train"])
    assert [record.levelname for record in caplog.records if "is damaged" in record.message] == [
        "WARNING"
    ]


def test_a_folder_in_params_is_the_only_place(arrays, places, folder, tmp_path):
    mine = put(arrays, tmp_path / "mine")
    assert load(folder, Params(**BUILT_IN, folder=str(mine))).endswith(f"from the folder {mine}")
    for name in PLACES:
        put(arrays, places[name])
    with pytest.raises(
        UserError, match=r"load\.folder: /nowhere: no folder /nowhere\. Expected the four files"
    ):
        load(folder, Params(**BUILT_IN, folder="/nowhere"))


def test_a_folder_below_the_home_may_be_named_with_a_tilde(arrays, places, folder, tmp_path):
    put(arrays, tmp_path / "home" / "mine")
    assert load(folder, Params(**BUILT_IN, folder="~/mine")).endswith("from the folder ~/mine")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def cut_short_inside(file: Path) -> None:
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-1]))


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)


DAMAGES = {
    "truncated .gz": (
        truncate,
        "is damaged: Compressed file ended before the end-of-stream marker",
    ),
    "damaged .gz": (flip, "is damaged: "),
    "not a .gz": (
        lambda file: file.write_bytes(b"<html>404</html>"),
        "is damaged: Not a gzipped file",
    ),
    "empty": (
        lambda file: file.write_bytes(b""),
        r"is damaged: its content has SHA-256 e3b0c44298fc\.\.\., expected",
    ),
    "wrong checksum": (
        cut_short_inside,
        r"is damaged: its content has SHA-256 [0-9a-f]{12}\.\.\., expected [0-9a-f]",
    ),
    "missing": (Path.unlink, "is missing"),
}


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_never_used(arrays, places, folder, tmp_path, damage, key):
    mine = put(arrays, tmp_path / "mine")
    change, message = DAMAGES[damage]
    change(mine / f"{FILES[key]}.gz")
    with pytest.raises(
        UserError, match=rf"load\.folder: .*/{FILES[key]}(\.gz)? {message}"
    ) as caught:
        load(folder, Params(**BUILT_IN, folder=str(mine)))
    assert "Correct the folder in params.yaml, or set `folder: null`" in str(caught.value)
    assert not list(tmp_path.rglob("*raw.npz"))


@pytest.mark.parametrize("key", ["y_train", "y_test"])
def test_a_label_without_a_class_is_refused_even_with_the_right_checksum(
    arrays, places, folder, tmp_path, monkeypatch, key
):
    arrays[key] = arrays[key].copy()
    arrays[key][3] = 10
    known(monkeypatch, arrays, tmp_path)
    mine = put(arrays, tmp_path / "mine")
    with pytest.raises(UserError, match=f"{FILES[key]} is damaged: label 10, expected 0 to 9"):
        load(folder, Params(**BUILT_IN, folder=str(mine)))
    assert not folder.path.exists()


def test_nothing_found_lists_each_place_with_its_reason_and_says_what_to_do(arrays, places, folder):
    with pytest.raises(UserError) as caught:
        load(folder, FASHION)
    lines = str(caught.value).splitlines()
    assert lines[1:6] == [
        f"  - Keras's cache: no folder {places['keras']}",
        f"  - Debian's package dataset-fashion-mnist: no folder {places['debian']}",
        f"  - the cache of keras-flows: no folder {places['own']}",
        "  - Keras's download: URL fetch failure",
        "  - Debian's package, fetched with apt-get: E: Unable to connect to mirror.example",
    ]
    assert "load.folder in params.yaml" in lines[6]
    assert "sudo apt-get install dataset-fashion-mnist" in lines[6]
    assert not folder.path.exists()


def test_without_apt_get_the_message_says_so(arrays, places, folder):
    (places["bin"] / "dpkg-deb").unlink()
    (places["bin"] / "apt-get").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(places["bin"]))
        with pytest.raises(UserError, match="fetched with apt-get: there is no apt-get here"):
            load(folder, FASHION)


def test_what_keras_downloads_is_read_from_its_cache(arrays, places, folder, tmp_path):
    made = put(arrays, tmp_path / "server")
    script(
        places["bin"] / "python",
        f"mkdir -p {places['keras'].parent}; cp -r {made} {places['keras']}",
    )
    assert load(folder, FASHION).endswith("from Keras's download")
    assert load(folder, FASHION).endswith("from Keras's cache")


def fake_apt(places: dict[str, Path], made: Path) -> None:
    """`apt-get download` and `dpkg-deb -x`, with a package that holds the files of `made`."""
    script(places["bin"] / "apt-get", 'case "$*" in *download*) touch package.deb;; esac')
    script(
        places["bin"] / "dpkg-deb",
        f'mkdir -p "$3{places["debian"].parent}"; cp -r {made} "$3{places["debian"]}"',
    )


def test_what_apt_fetches_is_kept_in_the_own_cache(arrays, places, folder, tmp_path):
    fake_apt(places, put(arrays, tmp_path / "server"))
    assert load(folder, FASHION).endswith("from Debian's package, fetched with apt-get")
    assert load(folder, FASHION).endswith("from the cache of keras-flows")
    assert [path.name for path in places["own"].parent.iterdir()] == [
        "fashion-mnist"
    ]  # nothing else is left behind


def test_a_damaged_package_is_not_kept(arrays, places, folder, tmp_path):
    made = put(arrays, tmp_path / "server")
    cut_short_inside(made / f"{FILES['y_test']}.gz")
    fake_apt(places, made)
    with pytest.raises(
        UserError, match=r"fetched with apt-get: .* is damaged: its content has SHA-256"
    ):
        load(folder, FASHION)
    assert list(places["own"].parent.iterdir()) == []


def test_a_relative_folder_starts_at_the_projects_root(arrays, places, folder, tmp_path):
    put(arrays, tmp_path / "mine")
    said = load(folder, Params(**BUILT_IN, folder="mine"))
    assert said.endswith("from the folder mine")


def test_without_its_checksums_nothing_is_used(arrays, places, folder, tmp_path):
    put(arrays, places["keras"])
    file = tmp_path / "data/built-in/fashion-mnist.sha256"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[1:]))
    lost = (
        r"data/built-in/fashion-mnist\.sha256 has no checksum of train-images-idx3-ubyte\. .* git"
    )
    with pytest.raises(UserError, match=lost):
        load(folder, FASHION)
    file.unlink()
    with pytest.raises(
        UserError, match=r"there is no data/built-in/fashion-mnist\.sha256\. Expect"
    ):
        load(folder, FASHION)
    assert not folder.path.exists()


def test_checksums_are_those_of_sha256sum_also_in_its_binary_mode(arrays, places, folder, tmp_path):
    put(arrays, places["keras"])
    file = tmp_path / "data/built-in/fashion-mnist.sha256"
    file.write_text(file.read_text().replace("  ", " *"))
    assert load(folder, FASHION).endswith("from Keras's cache")


def test_only_what_no_file_of_the_users_made_may_be_shared():
    assert FASHION.shareable
    assert not Params(**BUILT_IN, folder="mine").shareable
    assert FASHION.predicts == "classes"
