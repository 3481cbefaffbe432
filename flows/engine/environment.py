"""What is fixed for a process before a step runs, as the bits of a training depend on it."""

from __future__ import annotations

from typing import Any

from tasks.core.code import code
from tasks.network import threads

KERAS = "tasks/network/backend.py"


def pin(place: str, chosen: Any) -> None:
    """Choose the number of TensorFlow's threads, if the step imports it.

    Args:
        place: of the step's module in `tasks`, such as `fit`.
        chosen: the parameters of the pipeline.
    """
    if KERAS in code(place):
        threads.use(chosen.fit.threads)
