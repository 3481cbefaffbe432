"""One step of one pipeline, guarded: for the flow, and for the stages of `dvc.yaml`."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.engine.environment import pin
from flows.engine.processes import alone
from flows.memory.lock import Used, as_recorded, outputs
from flows.project.folder import Project
from flows.project.params import FILE
from flows.project.steps import RELEASE, Step, step
from tasks.core.code import ROOT, code, md5_of
from tasks.core.folder import Damaged, Folder, Identity, identity, md5
from tasks.core.step import UserError, at_most, readable, stopping
from tasks.training import environment

# When it ends, Python would look through half a million objects for garbage, for a second.
atexit.register(gc.freeze)


class Outside(UserError):
    """Not the parameters or the data are to blame: the disk, or a file that was changed."""


class ShortOfMemory(UserError):
    """The machine has too little memory for these parameters and data."""


def run(project: Project, name: str, pipeline: str, force: bool = False) -> tuple[str, Used]:
    """The same as `run_in_turn`, when no other process runs this step in this folder."""
    with alone(project, pipeline, name):
        return run_in_turn(project, name, pipeline, force)


def run_in_turn(
    project: Project, name: str, pipeline: str, force: bool = False
) -> tuple[str, Used]:
    """Run a step and make sure that what it was made from did not change meanwhile.

    Args:
        name: of the step.
        pipeline: its name in `params.yaml`.
        force: whether to make the result anew, also where DVC's remote has it.

    Returns:
        What the step says of its result, in one line; and what it was made from.

    Raises:
        UserError: a mistake in the parameters or the data.
        Outside: a full disk; an input that is not what dvc.lock records, or that changed while the
            step ran.
        Stopped: it was asked to stop, or `run.timeouts` allows it no more time.
    """
    chosen = project.read(pipeline)
    sections = {**project.sections(pipeline), "release": project.releases()}
    this, section = step(name), _section(project, name, pipeline)
    folder = folder_of(project, pipeline)
    watched = _files(project, this.watched(section))
    used = Used(sections, {path: md5(path) for path in watched})

    before = _outputs(folder)
    pin(this.place, chosen)
    limit = at_most(getattr(chosen.run.timeouts, name, None), f"run.timeouts.{name}")
    with _system_errors(this), _damage(project, this, folder), limit:
        said = None if force else _shared(project, this, pipeline, section)
        said = said or this.function(folder, section, *_run_keys(this, chosen))

    _refuse_changes(project, this, pipeline, section, folder, watched)
    used.files |= {folder.path / file: md5(folder.path / file) for file in folder.used}
    used.files |= _code(project)
    if this.trains:
        _environment_as_recorded(project, folder, f"{name}@{pipeline}")

    from flows.memory.local import drop_damaged  # here: DVC's configuration takes a moment

    drop_damaged(project, {file for file, _ in _outputs(folder).items() - before.items()})
    return readable(said), used


def _outputs(folder: Folder) -> dict[Path, Identity]:
    """The outputs of all steps: others may run beside this one."""
    names = (each for each in folder.path.glob("*") if not each.name.startswith("."))
    files = (file for each in names for file in (each, *each.rglob("*")))
    return {file: identity(file) for file in files if file.is_file()}


def _section(project: Project, name: str, pipeline: str) -> Any:
    """A step's parameters, checked."""
    if name not in RELEASE:
        return getattr(project.read(pipeline), name)
    found = getattr(project.release(pipeline), name)
    if found is None:
        raise UserError(
            f"params.yaml: release.{pipeline}.{name}: missing. `python -m flows {name} {pipeline}` "
            "adds it."
        )
    return found


def folder_of(project: Project, pipeline: str) -> Folder:
    """The pipeline's folder, which knows what `dvc.lock` records of its files."""
    path = project.data(pipeline)
    recorded = {project.root / name: digest for name, digest in outputs(project).items()}
    return Folder(path, {file.name: md5 for file, md5 in recorded.items() if file.parent == path})


def _files(project: Project, places: Iterable[str]) -> dict[Path, Identity]:
    """All files of some folders; a place may be a file itself."""
    paths = [Path(os.path.normpath(project.root / place)) for place in places]
    return {
        file: identity(file)
        for path in paths
        for file in (path, *path.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }


def _code(project: Project) -> dict[Path, str]:
    """All of `tasks` as it runs. A copy of the project is taken for made of it."""
    names = [file.relative_to(ROOT) for file in (ROOT / "tasks").rglob("*.py")]
    return {project.root / name: md5_of(name.as_posix()) for name in names}


def _refuse_changes(
    project: Project,
    this: Step,
    pipeline: str,
    section: Any,
    folder: Folder,
    watched: dict[Path, Identity],
) -> None:
    name = this.name
    changed = [folder.shown(file) for file in folder.changed()]
    changed += [file for file in code(this.place) if md5_of(file) != _now(ROOT / file)]
    now = _files(project, this.watched(section))
    differing = {file for file, _ in watched.items() ^ now.items()}
    changed += sorted(os.path.relpath(file, project.root) for file in differing)
    if _section(project, name, pipeline) != section:
        part = "release" if name in RELEASE else "pipelines"
        changed.append(f"{FILE} ({part}.{pipeline}.{name})")
    if changed:
        raise Outside(
            f"{', '.join(changed)} changed while {name} was running, so its result matches "
            "neither version. Run again."
        )


def _now(file: Path) -> str | None:
    return md5(file) if file.is_file() else None


@contextmanager
def _damage(project: Project, this: Step, folder: Folder) -> Iterator[None]:
    """A damaged input: see to it that the next run makes it again, or restores it."""
    try:
        yield
    except Damaged as damaged:
        from flows.memory.outputs import drop  # here: DVC takes half a second to import

        name = damaged.path.relative_to(project.root).as_posix()
        if outputs(project).get(name) != folder.recorded.get(damaged.path.name):
            raise Outside(
                f"{name} was made anew while {this.name} was running. Run again."
            ) from None
        done = drop(project, damaged.path)
        raise Outside(f"{name} is damaged. {done} Run the same command again.") from None


def _run_keys(this: Step, chosen: Any) -> list:
    """The keys of `run` that a step takes as its third argument."""
    if this.run is None:
        return []
    return [this.run(**{key: getattr(chosen.run, key) for key in this.run.model_fields})]


def _shared(project: Project, this: Step, pipeline: str, section: Any) -> str | None:
    """Data that was shared once need not be looked for again."""
    if not (this.shareable and section.shareable):
        return None

    from flows.memory.outputs import fetch  # here: DVC takes half a second to import

    return "from DVC's remote" if fetch(project, f"{this.name}@{pipeline}") else None


def _environment_as_recorded(project: Project, folder: Folder, address: str) -> None:
    """If the bytes are those that are recorded, keep what is recorded of where they were made."""
    from flows.memory.outputs import put_back

    noted = folder.path / environment.FILE
    if as_recorded(project, address, but=noted):
        noted.unlink()
        put_back(project, address)
    if not noted.is_file():  # neither DVC's cache nor git has it
        folder.write_json(environment.FILE, environment.describe())


@contextmanager
def _system_errors(this: Step) -> Iterator[None]:
    """A full disk, or short memory, in one line."""
    try:
        yield
    except OSError as error:
        name = f": {Path(error.filename).name}" if error.filename else ""
        raise Outside(
            f"{this.name}: {error.strerror or error}{name}. Nothing was recorded. "
            "Fix this and run again."
        ) from None
    except Exception as error:
        if not is_short_of_memory(error):
            raise
        raise ShortOfMemory(f"There is not enough memory. {this.if_memory_is_short}") from None


def is_short_of_memory(error: Exception) -> bool:
    """Whether the system, or a library, had no memory left for what was to be done."""
    if isinstance(error, ImportError):  # the system's words, of a library that found no room
        return "failed to map segment" in str(error) or "annot allocate memory" in str(error)
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return True
    # TensorFlow's error is known by its name: to import it would take seconds.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def stop_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and a terminal that closes end the step where it can resume.

    A second Ctrl-C ends it at once. A closed terminal ends nothing that nohup has started.
    """

    def ask(number: int, frame: object) -> None:
        stopping.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if number == signal.SIGHUP:
            _leave_terminal()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, ask)


def _leave_terminal() -> None:
    """Say the rest to nobody: what is written to a terminal that is gone is an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        if stat.S_ISCHR(os.fstat(standard).st_mode):
            os.dup2(nowhere, standard)
