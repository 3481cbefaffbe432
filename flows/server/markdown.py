"""Tables, lists and pictures as Markdown, as the pages of Prefect's UI show it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path

from tasks.card import markdown
from tasks.card.markdown import text
from tasks.core.digits import digits

LARGEST = 70_000  # bytes of a picture in a page, whose text is then below 100 KB
QUALITIES = (85, 60, 35, 10)  # of JPEG, tried in this order


def table(head: Iterable, rows: Iterable[Iterable]) -> str:
    """A table; what is in a cell is text."""
    return markdown.table(map(text, head), (map(text, row) for row in rows))


def listed(rows: Iterable[tuple[str, str, str]]) -> str:
    """A list of names, each with its state and a sentence: the page would clip that in a table."""
    lines = (f"- **{text(name)}** {text(state)}: {text(says)}" for name, state, says in rows)
    return "\n".join(lines)


def short(value: object) -> str:
    """A cell's value: numbers in four digits, nothing for None."""
    if isinstance(value, float):
        return digits(value)
    return "" if value is None else str(value)


def picture(path: Path, title: str) -> str:
    """An image inside the page. A photograph becomes a JPEG, as a large PNG would slow the page."""
    content, kind = path.read_bytes(), "png"
    for quality in QUALITIES:
        if len(content) <= LARGEST:
            break
        content, kind = _as_jpeg(path, quality), "jpeg"
    return f"![{text(title)}](data:image/{kind};base64,{base64.b64encode(content).decode()})"


def _as_jpeg(path: Path, quality: int) -> bytes:
    from PIL import Image  # here: few pictures need it

    smaller = io.BytesIO()
    Image.open(path).convert("RGB").save(smaller, format="jpeg", quality=quality)
    return smaller.getvalue()
