"""The progress of a long step, as an artifact of its task in Prefect's UI."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.server.process import answers
from flows.server.report import key
from tasks.core.step import watchers

log = logging.getLogger("flows")


@contextmanager
def shown(pipeline: str) -> Iterator[None]:
    """Around a step: what it tells of its progress is an artifact of its task."""
    artifact, away = None, False

    def tell(done: float, text: str) -> None:
        nonlocal artifact, away
        before, away = away, not answers()
        if away:  # Prefect's client would try again for a minute, and the training wait for it
            if not before:
                log.warning(
                    "Prefect's server does not answer: the training goes on, and its progress is not shown"
                )
            return
        try:
            if artifact is None:
                artifact = create_progress_artifact(
                    100 * done, key=key(pipeline, "progress"), description=text
                )
            else:
                update_progress_artifact(artifact, 100 * done, description=text)
        except Exception as error:  # whatever the server does to it, the training goes on
            log.warning("the progress cannot be shown in Prefect: %s", error)

    watchers.append(tell)
    try:
        yield
    finally:
        watchers.remove(tell)
