"""The flow: Prefect decides when and where the steps of `dvc.yaml` run. Whether, DVC decides (`flows/memory.py`)."""

from __future__ import annotations

import time
from collections.abc import Callable

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows import memory, step
from flows.memory import Plan
from tasks.base import Stopped, TryAgain, UserError, log, stopping

# What the terminal shows of a step: (step, outcome, seconds, what it said or why it failed).
Show = Callable[[str, str, float, str], None]


@flow(
    name="pipeline", flow_run_name="{pipeline}", task_runner=ThreadPoolTaskRunner(max_workers=4), persist_result=False
)
def run_pipeline(pipeline: str, plan: list[Plan], show: Show, force: bool = False) -> State:
    """Bring every step of a pipeline up to date, each as soon as the steps before it are done."""
    futures: dict[str, object] = {}
    for planned in plan:
        as_task = task(
            bring_up_to_date,
            name=planned.step,
            description=planned.description,
            task_run_name=planned.step,
            cache_policy=NO_CACHE,  # DVC is the cache; Prefect's would hash every argument
            retries=2 if planned.step == "load" else 0,  # the only step that may use a network
            retry_delay_seconds=exponential_backoff(2),
            retry_condition_fn=_may_pass,
        )
        futures[planned.step] = as_task.submit(
            pipeline, planned, show, force, wait_for=[futures[name] for name in planned.after]
        )
    wait(list(futures.values()))
    if stopping.is_set():
        return Cancelled(message="stopped; the same command goes on from there")
    failed = [name for name, future in futures.items() if future.state.is_failed()]
    if failed:
        return Failed(message=f"{', '.join(failed)}: {futures[failed[0]].state.message}")
    return Completed(message=futures["evaluate"].state.message)


def bring_up_to_date(pipeline: str, planned: Plan, show: Show, force: bool) -> State:
    """One step, as a Prefect task. Its state says what happened: `Completed`, `Cached`, or `Failed` with the reason."""
    if stopping.is_set():
        return Cancelled(message="the run was stopped before this step")
    started = time.monotonic()
    said = ""

    def function() -> None:
        nonlocal said
        said = step.run(planned.step, pipeline)

    try:
        outcome = memory.bring_up_to_date(planned.address, function, force)
    except TryAgain:
        raise
    except Stopped as stopped:
        memory.put_back(planned.address)
        show(planned.step, "stopped", time.monotonic() - started, str(stopped))
        return Cancelled(message=str(stopped))
    except UserError as error:
        memory.put_back(planned.address)
        show(planned.step, "failed", time.monotonic() - started, str(error))
        return Failed(message=str(error))
    except Exception:
        log.exception("%s: this is a defect of the program, not yours", planned.step)
        raise
    said = {memory.UNCHANGED: "nothing has changed", memory.RESTORED: "restored from DVC's cache"}.get(outcome, said)
    show(planned.step, outcome, time.monotonic() - started, said)
    return Completed(name="Completed" if outcome == memory.RUN else "Cached", message=said)


def _may_pass(task, run, state) -> bool:
    return isinstance(state.result(raise_on_failure=False), TryAgain)
