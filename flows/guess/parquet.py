"""A Parquet file: a table whose columns say themselves what they are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from flows.guess import table, tabular
from flows.guess.section import Proposal
from tasks.core.folder import Folder
from tasks.sources import arrow, parquet, totals
from tasks.sources.base import Place

LOOKED_FOR = "a .parquet file"


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for a table; None if the path is none."""
    files = _files(folder.root, path)
    if not files:
        return None
    found = _read(folder.root, files, chosen)
    return table.proposal(folder, parquet, path, found, chosen, [])


def _files(root: Path, path: Path) -> list[Path]:
    if (root / path).is_file():
        return [path] if path.suffix.lower() in parquet.ENDINGS else []
    return tabular.files(root, path, arrow.ENDING)


def _read(root: Path, files: list[Path], chosen: dict[str, str]) -> tabular.Table:
    """The rows, and the columns that no model can read."""
    names, rows, odd = {}, {}, dict[str, str]()
    for file in files:
        with arrow.opened(Place(root / file, file.as_posix())) as content:
            names[file] = set(content.schema_arrow.names)
            rows[file] = arrow.frame(content.read())
            totals.check(file, rows[file])
            odd |= arrow.odd_columns(content.schema_arrow)

    absent = tabular.absent(files, names, chosen)
    files = files[:-1] if absent else files
    return tabular.Table(
        files[0],
        pd.concat([rows[file] for file in files], ignore_index=True),
        {},
        len(files) > 1 and files[-1].stem == "test",
        absent,
        left_out={name: f"the type {kind}" for name, kind in odd.items()},
    )
