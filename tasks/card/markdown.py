"""Words of a user's data in Markdown, where they may look like pictures, links or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What Markdown would take for more than text, within a line: not `_` in a word, nor a number's dot.
SPECIAL = re.compile(r"[\\`*~\[\]<>&|!:@#]|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.", re.IGNORECASE)


def text(value: object) -> str:
    """A value as it is, in one line."""
    return SPECIAL.sub(r"\\\g<0>", _line(value))


def code(value: object) -> str:
    """A value as code, also in a cell of a table."""
    words = _line(value).replace("|", r"\|")
    return f"`` {words} ``" if "`" in words else f"`{words}`"


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """A table of cells that are Markdown already."""
    first = list(head)
    lines: list[Iterable[object]] = [first, ["---"] * len(first), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def _line(value: object) -> str:
    return " ".join(str(value).split())
