"""The record of a `dvc repro` in Prefect's server: a run that Prefect did not start."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from prefect import Flow, Task
from prefect.client.orchestration import get_client
from prefect.client.schemas import State, StateType
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterTags,
)
from prefect.states import Cancelled, Completed, Crashed, Failed, Running

from flows.memory.plan import plan
from flows.memory.reproduce import UNCHANGED
from flows.project.folder import Project
from flows.server.report import MISSED, verdict
from flows.server.runs import FLOW, NOT_PASSED, titled
from flows.server.unfinished import signature
from tasks.core.step import UserError

STATES = {
    "Running": Running,
    "Completed": Completed,
    "Cached": Completed,
    "Failed": Failed,
    "Cancelled": Cancelled,
    "TimedOut": Failed,
}


class DvcRun:
    """One `dvc repro` of one pipeline, with its steps.

    Args:
        pipeline: its name in `params.yaml`.
        command: a tag that tells this `dvc repro` from every other. If a reporter that was killed
            has begun to tell of it, this one goes on.
    """

    def __init__(self, project: Project, pipeline: str, command: str) -> None:
        self.project, self.pipeline = project, pipeline
        self.states: dict[str, State] = {}  # of the steps
        self.client = get_client(sync_client=True)
        self.name = f"{pipeline} (dvc repro)"
        self.run = self._begun(command) or self._begin(command)

        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[self.run]))
        found = self.client.read_task_runs(flow_run_filter=of_run)
        self.ids: dict[str, UUID] = {step.name: step.id for step in found}

    def _begun(self, command: str) -> UUID | None:
        tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=[command]))
        found = self.client.read_flow_runs(flow_run_filter=tagged)
        return next((run.id for run in found if run.name.startswith(self.name)), None)

    def _begin(self, command: str) -> UUID:
        return self.client.create_flow_run(
            Flow(_nothing, name=FLOW),
            name=self.name,
            parameters={"pipeline": self.pipeline},
            tags=["dvc repro", command, signature()],
            state=Running(),
        ).id

    def step(self, name: str, state: str, message: str) -> None:
        """Note that a step has begun (`Running`) or ended."""
        self.states[name] = STATES[state](name=state, message=message)
        if name not in self.ids:
            task = Task(_nothing, name=name)
            created = self.client.create_task_run(task, self.run, name, name=name, state=Running())
            self.ids[name] = created.id
        self._tell(name)

    def _tell(self, name: str) -> None:
        self.client.set_task_run_state(self.ids[name], self.states[name], force=True)

    def end(self, late: bool) -> None:
        """Note how the run has ended, as its steps tell; a step that has not ended was killed.

        Args:
            late: whether that was some time ago. What lies there now may be of another run.
        """
        if late:
            *_, last = self.states.values()
            said = str(last.message)
        else:
            self._note_unchanged()
            said = verdict(self.project, self.pipeline)

        for name, state in self.states.items():
            if state.is_running():
                self.states[name] = Crashed(message="dvc repro was killed")
                self._tell(name)

        end = self._end(said)
        self.client.set_flow_run_state(self.run, end, force=True)
        self.client.update_flow_run(self.run, name=titled(self.name, end))

    def _end(self, said: str) -> State:
        """That of the first step which did not get through; else what is said of the model."""
        for name, state in self.states.items():
            if not state.is_completed():
                return State(type=state.type, message=f"{name}: {state.message}")
        name = NOT_PASSED if said.startswith(MISSED) else "Completed"
        return State(type=StateType.COMPLETED, name=name, message=said)

    def _note_unchanged(self) -> None:
        with suppress(UserError):  # another run may be at work by now, and must not wait for this
            for planned in plan(self.project, self.pipeline, locked=False):
                if planned.action == UNCHANGED and planned.step not in self.states:
                    self.step(planned.step, "Cached", "nothing has changed")


def _nothing() -> None:
    """Stands for a function: of the flow and its tasks only the names are used."""
