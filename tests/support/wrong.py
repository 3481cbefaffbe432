"""Data that cannot be used: ways to spoil good data, and what every message must have."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.step import UserError
from tests.support.own import loaded

# What to do, in every message.
ADVICE = (
    r"Expected|expected|Set|set|Get|Correct|Fill|Make|Add|Move|Put|Convert|[Rr]ename|Replace|Save|"
    r"Write|Scale"
)


def refused(path: Path, make: Callable, expected: str) -> None:
    """`load` refuses the data in one line that says what to do, and writes nothing.

    Args:
        path: an empty folder.
        make: puts the data there; returns the section `load`.
        expected: a pattern that the message must match.
    """
    with pytest.raises(UserError) as caught:
        loaded(path / "out", make(path))
    said = str(caught.value)
    assert re.search(expected, said), said
    assert len(said.splitlines()) == 1
    assert re.search(ADVICE, said), said
    assert not (path / "out").exists()


def cut(file: Path, count: int = 9) -> None:
    """Take away the last bytes of a file."""
    file.write_bytes(file.read_bytes()[:-count])


def emptied(folder: Path) -> None:
    for file in sorted(folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()


def turn_a_bit(file: Path, draw: random.Random) -> None:
    """Turn over one bit of a file; its mode stays, as DVC goes by it."""
    content, mode = bytearray(file.read_bytes()), file.stat().st_mode
    if content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        file.chmod(0o644)
        file.write_bytes(content)
        file.chmod(mode)
