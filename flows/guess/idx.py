"""Files of the MNIST family in a folder: which prefix, and are there test images?"""

from __future__ import annotations

from pathlib import Path

from flows.guess.section import Proposal
from flows.guess.values import SEED, SHARE, read
from tasks.core.folder import Folder
from tasks.sources import idx

LOOKED_FOR = "a folder with IDX files such as train-images-idx3-ubyte.gz"


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for a folder with IDX files; None if there are none."""
    place = folder.root / path
    sets = idx.sets(place) if place.is_dir() else {}
    if not sets:
        return None

    prefix = next(iter(sets))
    load = {
        "source": "idx",
        "path": path.as_posix(),
        "prefix": prefix,
        "transpose": prefix.startswith("emnist"),
        "test": "given" if ("test", "images") in sets[prefix] else SHARE,
        "seed": SEED,
        "class_names": None,
    }

    notes = ["load.transpose: set it to the other value if samples.png shows images on their side"]
    if len(sets) > 1:
        prefixes = ", ".join(f"`{name}`" for name in sets)
        notes.append(f"load.prefix: the folder has {prefixes}")
    return read(folder, idx, load, notes)
