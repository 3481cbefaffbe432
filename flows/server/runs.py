"""The records of flow runs in Prefect's server: signed, closed when killed, one at a time."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID

from prefect import tags
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import StateType
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.runtime import flow_run
from prefect.states import Crashed

from flows.engine.processes import lives, lock
from flows.project.folder import Project
from tasks.core.step import Stopped, stopping

log = logging.getLogger("flows")
FLOW = "pipeline"  # the name of the flow in Prefect


def signed() -> AbstractContextManager[set[str]]:
    """Around the start of a flow run: a tag tells a later run whether its process still lives."""
    return tags(signature())


def signature() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def begin() -> None:
    """At the start of a flow run: sign it, if a worker has made it, and close killed runs."""
    with get_client(sync_client=True) as client:
        if signature() not in flow_run.tags:
            client.update_flow_run(UUID(flow_run.id), tags=[*flow_run.tags, signature()])
        for run in client.read_flow_runs(flow_run_filter=_unfinished()):
            if str(run.id) != flow_run.id and any(map(_of_a_dead_process, run.tags)):
                _close(client, run.id)


def _unfinished() -> FlowRunFilter:
    types = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
    return FlowRunFilter(state=FlowRunFilterState(type=types))


def _of_a_dead_process(tag: str) -> bool:
    number, _, machine = tag.removeprefix("process ").partition(" on ")
    if machine != platform.node() or not number.isdigit():
        return False
    # In a container the numbers begin anew with each start: this process may have a dead one's.
    return int(number) == os.getpid() or not lives(int(number))


def _close(client: SyncPrefectClient, run: UUID) -> None:
    """Mark a run and its steps as crashed."""
    why = "its process was killed"
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    for step in client.read_task_runs(flow_run_filter=of_run):
        if step.state and not step.state.is_final():
            client.set_task_run_state(step.id, Crashed(message=why), force=True)
    client.set_flow_run_state(run, Crashed(message=why), force=True)


@contextmanager
def only_run(project: Project, pipeline: str) -> Iterator[None]:
    """Around a flow run: wait until no other is at work on the pipeline in this folder.

    Raises:
        Stopped: the wait was.
    """
    file = project.data(pipeline) / ".resume" / "run.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as held:  # its lock ends with the process
        told = False
        while not lock(held):
            if not told:
                other = file.read_text()
                log.info("another run is at work here (process %s): this one waits for it", other)
                told = True
            if stopping.wait(0.5):
                raise Stopped("stopped while it waited for another run")

        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield
