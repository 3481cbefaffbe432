"""Trials on other machines: a Dask worker there runs them in a clone of its own (`away.py`).

Dask carries the trials there and what they wrote back; which of them are done, DVC says.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from distributed import Client, Security
from distributed.client import Future
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from flows.engine.away import Order, Parcel, begun_there, code, cpu, run_there, trained_there
from flows.engine.side_by_side import MOST
from flows.engine.step import Outside
from flows.engine.trial import FAILED, Result, Trial, Trials
from flows.project.loopback import HERE
from tasks.core.step import Stopped, UserError, log, stopping

PATIENCE = "30s"  # for the scheduler to answer
PROMPT = 5  # seconds for a worker to say what its clone has begun
DEATHS = 12  # of a worker that has a trial, until the trial counts as failed
ELSEWHERE = (
    "Dask's scheduler cannot import the project. Start it in the project's folder: python -m "
    "flows.engine.dask_scheduler tcp://127.0.0.1:8786."
)


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
                log.warning("the Dask worker of a trial ended: another worker gets the trial")
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
