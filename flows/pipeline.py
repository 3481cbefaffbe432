"""The flow: Prefect decides when and where the steps of `dvc.yaml` run. Whether, DVC decides (`flows/memory.py`)."""

from __future__ import annotations

import logging
import time

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, wait
from prefect.runtime import task_run
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows import memory, records, step
from tasks.base import Stopped, TryAgain, UserError, stopping

log = logging.getLogger("flows")  # shown in the terminal and in Prefect's UI
RETRIES = 2  # of a step that could not reach something outside: only `load` can say so
WORDS = {memory.RUN: "ran", memory.UNCHANGED: "cached", memory.RESTORED: "restored"}


@flow(
    name="pipeline", flow_run_name="{pipeline}", task_runner=ThreadPoolTaskRunner(max_workers=4), persist_result=False
)
def run_pipeline(pipeline: str, force: bool = False) -> State:
    """Bring every step of a pipeline up to date, each as soon as the steps before it are done.

    Args:
        pipeline: a section of `params.yaml`.
        force: run every step, also where nothing has changed.
    """
    try:
        with records.only_run(pipeline):
            return _run_steps(pipeline, force)
    except Stopped as stopped:
        return Cancelled(message=str(stopped))
    except UserError as error:
        return Failed(message=str(error))


def _run_steps(pipeline: str, force: bool) -> State:
    futures: dict[str, PrefectFuture] = {}
    for planned in memory.plan(pipeline, force):
        as_task = task(
            bring_up_to_date,
            name=planned.step,
            description=planned.description,
            task_run_name=planned.step,
            cache_policy=NO_CACHE,  # DVC is the cache; Prefect's would hash every argument
            retries=RETRIES,
            retry_delay_seconds=exponential_backoff(2),  # seconds, doubled each time
            retry_condition_fn=_may_pass,
        )
        first, *more = planned.reasons or [""]
        because = f"{first} and {len(more)} more" if more else first
        before = [futures[name] for name in planned.after]
        futures[planned.step] = as_task.submit(pipeline, planned.step, because, force, wait_for=before)
    wait(list(futures.values()))
    if stopping.is_set():
        return Cancelled(message="the same command goes on from there")
    failed = [name for name, future in futures.items() if future.state.is_failed()]
    if failed:
        return Failed(message=f"{failed[0]}: {futures[failed[0]].state.message}")
    return Completed(message=futures["evaluate"].state.message)


def bring_up_to_date(pipeline: str, name: str, because: str, force: bool) -> State:
    """One step, as a Prefect task. Its state says what happened: `Completed`, `Cached`, or `Failed` with the reason."""
    if stopping.is_set():
        return Cancelled(message="the run was stopped before this step")
    address, started, said = f"{name}@{pipeline}", time.monotonic(), ""

    def function() -> None:
        nonlocal said
        said = step.run(name, pipeline)

    def tell(word: str, what: str) -> str:
        log.info("%-12s %-9s %6.1f s  %s", name, word, time.monotonic() - started, what)
        return what

    try:
        outcome = memory.bring_up_to_date(address, function, force)
    except Stopped as stopped:
        memory.put_back(address)
        return Cancelled(message=tell("stopped", str(stopped)))
    except UserError as error:
        memory.put_back(address)
        if isinstance(error, TryAgain) and task_run.run_count <= RETRIES:
            tell("waits", "and tries again in a moment")
            raise
        return Failed(message=tell("failed", str(error)))
    except Exception:
        log.exception("%s: a defect of the program, not your mistake", name)
        raise
    why = {memory.UNCHANGED: "nothing has changed", memory.RESTORED: f"from DVC's cache ({because})"}
    message = tell(WORDS[outcome], why.get(outcome, f"{said} ({because})"))
    return Completed(name="Completed" if outcome == memory.RUN else "Cached", message=message)


def _may_pass(task, run, state) -> bool:
    return isinstance(state.result(raise_on_failure=False), TryAgain)
