"""Flow runs whose process, or whose server, went before they had ended: a later run closes them.

A tag tells which process a run is of. How a run has ended that lost its server stands in a note.
"""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import State, StateType
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Crashed

from flows.engine.processes import lives


def signature() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def close(client: SyncPrefectClient) -> None:
    """Close all runs but this one that ended without a word."""
    for note in _untold().glob("*.json"):
        _tell(client, note)
    for run in client.read_flow_runs(flow_run_filter=_unfinished()):
        if str(run.id) != flow_run.id and any(map(_of_a_dead_process, run.tags)):
            _close(client, run.id, Crashed(message="its process was killed"), {})


def leave_note(end: State, steps: dict[str, State]) -> None:
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
