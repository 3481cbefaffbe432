"""One step of one pipeline, guarded: for the flow, and for the stages of `dvc.yaml`."""

from __future__ import annotations

import atexit
import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.engine.environment import pin
from flows.project.folder import Project
from flows.project.params import FILE
from flows.project.steps import Step, step
from tasks.core.code import ROOT, code
from tasks.core.folder import Folder
from tasks.core.step import UserError, at_most, stopping
from tasks.training import environment

# When it ends, Python would look through half a million objects for garbage, for a second.
atexit.register(gc.freeze)


def run(project: Project, name: str, pipeline: str, force: bool = False) -> str:
    """Run a step and make sure that what it was made from did not change meanwhile.

    Args:
        name: of the step.
        pipeline: its name in `params.yaml`.
        force: whether to make the result anew, also where DVC's remote has it.

    Returns:
        What the step says of its result, in one line.

    Raises:
        UserError: a mistake in the parameters or the data; a full disk; an input that changed
            while the step ran.
        Stopped: it was asked to stop, or `run.timeouts` allows it no more time.
    """
    chosen = project.read(pipeline)
    this, section = step(name), getattr(chosen, name)
    folder = Folder(project.data(pipeline))
    watched = _watched(project, this)

    pin(name, chosen)
    limit = getattr(chosen.run.timeouts, name)
    with _system_errors(this), at_most(limit, f"run.timeouts.{name}"):
        said = None if force else _shared(project, this, pipeline, section)
        said = said or this.function(folder, section, *_run_keys(this, chosen))

    changed = [folder.shown(name) for name in folder.changed()]
    changed += [file for file in code(name) if _written(ROOT / file) != _WRITTEN.get(file)]
    changed += sorted({file for file, _ in watched ^ _watched(project, this)})
    if getattr(project.read(pipeline), name) != section:
        changed.append(f"{FILE} (pipelines.{pipeline}.{name})")
    if changed:
        raise UserError(
            f"{', '.join(changed)} changed while {name} was running, so its result matches "
            "neither version. Run again."
        )

    if this.trains:
        _environment_as_recorded(project, folder, f"{name}@{pipeline}")
    return said


def _run_keys(this: Step, chosen: Any) -> list:
    """The keys of `run` that a step takes as its third argument."""
    if this.run is None:
        return []
    return [this.run(**{key: getattr(chosen.run, key) for key in this.run.model_fields})]


def _shared(project: Project, this: Step, pipeline: str, section: Any) -> str | None:
    """Data that was shared once need not be looked for again."""
    if not (this.shareable and section.shareable):
        return None

    from flows.memory import repo as memory  # here: DVC takes half a second to import

    return "from DVC's remote" if memory.fetch(project, f"{this.name}@{pipeline}") else None


def _environment_as_recorded(project: Project, folder: Folder, address: str) -> None:
    """If the bytes are those that are recorded, keep what is recorded of where they were made."""
    from flows.memory import repo as memory

    noted = folder.path / environment.FILE
    if memory.as_recorded(project, address, but=noted):
        noted.unlink()
        memory.put_back(project, address)
    if not noted.is_file():  # neither DVC's cache nor git has it
        folder.write_json(environment.FILE, environment.describe())


@contextmanager
def _system_errors(this: Step) -> Iterator[None]:
    """A full disk, or short memory, in one line."""
    try:
        yield
    except OSError as error:
        name = f": {Path(error.filename).name}" if error.filename else ""
        raise UserError(
            f"{this.name}: {error.strerror or error}{name}. Nothing was recorded. "
            "Fix this and run again."
        ) from None
    except Exception as error:
        # TensorFlow's error is known by its name: to import it would take seconds.
        short = isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
        if not short:
            raise
        raise UserError(f"There is not enough memory. {this.if_memory_is_short}") from None


def _watched(project: Project, this: Step) -> set[tuple[str, int]]:
    """The files of the folders that a step is made of besides its code, and when written."""
    files = [file for name in this.watches for file in (project.root / name).rglob("*.py")]
    return {(file.relative_to(project.root).as_posix(), _written(file)) for file in files}


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


# Python reads a module once: code that is edited later is not the code that runs.
_WRITTEN = {
    file.relative_to(ROOT).as_posix(): _written(file) for file in (ROOT / "tasks").rglob("*.py")
}


def stop_on_signals() -> None:
    """Ctrl-C and SIGTERM end the step where it can resume; a second Ctrl-C ends it at once."""

    def ask(number: int, frame: object) -> None:
        stopping.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
