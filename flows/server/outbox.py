"""What a step of a `dvc repro` leaves for Prefect's server: a line in a file.

DVC starts a process for each step and tells nobody when it begins and ends. So each step leaves a
line, and a process of its own (`reporter.py`), which the first step starts, tells the server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from flows.engine.processes import born, hold, lives, repro_process
from flows.project.folder import Project
from flows.server.process import answers
from tasks.core.step import stopping


def stop_with_dvc() -> None:
    """Let this step stop when `dvc repro` is killed: nobody waits for its result any more.

    A signal of the kernel would not do: between the two there may be a shell, which lives on.
    """
    dvc = repro_process()
    if dvc is None:
        return

    def watch() -> None:
        while lives(dvc.pid):
            time.sleep(0.3)
        stopping.set()

    threading.Thread(target=watch, daemon=True).start()


def tell(project: Project, pipeline: str, step: str, state: str, message: str = "") -> None:
    """Leave a line for the server, and see to it that someone reads them."""
    if not os.environ.get("PREFECT_API_URL"):
        return
    dvc = repro_process()
    if dvc is None:  # it was killed, and its run is closed already
        return
    file = project.root / ".dvc" / "tmp" / f"repro-{dvc.pid}-{born(dvc):.0f}.jsonl"
    files = [file] if file.exists() else [*left(project), file]
    line = json.dumps({"pipeline": pipeline, "name": step, "state": state, "message": message})
    try:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(line + "\n")
        for each in files:
            _have_it_read(project, each)
    except OSError as error:  # a full disk, a folder that may not be written: the step matters more
        print(f"  The server is not told that {step} is {state}: {error}", file=sys.stderr)


def left(project: Project) -> list[Path]:
    """The files whose `dvc repro` has ended: their reporter is at its end, or was killed."""
    files = sorted((project.root / ".dvc" / "tmp").glob("repro-*.jsonl"))
    return [file for file in files if not at_work(file)]


def at_work(file: Path) -> bool:
    """Whether the `dvc repro` that a file is of has not ended."""
    _, number, since = file.stem.split("-")
    with suppress(psutil.Error):
        return lives(int(number)) and f"{born(psutil.Process(int(number))):.0f}" == since
    return False


def claimed(file: Path) -> IO | None:
    """A file for one reader, until all that have it have closed it; None if it has one already."""
    with suppress(FileNotFoundError):
        lines = open(file, encoding="utf-8")  # noqa: SIM115
        if hold(lines) and file.exists():
            return lines
        lines.close()
    return None


def _have_it_read(project: Project, file: Path) -> None:
    """Start a reporter for a file that has none: at first, or if it was killed."""
    lines = claimed(file)
    if lines is None:
        return
    url = os.environ["PREFECT_API_URL"]
    if not answers(url):
        print(
            f"  PREFECT_API_URL={url} does not answer: this run is not shown there",
            file=sys.stderr,
        )
    command = [sys.executable, "-m", "flows.server.reporter", str(file)]
    with lines, open(file.with_name("repro.log"), "w") as log:
        subprocess.Popen(
            command,
            cwd=project.root,
            stdin=lines,  # the reporter has it locked by that
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
