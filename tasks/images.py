"""Images: a folder with a sub-folder for each class, of PNG or JPEG files in any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.arrays import empty
from tasks.base import Stopped, UserError, log, stopping
from tasks.dataset import SPLITS, Dataset, Own, check_given, existing, numbered, rows_to_test

ENDINGS = (".png", ".jpg", ".jpeg")
EXPECTED = "a folder with a sub-folder of PNG or JPEG files for each class, or two such folders, `train` and `test`"
CHANNELS = {"gray": ("L", ()), "rgb": ("RGB", (3,))}  # Pillow's mode, and what it adds to the shape
DEEP = ("I", "F")  # Pillow's modes of more than 8 bits a channel


class Params(Own):
    source: Literal["images"] = Field(description="Where the data is from, or the kind of its files.")
    size: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2, max_length=2)] = Field(
        description="Height and width in pixels that every image is resized to."
    )
    color: Literal["gray", "rgb"] = Field(description="What every image is converted to.")


def find(params: Params) -> Dataset:
    """Every image of every class, in one size; the classes' names are those of the sub-folders, sorted.

    Raises:
        UserError: the folders are not as expected, or an image cannot be read.
    """
    files, y, names = listed(params)
    x = {split: _pixels(files[split], params) for split in SPLITS}
    return Dataset({f"{name}_{split}": a[split] for split in SPLITS for name, a in (("x", x), ("y", y))},
                   str(params.path), names)  # fmt: skip


def listed(params: Params) -> tuple[dict[str, list[Path]], dict[str, np.ndarray], list[str]]:
    """The image files of each split, their labels, and the classes' names."""
    folder = existing(params.path, EXPECTED, folder=True)
    given = all((folder / split).is_dir() for split in SPLITS)
    check_given(params, given, "sub-folders `train` and `test`")
    files: dict[str, list[Path]] = {}
    labels: dict[str, np.ndarray] = {}
    for split in SPLITS if given else SPLITS[:1]:
        found = _classes(folder / split if given else folder)
        # One of each class in turn, so that the first rows, which are drawn, show them all.
        turns = sorted((turn, name, file) for name, group in found.items() for turn, file in enumerate(group))
        files[split] = [file for _, _, file in turns]
        labels[split] = np.array([name for _, name, _ in turns])
    y, names = numbered(labels, str(folder))
    if not given:
        mask = rows_to_test(params, y["train"], names=names)
        y = {"train": y["train"][~mask], "test": y["train"][mask]}
        train, test = ([files["train"][row] for row in np.flatnonzero(rows)] for rows in (~mask, mask))
        files = {"train": train, "test": test}
    return files, y, names


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class, both sorted by name."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        raise UserError(f"{folder} has no sub-folders. Expected {EXPECTED}.")
    found = {}
    for path in classes:
        inside = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        found[path.name] = [file for file in inside if file.suffix.lower() in ENDINGS and file.is_file()]
        if not found[path.name]:
            raise UserError(f"{path} has no image: no file ends in {', '.join(ENDINGS)}. Expected {EXPECTED}.")
        if len(found[path.name]) < len(inside):
            log.warning("%s: %d entries are no PNG or JPEG, and left out", path, len(inside) - len(found[path.name]))
    return found


def _pixels(files: list[Path], params: Params) -> np.ndarray:
    """One array, filled file by file."""
    from PIL import Image

    mode, channels = CHANNELS[params.color]
    height, width = params.size
    shape = (len(files), height, width, *channels)
    try:
        pixels = empty(shape, np.uint8)
    except OSError as error:
        raise UserError(
            f"load.size is {height} x {width}, and there are {len(files):,} images: {error.strerror}. Make it smaller."
        ) from None
    for row, file in enumerate(files):
        if stopping.is_set():
            raise Stopped(f"stopped after {row:,} of {len(files):,} images")
        pixels[row] = _image(file, mode).resize((width, height), Image.Resampling.BILINEAR)
    return pixels


def _image(file: Path, mode: str):
    """An image as a person sees it: cameras note which side is up, and do not turn the pixels."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            if not image.mode.startswith(DEEP):
                return ImageOps.exif_transpose(image).convert(mode)
            deep = image.mode
    except Exception as error:  # Pillow raises many kinds for a damaged file
        why = (str(error) or type(error).__name__).replace(repr(str(file)), "it")
        raise UserError(f"{file} cannot be read as an image: {why}. Replace it, or take it away.") from None
    raise UserError(f"{file} has more than 8 bits a channel (Pillow's mode {deep}). Convert it to 8 bits.")
