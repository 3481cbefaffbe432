"""Run one step of one pipeline: what a stage of `dvc.yaml` starts, and what the flow calls.

python -m flows.engine.step fit fashion
"""

from __future__ import annotations

import atexit
import gc
import logging
import signal
import sys
from pathlib import Path

from flows.engine import environment
from flows.project import params
from flows.project.params import ROOT
from flows.server import reporter as repro
from tasks.core.code import code
from tasks.core.folder import Folder
from tasks.core.step import Stopped, UserError, stopping
from tasks.families.function import FOLDER

SMALLER = {
    "load": "Take fewer rows or features, or images of a smaller load.size.",
    "build": "Make the model smaller: build.hidden, build.filters, or what build.function returns.",
    "fit": "Lower fit.batch_size, or make the model smaller: build.hidden, build.filters or build.function.",
}  # what to do where memory is short

# At its end Python would look through half a million objects for garbage, a second with TensorFlow's.
atexit.register(gc.freeze)


def run(step: str, pipeline: str, force: bool = False) -> str:
    """Run a step and make sure that what it was made from did not change meanwhile.

    Args:
        step: its name.
        pipeline: a section of `params.yaml`.
        force: load the data anew, also where DVC's remote has it.

    Returns:
        What the step says of its result, in one line.

    Raises:
        UserError: a mistake in the parameters or the data; a full disk; or an input that changed under the step.
    """
    function, _ = params.step(step)
    section = getattr(params.read(pipeline), step)
    folder, before = Folder(Path("data", pipeline)), _own_code()
    try:
        # Data that was shared once need not be looked for again. A place named by the user comes first.
        named = getattr(section, "folder", None) or getattr(section, "path", None)
        said = _fetched(pipeline) if step == "load" and not named and not force else None
        said = said or function(folder, section)
    except OSError as error:
        name = f": {Path(error.filename).name}" if error.filename else ""
        raise UserError(
            f"{step}: {error.strerror or error}{name}. Nothing was recorded; run again when that is mended."
        ) from None
    except Exception as error:
        # Python's or NumPy's error, or TensorFlow's, by its name: to import TensorFlow would take seconds.
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        raise UserError(f"There is not enough memory. {SMALLER.get(step, 'Take fewer rows or features.')}") from None
    changed = [f"data/{pipeline}/{name}" for name in folder.changed()]
    changed += [name for name in code(step) if _written(ROOT / name) != _WRITTEN.get(name)]
    if step == "build":
        changed += sorted({name for name, _ in before ^ _own_code()})
    if getattr(params.read(pipeline), step) != section:
        changed.append(f"{params.FILE} ({pipeline}.{step})")
    if changed:
        raise UserError(f"{', '.join(changed)} changed while {step} ran: its result belongs to neither. Run again.")
    if step == "fit":
        folder.write_json(environment.FILE, environment.describe())
    return said


def _fetched(pipeline: str) -> str | None:
    from flows.memory import repo as memory

    return "from DVC's remote" if memory.fetch(f"load@{pipeline}") else None


def _own_code() -> set[tuple[str, int]]:
    """The files of a user's own functions, and when they were written."""
    return {(path.as_posix(), _written(path)) for path in Path(FOLDER).rglob("*.py")}


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


# Python reads a module once: code that is edited later is not the code that runs.
_WRITTEN = {path.relative_to(ROOT).as_posix(): _written(path) for path in (ROOT / "tasks").rglob("*.py")}


def stop_on_signals() -> None:
    """Ctrl-C and SIGTERM end the step at the next place from which it can go on; a second Ctrl-C ends it at once."""

    def ask(number: int, frame: object) -> None:
        stopping.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)


def main(step: str, pipeline: str) -> int:
    """As a stage of `dvc repro`: lines on the terminal, an exit code, and the old outputs back in place on failure."""
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stdout)
    stop_on_signals()
    repro.stop_with_dvc()
    repro.tell(pipeline, step, "Running")
    try:
        said = run(step, pipeline)
        print(f"  {said}")
        repro.tell(pipeline, step, "Completed", said)
        return 0
    except UserError as error:
        print(f"{step}: {error}", file=sys.stderr)
        repro.tell(pipeline, step, "Failed", str(error))
    except Stopped as stopped:
        print(f"{step}: {stopped}. The same command goes on from there.", file=sys.stderr)
        repro.tell(pipeline, step, "Cancelled", str(stopped))
    from flows.memory import repo as memory

    memory.put_back(f"{step}@{pipeline}")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
