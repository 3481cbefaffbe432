"""The Prefect flow that answers new rows: the deployment `NAME-predict`, which can be scheduled."""

from __future__ import annotations

import logging
from contextlib import nullcontext

from prefect import flow
from prefect.states import Completed, Failed, State

from flows.predict import answers
from flows.project.folder import Project
from flows.server import answered, runs
from tasks.core.step import UserError
from tasks.sources.place import Place

log = logging.getLogger("flows")


@flow(
    name="predict",
    flow_run_name="{pipeline} {path}",
    persist_result=False,
    retries=0,  # not PREFECT_FLOWS_DEFAULT_RETRIES: the same rows would fail again
)
def run_predict(pipeline: str, path: str, to: str | None = None) -> State:
    """Answer new rows with a trained model, and show the first answers.

    Args:
        pipeline: A trained section of params.yaml.
        path: A file or a folder of the kind that it was trained on: absolute, or from the project.
        to: A CSV file for all answers; nothing: none is written.
    """
    runs.begin()
    state = _predict(Project.here(), pipeline, path, to)
    runs.conclude(state, {})
    return state


def _predict(project: Project, pipeline: str, path: str, to: str | None) -> State:
    # Here: the worker imports this module to show its form.
    from tasks.answers.file import AnswersFile
    from tasks.answers.summary import Summary
    from tasks.drift.watch import Watch

    place = Place(project.root / path, path)
    summary, watch = Summary(), Watch()
    file = AnswersFile(project.root / to, place) if to else None
    try:
        with file.open() if file else nullcontext():
            for part in answers(project, pipeline, place, watch):
                summary.add(part)
                if file:
                    file.add(part.told)
        if to:
            watch.write(project.root / to)
    except (UserError, OSError) as error:
        log.error("%s", error)
        return Failed(message=str(error))

    for line in summary.lines():
        log.info("%s", line)
    answered.show(pipeline, summary)
    state = runs.DRIFT if watch.alarm else "Completed"
    return Completed(name=state, message=", ".join([*watch.sure[:1], *summary.lines()]))
