"""Fashion-MNIST (Zalando Research, 2017): 60,000 + 10,000 gray images of clothes, 28 x 28, ten classes.

It is looked for where it can be had without a network first. Nothing is believed before its SHA-256 is right.
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
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.core.step import Section, TryAgain, UserError, log
from tasks.sources.base import Dataset

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

# Of the uncompressed files: distributors compress them anew, with other bytes.
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
SHAPES = {
    "x_train": ("train-images-idx3-ubyte", (60_000, 28, 28)),
    "y_train": ("train-labels-idx1-ubyte", (60_000,)),
    "x_test": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
    "y_test": ("t10k-labels-idx1-ubyte", (10_000,)),
}
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


class Params(Section):
    path: str = Field(description="built-in")
    predicts: ClassVar[str] = "classes"
    shareable: ClassVar[bool] = True
    source: Literal["fashion_mnist"] = Field(description="Where the data is from, or the kind of its files.")
    folder: str | None = Field(description="Where its files are; null looks in the usual places.")


class NotHere(Exception):
    """This place has not got the dataset; the message says why."""


def find(params: Params) -> Dataset:
    """The four arrays (uint8) and the place where they were found.

    `params.folder` is the only place to look, if given; else the usual places, in an order that needs the network last.

    Raises:
        UserError: what the named folder has is not the dataset.
        TryAgain: it is nowhere, with a line for each place tried.
    """
    folder = params.folder
    if folder is not None:
        try:
            return Dataset(read(Path(folder).expanduser()), f"the folder {folder}", CLASS_NAMES)
        except NotHere as error:
            raise UserError(
                f"load.folder: {folder}: {error}. Expected the four files of Fashion-MNIST, .gz or not: "
                f"{', '.join(SHA256)}. Correct the folder in params.yaml, or set `folder: null` to look elsewhere."
            ) from None
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    keras_cache = home / "datasets" / "fashion-mnist"
    own_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras-flows" / "fashion-mnist"
    places = (
        ("Keras's cache", lambda: keras_cache),
        (f"Debian's package {DEBIAN_PACKAGE}", lambda: DEBIAN_FOLDER),
        ("the cache of keras-flows", lambda: own_cache),
        ("Keras's download", lambda: _keras_download(keras_cache)),
        ("Debian's package, fetched with apt-get", lambda: _apt_download(own_cache)),
    )
    tried = []
    for name, place in places:
        try:
            return Dataset(read(place()), name, CLASS_NAMES)
        except NotHere as error:
            log.debug("%s: %s", name, error)
            tried.append(f"  - {name}: {error}")
    raise TryAgain(  # the last places need a network, which may come back
        "Fashion-MNIST was not found. Tried:\n" + "\n".join(tried) + "\nPut the four files into a folder and name it "
        f"as load.folder in params.yaml; or, on Debian or Ubuntu, run `sudo apt-get install {DEBIAN_PACKAGE}`."
    )


def read(folder: Path) -> dict[str, np.ndarray]:
    """The four arrays from IDX files, `.gz` or not, each checked: checksum, then shape, then the labels' range."""
    if not folder.is_dir():
        raise NotHere(f"no folder {folder}")
    arrays = {}
    for key, (file, shape) in SHAPES.items():
        content = _content(folder, file)
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256[file]:
            raise _damaged(folder / file, f"its content has SHA-256 {found[:12]}..., expected {SHA256[file][:12]}...")
        header = 4 + 4 * len(shape)  # IDX: a magic number, then each dimension, 4 bytes each
        arrays[key] = np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    for key in ("y_train", "y_test"):
        if arrays[key].max() >= len(CLASS_NAMES):
            raise _damaged(folder / SHAPES[key][0], f"label {arrays[key].max()}, expected 0 to {len(CLASS_NAMES) - 1}")
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
    """In a process of its own: importing Keras takes seconds, and a download that hangs can be ended."""
    log.info("Fashion-MNIST: trying Keras's download (30 MB)")
    code = "from keras.datasets import fashion_mnist; fashion_mnist.load_data()"
    _run([sys.executable, "-c", code], timeout=600)
    return keras_cache


def _apt_download(own_cache: Path) -> Path:
    """Fetch Debian's package and unpack it into the user's cache; the system stays as it is, and root is not needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NotHere("there is no apt-get here")
    log.info("Fashion-MNIST: fetching Debian's package %s (31 MB)", DEBIAN_PACKAGE)
    own_cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=own_cache.parent) as name:
        work = Path(name)
        (work / "lists" / "partial").mkdir(parents=True)
        (work / "cache" / "archives" / "partial").mkdir(parents=True)
        apt = ["apt-get", "-qq", "-o", f"Dir::State::Lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
        if os.geteuid() == 0:
            apt += ["-o", "APT::Sandbox::User=root"]  # apt's own user may not write to this folder
        _run([*apt, "update"], timeout=300)
        _run([*apt, "download", DEBIAN_PACKAGE], timeout=600, cwd=work)
        (package,) = work.glob("*.deb")
        _run(["dpkg-deb", "-x", str(package), str(work / "root")], timeout=60)
        unpacked = work / "root" / DEBIAN_FOLDER.relative_to("/")
        read(unpacked)
        shutil.rmtree(own_cache, ignore_errors=True)
        os.replace(unpacked, own_cache)
    return own_cache


def _run(command: list[str], timeout: float, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, timeout=timeout, capture_output=True, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        raise NotHere(f"gave up after {timeout:.0f} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotHere(lines[-1][:200])
