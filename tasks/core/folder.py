"""The folder of one pipeline: steps read their inputs there and write their outputs there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.core.step import UserError


class Folder:
    """`data/<pipeline>` of a project: a step reads and writes its files here, by name.

    Remembers what was read, so that a driver can tell whether it changed meanwhile (`changed`).

    Args:
        path: the folder; the project's root is two levels up.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.root = self.path.parents[1]  # where relative paths in params.yaml start
        self._read: dict[str, tuple[int, int, int]] = {}

    def __str__(self) -> str:
        return self.path.as_posix()

    def shown(self, name: str) -> str:
        """A file as messages name it: from the project's root."""
        return (self.path / name).relative_to(self.root).as_posix()

    def read(self, name: str) -> Path:
        """The path of an input, which must exist."""
        path = self.path / name
        if not path.is_file():
            raise UserError(
                f"{self.shown(name)} is missing: an earlier step makes it. "
                "Run the pipeline from the start."
            )
        self._read[name] = _identity(path)
        return path

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """The path of an input. If a library cannot read it, its complaint becomes one line."""
        path = self.read(name)
        try:
            yield path
        except Exception as error:
            why = (str(error) or type(error).__name__).splitlines()[0][:120]
            raise UserError(
                f"{self.shown(name)} is damaged ({why}): delete it, and it is made again."
            ) from None

    def read_json(self, name: str) -> Any:
        with self.reading(name) as path:
            return json.loads(path.read_text(encoding="utf-8"))

    @contextmanager
    def write(self, name: str) -> Iterator[Path]:
        """A path to write to, beside the final one.

        Renamed to `name` when everything is on disk; removed on failure.
        """
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
        """A file that is no output: what a step keeps for itself, to resume after a kill."""
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
