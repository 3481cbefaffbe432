"""Images: a folder with a sub-folder for each class, of image files in any size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import empty
from tasks.core.folder import Folder
from tasks.core.step import UserError, log, must_stop, stop
from tasks.sources.base import SOURCE, Dataset, New, Own, arranged, check_given, some
from tasks.sources.image_files import COLORS, ENDINGS, Unreadable, is_image, read, resized
from tasks.sources.image_folders import EXPECTED, NO_DATA, classes_of, splits_of
from tasks.sources.labels import numbered
from tasks.sources.place import Place

LISTED = 50  # files in a message
FILES = 2**10  # at a time, of a folder of any size
Side = Annotated[int, Field(gt=0)]


class Params(Own):
    source: Literal["images"] = SOURCE
    size: Annotated[list[Side], Field(min_length=2, max_length=2)] = Field(
        description="Height and width in pixels that every image is resized to."
    )
    color: Literal["gray", "rgb", "gray16"] = Field(
        description="What every image is converted to; gray16 keeps 16 bits."
    )
    broken: Literal["refuse", "skip"] = Field(
        description="What to do about images that cannot be read."
    )


def find(params: Params, folder: Folder) -> Dataset:
    """Every image of every class, in one size; the classes are named after the sub-folders.

    Raises:
        UserError: the folders are not as expected, or images cannot be read.
    """
    place = Place.named(params.path, folder).existing(EXPECTED, folder=True)
    broken: dict[str, str] = {}
    if params.broken == "skip":
        broken = _unreadable(place, params.color)

    arrays, names = listed(params, folder, broken)
    for split in ("train", "test"):
        files = arrays[f"from_{split}"].tolist()
        arrays[f"x_{split}"] = _pixels(place, files, params, folder, broken)
    if broken and params.broken == "refuse":
        count = len(arrays["y_train"]) + len(arrays["y_test"])
        raise refusal(place, broken, count, ", or set `broken: skip` to leave them out")
    return Dataset(arrays, params.path, names)


def refusal(place: Place, broken: dict[str, str], count: int, otherwise: str) -> UserError:
    """One message about all images that cannot be read.

    Args:
        place: the data's folder.
        broken: why, by file.
        count: of all images.
        otherwise: how to leave them out, such as ", or set KEY to leave them out".
    """
    if len(broken) == 1:
        ((file, why),) = broken.items()
        return UserError(
            f"{place / file} cannot be used as an image: {why}. Replace or remove it"
            f"{otherwise.replace('them', 'it')}."
        )
    named = [f"{file} ({why})" for file, why in broken.items()]
    more = f" and {len(named) - LISTED:,} more" if len(named) > LISTED else ""
    return UserError(
        f"{place}: {len(broken):,} of {count:,} images cannot be used: "
        f"{', '.join(named[:LISTED])}{more}. Replace or remove them{otherwise}."
    )


def listed(
    params: Params, folder: Folder, without: Collection[str] = ()
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The image files, without reading them.

    Args:
        params: the section `load`.
        folder: the pipeline's folder.
        without: files to leave out, named from the data's folder.

    Returns:
        `y_train y_test from_train from_test` and perhaps `given_train`, the files named from the
        data's folder; and the classes' names, sorted.
    """
    place = Place.named(params.path, folder).existing(EXPECTED, folder=True)
    splits = splits_of(place)
    check_given(params, "test" in splits, "sub-folders `train` and `test`")

    files: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    for split, inside in splits.items():
        classes = {
            name: [file for file in group if _named(place, file) not in without]
            for name, group in classes_of(inside, place).items()
        }
        for name, group in classes.items():
            if not group:
                raise UserError(f"{inside / name}: no image can be read. Replace or remove them.")
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


def _named(place: Place, file: Place) -> str:
    return file.path.relative_to(place.path).as_posix()


def _unreadable(place: Place, color: str) -> dict[str, str]:
    """Why, for each image that cannot be read; they are counted in a warning."""
    files = [
        file
        for inside in splits_of(place).values()
        for group in classes_of(inside, place).values()
        for file in group
    ]
    found = {}
    for number, file in enumerate(files):
        if must_stop():
            stop(f"after looking at {number:,} of {len(files):,} images")
        try:
            read(file, color)
        except Unreadable as why:
            found[_named(place, file)] = str(why)
    if found:
        names = some([f"{file} ({why})" for file, why in found.items()])
        count = f"{len(found):,} of {len(files):,}"
        log.warning("%s: left out %s images that cannot be used: %s", place, count, names)
    return found


def _pixels(
    place: Place, files: list[str], params: Params, folder: Folder, broken: dict[str, str]
) -> np.ndarray:
    """One array, filled file by file; those that cannot be read go to `broken`."""
    channels, kind = COLORS[params.color]
    height, width = params.size
    try:
        pixels = empty((len(files), height, width, *channels), kind, folder.root)
    except OSError as error:
        raise UserError(
            f"load.size is {height} x {width}, and there are {len(files):,} images: "
            f"{error.strerror}. Make it smaller."
        ) from None

    for row, name in enumerate(files):
        if must_stop():
            stop(f"after {row:,} of {len(files):,} images")
        try:
            pixels[row] = resized(read(place / name, params.color), height, width)
        except Unreadable as why:
            broken[name] = str(why)
    return pixels


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """Images to predict, some at a time, in the size and color of the training rows.

    Args:
        place: an image; or a folder of images, perhaps with a sub-folder for each class.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.

    Raises:
        UserError: there is no image, or some cannot be read.
    """
    params = _as_trained(place, schema)
    inside, files = _new_files(place)
    names = [inside.path.joinpath(file).parent.name for file in files]
    labelled = place.path.is_dir() and set(names) <= set(schema["load"]["labels"])

    broken: dict[str, str] = {}
    for begin in range(0, len(files), FILES):
        at_once = slice(begin, begin + FILES)
        x = _pixels(inside, files[at_once], params, folder, broken)
        if broken:
            raise refusal(inside, broken, len(files), "")
        yield New(x, files[at_once], np.array(names[at_once]) if labelled else None)


def sent(place: Place, schema: dict[str, Any]) -> New:
    """An image that somebody sent, in the size and color of the training rows.

    Args:
        place: see `Place.sent`.
        schema: the content of `schema.json`.

    Raises:
        UserError: it cannot be read.
    """
    params = _as_trained(place, schema)
    try:
        pixels = resized(read(place, params.color), *params.size)
    except Unreadable as why:
        raise UserError(
            f"{place} cannot be read: {why}. Expected a PNG, JPEG, WebP, BMP or TIFF image."
        ) from None
    return New(pixels[None].astype(COLORS[params.color][1]), [place.shown], None)


def _as_trained(place: Place, schema: dict[str, Any]) -> Params:
    """The section `load` that reads images as the training read them."""
    height, width, *colors = schema["input_shape"]
    return Params(
        source="images",
        path=place.shown,
        size=[height, width],
        color=schema["load"].get("color", "rgb" if colors else "gray"),
        broken="refuse",
        test=0.5,
        seed=0,
    )


def _new_files(place: Place) -> tuple[Place, list[str]]:
    """A folder, and the images in it by their names from there."""
    if not place.path.is_dir():
        file = place.existing("an image, or a folder of images", folder=False)
        return Place(file.path.parent, Path(file.shown).parent.as_posix()), [file.name]
    seen = sorted(path.relative_to(place.path) for path in place.path.rglob("*") if is_image(path))
    hidden = (".", *NO_DATA)
    files = [
        path.as_posix()
        for path in seen
        if not any(part.lower().startswith(hidden) for part in path.parts)
    ]
    if not files:
        raise UserError(f"{place} has no image: no file ends in {', '.join(ENDINGS)}.")
    return place, files
