"""Tells Prefect's server of a `dvc repro`, as a run with its steps, until DVC has ended."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from flows.project.folder import Project
from flows.server.outbox import at_work, claimed, left
from flows.server.settings import configure

log = logging.getLogger("flows")


def main(project: Project, file: Path, lines: IO) -> None:
    """Tell the server what the steps leave in a file.

    Args:
        file: one line of JSON for each step that began or ended; removed at the end.
        lines: the file, open.
    """
    configure(project)
    from flows.server.dvc_run import DvcRun  # here: Prefect reads its settings when it is imported

    late = not at_work(file)
    runs: dict[str, DvcRun] = {}
    ended = False
    try:
        for said in steps(file, lines):
            pipeline = said.pop("pipeline")
            if pipeline not in runs:
                runs[pipeline] = DvcRun(project, pipeline, file.stem)
            runs[pipeline].step(**said)
        for run in runs.values():
            run.end(late)
        ended = True
    finally:
        if ended or not runs:  # else the server has gone: the next reporter tells the rest
            file.unlink()


def steps(file: Path, lines: IO) -> Iterator[dict[str, str]]:
    """What the steps leave in a file, until their DVC has ended."""
    part, running = "", True  # a part of a line: of one that is being written, or of a kill
    while running:
        running = at_work(file)
        *whole, part = (part + lines.read()).split("\n")
        yield from filter(None, map(_said, whole))
        time.sleep(0.3 if running else 0)


def _said(line: str) -> dict[str, str] | None:
    try:
        return json.loads(line)
    except ValueError:  # a full disk had room for a part of it, or of the line before
        return None


def catch_up(project: Project) -> None:
    """Tell the server what a reporter that was killed, or whose server went, could not."""
    for file in left(project):
        lines = claimed(file)
        if lines is None:
            continue
        with lines:
            try:
                main(project, file, lines)
            except Exception as error:
                log.warning("the end of a dvc repro could not be told to Prefect: %s", error)


if __name__ == "__main__":
    main(Project.here(), Path(sys.argv[1]), sys.stdin)
