"""Images: a folder with a sub-folder for each class, of PNG or JPEG files in any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import empty
from tasks.core.folder import Folder
from tasks.core.step import UserError, log, must_stop, stop
from tasks.sources.base import (
    SOURCE,
    SPLITS,
    Dataset,
    New,
    Own,
    Place,
    arranged,
    check_given,
    some,
)
from tasks.sources.labels import numbered

ENDINGS = (".png", ".jpg", ".jpeg")
EXPECTED = (
    "a folder with a sub-folder of PNG or JPEG files for each class, or such folders `train`, "
    "`val` and `test`"
)
CHANNELS = {"gray": ("L", ()), "rgb": ("RGB", (3,))}  # Pillow's mode; what it adds to the shape
FILES = 2**10  # at a time, of a folder of any size
DEEP = ("I", "F")  # Pillow's modes of more than 8 bits a channel
Side = Annotated[int, Field(gt=0)]


class Params(Own):
    source: Literal["images"] = SOURCE
    size: Annotated[list[Side], Field(min_length=2, max_length=2)] = Field(
        description="Height and width in pixels that every image is resized to."
    )
    color: Literal["gray", "rgb"] = Field(description="What every image is converted to.")


def find(params: Params, folder: Folder) -> Dataset:
    """Every image of every class, in one size; the classes are named after the sub-folders.

    Raises:
        UserError: the folders are not as expected, or an image cannot be read.
    """
    arrays, names = listed(params, folder)
    place = Place.named(params.path, folder)
    for split in ("train", "test"):
        files = [place / name for name in arrays[f"from_{split}"].tolist()]
        arrays[f"x_{split}"] = _pixels(files, params, folder)
    return Dataset(arrays, params.path, names)


def listed(params: Params, folder: Folder) -> tuple[dict[str, np.ndarray], list[str]]:
    """The image files, without reading them.

    Returns:
        `y_train y_test from_train from_test` and perhaps `given_train`, the files named from the
        data's folder; and the classes' names, sorted.
    """
    place = Place.named(params.path, folder).existing(EXPECTED, folder=True)
    splits = _splits(place)
    check_given(params, "test" in splits, "sub-folders `train` and `test`")

    files: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    for split, inside in splits.items():
        classes = _classes(inside)
        # One of each class in turn, so that the first rows, which are drawn, show them all.
        turns = sorted(
            (turn, name, file.path)
            for name, group in classes.items()
            for turn, file in enumerate(group)
        )
        names = [path.relative_to(place.path).as_posix() for _, _, path in turns]
        files[split] = np.array(names)
        labels[split] = np.array([name for _, name, _ in turns])

    y, names = numbered(labels, place)
    return arranged(params, {"y": y, "from": files}, names), names


def _splits(place: Place) -> dict[str, Place]:
    """The folder of each split; one such folder alone is a class of that name."""
    splits = {split: place / split for split in SPLITS if (place / split).path.is_dir()}
    if "train" not in splits or len(splits) == 1:
        return {"train": place}
    _left_out(place, [each for each in _seen(place) if each not in splits.values()])
    return splits


def _classes(place: Place) -> dict[str, list[Place]]:
    """The image files of each class, both sorted by name."""
    seen = _seen(place)
    classes = [each for each in seen if each.path.is_dir()]
    if not classes:
        raise UserError(f"{place} has no sub-folders. Expected {EXPECTED}.")
    _left_out(place, [each for each in seen if not each.path.is_dir()])

    found = {}
    for each in classes:
        inside = _seen(each)
        images = [file for file in inside if _is_image(file)]
        if not images:
            raise UserError(
                f"{each} has no image: no file ends in {', '.join(ENDINGS)}. Expected {EXPECTED}."
            )
        _left_out(each, [other for other in inside if not _is_image(other)])
        found[each.name] = images
    return found


def _is_image(file: Place) -> bool:
    return file.path.suffix.lower() in ENDINGS and file.path.is_file()


def _seen(place: Place) -> list[Place]:
    """The content of a folder without hidden files and what macOS adds to zip files."""
    names = sorted(path.name for path in place.path.iterdir())
    return [place / name for name in names if not name.startswith((".", "__MACOSX"))]


def _left_out(place: Place, others: list[Place]) -> None:
    if others:
        names = some([each.name for each in others])
        log.warning("%s: left out %s. Expected %s", place, names, EXPECTED)


def _pixels(files: list[Place], params: Params, folder: Folder) -> np.ndarray:
    """One array, filled file by file."""
    from PIL import Image

    mode, channels = CHANNELS[params.color]
    height, width = params.size
    try:
        pixels = empty((len(files), height, width, *channels), np.uint8, folder.root)
    except OSError as error:
        raise UserError(
            f"load.size is {height} x {width}, and there are {len(files):,} images: "
            f"{error.strerror}. Make it smaller."
        ) from None

    for row, file in enumerate(files):
        if must_stop():
            stop(f"after {row:,} of {len(files):,} images")
        pixels[row] = _image(file, mode).resize((width, height), Image.Resampling.BILINEAR)
    return pixels


def _image(file: Place, mode: str):
    """An image upright and on white, as on paper: a camera may only note which side is up."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file.path) as opened:
            image: Image.Image = opened
            if not image.mode.startswith(DEEP):
                image = ImageOps.exif_transpose(image)
                if image.has_transparency_data:
                    image = image.convert("RGBA")
                    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
                return image.convert(mode)
            deep = image.mode
    except Exception as error:  # Pillow raises many kinds for a damaged file
        why = (str(error) or type(error).__name__).replace(f" {str(file.path)!r}", "")
        raise UserError(
            f"{file} cannot be read as an image: {why}. Replace or remove it."
        ) from None
    raise UserError(
        f"{file} has more than 8 bits a channel (Pillow's mode {deep}). Convert it to 8 bits."
    )


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """Images to predict, some at a time, in the size and colour of the training rows.

    Args:
        place: an image; or a folder of images, perhaps with a sub-folder for each class.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.

    Raises:
        UserError: there is no image, or one cannot be read.
    """
    height, width, *colours = schema["input_shape"]
    params = Params(
        source="images",
        path=place.shown,
        size=[height, width],
        color="rgb" if colours else "gray",
        test=0.5,
        seed=0,
    )
    if place.path.is_dir():
        found = sorted(path for path in place.path.rglob("*") if _is_image(place.to(path)))
        seen = [path for path in found if not _hidden(path.relative_to(place.path))]
        files = [place.to(path) for path in seen]
    else:
        files = [place.existing("an image, or a folder of images", folder=False)]
    if not files:
        raise UserError(f"{place} has no image: no file ends in {', '.join(ENDINGS)}.")

    names = [file.path.parent.name for file in files]
    labelled = place.path.is_dir() and set(names) <= set(schema["load"]["labels"])
    for begin in range(0, len(files), FILES):
        some_files = slice(begin, begin + FILES)
        x = _pixels(files[some_files], params, folder)
        places = [file.shown for file in files[some_files]]
        yield New(x, places, np.array(names[some_files]) if labelled else None)


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)
