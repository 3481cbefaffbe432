"""Images: a folder with a sub-folder for each class, of image files in any size."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import empty
from tasks.core.folder import Folder
from tasks.core.step import UserError, log, must_stop, stop
from tasks.sources import image_list
from tasks.sources.base import (
    SOURCE,
    SPLITS,
    Dataset,
    InMemory,
    New,
    Own,
    Place,
    arranged,
    check_given,
    some,
)
from tasks.sources.labels import numbered

ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "BMP",
    "TIFF",
)  # of what is sent: Pillow knows worse
EXPECTED = (
    "a folder with a sub-folder of PNG, JPEG, WebP, BMP or TIFF files for each class, or such "
    "folders `train`, `val` and `test`"
)
NAMES = {  # of a split's folder, in any case
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
NO_DATA = ("__macosx", "thumbs.db", "desktop.ini", "@eadir")  # what systems add
COLORS = {  # what is added to the shape, and the type of a value
    "gray": ((), np.uint8),
    "rgb": ((3,), np.uint8),
    "gray16": ((), np.uint16),
}
DEEP = ("I", "F")  # Pillow's modes of more than 8 bits a channel
MOST = 65_535  # of 16 bits
BITS = 258  # the tag of a TIFF file that has the bits of each channel
LISTED = 50  # files in a message
LISTS = (".csv", ".tsv", ".txt", ".json", ".xlsx")  # files that may say what is on an image
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


class Unreadable(Exception):
    """Why a file is no image that can be used."""


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
            for name, group in _classes(inside, place).items()
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


def splits_of(place: Place) -> dict[str, Place]:
    """The folder of each split; one such folder alone is a class of that name.

    A test folder whose images are in no class has new images, to be predicted.

    Raises:
        UserError: two folders are the same split.
    """
    place = _inside(place)
    found: dict[str, Place] = {}
    for each in folders(place):
        split = _split(each)
        if split in found:
            raise UserError(
                f"{place} has both {found[split].name} and {each.name}, which are one split. "
                "Expected one folder for it: move the files, or rename one."
            )
        if split:
            found[split] = each
    if "train" not in found or len(found) == 1:
        return {"train": place}

    splits = {split: _inside(found[split]) for split in SPLITS if split in found}
    lists = [listed.file for each in splits.values() if (listed := list_of(each, place))]
    others = [each for each in _seen(place) if each not in (*found.values(), *lists)]
    _left_out(place, others)
    if "test" in splits and has_images(splits["test"]) and not list_of(splits["test"], place):
        log.info("%s has no sub-folders: new images to predict, left out", splits.pop("test"))
    return splits


def _split(folder: Place) -> str | None:
    """The split whose name a folder has: `Validation`, or `test_set` if it has no images itself."""
    exact = len(_words(folder.name)) == 1
    return _split_named(folder.name) if exact or not has_images(folder) else None


def _split_named(name: str) -> str | None:
    words = _words(name)
    ends = {*words[:1], *words[-1:]}
    return next((split for split in NAMES if ends & {*NAMES[split]}), None)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z]+", name.lower()) if word]


def _inside(place: Place) -> Place:
    """The folder, or the only one in it that has folders, as archives are unpacked."""
    inner = folders(place)
    if len(inner) == 1 and not has_images(inner[0]) and folders(inner[0]):
        return _inside(inner[0])
    return place


def folders(place: Place) -> list[Place]:
    """The sub-folders, without what systems add."""
    return [each for each in _seen(place) if each.path.is_dir()]


def has_images(place: Place) -> bool:
    """Whether a folder has image files, not in its sub-folders."""
    return any(is_image(each.path) for each in _seen(place))


def list_of(inside: Place, place: Place) -> image_list.Listed | None:
    """What a table says of images that are in no folders of classes, but in one.

    Args:
        inside: the folder of a split, or of all images.
        place: the data's folder.
    """
    below = folders(inside)
    if len(below) > 1:
        return None
    images = [each for folder in (inside, *below) for each in _seen(folder) if is_image(each.path)]
    found = image_list.find(images, image_list.tables(inside))
    if found or inside == place:
        return found

    above = Place(inside.path.parent, Path(inside.shown).parent.as_posix())
    tables = image_list.tables(above)
    own = [each for each in tables if _split_named(each.path.stem) == _split_named(inside.name)]
    others = [each for each in tables if not _split_named(each.path.stem)]
    elsewhere = [each.name for split in folders(above) if split != inside for each in _seen(split)]
    return image_list.find(images, own) or image_list.find(images, others, elsewhere)


def are_listed(place: Place) -> bool:
    """Whether a table in a folder says what is on its images."""
    return any(list_of(each, place) for each in splits_of(place).values())


def _classes(place: Place, data: Place) -> dict[str, list[Place]]:
    """The image files of each class, both sorted by name."""
    if listed := list_of(place, data):
        named = sum(map(len, listed.classes.values()))
        if named < listed.images:
            rest = listed.images - named
            log.warning("%s: left out %d images that %s has no label for", place, rest, listed.file)
        return listed.classes

    seen, classes = _seen(place), folders(place)
    if not classes:
        raise UserError(f"{place} has no sub-folders. Expected {EXPECTED}.")
    _left_out(place, [each for each in seen if not each.path.is_dir()])

    found = {}
    for each in classes:
        inside = _seen(each)
        images = [file for file in inside if is_image(file.path)]
        if not images:
            deeper = [inner for inner in folders(each) if has_images(inner)]
            hint = f" There are some in {deeper[0]}: move them up." if deeper else ""
            raise UserError(
                f"{each} has no image: no file ends in {', '.join(ENDINGS)}.{hint} "
                f"Expected {EXPECTED}."
            )
        _left_out(each, [other for other in inside if not is_image(other.path)])
        found[each.name] = images
    lists = [each.name for each in seen if each.path.suffix.lower() in LISTS]
    if len(found) == 1 and lists:
        raise UserError(
            f"{place} has one folder of images only, {classes[0].name}. Expected one for each "
            f"class: if {lists[0]} says what is on each image, move them into such folders."
        )
    return found


def is_image(file: Path) -> bool:
    """Whether a file is called like an image."""
    return file.suffix.lower() in ENDINGS and file.is_file()


def _seen(place: Place) -> list[Place]:
    """The content of a folder without hidden files and what systems add."""
    names = sorted(path.name for path in place.path.iterdir())
    return [place / name for name in names if not name.lower().startswith((".", *NO_DATA))]


def _left_out(place: Place, others: list[Place]) -> None:
    if others:
        names = some([each.name for each in others])
        log.warning("%s: left out %s. Expected %s", place, names, EXPECTED)


def _named(place: Place, file: Place) -> str:
    return file.path.relative_to(place.path).as_posix()


def _unreadable(place: Place, color: str) -> dict[str, str]:
    """Why, for each image that cannot be read; they are counted in a warning."""
    files = [
        file
        for inside in splits_of(place).values()
        for group in _classes(inside, place).values()
        for file in group
    ]
    found = {}
    for number, file in enumerate(files):
        if must_stop():
            stop(f"after looking at {number:,} of {len(files):,} images")
        try:
            _read(file, color)
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
            pixels[row] = _resized(_read(place / name, params.color), height, width)
        except Unreadable as why:
            broken[name] = str(why)
    return pixels


def _resized(image, height: int, width: int) -> np.ndarray:
    from PIL import Image

    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return np.rint(pixels) if image.mode == "F" else pixels  # F has the values of 16 bits


def opened(file: Place):
    """An image upright, with all its pixels read: a camera may only note which side is up.

    Raises:
        Unreadable: it is damaged, or no image.
    """
    from PIL import Image, ImageOps

    sent = isinstance(file.path, InMemory)
    with file.path.open("rb") as begin:
        if not begin.read(1):
            raise Unreadable("the file is empty")
    source = file.path.open("rb") if sent else str(file.path)
    try:
        with Image.open(source, formats=FORMATS if sent else None) as image:
            _check_whole(image)
            return ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow raises many kinds for a damaged file
        why = (str(error) or type(error).__name__).replace(f" {source!r}", "")
        raise Unreadable(why) from None


def _check_whole(image) -> None:
    """Refuse an image of which Pillow would give only a part: one page, or 8 bits of 16."""
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format == "TIFF":
        raise Unreadable(f"it has {pages} pages, so save those that count as files of their own")
    if pages > 1 and image.format != "MPO":  # a photograph, and a small copy of it
        raise Unreadable(f"it is an animation of {pages} pictures, so save the one that counts")
    if _bits(image) > 8 and not image.mode.startswith(DEEP):
        raise Unreadable("it has 16 bits a colour, so save it with 8, or in gray with 16")


def _bits(image) -> int:
    """Bits a channel in the file, of which Pillow tells before it reads the pixels."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS, (1,)))
    return 16 if image.tile and re.search(r";16[BLN]", str(image.tile[0])) else 8


def _read(file: Place, color: str):
    """An image in one of `COLORS`, on white, as on paper; gray16 is in Pillow's mode F."""
    image = opened(file)
    if image.mode.startswith(DEEP):
        return of_16_bits(file, image, color)
    try:
        return _flat(image, color)
    except Exception as error:
        raise Unreadable(str(error) or type(error).__name__) from None


def _flat(image, color: str):
    """An image of 8 bits a channel."""
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if color == "gray16":
        return image.convert("L").convert("F").point(lambda value: value * (MOST / 255))
    return image.convert("RGB" if color == "rgb" else "L")


def of_16_bits(file: Place, image, color: str):
    """An image with more than 8 bits a channel, which only gray ones have, in Pillow's mode F.

    Raises:
        UserError: it has more bits than `color`.
    """
    low, high = image.getextrema()
    if color == "gray16" and image.mode != "F" and low >= 0 and high <= MOST:
        return image.convert("I").convert("F")
    ways = "set `color: gray16`" if color != "gray16" else "save it as .npz"
    raise UserError(
        f"{file} has more than {16 if color == 'gray16' else 8} bits a channel (Pillow's mode "
        f"{image.mode}). Convert it to fewer bits, or {ways}."
    )


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
        pixels = _resized(_read(place, params.color), *params.size)
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
