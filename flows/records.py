"""A run's record in Prefect's server: the only module that talks to it beyond `@flow` and `@task`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Crashed

from flows.server import lock
from tasks.base import Stopped, stopping

log = logging.getLogger("flows")


@contextmanager
def only_run(pipeline: str) -> Iterator[None]:
    """Around a flow run: wait until no other is at work on the pipeline in this folder; close the record of a dead one.

    Raises:
        Stopped: the wait was.
    """
    file = Path("data", pipeline, ".resume", "flow-run.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as held:  # its lock ends with the process, however that ends
        told = False
        while not lock(held):
            if not told:
                log.info("another run is at work here (%s): this one waits for it", file.read_text(encoding="utf-8"))
                told = True
            if stopping.wait(0.5):
                raise Stopped("stopped while it waited for another run")
        left = file.read_text(encoding="utf-8")
        if left:
            with suppress(ValueError):  # a kill may have left half of it
                _close(json.loads(left)["flow run"])
        held.truncate(0)
        json.dump({"flow run": flow_run.id, "process": os.getpid()}, held)
        held.flush()
        try:
            yield
        finally:
            held.truncate(0)


def _close(run: str) -> None:
    """What a killed process left `Running` in the server's books has crashed."""
    dead = Crashed(message="its process was killed; the next run went on from there")
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):  # it may be another server's
        if client.read_flow_run(run).state.is_final():
            return
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        for step in client.read_task_runs(flow_run_filter=chosen):
            if not step.state.is_final():
                client.set_task_run_state(step.id, dead, force=True)
        client.set_flow_run_state(run, dead, force=True)
