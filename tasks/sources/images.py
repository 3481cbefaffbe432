"""Images: a folder with a sub-folder for each class, of PNG or JPEG files in any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import empty
from tasks.core.step import Stopped, UserError, log, stopping
from tasks.sources.base import SPLITS, Dataset, Own, arranged, check_given, existing, numbered, some

ENDINGS = (".png", ".jpg", ".jpeg")
EXPECTED = "a folder with a sub-folder of PNG or JPEG files for each class, or such folders `train`, `val` and `test`"
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
    arrays, names = listed(params)
    for split in ("train", "test"):
        arrays[f"x_{split}"] = _pixels([Path(params.path, name) for name in arrays[f"from_{split}"]], params)
    return Dataset(arrays, str(params.path), names)


def listed(params: Params) -> tuple[dict[str, np.ndarray], list[str]]:
    """The image files of each split, named from the folder on, with their labels, arranged; and the classes' names."""
    folder = existing(params.path, EXPECTED, folder=True)
    splits = {split: folder / split for split in SPLITS if (folder / split).is_dir()}
    if "train" not in splits or len(splits) == 1:  # one of them alone is a class of that name
        splits = {"train": folder}
    else:
        _left_out(folder, [path for path in _seen(folder) if path not in splits.values()])
    check_given(params, "test" in splits, "sub-folders `train` and `test`")
    files: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    for split, place in splits.items():
        found = _classes(place)
        # One of each class in turn, so that the first rows, which are drawn, show them all.
        turns = sorted((turn, name, file) for name, group in found.items() for turn, file in enumerate(group))
        files[split] = np.array([file.relative_to(folder).as_posix() for _, _, file in turns])
        labels[split] = np.array([name for _, name, _ in turns])
    y, names = numbered(labels, str(folder))
    return arranged(params, {"y": y, "from": files}, names), names


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class, both sorted by name."""
    classes = [path for path in _seen(folder) if path.is_dir()]
    if not classes:
        raise UserError(f"{folder} has no sub-folders. Expected {EXPECTED}.")
    _left_out(folder, [path for path in _seen(folder) if not path.is_dir()])
    found = {}
    for path in classes:
        inside = _seen(path)
        found[path.name] = images = [file for file in inside if file.suffix.lower() in ENDINGS and file.is_file()]
        if not images:
            raise UserError(f"{path} has no image: no file ends in {', '.join(ENDINGS)}. Expected {EXPECTED}.")
        _left_out(path, sorted(set(inside) - set(images)))
    return found


def _seen(folder: Path) -> list[Path]:
    """What is in a folder, without what is hidden or what a Mac puts into a zip file."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))


def _left_out(folder: Path, others: list[Path]) -> None:
    if others:
        log.warning("%s: left out %s. Expected %s", folder, some([path.name for path in others]), EXPECTED)


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
    """An image as a person sees it on paper, upright and on white: a camera may only note which side is up."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            if not image.mode.startswith(DEEP):
                image = ImageOps.exif_transpose(image)
                if image.has_transparency_data:
                    image = image.convert("RGBA")
                    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
                return image.convert(mode)
            deep = image.mode
    except Exception as error:  # Pillow raises many kinds for a damaged file
        why = (str(error) or type(error).__name__).replace(f" {str(file)!r}", "")
        raise UserError(f"{file} cannot be read as an image: {why}. Replace it, or take it away.") from None
    raise UserError(f"{file} has more than 8 bits a channel (Pillow's mode {deep}). Convert it to 8 bits.")
