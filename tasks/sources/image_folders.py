"""The folders of images: which one is which split, and the files of each class."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.core.step import UserError, log
from tasks.sources import image_list
from tasks.sources.base import SPLITS, some
from tasks.sources.image_files import ENDINGS, is_image
from tasks.sources.place import Place

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
LISTS = (".csv", ".tsv", ".txt", ".json", ".xlsx")  # files that may say what is on an image


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


def classes_of(place: Place, data: Place) -> dict[str, list[Place]]:
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


def _seen(place: Place) -> list[Place]:
    """The content of a folder without hidden files and what systems add."""
    names = sorted(path.name for path in place.path.iterdir())
    return [place / name for name in names if not name.lower().startswith((".", *NO_DATA))]


def _left_out(place: Place, others: list[Place]) -> None:
    if others:
        names = some([each.name for each in others])
        log.warning("%s: left out %s. Expected %s", place, names, EXPECTED)
