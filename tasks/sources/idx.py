"""IDX, the files of the MNIST family: MNIST, EMNIST, Kuzushiji-MNIST, and what is written like them."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tasks.core.step import UserError
from tasks.sources.base import Dataset, Labelled, arranged, check_given, existing, numbered, numbered_rows

NAME = re.compile(r"(?P<prefix>.*?)(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?")
EXPECTED = "IDX files such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
DIMENSIONS = {"images": 3, "labels": 1}


class Params(Labelled):
    source: Literal["idx"] = Field(description="Where the data is from, or the kind of its files.")
    prefix: str = Field(description="What the files' names begin with, such as `emnist-letters-`; mostly nothing: ''.")
    transpose: bool = Field(description="Whether the files have columns before rows, as EMNIST's.")


def find(params: Params) -> Dataset:
    """The images and labels in a folder. Labels that do not start at 0 are numbered anew; their names keep the value.

    Raises:
        UserError: a file is missing or damaged, or images and labels do not belong together.
    """
    folder = existing(params.path, f"a folder with {EXPECTED}", folder=True)
    files = sets(folder).get(params.prefix, {})
    for kind in ("images", "labels"):
        if ("train", kind) not in files:
            raise UserError(_missing(folder, params.prefix, kind))
    given = ("test", "images") in files
    if given != (("test", "labels") in files):
        raise UserError(f"{folder} has test {'images' if given else 'labels'} alone. Expected both files, or neither.")
    check_given(params, given, "t10k or test images and labels")
    x, y = {}, {}
    for split in ("train", "test") if given else ("train",):
        x[split], y[split] = (_read(files[split, kind], DIMENSIONS[kind]) for kind in ("images", "labels"))
        if not x[split].size:
            raise UserError(f"{files[split, 'images']} has no images. Expected some: get it again.")
        if len(x[split]) != len(y[split]):
            raise UserError(
                f"{files[split, 'images']} has {len(x[split]):,} images, but {files[split, 'labels'].name} has "
                f"{len(y[split]):,} labels. Expected one label an image: get both files from one place."
            )
        if params.transpose:
            x[split] = x[split].transpose(0, 2, 1)
    if given and x["train"].shape[1:] != x["test"].shape[1:]:
        sizes = " and ".join(f"{height} x {width}" for _, height, width in (x["train"].shape, x["test"].shape))
        raise UserError(f"{folder}: the images to train and to test on are {sizes}. Expected one size.")
    y, names = numbered(y, str(folder))
    return Dataset(arranged(params, {"x": x, "y": y, "from": numbered_rows(y)}, names), str(params.path), names)


def sets(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """The files that are there: by prefix, split and kind."""
    found: dict[str, dict[tuple[str, str], Path]] = {}
    for path in sorted(folder.iterdir()):
        match = NAME.fullmatch(path.name)
        if match:
            split = "train" if match["split"] == "train" else "test"
            found.setdefault(match["prefix"], {})[split, match["kind"]] = path
    return found


def _missing(folder: Path, prefix: str, kind: str) -> str:
    others = ", ".join(f"`{other}`" for other in sets(folder) if other != prefix)
    more = f" Sets with other prefixes are there: set load.prefix to one of {others}." if others else ""
    return f"{folder}: no {prefix}train-{kind}-idx{DIMENSIONS[kind]}-ubyte, .gz or not. Expected {EXPECTED}.{more}"


def _read(path: Path, dimensions: int) -> np.ndarray:
    """One file: a magic number, the size of each dimension in 4 bytes, then the values, a byte each."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged: {error}. Get it again.") from None
    magic = bytes([0, 0, 8, dimensions])
    if content[:4] != magic:
        raise UserError(
            f"{path} begins with the bytes {content[:4].hex(' ') or 'of no content'}, expected {magic.hex(' ')}: it is "
            f"no IDX file of unsigned bytes in {dimensions} dimension{'s'[: dimensions - 1]}. Get it again."
        )
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise UserError(f"{path} ends inside its header. Get it again.")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != prod(shape):
        raise UserError(
            f"{path} announces {' x '.join(map(str, shape))} values, which is {prod(shape):,}, but has "
            f"{len(content) - header:,}: it is damaged. Get it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
