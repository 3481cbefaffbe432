"""The flow that makes a model the champion, or says why not: one run in Prefect's UI."""

from __future__ import annotations

import logging
from typing import Any

from prefect import flow
from prefect.states import Completed, Failed, State

from flows.engine import promotion
from flows.project.folder import Project
from flows.server import champion, runs
from tasks.core.step import UserError

log = logging.getLogger("flows")


@flow(name="promote", flow_run_name="{pipeline}", persist_result=False, retries=0)
def promote_model(pipeline: str, back: bool = False) -> State[Any]:
    """Make the model of the last commit the champion, if it is better on the same test rows.

    Args:
        pipeline: A section of params.yaml.
        back: Return to the champion before, without a test.
    """
    project = Project.here()
    runs.begin()
    state = _promote(project, pipeline, back)
    runs.conclude(state, {})
    return state


def _promote(project: Project, pipeline: str, back: bool) -> State[Any]:
    try:
        decide = promotion.back if back else promotion.promote
        outcome = decide(project, pipeline)
    except Exception as error:
        if not isinstance(error, UserError | OSError):
            log.exception(
                "promote: this is a bug in keras-flows, not in your input. No tag was made."
            )
            raise
        log.error("%s", error)
        return Failed(message=str(error))

    champion.report(project, pipeline)
    says = f"{pipeline} {outcome.version}: {outcome.says}"
    if outcome.promoted:
        return Completed(name=runs.PROMOTED, message=says)
    if outcome.says == promotion.ALREADY:
        return Completed(message=says)
    return Failed(name=runs.NOT_BETTER, message=says)
