"""What is on each image, where a table beside the images says it: `photo.png,cat`."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tasks.core.step import UserError
from tasks.sources.base import some
from tasks.sources.place import Place

ENDINGS = (".csv", ".tsv", ".txt")
SEPARATORS = (",", ";", "\t", " ")
LABELS = ("label", "labels", "class", "target", "category", "y")  # where there are more columns
MOSTLY = 0.5  # of the images, at least, must be in the table
FEW = 20  # different labels; more are classes if they are fewer than half of the images

Row = list[str]


class Listed(NamedTuple):
    """A table of images.

    Args:
        file: the table.
        column: that has the labels; empty if it has no name.
        classes: the files of each class, both sorted by name.
        images: how many there are, some of which it may not name.
    """

    file: Place
    column: str
    classes: dict[str, list[Place]]
    images: int


def tables(place: Place) -> list[Place]:
    """The files of a folder that may be such tables; what is to be handed in is none."""
    files = [path for path in sorted(place.path.glob("*.*")) if path.suffix.lower() in ENDINGS]
    return [place.to(path) for path in files if "submission" not in path.name and path.is_file()]


def find(images: list[Place], tables: list[Place], unclear: Collection[str] = ()) -> Listed | None:
    """The first table that names most of some images; None if there is none.

    Args:
        images: all those of a folder.
        tables: files, in the order in which they are tried.
        unclear: names of images that say nothing without a folder.

    Raises:
        UserError: it does not say one thing of each image, or names no classes.
    """
    for file in tables:
        known = _by_name(images, file.path.parent, unclear)
        rows = _rows(file)
        column = _of_names(rows, known)
        there = [row for row in rows if row[column] in known]
        if len(there) >= max(1, MOSTLY * len(images)):
            return _listed(file, rows, there, column, known, len(images))
    return None


def _by_name(images: list[Place], start: Path, unclear: Collection[str]) -> dict[str, Place]:
    """Images by what a table may call them: with a folder or without, with an ending or without."""
    found: dict[str, set[Place]] = {}
    for image in images:
        paths = {image.path.relative_to(start)} | {Path(image.name)} - set(map(Path, unclear))
        for name in {text for path in paths for text in (path, path.with_suffix(""))}:
            found.setdefault(name.as_posix(), set()).add(image)
    return {name: each.pop() for name, each in found.items() if len(each) == 1}


def _rows(file: Place) -> list[Row]:
    """The rows of a table that have all values, without blanks around these; none of a list."""
    try:
        lines = file.path.read_text(encoding="utf-8-sig").splitlines()
        separator = max(SEPARATORS, key="".join(lines[:1]).count)
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error):
        return []
    width = len(rows[0]) if rows else 0
    return [
        [cell.strip().replace("\\", "/").removeprefix("./") for cell in row]
        for row in rows
        if len(row) == width > 1
    ]


def _of_names(rows: list[Row], known: dict[str, Place]) -> int:
    """The column that names most images."""
    counts = [sum(cell in known for cell in column) for column in zip(*rows, strict=True)]
    return counts.index(max(counts)) if counts else 0


def _listed(
    file: Place, rows: list[Row], there: list[Row], column: int, known: dict[str, Place], count: int
) -> Listed:
    names = [""] * len(there[0]) if rows[0] in there else rows[0]
    others = [k for k in range(len(names)) if k != column]
    called = [k for k in others if names[k].lower() in LABELS]
    if len(others) > 1 and len(called) != 1:
        raise UserError(
            f"{file} has a row for each image, with the columns {some(names)}. Expected one "
            "besides the files' names, or one called `label`: rename the column of the classes."
        )
    label = (called or others)[0]

    labels: dict[Place, str] = {}
    for row in there:
        image, named = known[row[column]], row[label]
        if named and labels.setdefault(image, named) != named:
            raise UserError(
                f"{file} has two labels for {row[column]}, `{labels[image]}` and `{named}`. "
                "Expected one for each image: correct it."
            )
    classes = sorted(set(labels.values()))
    if len(classes) > max(FEW, len(labels) / 2):
        raise UserError(
            f"{file} has {len(classes):,} different labels for {len(labels):,} images, such as "
            f"`{classes[0]}`. Expected classes that several images share: correct the column "
            f"{names[label] or label + 1}, or move the images into a folder for each class."
        )
    files = sorted(labels, key=lambda image: image.shown)
    of_class = {name: [image for image in files if labels[image] == name] for name in classes}
    return Listed(file, names[label], of_class, count)
