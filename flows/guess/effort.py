"""How long the training of the proposed network may take."""

from __future__ import annotations

FILTERS = (32, 64, 128)  # of the network that images begin with: `defaults: cnn` in params.yaml
SPEED = 2e10  # multiplications a second on two cores, the updates included; see docs/benchmarks.md


def note(shape: tuple[int, ...], rows: float, epochs: int) -> str:
    """A line for a person who decides on the images' size and the epochs.

    Args:
        shape: of an image: (height, width) or (height, width, colours).
        rows: images that are trained on.
        epochs: that are proposed.
    """
    seconds = epochs * rows * _multiplications(shape) / SPEED
    return f"fit.epochs: {epochs} take {_rounded(seconds)} on two cores (estimated)"


def _multiplications(shape: tuple[int, ...]) -> int:
    """Of one image on its way through the convolutions; each block halves height and width."""
    height, width = shape[:2]
    channels, found = shape[2] if len(shape) == 3 else 1, 0
    for filters in FILTERS:
        found += height * width * 9 * channels * filters
        height, width, channels = max(1, height // 2), max(1, width // 2), filters
    return found


def _rounded(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    if seconds < 90:
        return "about a minute"
    if seconds < 100 * 60:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.0f} hours"
