"""Tables and pictures as Markdown, as the pages of Prefect's UI show it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path

LARGEST = 70_000  # bytes of a picture in a page, whose text is then below 100 KB
QUALITIES = (85, 60, 35, 10)  # of JPEG, tried in this order


def table(head: Iterable, rows: Iterable[Iterable]) -> str:
    """A table; a bar in a cell is no border."""
    head = list(head)
    lines = []
    for line in (head, ["---"] * len(head), *rows):
        cells = [str(cell).replace("|", "\\|") for cell in line]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def short(value: object) -> str:
    """A cell's value: numbers in four digits, nothing for None."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def picture(path: Path, title: str) -> str:
    """An image inside the page. A photograph becomes a JPEG, as a large PNG would slow the page."""
    content, kind = path.read_bytes(), "png"
    for quality in QUALITIES:
        if len(content) <= LARGEST:
            break
        content, kind = _as_jpeg(path, quality), "jpeg"
    return f"![{title}](data:image/{kind};base64,{base64.b64encode(content).decode()})"


def _as_jpeg(path: Path, quality: int) -> bytes:
    from PIL import Image  # here: few pictures need it

    smaller = io.BytesIO()
    Image.open(path).convert("RGB").save(smaller, format="jpeg", quality=quality)
    return smaller.getvalue()
