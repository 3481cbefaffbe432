"""A small disk, and how to fill it."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

FILLER = "all-there-is"


@contextmanager
def small_disk(place: Path, options: str):
    """A file system of its own at `place`, which starts empty."""
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"this user may not mount a small disk: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def fill(folder: Path, free: int = 0) -> None:
    """Leave so many bytes of a disk free."""
    with open(folder / FILLER, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - free)
