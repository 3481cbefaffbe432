"""What a run shows in Prefect's UI: pictures that a page can hold."""

from __future__ import annotations

import base64
import io
import re
from html import unescape

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from flows.server import markdown


def shown(path) -> tuple[str, bytes]:
    """The kind of the image in a page, and its content."""
    head, _, content = markdown.picture(path, "title").removesuffix(")").partition(";base64,")
    return head, base64.b64decode(content)


def test_a_small_picture_is_shown_as_it_is_and_a_photograph_smaller(tmp_path):
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.new("RGB", (100, 50), "white").save(small)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 600, 3), np.uint8)).save(large)
    assert shown(small) == ("![title](data:image/png", small.read_bytes())
    head, content = shown(large)
    assert head == "![title](data:image/jpeg"
    assert len(content) <= markdown.LARGEST < large.stat().st_size
    assert Image.open(io.BytesIO(content)).size == (600, 300)


@pytest.mark.parametrize(
    "name",
    [
        "![t](http://evil.example/t.png)",
        "[x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "<https://evil.example>",
        "https://evil.example/?a=b_c_d",
        "WWW.evil.example",
        "me@evil.example",
        "**bold** __bold__ _a_ a__b ~~gone~~ `code`",
        "&lt;b&gt; &#33;",
        "a|b",
        "\\|\\",
        "a\n\n# forged\r\n| x | y |\u2028- item",
        "# heading",
        "1. item",
        "---",
        "$x$",
        "::: note",
        "ümläut 語 0.5 -3 1,000 (2 to 3) 50 %",
    ],
)
def test_a_name_from_the_data_is_shown_as_text(name):
    """As CommonMark reads it; Prefect's UI is looked at in test_browser.py."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    made = markdown.table(["name", "n"], [[name, 1], ["next", 2]])
    html = reader.render(f"{made}\n\n**{markdown.text(name)}**")
    shown = " ".join(name.split())
    cells = re.findall(r"<td>(.*?)</td>", html, re.DOTALL)
    assert [unescape(cell) for cell in cells] == [shown, "1", "next", "2"]
    tags = set(re.findall(r"</?(\w+)", html))
    assert tags == {"table", "thead", "tbody", "tr", "th", "td", "p", "strong"}
