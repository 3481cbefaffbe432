"""Fashion-MNIST (Zalando Research, 2017): 60,000 + 10,000 gray images of clothes, 28 x 28.

The places that need no network are tried first. Files with a wrong SHA-256 are never used.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import TryAgain, UserError, log
from tasks.sources.base import SOURCE, BuiltIn, Dataset
from tasks.sources.place import Place

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

SHAPES = {
    "x_train": ("train-images-idx3-ubyte", (60_000, 28, 28)),
    "y_train": ("train-labels-idx1-ubyte", (60_000,)),
    "x_test": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
    "y_test": ("t10k-labels-idx1-ubyte", (10_000,)),
}
# In the folder of `load.path`. Of the uncompressed files: each distributor compresses them anew.
CHECKSUMS = "fashion-mnist.sha256"
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


class Params(BuiltIn):
    source: Literal["fashion_mnist"] = SOURCE
    folder: str | None = Field(description="Where its files are; null looks in the usual places.")

    @property
    def shareable(self) -> bool:
        return self.folder is None


class NotHere(Exception):
    """This place does not have the dataset; the message says why."""


def find(params: Params, folder: Folder) -> Dataset:
    """The four arrays (uint8) and the place where they were found.

    If `params.folder` is given, it is the only place to look. Otherwise the usual places are
    tried, those that need a network last.

    Raises:
        UserError: the named folder does not have the dataset.
        TryAgain: it is nowhere; with a line for each place tried.
    """
    checksums = _checksums(Place.named(params.path, folder) / CHECKSUMS)
    if params.folder is not None:
        own = folder.root / Path(params.folder).expanduser()
        return _in_folder(own, params.folder, checksums)

    tried = []
    for name, place in _places(checksums):
        try:
            return Dataset(read(place(), checksums), name, CLASS_NAMES)
        except NotHere as error:
            log.debug("%s: %s", name, error)
            tried.append(f"  - {name}: {error}")
    raise TryAgain(  # the last places need a network, which may come back
        "Fashion-MNIST was not found. Tried:\n" + "\n".join(tried) + "\nPut the four files into a "
        "folder and set load.folder in params.yaml to it; or, on Debian or Ubuntu, run "
        f"`sudo apt-get install {DEBIAN_PACKAGE}`."
    )


def _checksums(file: Place) -> dict[str, str]:
    """The SHA-256 of each file, from lines as `sha256sum` writes them."""
    expected = f"{CHECKSUMS} with the checksums of the four files, as the project comes with it"
    file.existing(expected, folder=False)
    lines = [line.split() for line in file.path.read_text(encoding="utf-8").splitlines()]
    found = {words[1].lstrip("*"): words[0] for words in lines if len(words) == 2}

    lost = [name for name, _ in SHAPES.values() if name not in found]
    if lost:
        raise UserError(
            f"{file} has no checksum of {', '.join(lost)}. Expected a line `SHA-256  NAME` for "
            "each of the four files. Restore it with git."
        )
    return found


def _in_folder(own: Path, shown: str, checksums: dict[str, str]) -> Dataset:
    try:
        return Dataset(read(own, checksums), f"the folder {shown}", CLASS_NAMES)
    except NotHere as error:
        files = ", ".join(name for name, _ in SHAPES.values())
        raise UserError(
            f"load.folder: {shown}: {error}. Expected the four files of Fashion-MNIST, .gz or "
            f"not: {files}. Correct the folder in params.yaml, or set `folder: null` to look "
            "elsewhere."
        ) from None


def _places(checksums: dict[str, str]) -> list[tuple[str, Callable[[], Path]]]:
    """The usual places: their names, and functions that return their folders."""
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    keras_cache = keras / "datasets" / "fashion-mnist"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    own_cache = cache / "keras-flows" / "fashion-mnist"
    return [
        ("Keras's cache", lambda: keras_cache),
        (f"Debian's package {DEBIAN_PACKAGE}", lambda: DEBIAN_FOLDER),
        ("the cache of keras-flows", lambda: own_cache),
        ("Keras's download", lambda: _keras_download(keras_cache)),
        ("Debian's package, fetched with apt-get", lambda: _apt_download(own_cache, checksums)),
    ]


def read(folder: Path, checksums: dict[str, str]) -> dict[str, np.ndarray]:
    """The four arrays from IDX files, `.gz` or not: checksum, shape and labels are checked.

    Args:
        folder: with the files.
        checksums: the SHA-256 of each file, uncompressed.

    Raises:
        NotHere: a file is missing or damaged.
    """
    if not folder.is_dir():
        raise NotHere(f"no folder {folder}")

    arrays = {}
    for key, (file, shape) in SHAPES.items():
        content = _content(folder, file)
        found, right = hashlib.sha256(content).hexdigest(), checksums[file]
        if found != right:
            why = f"its content has SHA-256 {found[:12]}..., expected {right[:12]}..."
            raise _damaged(folder / file, why)
        header = 4 + 4 * len(shape)  # IDX: a magic number, then each dimension, 4 bytes each
        arrays[key] = np.frombuffer(content, np.uint8, offset=header).reshape(shape)

    last = len(CLASS_NAMES) - 1
    for key in ("y_train", "y_test"):
        if arrays[key].max() > last:
            why = f"label {arrays[key].max()}, expected 0 to {last}"
            raise _damaged(folder / SHAPES[key][0], why)
    return arrays


def _content(folder: Path, file: str) -> bytes:
    plain, packed = folder / file, folder / f"{file}.gz"
    try:
        if packed.is_file():
            return gzip.decompress(packed.read_bytes())
        if plain.is_file():
            return plain.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(packed, str(error)) from None
    raise NotHere(f"{packed} is missing")


def _damaged(path: Path, why: str) -> NotHere:
    log.warning("%s is damaged and will not be used: %s", path, why)
    return NotHere(f"{path} is damaged: {why}")


def _keras_download(keras_cache: Path) -> Path:
    """In a process of its own: Keras imports for seconds, and a hanging download can be ended."""
    log.info("Fashion-MNIST: trying Keras's download (30 MB)")
    code = "from keras.datasets import fashion_mnist; fashion_mnist.load_data()"
    _run([sys.executable, "-c", code], timeout=600)
    return keras_cache


def _apt_download(own_cache: Path, checksums: dict[str, str]) -> Path:
    """Fetch Debian's package and unpack it into the user's cache: no root, nothing installed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NotHere("there is no apt-get here")
    log.info("Fashion-MNIST: fetching Debian's package %s (31 MB)", DEBIAN_PACKAGE)
    own_cache.parent.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory(dir=own_cache.parent) as name:
        work = Path(name)
        apt = _apt_get(work)
        _run([*apt, "update"], timeout=300)
        _run([*apt, "download", DEBIAN_PACKAGE], timeout=600, cwd=work)
        (package,) = work.glob("*.deb")
        _run(["dpkg-deb", "-x", str(package), str(work / "root")], timeout=60)

        unpacked = work / "root" / DEBIAN_FOLDER.relative_to("/")
        read(unpacked, checksums)
        shutil.rmtree(own_cache, ignore_errors=True)
        os.replace(unpacked, own_cache)
    return own_cache


def _apt_get(work: Path) -> list[str]:
    """The command, with lists and cache of its own in a folder."""
    (work / "lists" / "partial").mkdir(parents=True)
    (work / "cache" / "archives" / "partial").mkdir(parents=True)
    command = ["apt-get", "-qq", "-o", f"Dir::State::Lists={work / 'lists'}"]
    command += ["-o", f"Dir::Cache={work / 'cache'}"]
    if os.geteuid() == 0:
        command += ["-o", "APT::Sandbox::User=root"]  # apt's own user may not write to this folder
    return command


def _run(command: list[str], timeout: float, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, timeout=timeout, capture_output=True, text=True, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise NotHere(f"gave up after {timeout:.0f} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotHere(lines[-1][:200] if lines else f"exit code {done.returncode}")
