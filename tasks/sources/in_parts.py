"""A folder that has one table in parts: `part-0.csv`, `part-1.csv` and so on."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.sources.place import Place

# What differs between the names of the parts: numbers, and what Spark draws.
NUMBER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+")


def in_parts(place: Place, ending: str) -> list[Place]:
    """The parts in the order of their numbers; none if it is no such folder.

    Nothing else may be in it, but for hidden files and those of Spark, such as `_SUCCESS`.
    """
    if not place.path.is_dir():
        return []
    files = [file for file in place.path.iterdir() if not file.name.startswith((".", "_"))]
    alike = {NUMBER.sub("", file.name) for file in files}
    numbered = all(NUMBER.search(file.stem) for file in files)
    are_files = all(file.is_file() and file.suffix == ending for file in files)
    if len(alike) != 1 or not numbered or not are_files:
        return []
    return [place / file.name for file in sorted(files, key=_in_order)]


def _in_order(file: Path) -> list[int | str]:
    """Such that `part-10` follows `part-9`."""
    words = re.split(r"([0-9]+)", file.name)
    return [int(word) if word.isdecimal() else word for word in words]
