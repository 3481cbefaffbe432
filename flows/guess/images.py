"""A folder of images for each class: their size, their colours, and which cannot be read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flows.guess import effort
from flows.guess.section import Proposal
from flows.guess.values import IMAGES, SEED, SHARE, proposal, trained_on
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import images
from tasks.sources.base import Place, some

LOOKED_FOR = "a folder with a sub-folder of PNG, JPEG, WebP, BMP or TIFF files for each class"
LARGEST = 64  # height and width of images that are not made smaller
LOOKED_AT = 50  # files that tell size and colours
SECONDS = 20  # for looking at all others: reading a large folder would take minutes
GRAY = 4  # colours that differ by less are gray, as JPEG saves it
DEEP = ("I", "F")  # Pillow's modes of more than 8 bits a channel


class Seen(NamedTuple):
    """One image: height, width, whether it has colours and more than 8 bits."""

    height: int
    width: int
    colored: bool
    deep: bool


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for a folder of images; None if there are none."""
    place = Place(folder.root / path, path.as_posix())
    if not place.path.is_dir():
        return None
    splits = images.splits_of(place)
    if not any(images.has_images(each) for each in images.folders(splits["train"])):
        _check_near_miss(place)
        return None

    load: dict[str, Any] = {
        "source": "images",
        "path": path.as_posix(),
        "size": [LARGEST, LARGEST],
        "color": "rgb",
        "broken": chosen.get("broken", "refuse"),
        "test": "given" if "test" in splits else SHARE,
        "seed": SEED,
    }
    arrays, names = images.listed(images.Params(**load), folder)
    files = [*arrays["from_train"].tolist(), *arrays["from_test"].tolist()]
    seen, broken, looked_at = _seen(place, files)
    if (broken and load["broken"] == "refuse") or not seen:
        raise images.refusal(place, broken, len(files), "add `--broken skip`")

    sides = ([each.height for each in seen], [each.width for each in seen])
    load["size"] = [min(LARGEST, int(np.median(side))) for side in sides]
    load["color"] = _color(seen)
    arrays, names = images.listed(images.Params(**load), folder, broken)
    return _proposed(load, arrays, names, _notes(load, seen, broken, looked_at, len(files)))


def _proposed(
    load: dict[str, Any], arrays: dict[str, np.ndarray], names: list[str], notes: list[str]
) -> Proposal:
    rows = len(arrays["y_train"]) + len(arrays["y_test"])
    about = f"{rows:,} images of {len(names)} classes"
    scaling = "standard" if load["color"] == "gray16" else "pixels"
    shape = (*load["size"], *images.COLORS[load["color"]][0])
    notes = [*notes, effort.note(shape, trained_on(arrays))]
    return proposal(load, about, arrays, scaling, IMAGES, notes)


def _check_near_miss(place: Place) -> None:
    """Refuse images that are not where they are looked for, and say where they should be."""
    if images.has_images(place):
        raise UserError(
            f"{place} has images and no sub-folder with images. Expected {images.EXPECTED}: move "
            "those of each class into one."
        )
    deeper = [each for each in sorted(place.path.glob("*/*/*")) if images.is_image(each)]
    if deeper:
        above = place.to(deeper[0].parents[1])
        raise UserError(
            f"{place} has no images, but {above} has a folder {deeper[0].parent.name} with some. "
            f"Expected {images.EXPECTED}: give the path {above}, or move the images up."
        )


def _color(seen: list[Seen]) -> str:
    if any(each.deep for each in seen):
        return "gray16"
    return "rgb" if any(each.colored for each in seen) else "gray"


def _notes(
    load: dict[str, Any], seen: list[Seen], broken: dict[str, str], looked_at: int, count: int
) -> list[str]:
    height, width = load["size"]
    sizes = {(each.height, each.width) for each in seen}
    found = [
        f"load.size: {height} x {width}, from files of {_span(sizes)}; larger images show more, "
        "and take more memory and time"
    ]
    if load["color"] == "gray":
        found.append("load.color: gray, as the files that were looked at have no colours")
    if load["color"] == "gray16":
        found.append("load.color: gray16, as files have 16 bits a pixel")
    if broken:
        named = some(list(broken))
        found.append(f"load.broken: skip, which leaves out {len(broken):,} images: {named}")
    if looked_at < count:
        found.append(f"{looked_at:,} of {count:,} files were looked at; load reads all of them")
    return found


def _span(sizes: set[tuple[int, int]]) -> str:
    """The smallest and the largest size."""
    ordered = sorted(sizes, key=lambda size: size[0] * size[1])
    low, high = (f"{height} x {width}" for height, width in (ordered[0], ordered[-1]))
    return low if low == high else f"{low} to {high}"


def _seen(place: Place, files: list[str]) -> tuple[list[Seen], dict[str, str], int]:
    """What some images are like, why others cannot be read, and how many were looked at."""
    step = -(-len(files) // LOOKED_AT)
    first, seen, broken = files[::step], [], {}
    until, count = time.monotonic() + SECONDS, 0
    for name in [*first, *(file for file in files if file not in set(first))]:
        if count >= len(first) and time.monotonic() > until:
            break
        try:
            image = images.opened(place / name)
        except images.Unreadable as why:
            broken[name] = str(why)
        else:
            seen += [_of(image)] if count < len(first) else []
        count += 1
    return seen, dict(sorted(broken.items())), count


def _of(image) -> Seen:
    deep = image.mode.startswith(DEEP)
    colors = np.asarray(image.convert("RGB" if not deep else "L"), np.int16)
    colored = colors.ndim == 3 and np.ptp(colors, axis=2).max() >= GRAY
    return Seen(image.height, image.width, bool(colored), deep)
