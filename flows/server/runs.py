"""The records of runs in Prefect's server: signed, closed when killed, one at a time."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from prefect import Flow, tags, task
from prefect.client.orchestration import get_client
from prefect.client.schemas import State, StateType
from prefect.client.schemas.filters import FlowRunFilter
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Crashed, Failed, Running

from flows.engine.processes import lives, lock
from flows.memory.plan import plan
from flows.project.folder import Project
from flows.server.report import verdict
from tasks.core.step import Stopped, UserError, stopping

log = logging.getLogger("flows")
FLOW = "pipeline"  # the name of the flow in Prefect


def signed() -> tags:
    """Around the start of a flow run: it has a tag from which a later run can tell whether its process still lives."""
    return tags(_signature())


def begin() -> None:
    """At the start of a flow run: sign it if another, such as a worker, has made it; close those that were killed."""
    dead = Crashed(message="its process was killed")
    unfinished = FlowRunFilter(state={"type": {"any_": [StateType.RUNNING, StateType.PENDING]}})
    with get_client(sync_client=True) as client:
        if _signature() not in flow_run.tags:
            client.update_flow_run(UUID(flow_run.id), tags=[*flow_run.tags, _signature()])
        for run in client.read_flow_runs(flow_run_filter=unfinished):
            if str(run.id) != flow_run.id and any(map(_of_a_dead_process, run.tags)):
                for step in client.read_task_runs(
                    flow_run_filter=FlowRunFilter(id={"any_": [run.id]})
                ):
                    if not step.state.is_final():
                        client.set_task_run_state(step.id, dead, force=True)
                client.set_flow_run_state(run.id, dead, force=True)


def _signature() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def _of_a_dead_process(tag: str) -> bool:
    number, _, machine = tag.removeprefix("process ").partition(" on ")
    if machine != platform.node() or not number.isdigit():
        return False
    # In a container the numbers begin anew with each start: this process may have got a dead one's.
    return int(number) == os.getpid() or not lives(int(number))


@contextmanager
def only_run(project: Project, pipeline: str) -> Iterator[None]:
    """Around a flow run: wait until no other is at work on the pipeline in this folder.

    Raises:
        Stopped: the wait was.
    """
    file = project.data(pipeline) / ".resume" / "run.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(
        file, "a+", encoding="utf-8"
    ) as held:  # its lock ends with the process, however that ends
        told = False
        while not lock(held):
            if not told:
                log.info(
                    "another run is at work here (process %s): this one waits for it",
                    file.read_text(),
                )
                told = True
            if stopping.wait(0.5):
                raise Stopped("stopped while it waited for another run")
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


class DvcRun:
    """The record of a `dvc repro`: a run of the flow that Prefect did not start, with its steps.

    Args:
        pipeline: a section of `params.yaml`.
    """

    def __init__(self, project: Project, pipeline: str) -> None:
        flow = Flow(lambda: None, name=FLOW)  # only its name is used
        self.project = project
        self.pipeline, self.states, self.ids = pipeline, {}, {}
        self.client = get_client(sync_client=True)
        about = {"name": f"{pipeline} (dvc repro)", "parameters": {"pipeline": pipeline}}
        found = self.client.create_flow_run(
            flow, state=Running(), tags=["dvc repro", _signature()], **about
        )
        self.run = found.id

    def step(self, name: str, state: str, message: str) -> None:
        """Note that a step has begun (`Running`) or ended."""
        types = {
            "Running": Running,
            "Completed": Completed,
            "Cached": Completed,
            "Failed": Failed,
            "Cancelled": Cancelled,
        }
        self.states[name] = types[state](name=state, message=message)
        if name not in self.ids:
            step = task(lambda: None, name=name)  # only its name is used
            self.ids[name] = self.client.create_task_run(
                step, self.run, name, name=name, state=Running()
            ).id
        self.client.set_task_run_state(self.ids[name], self.states[name], force=True)

    def end(self) -> None:
        """Note how the run has ended, as its steps tell; a step that has not ended was killed."""
        with suppress(UserError):  # another run may be at work by now, and must not wait for this
            for planned in plan(self.project, self.pipeline, locked=False):
                if planned.action == "unchanged" and planned.step not in self.states:
                    self.step(planned.step, "Cached", "nothing has changed")
        for name, state in self.states.items():
            if state.is_running():
                self.states[name] = Crashed(message="dvc repro was killed")
                self.client.set_task_run_state(self.ids[name], self.states[name], force=True)
        bad = [(name, state) for name, state in self.states.items() if not state.is_completed()]
        message = (
            f"{bad[0][0]}: {bad[0][1].message}" if bad else verdict(self.project, self.pipeline)
        )
        kind = StateType(bad[0][1].type) if bad else StateType.COMPLETED
        self.client.set_flow_run_state(self.run, State(type=kind, message=message), force=True)
