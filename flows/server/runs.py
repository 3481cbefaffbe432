"""The records of flow runs in Prefect's server: signed, one at a time, closed if they were not."""

from __future__ import annotations

import json
import logging
import os
import platform
import textwrap
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from httpx import codes
from prefect import tags, task_engine
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import State, StateType, TaskRun
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import flow_run
from prefect.states import Cancelled, Crashed

from flows.engine.processes import lives, take_turn
from flows.project.folder import Project
from flows.server.process import answers

log = logging.getLogger("flows")
FLOW = "pipeline"  # the name of the flow in Prefect
SWEEP = "sweep"  # and that of the flow which tries other parameters
NOT_RUN = "NotRun"  # the state of a step that needs a failed one
NOT_READY = "NotReady"  # Prefect's, of a step that waits for a stopped one
NOT_PASSED = "NotPassed"  # of a run whose model misses min_accuracy or max_mse
NOT_BETTER = "NotBetter"  # whose model was not shown to be better than the champion
PROMOTED = "Promoted"  # that has made a new champion
DRIFT = "Drift"  # whose rows differ from the validation rows
LONGEST = 120  # characters of a run's name
FAILURES = {StateType.FAILED, StateType.CRASHED}


def signed() -> AbstractContextManager[set[str]]:
    """Around the start of a flow run: a tag tells a later run whether its process still lives."""
    return tags(signature())


def signature() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def name_waiting_steps() -> None:
    """Call the run of a task as the task; Prefect adds letters to it until it begins."""
    create = task_engine._create_task_run_locally

    def named(*arguments: Any, **options: Any) -> TaskRun:
        run = create(*arguments, **options)
        run.name = (options.get("task") or arguments[0]).name
        return run

    task_engine._create_task_run_locally = named


def begin() -> None:
    """At the start of a flow run: sign it, if a worker has made it, and close runs that ended."""
    with get_client(sync_client=True) as client:
        _announce(client, UUID(flow_run.id))
        if signature() not in flow_run.tags:
            client.update_flow_run(UUID(flow_run.id), tags=[*flow_run.tags, signature()])
        for note in _untold().glob("*.json"):
            _tell(client, note)
        for run in client.read_flow_runs(flow_run_filter=_unfinished()):
            if str(run.id) != flow_run.id and any(map(_of_a_dead_process, run.tags)):
                _close(client, run.id, Crashed(message="its process was killed"), {})


def _announce(client: SyncPrefectClient, run: UUID) -> None:
    """Send the event that Prefect's scheduler left out: that a run of a schedule was made.

    All later events of the run follow it, so automations would hear of its end after 15 minutes.
    """
    if not client.read_flow_run(run).auto_scheduled:
        return
    first = min(client.read_flow_run_states(run), key=lambda state: state.timestamp)
    emit_event(
        f"prefect.flow-run.{first.name}",
        {"prefect.resource.id": f"prefect.flow-run.{run}"},
        occurred=first.timestamp,
        id=first.id,
    )


def server_is_away(state: State) -> None:
    """Called at the end of a run whose server has gone. The command line ends the process then."""


def conclude(state: State, steps: dict[str, State], patience: int | None = None) -> None:
    """At the end of a flow run: its name tells the result in lists, and failures have an end.

    Args:
        state: in which it ends.
        steps: the states in which its steps have ended.
        patience: so many scheduled runs may fail in a row; None: any number.
    """
    if not answers():
        _leave_note(state, steps)
        server_is_away(state)
        return
    try:
        with get_client(sync_client=True) as client:
            _conclude(client, state, steps, patience)
    except Exception as error:  # the run has ended as it has, whatever the server says
        log.warning("Prefect's server did not take the result into its lists: %s", error)


def _conclude(
    client: SyncPrefectClient, state: State, steps: dict[str, State], patience: int | None
) -> None:
    run = client.read_flow_run(UUID(flow_run.id))
    if state.is_failed() and patience and run.auto_scheduled and run.deployment_id:
        _pause_if_all_failed(client, run.deployment_id, state, patience)
    if state.is_failed() or state.is_completed():
        client.update_flow_run(run.id, name=titled(run.name, state))

    for step in steps.values():
        if step.name in (NOT_RUN, NOT_READY):
            _tell_not_run(client, step)


def _tell_not_run(client: SyncPrefectClient, step: State) -> None:
    """Show a step that did not run otherwise than the failed one.

    While the run lasts it counts as failed: with any other state Prefect would not start, and so
    not end, the steps that wait for it.
    """
    why = step.message if step.name == NOT_RUN else "the run was stopped before this step"
    end: State = Cancelled(name=NOT_RUN, message=why)
    run = cast(UUID, step.state_details.task_run_id)
    for _ in range(20):  # the server gets to know a step some time after it has begun
        try:
            client.set_task_run_state(run, end, force=True)
            return
        except PrefectHTTPStatusError as error:
            if error.response.status_code != codes.NOT_FOUND:
                raise
        time.sleep(0.5)


def titled(name: str, state: State) -> str:
    """A run's name with its result, as lists do not show a state's message."""
    says = (state.message or "").removeprefix(f"{name} ")
    return textwrap.shorten(f"{name}: {says}", LONGEST, placeholder=" ...")


def _pause_if_all_failed(
    client: SyncPrefectClient, deployment: UUID, state: State, patience: int
) -> None:
    """Turn a deployment's schedules off when its last scheduled runs have failed, and say so."""
    before = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
        ),
        sort=FlowRunSort.END_TIME_DESC,
    )
    scheduled = [each.state_type for each in before if each.auto_scheduled][: patience - 1]
    if len(scheduled) < patience - 1 or not FAILURES.issuperset(scheduled):
        return

    for schedule in client.read_deployment_schedules(deployment):
        client.update_deployment_schedule(deployment, schedule.id, active=False)
    log.error(
        "failed %d times in a row, so the schedule is off: turn it on again when this is fixed",
        patience,
    )
    state.message = f"schedule turned off after {patience} failures: {state.message}"


def _leave_note(end: State, steps: dict[str, State]) -> None:
    """Keep how this flow run and its steps ended, as its server has gone: a later run tells it."""
    note = _untold() / f"{flow_run.id}.json"
    note.parent.mkdir(exist_ok=True)
    whole = {"end": _kept(end), "steps": {name: _kept(state) for name, state in steps.items()}}
    part = note.with_suffix(".part")
    part.write_text(json.dumps(whole), encoding="utf-8")
    part.replace(note)


def _untold() -> Path:
    return Path(os.environ["PREFECT_HOME"]) / "untold"


def _kept(state: State) -> dict[str, Any]:
    return state.model_dump(mode="json", include={"type", "name", "message", "timestamp"})


def _tell(client: SyncPrefectClient, note: Path) -> None:
    """Close a run as its note says; one of another server stays for that."""
    try:
        run = UUID(note.stem)
        said = json.loads(note.read_text(encoding="utf-8"))
        steps = {name: State(**kept) for name, kept in said["steps"].items()}
        end = State(**said["end"])
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged
        note.unlink(missing_ok=True)
        return

    with suppress(ObjectNotFound):
        state = client.read_flow_run(run).state
        if state is None or not state.is_final():
            _close(client, run, end, steps)
        note.unlink(missing_ok=True)


def _unfinished() -> FlowRunFilter:
    types = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
    return FlowRunFilter(state=FlowRunFilterState(type=types))


def _of_a_dead_process(tag: str) -> bool:
    number, _, machine = tag.removeprefix("process ").partition(" on ")
    if machine != platform.node() or not number.isdigit():
        return False
    # In a container the numbers begin anew with each start: this process may have a dead one's.
    return int(number) == os.getpid() or not lives(int(number))


def _close(client: SyncPrefectClient, run: UUID, end: State, steps: dict[str, State]) -> None:
    """Set the final state of a run, and of those of its steps that have none."""
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    for step in client.read_task_runs(flow_run_filter=of_run):
        if step.state and not step.state.is_final():
            client.set_task_run_state(step.id, steps.get(step.name, end), force=True)
    client.set_flow_run_state(run, end, force=True)


@contextmanager
def only_run(project: Project, pipeline: str) -> Iterator[None]:
    """Around a flow run: wait until no other is at work on the pipeline in this folder.

    Raises:
        Stopped: the wait was.
    """
    file = project.data(pipeline) / ".resume" / "run.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as held:  # its lock ends with the process
        take_turn(held, f"another run (process {file.read_text()})")
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield
