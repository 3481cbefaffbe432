"""What is fixed for a process before a step runs, as the bits of a training depend on it."""

from __future__ import annotations

from typing import Any

from tasks.core.code import code
from tasks.network import threads

KERAS = "tasks/network/backend.py"


def pin(step: str, chosen: Any) -> None:
    """Choose the number of TensorFlow's threads, if the step imports it.

    Args:
        step: its name.
        chosen: the parameters of the pipeline.
    """
    if KERAS in code(step):
        threads.use(chosen.fit.threads)
