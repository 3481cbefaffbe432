"""A trial on another machine: what a Dask worker does for a sweep, in a clone of its own.

It runs the code of its clone, so that must be the same code, and the same parameters and rows.
"""

from __future__ import annotations

import asyncio
import os
import threading
from functools import cache
from typing import Any, NamedTuple

from distributed import Reschedule, Worker, get_worker
from distributed.core import Status

from flows.engine.apart import Apart
from flows.engine.processes import hold
from flows.engine.step import Outside
from flows.engine.trial import Result, Trial, Trials, folder, prepare
from flows.memory.recall import Entry
from flows.project import sweeps
from flows.project.folder import Project
from tasks.core.folder import md5
from tasks.core.step import Stopped
from tasks.training import environment

OPEN = (Status.running, Status.paused)  # of a worker that is not about to leave
SAME = ("requirements.lock", "dvc.yaml")  # files that a worker must have, beside all of tasks
CODE = ("flows", "tasks", "models")  # folders: what runs a trial, and what it runs

_here: dict[str, Any] = {}  # the trials of each sweep, and the process that runs them
_turn = threading.Lock()


class Order(NamedTuple):
    """What a worker needs to know of a trial."""

    name: str  # of the pipeline
    trial: Trial
    made_from: str  # of params.yaml
    rows: dict[str, str]  # the MD5s of what `load` and `normalize` wrote
    code: dict[str, str]  # the MD5s of the files that must be the same


class Parcel(NamedTuple):
    """What comes back: the result, and all that DVC needs to know it too."""

    result: Result
    entries: list[Entry]
    contents: dict[str, bytes]
    cpu: tuple[str, ...]  # of that machine
    worker: str = ""  # its address


@cache
def code() -> dict[str, str]:
    """The MD5 of each file that decides what a trial writes, by its path from the root."""
    root = Project.here().root
    files = [root / name for name in SAME]
    files += [file for place in CODE for file in (root / place).rglob("*.py")]
    return {file.relative_to(root).as_posix(): md5(file) for file in sorted(files)}


@cache
def cpu() -> tuple[str, ...]:
    """Make and features of this machine's processor, as far as bits depend on them."""
    return tuple(environment.describe()["cpu"])


def begun_there(name: str) -> set[str]:
    """The digest of each trial of a pipeline that this clone has begun, or trained."""
    return {file.stem for file in folder(Project.here(), name).glob("*.lock")}


async def trained_there(order: Order) -> Parcel | None:
    """What DVC has of a trial here; None if it has to be trained. A trial may run meanwhile."""
    return await asyncio.to_thread(_find, order)


def _find(order: Order) -> Parcel | None:
    _refuse_other_code(order)
    with _turn:
        trials, _ = _of(order)
    found = trials.find(order.trial)
    return found and _parcel(trials, order.trial, found)


def run_there(order: Order) -> Parcel:
    """Run a trial in the clone whose code this worker runs."""
    _refuse_other_code(order)
    worker = get_worker()
    with _turn:
        trials, apart = _of(order)
    with open(folder(trials.project, order.name) / f"{order.trial.digest}.lock", "a") as held:
        hold(held, wait=True)  # Dask may give a trial to a second worker of this clone
        ended = threading.Event()
        about = apart, worker, worker.get_current_task(), ended
        threading.Thread(target=_stop_if_cancelled, args=about, daemon=True).start()
        try:
            result = trials.run(order.trial, apart)
        except Stopped:  # as the sweep was, which hears nothing of this, or this worker is
            raise Reschedule from None
        finally:
            ended.set()
    return _parcel(trials, order.trial, result)._replace(worker=worker.address)


def _parcel(trials: Trials, trial: Trial, result: Result) -> Parcel:
    entries = list(trials.entries.get(trial.trained, {}).values())
    return Parcel(result, entries, trials.recall.packed(entries), cpu())


def _refuse_other_code(order: Order) -> None:
    # As it was when this worker began, which it runs, and as it is now.
    both = code().items() ^ order.code.items() | (code.__wrapped__().items() ^ order.code.items())
    differing = sorted(dict(both))
    if differing:
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        raise Outside(
            f"The Dask worker at {get_worker().address} has another {differing[0]}"
            f"{more}. Bring its clone to the same commit (`git pull`), install its lock file, and "
            "start the worker again."
        )


def _of(order: Order) -> tuple[Trials, Apart]:
    known = _here.get(order.made_from)
    if known is None or known[0].rows != order.rows:  # or the data were brought meanwhile
        project = Project.here()
        found = sweeps.read(project, order.name)
        if found is None or found.made_from != order.made_from:
            raise Outside(
                f"The Dask worker at {get_worker().address} has another params.yaml. Commit yours, "
                "and bring its clone to the same commit (`git pull`)."
            )
        place = folder(project, order.name)
        place.mkdir(parents=True, exist_ok=True)
        prepare(project, order.name)
        log_file = place / f"worker-{os.getpid()}.log"
        _here[order.made_from] = Trials(project, found), Apart(log_file, None)
    trials, apart = _here[order.made_from]
    if trials.rows != order.rows:
        raise Outside(
            f"The Dask worker at {get_worker().address} has normalized other rows. If its data "
            "differ, bring them there (`python -m flows pull`); if its processor rounds "
            "otherwise, take it out of this sweep."
        )
    return trials, apart


def _stop_if_cancelled(apart: Apart, worker: Worker, key: Any, ended: threading.Event) -> None:
    """A sweep may be stopped, or this worker end; Dask would let a trial run to its end."""
    while not ended.wait(0.5):
        task = worker.state.tasks.get(key)
        if task is None or task.state != "executing" or worker.status not in OPEN:
            if not ended.is_set():
                apart.stop()
            return
