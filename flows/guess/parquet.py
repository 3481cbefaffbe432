"""A Parquet file: a table whose columns say themselves what they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from flows.guess import table, tabular
from flows.guess.sample import joined, some_of
from flows.guess.section import Proposal
from tasks.core.folder import Folder
from tasks.sources import arrow, parquet, totals
from tasks.sources.place import Place

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
    names, samples, odd = {}, {}, dict[str, str]()
    for file in files:
        with arrow.opened(Place(root / file, file.as_posix())) as content:
            names[file] = set(content.schema_arrow.names)
            samples[file] = some_of(_parts(content), 1 / len(files))
            totals.check(file, samples[file].rows)
            odd |= arrow.odd_columns(content.schema_arrow)

    absent = tabular.absent(files, names, chosen)
    files = files[:-1] if absent else files
    seen = joined([samples[file] for file in files])
    return tabular.Table(
        files[0],
        seen.rows,
        {},
        len(files) > 1 and files[-1].stem == "test",
        absent,
        left_out={name: f"the type {kind}" for name, kind in odd.items()},
        total=seen.total,
    )


def _parts(content: pq.ParquetFile) -> Iterator[pd.DataFrame]:
    begin = 0
    for batch in content.iter_batches():
        yield arrow.frame(pa.Table.from_batches([batch]), begin=begin)
        begin += len(batch)
    if not begin:
        yield arrow.frame(content.schema_arrow.empty_table())
