"""`card.png`: the learning curve and the test results beside each other, small enough for git."""

from __future__ import annotations

from PIL import Image

from tasks.core.folder import Folder

SHOWN = ("learning_curve.png", "predictions.png")
HEIGHT, GAP, COLORS = 480, 24, 64  # pixels, pixels; a picture of all colors is four times as large
RARE = Image.Quantize.MAXCOVERAGE  # the color of a thin line is one of the 64


def draw(folder: Folder) -> None:
    """Put the pictures that `evaluate` has drawn side by side."""
    parts = []
    for name in SHOWN:
        with folder.reading(name) as path, Image.open(path) as whole:
            size = round(whole.width * HEIGHT / whole.height), HEIGHT
            parts.append(whole.convert("RGB").resize(size, Image.Resampling.LANCZOS))

    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    drawn, left = Image.new("RGB", (width, HEIGHT), "white"), 0
    for part in parts:
        drawn.paste(part, (left, 0))
        left += part.width + GAP
    with folder.write("card.png") as path:
        few = drawn.quantize(COLORS, RARE, kmeans=2, dither=Image.Dither.NONE)
        few.save(path, format="png", optimize=True)
