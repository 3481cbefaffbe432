"""After a `dvc repro`: is what DVC recorded what the steps were made from?

DVC records a step when its process has ended. So the step leaves a note of what it was made from,
and a process of its own compares as soon as DVC has ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from flows.engine.processes import born, lives, repro_process
from flows.memory.lock import TakenBack, Used, as_recorded, fits
from flows.project.folder import Project
from tasks.core.step import UserError, log


def _notes(project: Project) -> Path:
    return project.root / ".dvc" / "tmp" / "used"


def leave(project: Project, address: str, used: Used) -> None:
    """A note of a step that DVC will record; and someone who looks at it then."""
    dvc = repro_process()
    if dvc is None:  # the step was started by hand: nobody records it
        return
    _notes(project).mkdir(parents=True, exist_ok=True)
    forget(project, address)
    note = _notes(project) / f"{address} {dvc.pid} {born(dvc):.2f}.json"
    write(note, used)

    watcher = note.with_name(f"{dvc.pid} {born(dvc):.2f}.watched")
    if not watcher.exists():
        watcher.touch()
        command = [sys.executable, "-m", "flows.engine.witness", str(dvc.pid)]
        subprocess.Popen(
            command, cwd=project.root, stdin=subprocess.DEVNULL, start_new_session=True
        )


def write(note: Path, used: Used) -> None:
    files = {str(path): digest for path, digest in used.files.items()}
    part = note.with_suffix(".part")
    part.write_text(json.dumps({"sections": used.sections, "files": files}), encoding="utf-8")
    os.replace(part, note)


def forget(project: Project, address: str) -> None:
    """Remove the notes of earlier runs of a step."""
    for note in _notes(project).glob(f"{address} *.json"):
        note.unlink(missing_ok=True)


def settle(project: Project) -> list[str]:
    """Look at the notes of each DVC that has ended.

    Returns:
        A line for each record that was taken back.
    """
    said = []
    for note in sorted(_notes(project).glob("*.json")):
        try:
            address, number, since = note.stem.rsplit(" ", 2)
            if lives(int(number), float(since)):
                continue
            _check(project, address, json.loads(note.read_text(encoding="utf-8")))
        except TakenBack as error:
            said.append(str(error))
        except UserError:  # of DVC, such as a full disk: the next one looks
            continue
        except FileNotFoundError:  # another process was faster
            continue
        except (ValueError, KeyError, TypeError):
            log.warning("%s was damaged, so nothing was compared with it", note.name)
        note.unlink(missing_ok=True)
    return said


def _check(project: Project, address: str, note: dict) -> None:
    files = {Path(path): digest for path, digest in note["files"].items()}
    used = Used(note["sections"], files)
    # If the outputs are others by now, so is the record: git has brought that of another commit.
    if fits(project, address, used) or not as_recorded(project, address):
        return

    from flows.memory.records import check_record  # here: DVC takes half a second to import

    check_record(project, address, used)


def main(dvc: int) -> None:
    project = Project.here()
    with suppress(psutil.NoSuchProcess):
        since = born(psutil.Process(dvc))
        while lives(dvc, since):
            time.sleep(0.1)
    for line in settle(project):
        print(line, file=sys.stderr)
    for watcher in _notes(project).glob(f"{dvc} *.watched"):
        watcher.unlink(missing_ok=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
