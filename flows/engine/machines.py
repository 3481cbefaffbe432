"""Trials on other machines: a Dask worker there runs them in a clone of the project of its own.

Dask carries the trials there and what they wrote back; which of them are done, DVC says. A worker
runs the code of its clone, so it must be the same code, and the same parameters and rows.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import CancelledError
from functools import cache, partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from distributed import Client, Reschedule, Security, Worker, get_worker
from distributed.client import Future
from distributed.comm import CommClosedError
from distributed.core import Status
from distributed.scheduler import KilledWorker

from flows.engine.apart import Apart
from flows.engine.processes import hold
from flows.engine.side_by_side import MOST
from flows.engine.step import Outside
from flows.engine.trial import FAILED, Result, Trial, Trials, folder, prepare
from flows.memory.recall import Entry
from flows.project import sweeps
from flows.project.folder import Project
from tasks.core.folder import md5
from tasks.core.step import Stopped, UserError, log, stopping
from tasks.training import environment

HERE = ("127.0.0.1", "localhost", "::1")  # this machine, for itself
PATIENCE = "30s"  # for the scheduler to answer
PROMPT = 5  # seconds for a worker to say what its clone has begun
DEATHS = 12  # of a worker that has a trial, until the trial counts as failed
OPEN = (Status.running, Status.paused)  # of a worker that is not about to leave
ELSEWHERE = (
    "Dask's scheduler cannot import the project. Start it in the project's folder: python -m "
    "flows.engine.dask_scheduler tcp://127.0.0.1:8786."
)
SAME = ("requirements.lock", "dvc.yaml")  # files that a worker must have, beside all of tasks
CODE = ("flows", "tasks", "models")  # folders: what runs a trial, and what it runs


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


class Clones:
    """Which clone has begun which trial: it has what was trained, or resumes it.

    Args:
        client: of the scheduler, whose workers are asked, each once.
        name: of the pipeline.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name
        self.begun: dict[str, set[str]] = {}  # the digests of trials, by the worker's address
        self.turn = threading.Lock()  # trials are handed out by threads of their own

    def of(self, trial: Trial) -> list[str]:
        """The workers in clones that have begun a trial."""
        with self.turn:
            there = self.client.nthreads()
            if new := [worker for worker in there if worker not in self.begun]:
                self.begun |= self._asked(new)
            return [each for each in there if trial.digest in self.begun.get(each, ())]

    def _asked(self, workers: list[str]) -> dict[str, set[str]]:
        ask = partial(self.client.run, workers=workers, on_error="ignore")
        try:
            return ask(begun_there, self.name, callback_timeout=PROMPT)
        except TimeoutError:  # they are asked again with the next trial
            return {}

    def has(self, worker: str, trial: Trial) -> None:
        """With halving, a trial goes on later."""
        self.begun.setdefault(worker, set()).add(trial.digest)

    def forget(self) -> None:
        """Ask all again: a clone may have another worker than the one that ended."""
        self.begun = {}


class There:
    """Hands trials to Dask, one at a time."""

    def __init__(self, client: Client, clones: Clones) -> None:
        self.client, self.clones = client, clones
        self.future: Future | None = None

    def run(self, trials: Trials, trial: Trial) -> Result:
        parcel = self._sent(
            Order(trials.sweep.name, trial, trials.sweep.made_from, trials.rows, code())
        )
        self.clones.has(parcel.worker, trial)
        _tell_of_another(parcel.cpu)
        for entry in parcel.entries:
            if not trials.recall.find(entry):  # or a trial before has brought it
                trials.recall.adopt(entry, parcel.contents)
        return parcel.result if parcel.result.state == FAILED else trials.find(trial) or _lost()

    def _sent(self, order: Order) -> Parcel:
        for _ in range(DEATHS):
            try:
                places = self.clones.of(order.trial)
                return self._trained(order, places) or self._awaited(self._handed(order, places))
            except RuntimeError as error:
                if "deserialization" not in str(error):
                    raise
                raise Outside(ELSEWHERE) from None
            except KilledWorker:
                log.warning("the Dask worker of a trial ended: it is handed out again")
                self.clones.forget()
            except (CancelledError, CommClosedError, OSError):
                if stopping.is_set():
                    raise Stopped("stopped: trials that run elsewhere stop in a moment") from None
                raise Outside(
                    "Dask's scheduler has gone. What was trained is kept here. Start it, then run "
                    "the same command again."
                ) from None
        ended = Result(FAILED, says=f"its Dask workers ended {DEATHS} times")
        return Parcel(ended, [], {}, cpu())

    def _trained(self, order: Order, places: list[str]) -> Parcel | None:
        """What a clone has trained already: its answer was lost, or was for another machine."""
        for place in places:
            answers = self.client.run(trained_there, order, workers=[place], on_error="ignore")
            if parcel := answers.get(place):
                return parcel
        return None

    def _handed(self, order: Order, places: list[str]) -> Future:
        """A trial that was begun resumes where that was, if one of these workers is free."""
        key = f"{order.name}-{order.trial.digest}-{uuid4().hex}"
        where: dict[str, Any] = {"workers": places, "allow_other_workers": True} if places else {}
        self.future = self.client.submit(run_there, order, key=key, pure=False, retries=0, **where)
        return self.future

    def _awaited(self, future: Future) -> Parcel:
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not future.done():
            ended.wait(0.1)  # and not a moment longer: what a worker has that dies now is lost
            if stopping.is_set():
                future.cancel(force=True)
                raise Stopped("stopped: trials that run elsewhere stop in a moment")
        return future.result()

    def stop(self) -> None:
        if self.future is not None:
            self.future.cancel(force=True)

    def close(self) -> None:
        self.stop()


@cache  # once for each kind
def _tell_of_another(there: tuple[str, ...]) -> None:
    if there != cpu():
        log.warning(
            "a Dask worker has another kind of processor (%s; here %s): the last digits of its "
            "trials may differ. For a table to the bit, take only workers of one kind",
            *map(" ".join, (there, cpu())),
        )


@cache
def cpu() -> tuple[str, ...]:
    """Make and features of this machine's processor, as far as bits depend on them."""
    return tuple(environment.describe()["cpu"])


def _lost() -> Result:
    return Result(FAILED, says="DVC's cache has lost it")


def connect(address: str, trials: Trials) -> list[There]:
    """Hands for the workers of a Dask scheduler, also for those that join later.

    Args:
        address: `tcp://HOST:PORT` of this machine, or `tls://HOST:PORT`.

    Raises:
        UserError: nobody answers there, it has no worker, or everybody could reach it.
    """
    check(address)
    try:
        security = Security(require_encryption=True) if address.startswith("tls") else None
        client = Client(address, timeout=PATIENCE, security=security, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise UserError(f"--on {address}: no Dask scheduler answers there ({error}).") from None
    if not client.scheduler_info(n_workers=-1)["workers"]:
        log.info("Dask has no worker yet: the trials wait for the first one")
    clones = Clones(client, trials.sweep.name)
    return [There(client, clones) for _ in range(min(MOST, trials.sweep.at_once))]


def check(address: str) -> None:
    """Refuse the address of a Dask scheduler that is none, or that everybody could reach.

    Raises:
        UserError: it is.
    """
    expected = UserError(f"{address}: expected tcp://127.0.0.1:8786, or tls://HOST:PORT.")
    try:
        place = urlsplit(address)
        known = place.scheme in ("tcp", "tls") and place.port
    except ValueError:
        raise expected from None
    if not known:
        raise expected
    if place.scheme == "tcp" and place.hostname not in HERE:
        raise UserError(
            f"{address}: Dask's scheduler runs code for everybody who reaches it. Use tls://, "
            "or let SSH bring its port to this machine: ssh -L 8786:127.0.0.1:8786 HOST."
        )


@cache
def code() -> dict[str, str]:
    """The MD5 of each file that decides what a trial writes, by its path from the root."""
    root = Project.here().root
    files = [root / name for name in SAME]
    files += [file for place in CODE for file in (root / place).rglob("*.py")]
    return {file.relative_to(root).as_posix(): md5(file) for file in sorted(files)}


# On the machine of a worker.

_here: dict[str, Any] = {}  # the trials of each sweep, and the process that runs them
_turn = threading.Lock()


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
