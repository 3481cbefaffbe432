"""IDX, the files of the MNIST family: MNIST, EMNIST, Kuzushiji-MNIST and others in their form."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources.base import SOURCE, Dataset, Labelled, New, arranged, check_given, numbered_rows
from tasks.sources.labels import numbered
from tasks.sources.place import Place

NAME = re.compile(
    r"(?P<prefix>.*?)((?P<split>train|t10k|test)[-_.])?(?P<kind>images|labels)"
    r"[-_.]idx[13]?([-_.]ubyte)?(\.gz)?",
    re.IGNORECASE,
)
EXPECTED = "IDX files such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
DIMENSIONS = {"images": 3, "labels": 1}

Files = dict[tuple[str, str], Path]  # by split and kind


class Params(Labelled):
    source: Literal["idx"] = SOURCE
    prefix: str = Field(
        description="What the files' names begin with, such as `emnist-letters-`; often ''."
    )
    transpose: bool = Field(
        description="Whether the files have columns before rows, as those of EMNIST."
    )


def find(params: Params, folder: Folder) -> Dataset:
    """The images and labels in a folder. Labels become 0 to k-1; their names keep the value.

    Raises:
        UserError: a file is missing or damaged, or images and labels do not belong together.
    """
    expected = f"a folder with {EXPECTED}"
    place = Place.named(params.path, folder).existing(expected, folder=True)
    files = _files(params, place)

    x, y = {}, {}
    for split in sorted({split for split, _ in files}, reverse=True):  # train before test
        x[split], y[split] = _pair(place, files, split)
        if params.transpose:
            x[split] = x[split].transpose(0, 2, 1)
    if "test" in x and x["train"].shape[1:] != x["test"].shape[1:]:
        shapes = (x["train"].shape, x["test"].shape)
        sizes = " and ".join(f"{height} x {width}" for _, height, width in shapes)
        raise UserError(f"{place}: training and test images are {sizes}. Expected one size.")

    y, names = numbered(y, place)
    arrays = arranged(params, {"x": x, "y": y, "from": numbered_rows(y)}, names)
    return Dataset(arrays, params.path, names)


def sets(folder: Path) -> dict[str, Files]:
    """The files that are there: by prefix, then by split and kind.

    A file may lie in a folder of its own name. Names without a split are training rows.
    """
    found: dict[str, Files] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_file(), path)):
        match = NAME.fullmatch(path.name)
        inner = path / path.name
        file = inner if path.is_dir() and inner.is_file() else path
        if match and file.is_file():
            split = "test" if (match["split"] or "").lower() in ("t10k", "test") else "train"
            found.setdefault(match["prefix"], {})[split, match["kind"].lower()] = file
    return found


def is_named(path: Path) -> bool:
    """Whether a file is called like one of the MNIST family."""
    return bool(NAME.fullmatch(path.name)) and path.is_file()


def _files(params: Params, place: Place) -> Files:
    """The files of the set that `load.prefix` names, of both splits or of the training alone."""
    there = sets(place.path)
    files = there.get(params.prefix, {})
    for kind in ("images", "labels"):
        if ("train", kind) not in files:
            raise UserError(_missing(place, params.prefix, kind, there))

    given = ("test", "images") in files
    if given != (("test", "labels") in files):
        only = "images" if given else "labels"
        raise UserError(f"{place} has only test {only}. Expected both files, or neither.")
    check_given(params, given, "t10k or test images and labels")
    return files


def _missing(place: Place, prefix: str, kind: str, there: dict[str, Files]) -> str:
    others = ", ".join(f"`{other}`" for other in there if other != prefix)
    more = f" It has other prefixes: set load.prefix to one of {others}." if others else ""
    name = f"{prefix}train-{kind}-idx{DIMENSIONS[kind]}-ubyte"
    return f"{place}: no {name}, .gz or not. Expected {EXPECTED}.{more}"


def _pair(place: Place, files: Files, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images and the labels of a split, one label an image."""
    images, labels = (place.to(files[split, kind]) for kind in ("images", "labels"))
    x = _read(images, DIMENSIONS["images"])
    y = _read(labels, DIMENSIONS["labels"])
    if not x.size:
        raise UserError(f"{images} has no images. Expected some: get it again.")
    if len(x) != len(y):
        raise UserError(
            f"{images} has {len(x):,} images, but {labels.name} has {len(y):,} labels. "
            "Expected one label an image: get both files from one place."
        )
    return x, y


def _read(file: Place, dimensions: int) -> np.ndarray:
    """One file: a magic number, the size of each dimension in 4 bytes, then a byte a value."""
    try:
        content = file.path.read_bytes()
        content = gzip.decompress(content) if file.path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file} is damaged: {error}. Get it again.") from None

    magic = bytes([0, 0, 8, dimensions])
    if content[:4] != magic:
        begins = content[:4].hex(" ") or "of no content"
        plural = "s" if dimensions > 1 else ""
        raise UserError(
            f"{file} begins with the bytes {begins}, expected {magic.hex(' ')}: it is no IDX file "
            f"of unsigned bytes in {dimensions} dimension{plural}. Get it again."
        )

    header = 4 + 4 * dimensions
    if len(content) < header:
        raise UserError(f"{file} ends inside its header. Get it again.")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != prod(shape):
        raise UserError(
            f"{file} announces {' x '.join(map(str, shape))} values, which is {prod(shape):,}, "
            f"but has {len(content) - header:,}: it is damaged. Get it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """The images of an IDX file to predict, with the labels of the file beside it, if there is one.

    Args:
        place: the file of the images.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.

    Raises:
        UserError: the file is damaged, or its images have another size than the training rows.
    """
    x = _read(place.existing("an IDX file of images", folder=False), DIMENSIONS["images"])
    if schema["load"].get("transpose"):
        x = x.transpose(0, 2, 1)
    if list(x.shape[1:]) != schema["input_shape"]:
        raise UserError(
            f"{place} has images of {x.shape[1]} x {x.shape[2]}. "
            f"Expected the shape of the training rows, {tuple(schema['input_shape'])}."
        )

    beside = place.name.replace("images", "labels").replace("idx3", "idx1")
    other = Place(place.path.with_name(beside), beside)
    labels = _read(other, DIMENSIONS["labels"]).astype(str) if other.path.is_file() else None
    if labels is not None and len(labels) != len(x):
        raise UserError(
            f"{place} has {len(x):,} images, but {other} has {len(labels):,} labels. Expected one "
            "for each image: get both files from one place, or take the labels away."
        )
    yield New(x, [f"image {row}" for row in range(len(x))], labels)
