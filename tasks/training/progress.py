"""The progress of a training: a bar where a person watches, otherwise about twenty log lines."""

from __future__ import annotations

import sys
import time
from typing import Any

import rich
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tasks.core.step import log, watchers

LINES = 20  # in the log
EVERY = 1.0  # seconds at least between two messages to the watchers: epochs may take milliseconds


class Bar:
    """Shows how far a training is, and tells the drivers' watchers.

    Args:
        epochs: of the whole training.
        blocks: in an epoch.
    """

    def __init__(self, epochs: int, blocks: int) -> None:
        self.epochs, self.blocks = epochs, blocks
        self.told_at = 0.0
        self.bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[loss]}"),
            TextColumn("{task.fields[best]}"),
            TimeRemainingColumn(compact=True),
            console=rich.get_console(),
            disable=not sys.stdout.isatty(),
            transient=True,
        )
        self.task = self.bar.add_task("", total=epochs * blocks, loss="", best="")

    def __enter__(self) -> None:
        self.bar.start()

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def at(self, epoch: int, block: int, **shown: Any) -> None:
        """Show where the training is.

        Args:
            epoch, block: counted from 0.
            shown: what changed: the `loss` of this epoch so far, the `best` epoch.
        """
        of = f"epoch {min(epoch + 1, self.epochs)}/{self.epochs}"
        done = epoch * self.blocks + block
        self.bar.update(self.task, completed=done, description=of, **shown)

    def epoch_done(self, epoch: int, text: str, best: str, over: bool) -> None:
        """Show and tell the result of an epoch.

        Args:
            epoch: its number, counted from 1.
            text: its result.
            best: the best result so far.
            over: whether the training is over.
        """
        self.at(epoch, 0, best=best)
        text = f"{text}, {best}"
        if over or time.monotonic() - self.told_at > EVERY:
            self.told_at = time.monotonic()
            self._tell(epoch, text, over)
        if self.bar.disable and (over or epoch % max(1, self.epochs // LINES) == 0):
            log.info("epoch %d/%d: %s", epoch, self.epochs, text)

    def _tell(self, epoch: int, text: str, over: bool) -> None:
        said = f"epoch {epoch}/{self.epochs}: {text}"
        left = None if over else self.bar.tasks[0].time_remaining
        if left:
            said += f", {left:.0f} s left"
        for tell in watchers:
            tell(1 if over else epoch / self.epochs, said)
