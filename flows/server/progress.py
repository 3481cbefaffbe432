"""The progress of a long step, as an artifact of its task in Prefect's UI."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.server.process import answers
from flows.server.report import key
from tasks.core.step import watchers

log = logging.getLogger("flows")
SILENCE = 300  # seconds until a server is asked again that did not answer: that may take ten


@contextmanager
def shown(pipeline: str) -> Iterator[None]:
    """Around a step: what it tells of its progress is an artifact of its task."""
    tell = _Progress(key(pipeline, "progress")).tell
    watchers.append(tell)
    try:
        yield
    finally:
        watchers.remove(tell)


def of_run(pipeline: str) -> Callable[[float, str], None]:
    """A function that shows how far a sweep is, as an artifact of its flow run."""
    return _Progress(key(pipeline, "sweep-progress")).tell


class _Progress:
    """An artifact that follows a step. Whatever happens to the server, the training goes on."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.artifact: UUID | None = None
        self.away = False
        self.silent_until = 0.0

    def tell(self, done: float, text: str) -> None:
        if time.monotonic() < self.silent_until:
            return
        # Prefect's client would try again for a minute, and the training wait for it.
        # In a flow of a user's own, a profile of Prefect's may name the server, or none is named.
        named = "PREFECT_API_URL" in os.environ
        before, self.away = self.away, named and not answers()
        if self.away and not before:
            log.warning(
                "Prefect's server does not answer: the training goes on, and its progress is "
                "not shown"
            )
        if self.away:
            self.silent_until = time.monotonic() + SILENCE
            return

        try:
            self._write(100 * done, text)
        except Exception as error:
            log.warning("the progress cannot be shown in Prefect: %s", error)

    def _write(self, percent: float, text: str) -> None:
        if self.artifact is None:
            made = create_progress_artifact(percent, key=self.key, description=text)
            self.artifact = cast(UUID, made)  # Prefect's type says that it may be a coroutine
        else:
            update_progress_artifact(self.artifact, percent, description=text)
