"""A folder of images for each class: their size, their colours, and which cannot be read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from flows.guess import doubts, effort
from flows.guess.section import Proposal
from flows.guess.values import IMAGES, SEED, SHARE, proposal, trained_on
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import images
from tasks.sources.base import some
from tasks.sources.image_files import COLORS, DEEP, Unreadable, of_16_bits, opened
from tasks.sources.image_folders import EXPECTED, folders, has_images, list_of, splits_of
from tasks.sources.place import Place

LOOKED_FOR = "a folder with a sub-folder of PNG, JPEG, WebP, BMP or TIFF files for each class"
LARGEST = 64  # height and width of images that are not made smaller
LOOKED_AT = 50  # files that tell size and colours
SECONDS = 20  # for looking at all others: reading a large folder would take minutes
UNREAD = (".gif", ".ppm", ".pgm", ".pbm", ".avif", ".heic", ".jp2", ".tga", ".svg", ".dcm", ".ico")
GRAY = 4  # colours that differ by less are gray, as JPEG saves it


class Seen(NamedTuple):
    """What images are like.

    Args:
        sizes: height and width of some.
        colored: whether any of these has colours.
        deep: whether any image has more than 8 bits.
        broken: why, for each that cannot be read.
        looked_at: how many images.
    """

    sizes: list[tuple[int, int]]
    colored: bool
    deep: bool
    broken: dict[str, str]
    looked_at: int


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for a folder of images; None if there are none."""
    place = Place(folder.root / path, path.as_posix())
    if not place.path.is_dir():
        return None
    splits = splits_of(place)
    table = list_of(splits["train"], place)
    if not table and not any(map(has_images, folders(splits["train"]))):
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
    seen = _seen(place, files)
    if seen.broken and (load["broken"] == "refuse" or not seen.sizes):
        otherwise = ", or add `--broken skip` to leave them out"
        raise images.refusal(place, seen.broken, len(files), otherwise)

    medians = np.median(seen.sizes, axis=0).astype(int).tolist()
    load["size"] = [min(LARGEST, side) for side in medians]
    load["color"] = "gray16" if seen.deep else "rgb" if seen.colored else "gray"
    arrays, names = images.listed(images.Params(**load), folder, seen.broken)
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    classes = pd.DataFrame({"classes": np.array(names)[labels]})
    notes = [*_notes(load, seen, len(files)), *doubts.alike(classes)]
    if table:
        column = f"the column {table.column}" if table.column else "the second column"
        notes.insert(0, f"load.path: the classes are from {column} of {table.file}")
    return _proposed(load, arrays, names, notes)


def _proposed(
    load: dict[str, Any], arrays: dict[str, np.ndarray], names: list[str], notes: list[str]
) -> Proposal:
    rows = len(arrays["y_train"]) + len(arrays["y_test"])
    about = f"{rows:,} images of {len(names)} classes"
    scaling = "standard" if load["color"] == "gray16" else "pixels"
    shape = (*load["size"], *COLORS[load["color"]][0])
    found = proposal(load, about, arrays, scaling, IMAGES, notes)
    epochs = found.wanted["fit"]["epochs"]
    found.notes.append(effort.note(shape, trained_on(arrays), epochs))
    return found


def _check_near_miss(place: Place) -> None:
    """Refuse images that are not where they are looked for, and say where they should be."""
    if has_images(place):
        raise UserError(
            f"{place} has images and no sub-folder with images. Expected {EXPECTED}: move "
            "those of each class into one, or put a table `filename,label` beside them."
        )
    deeper = next(_with_images(place), None)
    if deeper:
        _check_splits(place)
        above = place.to(deeper.path.parent)
        raise UserError(
            f"{place} has no images, but {above} has a folder {deeper.name} with some. Expected "
            f"{EXPECTED}: give the path {above}, if its folders are the classes, or move "
            "the images up."
        )
    others = Counter(
        file.suffix.lower() for each in folders(place) for file in each.path.glob("*.*")
    )
    common = others.most_common(1)[0][0] if others else ""
    if common in UNREAD:
        raise UserError(
            f"{place} has folders of files that end in {common}. Expected {EXPECTED}: "
            "convert them, such as to PNG."
        )


def _with_images(place: Place) -> Iterator[Place]:
    """The folders inside that have images, at any depth."""
    for each in folders(place):
        if has_images(each):
            yield each
        else:
            yield from _with_images(each)


def _check_splits(place: Place) -> None:
    """Refuse splits that have another name than those that are known."""
    inside = [{each.name for each in folders(above)} for above in folders(place)]
    if len(inside) < 2 or any(names != inside[0] for names in inside):
        return
    names = some([above.name for above in folders(place)])
    ways = f"if {names} are the splits, name them train, val and test"
    if {"train", "test"} <= {name.lower() for name in inside[0]}:
        ways = f"put the folders {names} into train and test, not these into them"
    raise UserError(
        f"{place} has folders {names}, and each has {some(sorted(inside[0]))}. Expected "
        f"{EXPECTED}: {ways}."
    )


def _notes(load: dict[str, Any], seen: Seen, count: int) -> list[str]:
    height, width = load["size"]
    found = [
        f"load.size: {height} x {width}, from files of {_span(seen.sizes)}; larger images show "
        "more, and take more memory and time"
    ]
    if load["color"] == "gray":
        found.append("load.color: gray, as the files that were looked at have no colours")
    if load["color"] == "gray16":
        found.append("load.color: gray16, as files have 16 bits a pixel")
    if seen.broken:
        out = f"{len(seen.broken):,} of {count:,} images: {some(list(seen.broken))}"
        found.append(f"load.broken: skip, which leaves out {out}")
    if seen.looked_at < count:
        found.append(
            f"{seen.looked_at:,} of {count:,} files were looked at; load reads all of them"
        )
    return found


def _span(sizes: list[tuple[int, int]]) -> str:
    """The smallest and the largest size."""
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    low, high = (f"{height} x {width}" for height, width in (ordered[0], ordered[-1]))
    return low if low == high else f"{low} to {high}"


def _seen(place: Place, files: list[str]) -> Seen:
    """Look at some images for all there is to see, and at the others for as long as is allowed.

    Raises:
        UserError: one has more bits than can be read.
    """
    first = files[:: -(-len(files) // LOOKED_AT)]
    others = sorted({*files} - {*first})
    sizes, broken, colored, deep, count = [], {}, False, False, 0
    until = time.monotonic() + SECONDS
    for name in [*first, *others]:
        if count >= len(first) and time.monotonic() > until:
            break
        count += 1
        try:
            image = opened(place / name)
        except Unreadable as why:
            broken[name] = str(why)
            continue
        if image.mode.startswith(DEEP):
            of_16_bits(place / name, image, "gray16")
            deep = True
        if count <= len(first):
            sizes.append((image.height, image.width))
            colored = colored or _has_colors(image)
    return Seen(sizes, colored, deep, dict(sorted(broken.items())), count)


def _has_colors(image) -> bool:
    if image.mode.startswith(DEEP):
        return False
    pixels = np.asarray(image.convert("RGB"), np.int16)
    return bool(np.ptp(pixels, axis=2).max() >= GRAY)
