"""A folder of images for each class: their size, and whether they have colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from flows.guess.section import Proposal
from flows.guess.values import IMAGES, SEED, SHARE, proposal
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import images
from tasks.sources.base import SPLITS

LOOKED_FOR = "a folder with a sub-folder of PNG or JPEG files for each class"
LARGEST = 64  # height and width of images that are not made smaller
LOOKED_AT = 50  # reading all of a large folder would take minutes
GRAY = ("L", "LA", "1", "I;16", "I")  # Pillow's modes


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for a folder of images; None if there are none."""
    place = folder.root / path
    if not place.is_dir():
        return None
    divided, tested = _splits(place)
    classes = place / SPLITS[0] if divided else place
    if not any(file.suffix.lower() in images.ENDINGS for file in classes.glob("*/*")):
        return None

    load: dict[str, Any] = {
        "source": "images",
        "path": path.as_posix(),
        "size": [LARGEST, LARGEST],
        "color": "rgb",
        "test": "given" if tested else SHARE,
        "seed": SEED,
    }
    arrays, names = images.listed(images.Params(**load), folder)
    files = [*arrays["from_train"], *arrays["from_test"]]
    sizes, colored = _seen(folder, path, files)
    if len(sizes) == 1 and max(*sizes[0]) <= LARGEST:
        load["size"] = list(sizes[0])
    load["color"] = "rgb" if colored else "gray"

    about = f"{len(files):,} images of {len(names)} classes"
    notes = ["load.size: height and width; larger images show more, and take more memory and time"]
    return proposal(load, about, arrays, "pixels", IMAGES, notes)


def _splits(place: Path) -> tuple[bool, bool]:
    """Whether the folder is divided into train and others, and whether there is a test folder."""
    train, *others = [(place / split).is_dir() for split in SPLITS]
    divided = train and any(others)
    return divided, divided and others[-1]


def _seen(folder: Folder, path: Path, files: list[str]) -> tuple[list[tuple[int, int]], bool]:
    """Height and width of some images, each size once, and whether any has colours."""
    sizes, colored = set(), False
    step = -(-len(files) // LOOKED_AT)
    for name in files[::step]:
        try:
            with Image.open(folder.root / path / name) as image:
                sizes.add((image.height, image.width))
                colored = colored or image.mode not in GRAY
        except Exception as error:  # Pillow raises many kinds for a damaged file
            why = (str(error) or type(error).__name__).replace(f" {folder.root}/", " ")
            raise UserError(
                f"{path / name} cannot be read as an image: {why}. Replace it, or take it away."
            ) from None
    return sorted(sizes), colored
