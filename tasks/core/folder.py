"""The folder of one pipeline: steps read their inputs there and write their outputs there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.core.step import UserError


class Damaged(UserError):
    """A file of the pipeline's folder that is not what an earlier step wrote."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


class Folder:
    """`data/<pipeline>` of a project: a step reads and writes its files here, by name.

    Remembers what was read, so that a driver can tell whether it changed meanwhile (`changed`).

    Args:
        path: the folder; the project's root is two levels up.
        recorded: the MD5 that each file must have, by its name, as far as a driver knows it.
    """

    def __init__(
        self, path: str | os.PathLike[str], recorded: Mapping[str, str] | None = None
    ) -> None:
        self.path = Path(path).absolute()
        self.root = self.path.parents[1]  # where relative paths in params.yaml start
        self.recorded = recorded or {}
        self.used: dict[str, Identity] = {}  # what was read

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
        self.used[name] = identity(path)
        if name in self.recorded and md5(path) != self.recorded[name]:
            raise Damaged(path, f"{self.shown(name)} is not what dvc.lock records.")
        return path

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """The path of an input. If a library cannot read it, its complaint becomes one line."""
        path = self.read(name)
        try:
            yield path
        except MemoryError:  # the file is as it should be
            raise
        except Exception as error:
            why = (str(error) or type(error).__name__).splitlines()[0][:120]
            raise Damaged(
                path, f"{self.shown(name)} is damaged ({why}): delete it, and it is made again."
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
        return [name for name, seen in self.used.items() if identity(self.path / name) != seen]


Identity = tuple[int, ...]  # of a file: another one means that its content may be another
_digests: dict[tuple[Path, Identity], str] = {}


def identity(path: Path) -> Identity:
    """A file's number, size and times; no program can set the last of them."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def check_regular(path: Path, shown: object) -> None:
    """Refuse what is there and is no file, nor a folder: it cannot be read like one.

    Args:
        path: of it.
        shown: what messages call it.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(
            f"{shown} is a pipe, a socket or a device. Expected a file: take it out of the data, "
            "or write what it has into a file."
        )


def md5(path: Path) -> str:
    """A file's MD5, by which DVC knows it; read once in a process, as long as it is the same."""
    key = (path, identity(path))
    if key not in _digests:
        with open(path, "rb") as file:
            _digests[key] = hashlib.file_digest(file, "md5").hexdigest()
    return _digests[key]
