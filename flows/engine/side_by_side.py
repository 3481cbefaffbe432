"""Trials side by side on this machine: each worker is a process that runs one at a time."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import IO

from flows.engine.apart import Apart
from flows.engine.trial import Result, Trial, Trials, folder
from tasks.core.step import Stopped

Ended = Callable[[Trial, Result, float], None]


class SideBySide:
    """Some processes for the trials of a sweep. One that is not needed is not started.

    Args:
        trials: the sweep's.
        workers: how many processes.
        held: a file whose lock lasts until all of them have ended.
        ended: is told of each trial, its result and its seconds; from any thread.
    """

    def __init__(self, trials: Trials, workers: int, held: IO, ended: Ended) -> None:
        self.trials, self.ended = trials, ended
        logs = folder(trials.project, trials.sweep.name)
        self.all = [Apart(logs / f"worker-{k}.log", held) for k in range(1, workers + 1)]
        self.error: Exception | None = None  # the first, of a trial that could not be run
        self.free: queue.SimpleQueue[Apart] = queue.SimpleQueue()
        for apart in self.all:
            self.free.put(apart)

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *error: object) -> None:
        for apart in self.all:
            apart.close()

    def run(self, trial: Trial) -> Result:
        """Run a trial in a process that is free, or wait for one.

        When a trial cannot be run at all, the others stop where they can resume.
        """
        apart, started = self.free.get(), time.monotonic()
        try:
            if self.error:
                raise Stopped("stopped, as another trial could not be run")
            result = self.trials.run(trial, apart)
        except Exception as error:
            self.error = self.error or error
            for each in self.all:
                each.stop()
            raise
        finally:
            self.free.put(apart)
        self.ended(trial, result, time.monotonic() - started)
        return result

    def run_all(self, trials: list[Trial]) -> list[Result]:
        """Run trials, each when a process is free."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            futures = [pool.submit(self.run, trial) for trial in trials]
            wait(futures)
        if self.error:
            raise self.error
        return [future.result() for future in futures]
