"""A text file of the project, such as params.yaml: read as it is, and replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tasks.core.step import UserError


def text_of(file: Path) -> str:
    """The file with its line endings as they are."""
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        lost = f"{file.name} is missing. `git checkout {file.name}` brings it back."
        raise UserError(lost) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file.name} is not UTF-8: {error.reason} at byte {error.start:,}. Save it as UTF-8."
        ) from None


def change(file: Path, changed: Callable[[str], str]) -> None:
    """Make another text of a file's text. Of two processes the second gets the text of the first.

    Raises:
        UserError: whatever `changed` raises. The file is what it was.
    """
    folder = os.open(file.resolve().parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # a drive that has no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        before = text_of(file)
        if (after := changed(before)) != before:
            write(file, after)
    finally:
        os.close(folder)


def write(file: Path, text: str) -> None:
    """Replace a file as a whole, when the new one is on disk."""
    file = file.resolve()  # a symbolic link stays one
    part = file.with_name(f".part.{file.name}")
    try:
        with open(part, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        shutil.copymode(file, part)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
