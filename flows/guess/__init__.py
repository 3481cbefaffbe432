"""Looks at a user's data and proposes a section of params.yaml for it."""

from __future__ import annotations

from pathlib import Path

from flows.guess import csv, idx, images, npz, parquet
from flows.guess.section import Proposal
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import idx as idx_files
from tasks.sources.base import some
from tasks.sources.parquet import ENDINGS
from tasks.sources.place import Place, identities

# What to do about files that are in none of the formats, by their endings.
OTHERWISE = {
    **dict.fromkeys((".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar"), "unpack it"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save its sheet as CSV"),
    **dict.fromkeys((".json", ".jsonl", ".sav", ".dta", ".feather", ".arff"), "save it as CSV"),
    **dict.fromkeys((".npy", ".pkl", ".h5", ".hdf5", ".mat"), "save x_train and y_train as .npz"),
}

# In the order in which they are asked. Each has `look(folder, path, chosen) -> Proposal | None`
# and says in LOOKED_FOR what it recognizes.
FORMATS = {
    "npz": npz,
    "csv": csv,
    "parquet": parquet,
    "idx": idx,
    "images": images,
}


def guess(folder: Folder, path: str, **chosen: str) -> Proposal:
    """Look at the data, and read it with the parameters that are proposed, so that they work.

    Args:
        folder: of the pipeline; a relative path starts at its project's root.
        path: of a file or a folder, as params.yaml will have it.
        chosen: keys of `load` with values that a person has chosen: `target` of a table, `task`.

    Raises:
        UserError: it is none of the formats, or something is wrong with it.
    """
    looked_for = "; ".join(module.LOOKED_FOR for module in FORMATS.values())
    place = folder.root / path
    if not place.is_file() and not place.is_dir():  # nothing, or a pipe: reading it might never end
        raise UserError(f"There is no {path}. Expected {looked_for}.")
    # Refuses names that DVC cannot write down, and links that it does not follow.
    identities(Place.named(path, folder))

    for module in FORMATS.values():
        found = module.look(folder, Path(path), chosen)
        if found:
            return found
    near = _near_miss(place, Path(path))
    raise UserError(f"{path} is in no format that load can read. Expected {looked_for}.{near}")


def _near_miss(place: Path, path: Path) -> str:
    """What to do about tables that are called otherwise, and about other files.

    Args:
        place: of the data.
        path: to it, as messages name it.
    """
    if place.is_file():
        advice = OTHERWISE.get(place.suffix.lower())
        return f" {place.name} may be one of these in another form: {advice}." if advice else ""

    below = sorted([*place.glob("*/*idx*"), *place.glob("*/*/*idx*")])
    named = next(filter(idx_files.is_named, below), None)
    if named:
        inside = path / named.parent.relative_to(place)
        return f" There are IDX files in {inside}: give that path."
    endings = (*csv.ENDINGS, *ENDINGS)
    tables = sorted(file.name for file in place.glob("*") if file.suffix.lower() in endings)
    if not tables:
        return ""
    ending = ".parquet" if tables[0].lower().endswith(ENDINGS) else ".csv"
    return (
        f" It has {some(tables)}: name one file, or rename that of the training rows to "
        f"train{ending}."
    )
