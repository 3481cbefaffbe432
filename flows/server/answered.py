"""What a run that answered new rows shows in Prefect's UI: a table and pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from prefect.artifacts import create_markdown_artifact

from flows.server.markdown import picture, short, table, text
from flows.server.process import answers
from flows.server.report import key
from tasks.core.folder import Folder

SHOWN = 10  # answers


def show(pipeline: str, summary: Any) -> None:
    """Write the artifact.

    Args:
        pipeline: its name in `params.yaml`.
        summary: of all answers; see `tasks.answers.summary`.
    """
    if not answers():
        return
    first = summary.first.told.head(SHOWN)
    rows = [[short(value) for value in row] for row in first.itertuples(index=False)]
    said = summary.lines()
    with tempfile.TemporaryDirectory() as place:
        pictures = list(_pictures(Folder(Path(place, "data", pipeline)), summary))
    parts = ["\n".join(f"- {text(line)}" for line in said), table(first.columns, rows), *pictures]
    create_markdown_artifact(
        "\n\n".join(parts), key=key(pipeline, "answers"), description=", ".join(said)
    )


def _pictures(folder: Folder, summary: Any) -> Iterator[str]:
    """The first rows, if they are images, and how often each answer was given."""
    from tasks.answers import drawing  # here: Matplotlib takes a second to import

    told, x = summary.first.told, summary.first.rows.x
    if summary.classes:
        drawing.classes(folder, "counts.png", summary.classes)
    else:
        drawing.numbers(folder, "counts.png", np.concatenate(summary.numbers))
    yield picture(folder.path / "counts.png", "Answers")
    if x.ndim > 2:
        said = [short(value) for value in told["predicted"].head(SHOWN).tolist()]
        drawing.images(folder, "first.png", x, said)
        yield picture(folder.path / "first.png", "The first images")
