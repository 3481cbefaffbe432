"""The flow: Prefect decides when and where the steps of `dvc.yaml` run. Whether, DVC decides (`flows/memory.py`)."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import nullcontext

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TagsContext
from prefect.exceptions import CancelledRun, FailedRun
from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff
from prefect.utilities.annotations import allow_failure, quote

from flows.engine import experiment, step
from flows.memory import repo as memory
from flows.project import params
from flows.server import report as records
from tasks.core.step import Stopped, TryAgain, UserError, stopping

log = logging.getLogger("flows")  # shown in the terminal and in Prefect's UI, as that of the steps
for name in ("flows", "tasks"):
    logging.getLogger(name).setLevel(logging.INFO)
# Prefect logs a run that was cancelled or has failed as a defect too, with a traceback through its own code.
logging.getLogger("prefect.flow_runs").addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], CancelledRun | FailedRun))
)
RETRIES = 2  # of a step that could not reach something outside: only `load` can say so
Changes = params.form()
NOTHING = Changes()
WORDS = {memory.RUN: "ran", memory.UNCHANGED: "cached", memory.RESTORED: "restored"}


def _changed(changes: Changes) -> dict[str, dict]:
    """What of the form was filled in."""
    return {section: values for section, values in changes.model_dump().items() if values}


def _name() -> str:
    """`fashion`, or of an experiment `fashion epochs 3, seed 1`."""
    given = flow_run.parameters
    values = [
        f"{key} {value}"
        for part in _changed(Changes.model_validate(given["changes"])).values()
        for key, value in part.items()
    ]
    return " ".join([given["pipeline"], ", ".join(values)]).strip()


@flow(name="pipeline", flow_run_name=_name, task_runner=ThreadPoolTaskRunner(max_workers=4), persist_result=False)
def run_pipeline(pipeline: str, force: bool = False, changes: Changes = NOTHING) -> State:
    """Bring every step of a pipeline up to date, each as soon as the steps before it are done.

    Args:
        pipeline: A section of params.yaml.
        force: Run every step, also where nothing has changed.
        changes: Other values than params.yaml has, for this run alone. It becomes a DVC experiment.
    """
    if threading.current_thread() is threading.main_thread():
        step.stop_on_signals()
    records.begin()
    asked = _changed(changes)
    try:
        if not asked:
            with records.only_run(pipeline):
                state = _run_steps(pipeline, force)
        else:
            state = _run_experiment(pipeline, force, asked)
    except Stopped as stopped:
        state = Cancelled(message=str(stopped))
    except (UserError, OSError) as error:  # a full or read-only disk may stop a run before its first step
        log.error("%s", error)
        state = Failed(message=str(error))
    records.leave_if_the_server_is_away(state)
    return state


def _run_experiment(pipeline: str, force: bool, changes: dict[str, dict]) -> State:
    params.read(pipeline)
    name = f"{pipeline}-{str(flow_run.id)[:8]}"
    with experiment.workspace(pipeline, changes):
        state = _run_steps(pipeline, force)
        if state.is_completed():
            experiment.save(name, [f"{step}@{pipeline}" for step in params.STEPS])
            state.message += f". Experiment {name}: `dvc exp apply {name}` makes it yours"
        return state


def _run_steps(pipeline: str, force: bool) -> State:
    limits, before, started = params.read(pipeline).timeouts, records.metrics(pipeline), time.monotonic()
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
            timeout_seconds=getattr(limits, planned.step),
        )
        first, *more = planned.reasons or [""]
        because = f"{first}; {len(more)} more" if more else first
        after = {name: futures[name] for name in planned.after}
        # What needs a step that has failed says so and ends; Prefect would leave it pending for ever.
        ended = [allow_failure(future) for future in after.values()]
        arguments = pipeline, planned.step, because, force, quote(after)
        with TagsContext():  # the run's tag is not its tasks': for each of theirs Prefect needs the server at their end
            futures[planned.step] = as_task.submit(*arguments, wait_for=ended)
    wait(list(futures.values()))
    states = {name: future.state for name, future in futures.items()}
    if stopping.is_set():
        return Cancelled(message="the same command goes on from there")
    failed = [name for name, state in states.items() if not state.is_completed()]
    if failed:
        return Failed(message=f"{failed[0]}: {states[failed[0]].message}")
    verdict = records.verdict(pipeline)
    if all(state.message == records.UNCHANGED for state in states.values()):
        return Completed(message=f"{records.UNCHANGED}: {verdict}")
    steps = [(name, state.name, state.message) for name, state in states.items()]
    (data,) = memory.recorded(f"load@{pipeline}")
    records.report(pipeline, before, steps, time.monotonic() - started, data)
    return Completed(message=verdict)


def bring_up_to_date(pipeline: str, name: str, because: str, force: bool, after: dict[str, PrefectFuture]) -> State:
    """One step, as a Prefect task. Its state says what happened: `Completed`, `Cached`, or `Failed` with the reason.

    Args:
        after: the steps that it needs, which have ended.
    """
    if stopping.is_set():
        return Cancelled(message="the run was stopped before this step")
    missing = [name for name, future in after.items() if not future.state.is_completed()]
    if missing:
        return Failed(name="NotRun", message=f"it needs {missing[0]}")
    address, started, said = f"{name}@{pipeline}", time.monotonic(), ""

    def function() -> None:
        nonlocal said
        with records.progress(pipeline) if name == "fit" else nullcontext():
            said = step.run(name, pipeline, force)

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
    except BaseException as error:  # Prefect's timeout, or a defect
        memory.put_back(address)
        if isinstance(error, Exception):
            log.exception("%s: a defect of the program, not your mistake", name)
        raise
    why = {memory.UNCHANGED: records.UNCHANGED, memory.RESTORED: f"from DVC's cache ({because})"}
    message = tell(WORDS[outcome], why.get(outcome, f"{said} ({because})"))
    return Completed(name="Completed" if outcome == memory.RUN else "Cached", message=message)


def _may_pass(task, run, state) -> bool:
    return isinstance(state.result(raise_on_failure=False), TryAgain)
