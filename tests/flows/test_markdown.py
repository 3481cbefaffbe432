"""What a run shows in Prefect's UI: pictures that a page can hold."""

from __future__ import annotations

import base64
import io

import numpy as np
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
