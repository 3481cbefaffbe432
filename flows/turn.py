"""A step's turn in a flow: DVC says whether it runs, and the state tells how that went."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from prefect.futures import PrefectFuture
from prefect.runtime import task_run
from prefect.states import Cancelled, Completed, Failed, State

from flows.engine import step as engine
from flows.engine import witness
from flows.memory import lock, reasons
from flows.memory.lock import Used
from flows.memory.plan import AWAY
from flows.memory.reproduce import RESTORED, RUN, UNCHANGED, reproduce
from flows.project.folder import Project
from flows.project.steps import step
from flows.server import progress, runs
from tasks.core.step import Stopped, TimedOut, TryAgain, UserError, stopping

log = logging.getLogger("flows")

RETRIES = 2  # of a step that could not reach something outside: `load` alone says so
NOTHING_CHANGED = "nothing has changed"
RESUMES = "the same command resumes from there"


def at_work(name: str) -> AbstractContextManager:
    """Around a step, however it ends. The command line shows in a terminal what is at work."""
    return nullcontext()


@dataclass(frozen=True)
class How:
    """How a step is run: by itself, unless a flow says more."""

    project: Project = field(default_factory=Project.here)
    force: bool = False
    because: str = "run by itself"
    after: dict[str, PrefectFuture] = field(default_factory=dict)  # the steps that it needs
    shown: str = ""  # whose artifacts it writes, if not the pipeline's


def bring_up_to_date(name: str, pipeline: str, how: How) -> State:
    """Run, restore or leave a step. The state says which: `Completed`, `Cached`, or `Failed`."""
    if stopping.is_set():
        return Cancelled(message="the run was stopped before this step")
    missing = [each for each, future in how.after.items() if not future.state.is_completed()]
    if missing:
        return Failed(name=runs.NOT_RUN, message=f"it needs {missing[0]}")

    turn = Turn(name, pipeline, how)
    try:
        with at_work(name):
            outcome = reproduce(how.project, turn.address, turn.run, how.force)
        witness.forget(how.project, turn.address)
    except TimedOut as late:
        return Failed(name="TimedOut", message=turn.tell("failed", f"{late}; {RESUMES}"))
    except Stopped as stopped:
        return Cancelled(message=turn.tell("stopped", str(stopped)))
    except UserError as error:
        if isinstance(error, TryAgain) and task_run.run_count <= RETRIES:
            turn.tell("waits", "and tries again in a moment")
            raise
        return Failed(message=turn.tell("failed", str(error)))
    except Exception:
        log.exception("%s: this is a bug in keras-flows, not in your input", name)
        raise
    return turn.done(outcome)


class Turn:
    """A step whose turn it is: what it is made from before and after, and what is said of it.

    Args:
        name: of the step.
        pipeline: its name in `params.yaml`.
        how: see `How`.
    """

    def __init__(self, name: str, pipeline: str, how: How) -> None:
        self.name, self.pipeline, self.how = name, pipeline, how
        self.address = f"{name}@{pipeline}"
        self.started, self.said = time.monotonic(), ""
        self.before = lock.stages(how.project).get(self.address, {})

    def run(self) -> Used:
        """Run the step; what it was made from."""
        shown = self.how.shown or self.pipeline
        with progress.shown(shown) if step(self.name).trains else nullcontext():
            self.said, used = engine.run(self.how.project, self.name, self.pipeline, self.how.force)
        return used

    def tell(self, word: str, what: str) -> str:
        """Say how the step ends, in a line of the terminal and of the UI."""
        log.info("%-12s %-9s %6.1f s  %s", self.name, word, time.monotonic() - self.started, what)
        return what

    def done(self, outcome: str) -> State:
        """The state of a step that is up to date.

        Args:
            outcome: what `reproduce` returned.
        """
        if outcome == UNCHANGED:
            message = self.tell("cached", NOTHING_CHANGED)
        elif outcome == RESTORED:
            message = self.tell("restored", f"from DVC's cache{self._because()}")
        else:
            message = self.tell("ran", f"{self.said}{self._because()}")
        return Completed(name="Completed" if outcome == RUN else "Cached", message=message)

    def _because(self) -> str:
        """What has changed by now: a plan does not know what the steps before this one write."""
        if not self.before:  # it ran for the first time
            return ""
        after = lock.stages(self.how.project).get(self.address, {})
        found = "; ".join(reasons.between(self.before, after, self.address)) or self.how.because
        return "" if found == AWAY else f" ({found})"  # the same, in a clone
