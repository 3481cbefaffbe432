"""The pictures of answers in Prefect's UI."""

from __future__ import annotations

from collections import Counter

import numpy as np
from PIL import Image

from tasks.answers import drawing
from tasks.core.folder import Folder


def test_images_classes_and_numbers_are_drawn_with_the_same_bytes_each_time(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), np.uint8)
    for place in ("once", "again"):
        folder = Folder(tmp_path / place / "data/any")
        drawing.images(folder, "images.png", x, ["cat"] * 7)
        drawing.classes(folder, "classes.png", Counter({f"kind {k}": k + 1 for k in range(20)}))
        drawing.numbers(folder, "numbers.png", x[..., 0].astype(float).reshape(-1))
    for name in ("images.png", "classes.png", "numbers.png"):
        first, second = (tmp_path / place / "data/any" / name for place in ("once", "again"))
        assert Image.open(first).width > 500
        assert first.read_bytes() == second.read_bytes()
