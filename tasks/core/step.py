"""What every step shares. Kept tiny: a change here runs every step again."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

log = logging.getLogger("tasks")  # the drivers show these lines in the terminal and in Prefect's UI


class UserError(Exception):
    """A mistake that the reader can put right. The message says what was found, what was expected and what to do."""


class TryAgain(UserError):
    """Something outside that may be better in a moment: a network that is away."""


class Stopped(Exception):
    """The step was asked to stop, and did so at a place from which it can go on."""


stopping = threading.Event()  # set by a driver when the person, or the system, wants the run to end
watchers: list[Callable[[float, str], None]] = []  # a driver's: told how much of a long step is done, and how it stands


class Section(BaseModel):
    """One step's block in `params.yaml`: closed, typed and without defaults, so that the file says everything."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Read a file inside; whatever a library says of a damaged one becomes a line that names it."""
    try:
        yield
    except Exception as error:
        why = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise UserError(f"{path.as_posix()} is damaged ({why}): delete it, and it is made again.") from None


class Folder:
    """The folder of one pipeline: a step reads its inputs here and writes its outputs here, by name.

    What was read is remembered, so that a driver can tell whether it was still the same at the end (`changed`).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._read: dict[str, tuple[int, int, int]] = {}

    def __str__(self) -> str:
        return self.path.as_posix()

    def read(self, name: str) -> Path:
        """The path of an input, which must exist."""
        path = self.path / name
        if not path.is_file():
            raise UserError(f"{path.as_posix()} is missing: an earlier step makes it. Run the pipeline from the start.")
        self._read[name] = _identity(path)
        return path

    def read_json(self, name: str) -> Any:
        path = self.read(name)
        with whole(path):
            return json.loads(path.read_text(encoding="utf-8"))

    @contextmanager
    def write(self, name: str) -> Iterator[Path]:
        """A path beside the final one to write to; renamed to `name` when everything is on disk, removed on failure."""
        path = self.path / f".part.{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield path
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(path, self.path / name)
        finally:
            path.unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> None:
        with self.write(name) as path:
            path.write_text(text, encoding="utf-8", newline="\n")

    def write_json(self, name: str, value: Any) -> None:
        self.write_text(name, json.dumps(value, indent=2, sort_keys=True) + "\n")

    def scratch(self, name: str) -> Path:
        """A file that is no output: what a step keeps for itself, to go on after a kill."""
        return self.path / ".resume" / name

    def changed(self) -> list[str]:
        """Inputs that are no longer the files that were read."""
        return [name for name, seen in self._read.items() if _identity(self.path / name) != seen]


def _identity(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)
