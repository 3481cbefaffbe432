"""The flow that tries other parameters of a pipeline: each trial is a Prefect task.

Prefect shows and schedules; what is tried, and what is known already, says `flows/engine`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from prefect import flow, task
from prefect.context import TagsContext
from prefect.futures import as_completed
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from flows.engine import rounds
from flows.engine.rounds import Table
from flows.engine.side_by_side import MOST, SideBySide, values
from flows.engine.step import stop_on_signals
from flows.engine.sweep import sweep
from flows.engine.trial import DONE, Result, Trial
from flows.pipeline import as_task
from flows.project.folder import Project
from flows.server import progress, runs, sweeps
from flows.turn import RESUMES
from tasks.core.digits import digits
from tasks.core.step import Stopped, UserError, log

Tell = Callable[[float, str], None]


def concluded(table: Table) -> None:
    """Called at the end of a sweep. The command line shows its table."""


def _name() -> str:
    return f"{flow_run.parameters['pipeline']} sweep"


@flow(
    name=runs.SWEEP,
    flow_run_name=_name,
    task_runner=ThreadPoolTaskRunner(max_workers=MOST),  # type: ignore[arg-type] # of any result
    persist_result=False,
    retries=0,
)
def run_sweep(pipeline: str, workers: int = 1, apply: bool = False, on: str | None = None) -> State:
    """Try other parameters of a pipeline, as `sweeps` in params.yaml says.

    Args:
        pipeline: A section of params.yaml, also under sweeps.
        workers: Trials side by side.
        apply: Write the best parameters into params.yaml.
        on: The address of a Dask scheduler, whose workers run the trials.
    """
    if threading.current_thread() is threading.main_thread():
        stop_on_signals()
    runs.begin()
    steps: dict[str, State] = {}
    state = _run(pipeline, workers, apply, on, steps)
    runs.conclude(state, steps)
    return state


def _run(
    pipeline: str, workers: int, apply: bool, on: str | None, steps: dict[str, State]
) -> State:
    if not 0 < workers <= MOST:
        return Failed(message=f"workers is {workers}, expected 1 to {MOST}")
    project, tell = Project.here(), progress.of_run(pipeline)
    try:

        def submit(side: SideBySide) -> rounds.Run:
            return _as_tasks(side, steps, tell)

        table = sweep(project, pipeline, workers, submit, apply, on)
        sweeps.report(project, table)
        concluded(table)
        return Completed(message=f"{table.so_far()}: trial {table.ranked[0]}")
    except Stopped as stopped:
        return Cancelled(message=f"{stopped}; {RESUMES}")
    except (UserError, OSError) as error:
        log.error("%s", error)
        return Failed(message=str(error))


def _as_tasks(side: SideBySide, states: dict[str, State], tell: Tell) -> rounds.Run:
    """Each trial is a task, which begins when a worker is free."""

    def run(trials: list[Trial]) -> list[Result]:
        free, results = threading.Semaphore(len(side.all)), dict[int, Result]()
        futures: dict[str, Any] = {}
        for trial in trials:
            free.acquire()
            if side.error:  # the others would be tasks that end at once
                break
            tell(*side.lines.so_far())
            do = _Do(side, trial, results, free)
            with TagsContext():  # for each tag Prefect would ask the server
                futures[do.name] = one_trial.submit(do.name, quote(do))
        for future in as_completed(list(futures.values())):
            future.wait()  # else its state is asked of the server, which may have gone
            tell(*side.lines.so_far())

        states.update({name: future.state for name, future in futures.items()})
        if side.error:
            raise side.error
        return [results[trial.number] for trial in trials]

    return run


class _Do:
    """One trial, to be run in a task."""

    def __init__(
        self,
        side: SideBySide,
        trial: Trial,
        results: dict[int, Result],
        free: threading.Semaphore,
    ) -> None:
        self.side, self.trial, self.results, self.free = side, trial, results, free
        self.name = f"trial {trial.number}: {values(trial)}"
        if trial.goes_on:
            self.name += f", {trial.epochs} epochs"

    def __call__(self) -> Result:
        try:
            result = self.results[self.trial.number] = self.side.run(self.trial)
            return result
        finally:
            self.free.release()


@task(task_run_name="{name}", **{**as_task, "retries": 0})
def one_trial(name: str, do: Any) -> State:
    """Train a model with other parameters, as far as DVC does not know it."""
    try:
        result = do()
    except Stopped as stopped:
        return Cancelled(message=str(stopped))
    except UserError as error:
        return Failed(message=str(error))
    if result.state != DONE:
        return Failed(
            name="Diverged" if "diverged" in result.says else "Failed", message=result.says
        )
    objective = do.side.trials.sweep.params.objective
    said = f"{objective} {digits(result.value)} in epoch {result.best_epoch}"
    return Completed(name="Cached" if result.found else "Completed", message=said)
