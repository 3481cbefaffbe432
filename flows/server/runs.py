"""The records of flow runs in Prefect's server: how they begin, and how they end."""

from __future__ import annotations

import logging
import textwrap
import time
from contextlib import AbstractContextManager
from typing import Any, cast
from uuid import UUID

from httpx import codes
from prefect import tags, task_engine
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import State, StateType, TaskRun
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import emit_event
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run
from prefect.states import Cancelled

from flows.server import unfinished
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
    return tags(unfinished.signature())


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
        if unfinished.signature() not in flow_run.tags:
            client.update_flow_run(UUID(flow_run.id), tags=[*flow_run.tags, unfinished.signature()])
        unfinished.close(client)


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
        unfinished.leave_note(state, steps)
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
    """A run's name with its result, the first line of its message, which lists do not show."""
    says, *_ = (state.message or "").removeprefix(f"{name} ").splitlines() or [""]
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
