"""The flow that trains a pipeline: eight Prefect tasks, chained by the graph of `dvc.yaml`.

Prefect decides when and where a step runs; whether, DVC decides (`flows/memory`). Each task can be
used in a flow of your own: `from flows.pipeline import load, fit`, then `fit("fashion")`.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from prefect import Task, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TagsContext
from prefect.exceptions import CancelledRun, FailedRun
from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff
from prefect.utilities.annotations import allow_failure, quote

from flows.engine import copies, experiment, witness
from flows.engine import step as engine
from flows.engine.processes import alone
from flows.memory import lock
from flows.memory.plan import plan
from flows.project.folder import Project
from flows.project.form import form
from flows.server import report, reporter, runs
from flows.turn import NOTHING_CHANGED, RESUMES, RETRIES, How, bring_up_to_date
from tasks.core.digits import digits
from tasks.core.step import Stopped, TryAgain, UserError, stopping

log = logging.getLogger("flows")  # shown in the terminal and in Prefect's UI, as the steps' lines
for name in ("flows", "tasks"):
    logging.getLogger(name).setLevel(logging.INFO)
runs.name_waiting_steps()
# The flow has a line of its own for how each step ended.
logging.getLogger("prefect.task_runs").addFilter(
    lambda record: not record.getMessage().startswith("Finished in state")
)
# Prefect logs a run that was cancelled or has failed with a traceback through its own code.
logging.getLogger("prefect.flow_runs").addFilter(
    lambda record: (
        not (record.exc_info and isinstance(record.exc_info[1], CancelledRun | FailedRun))
    )
)

PAUSE_AFTER = 3  # scheduled runs that failed, if params.yaml cannot be read
Changes: Any = form()  # Prefect makes its form from this model
NOTHING = Changes()
ALONE = How()


def _may_pass(task, run, state) -> bool:
    return isinstance(state.result(raise_on_failure=False), TryAgain)


as_task: dict[str, Any] = {
    "cache_policy": NO_CACHE,  # DVC is the cache; Prefect's would hash every argument
    "retries": RETRIES,
    "retry_delay_seconds": exponential_backoff(2),  # seconds, doubled each time
    "retry_condition_fn": _may_pass,
}


@task(**as_task)
def load(pipeline: str, how: How = ALONE) -> State:
    """Find the dataset and check it."""
    return bring_up_to_date("load", pipeline, how)


@task(**as_task)
def normalize(pipeline: str, how: How = ALONE) -> State:
    """Check the data, hold out the validation split, scale the inputs."""
    return bring_up_to_date("normalize", pipeline, how)


@task(**as_task)
def visualize(pipeline: str, how: How = ALONE) -> State:
    """Draw the first training rows, and the near-duplicates across training and test rows."""
    return bring_up_to_date("visualize", pipeline, how)


@task(**as_task)
def build(pipeline: str, how: How = ALONE) -> State:
    """Stack the layers; the last one follows from the labels."""
    return bring_up_to_date("build", pipeline, how)


@task(**as_task)
def compile(pipeline: str, how: How = ALONE) -> State:
    """Choose optimizer, loss and metric; the loss follows from the labels."""
    return bring_up_to_date("compile", pipeline, how)


@task(**as_task)
def fit(pipeline: str, how: How = ALONE) -> State:
    """Train, and keep the weights of the best epoch."""
    return bring_up_to_date("fit", pipeline, how)


@task(**as_task)
def reload_best(pipeline: str, how: How = ALONE) -> State:
    """Put the best epoch's weights back into the model."""
    return bring_up_to_date("reload_best", pipeline, how)


@task(**as_task)
def evaluate(pipeline: str, how: How = ALONE) -> State:
    """Measure the model on the test rows, once."""
    return bring_up_to_date("evaluate", pipeline, how)


TASKS: dict[str, Task] = {
    each.name: each
    for each in (load, normalize, visualize, build, compile, fit, reload_best, evaluate)
}


def _changed(changes: Changes) -> dict[str, dict]:
    """The values of the form that were filled in."""
    return {section: values for section, values in changes.model_dump().items() if values}


def _name() -> str:
    """`fashion`; for an experiment `fashion epochs 3, seed 1`."""
    given = flow_run.parameters
    parts = _changed(Changes.model_validate(given["changes"])).values()
    values = [f"{key} {value}" for part in parts for key, value in part.items()]
    return " ".join([given["pipeline"], ", ".join(values)]).strip()


@flow(
    name=runs.FLOW,
    flow_run_name=_name,
    task_runner=ThreadPoolTaskRunner(max_workers=4),  # type: ignore[arg-type] # of any result
    persist_result=False,
    retries=0,  # not PREFECT_FLOWS_DEFAULT_RETRIES: the same files would fail again
)
def run_pipeline(pipeline: str, force: bool = False, changes: Changes = NOTHING) -> State:
    """Bring every step of a pipeline up to date, each as soon as the steps before it are done.

    Args:
        pipeline: A section of params.yaml.
        force: Run every step, also where nothing has changed.
        changes: Other values than in params.yaml, for this run alone. It becomes a DVC experiment.
    """
    if threading.current_thread() is threading.main_thread():
        engine.stop_on_signals()
    project = Project.here()
    reporter.catch_up(project)
    runs.begin()

    steps: dict[str, State] = {}
    state = _run(project, pipeline, force, _changed(changes), steps)
    runs.conclude(state, steps, _patience(project, pipeline))
    return state


def _patience(project: Project, pipeline: str) -> int | None:
    """How many scheduled runs may fail in a row."""
    try:
        return project.read(pipeline).run.pause_after
    except UserError:  # which is why this one has failed
        return PAUSE_AFTER


def _run(
    project: Project,
    pipeline: str,
    force: bool,
    changes: dict[str, dict],
    steps: dict[str, State],
) -> State:
    """Run the steps; how each ended is noted in `steps`."""
    try:
        project.read(pipeline)  # refuses a mistake before anything is made
        copies.remove_left(project)
        if changes:
            return _run_experiment(project, pipeline, force, changes, steps)
        with alone(project, pipeline):
            for line in witness.settle(project):
                log.warning("%s", line)
            return _run_steps(project, pipeline, force, steps, pipeline)
    except Stopped as stopped:
        return Cancelled(message=str(stopped))
    except (UserError, OSError) as error:  # a full disk may stop a run before its first step
        log.error("%s", error)
        return Failed(message=str(error))


def _run_experiment(
    project: Project, pipeline: str, force: bool, changes: dict, steps: dict[str, State]
) -> State:
    name = f"{pipeline}-{str(flow_run.id)[:8]}"

    with experiment.workspace(project, name, pipeline, changes) as copy:
        state = _run_steps(copy, pipeline, force, steps, f"{pipeline}-experiment")
        if state.is_completed() or state.name == runs.NOT_PASSED:
            log.info("recording the experiment %s", name)
            experiment.save(copy, name, pipeline)
            adopt = f"python -m flows compare {pipeline} --apply {name}"
            state.message = f"{name}: {_validated(copy, pipeline)}\nTo adopt it: {adopt}"
        return state


def _validated(project: Project, pipeline: str) -> str:
    """The scores by which experiments are compared; where there are none, those of the test."""
    found = {
        name: value
        for name, value in report.metrics(project, pipeline).items()
        if name.startswith("val_")
    }
    if not found:
        return report.verdict(project, pipeline)
    missed = [report.MISSED] if report.passed(project, pipeline) is False else []
    return ", ".join([*missed, *(f"{name} {digits(value)}" for name, value in found.items())])


def _run_steps(
    project: Project, pipeline: str, force: bool, states: dict[str, State], name: str
) -> State:
    """Run the steps, and report what they made by a name."""
    before, started = report.metrics(project, pipeline), time.monotonic()
    states |= _states(_submit(project, pipeline, force, name))

    if stopping.is_set():
        return Cancelled(message=RESUMES)
    failed = [name for name, state in states.items() if not state.is_completed()]
    if failed:
        return Failed(message=f"{failed[0]}: {states[failed[0]].message}")

    verdict = report.verdict(project, pipeline)
    if all(state.message == NOTHING_CHANGED for state in states.values()):
        return _judged(project, pipeline, f"{NOTHING_CHANGED}: {verdict}")

    steps = [(name, str(state.name), str(state.message)) for name, state in states.items()]
    run = report.Run(before, steps, time.monotonic() - started, _rows(project, pipeline))
    report.report(project, pipeline, run, name)
    return _judged(project, pipeline, verdict)


def _rows(project: Project, pipeline: str) -> str:
    """The MD5 of what `load` wrote."""
    recorded = lock.outputs(project).get(f"data/{pipeline}/raw.npz")
    if recorded is None:
        raise UserError("dvc.lock was deleted or replaced during the run. Run again.")
    return recorded


def _judged(project: Project, pipeline: str, message: str) -> State:
    """How a run ends all of whose steps are done."""
    if report.passed(project, pipeline) is not False:
        return Completed(message=message)
    end = Failed if project.read(pipeline).run.must_pass else Completed
    return end(name=runs.NOT_PASSED, message=message)


def _submit(project: Project, pipeline: str, force: bool, shown: str) -> dict[str, PrefectFuture]:
    """Start every step, to run when the steps before it have ended."""
    futures: dict[str, PrefectFuture] = {}

    for planned in plan(project, pipeline, force):
        after = {name: futures[name] for name in planned.after}
        how = How(project, force, "; ".join(planned.reasons), after, shown)

        # A step that needs a failed one says so and ends; Prefect would leave it pending for ever.
        ended = [allow_failure(future) for future in after.values()]
        # Without the run's tags: for each tag of a task Prefect asks the server when it ends.
        with TagsContext():
            futures[planned.step] = TASKS[planned.step].submit(pipeline, quote(how), wait_for=ended)
    return futures


def _states(futures: dict[str, PrefectFuture]) -> dict[str, State]:
    wait(list(futures.values()))
    return {name: future.state for name, future in futures.items()}
