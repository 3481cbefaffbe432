"""Tells Prefect's server of a `dvc repro`, as a run with its steps, until DVC has ended."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from flows.engine.processes import lives
from flows.project.folder import Project
from flows.server.settings import configure


def main(project: Project, dvc: int, file: Path) -> None:
    """Tell the server what the steps leave in the file.

    Args:
        dvc: the process of the `dvc` command.
        file: one line of JSON for each step that began or ended.
    """
    configure(project)
    from flows.server.dvc_run import DvcRun  # here: Prefect reads its settings when it is imported

    runs: dict[str, DvcRun] = {}
    try:
        with open(file, encoding="utf-8") as lines:
            running = True
            while running:
                running = lives(dvc)
                for line in lines.readlines():
                    said = json.loads(line)
                    pipeline = said.pop("pipeline")
                    if pipeline not in runs:
                        runs[pipeline] = DvcRun(project, pipeline)
                    runs[pipeline].step(**said)
                time.sleep(0.3 if running else 0)
        for run in runs.values():
            run.end()
    finally:
        file.unlink()


if __name__ == "__main__":
    main(Project.here(), int(sys.argv[1]), Path(sys.argv[2]))
