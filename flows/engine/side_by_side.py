"""Trials side by side on this machine: each worker is a process that runs one at a time."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import IO

from flows.engine.apart import Apart
from flows.engine.trial import DONE, Result, Trial, Trials, folder
from flows.project.sweeps import Sweep
from tasks.core.step import Stopped
from tasks.sweeps.table import word as as_word

log = logging.getLogger("flows")


class SideBySide:
    """Some processes for the trials of a sweep. One that is not needed is not started.

    Args:
        trials: the sweep's.
        workers: how many processes.
        held: a file whose lock lasts until all of them have ended.
    """

    def __init__(self, trials: Trials, workers: int, held: IO) -> None:
        self.trials, self.lines = trials, Lines(trials.sweep)
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
        self.lines.ended(trial, result, time.monotonic() - started)
        return result

    def run_all(self, trials: list[Trial]) -> list[Result]:
        """Run trials, each when a process is free."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            futures = [pool.submit(self.run, trial) for trial in trials]
            wait(futures)
        if self.error:
            raise self.error
        return [future.result() for future in futures]


class Lines:
    """A line in the log for each trial that has ended."""

    def __init__(self, chosen: Sweep) -> None:
        self.sweep, self.best, self.count = chosen, math.inf, 0
        self.turn = threading.Lock()  # trials end in threads of their own

    def ended(self, trial: Trial, result: Result, seconds: float) -> None:
        self.count += not trial.goes_on
        word = "failed" if result.state != DONE else "cached" if result.found else "ran"
        width = len(str(self.sweep.params.trials))
        said = result.says or self._value(trial, result)
        line = f"trial {trial.number:<{width}}  {word:6} {seconds:6.1f} s  {said}"
        log.info("%s", f"{line}  ({values(trial)})")

    def _value(self, trial: Trial, result: Result) -> str:
        assert result.value is not None  # it is done
        with self.turn:
            rank = -result.value if self.sweep.maximize else result.value
            better, self.best = rank < self.best, min(rank, self.best)
        after = f" after {trial.epochs} epochs" if trial.goes_on else ""
        best = ", the best so far" if better else ""
        return f"{self.sweep.params.objective} {result.value:.4g}{after}{best}"

    def so_far(self) -> tuple[float, str]:
        """The share that is done, and a line such as `trial 9 of 24, best val_loss 0.21`."""
        asked = self.sweep.params
        value = -self.best if self.sweep.maximize else self.best
        best = f", best {asked.objective} {value:.4g}" if math.isfinite(value) else ""
        return self.count / asked.trials, f"trial {self.count} of {asked.trials}{best}"


def values(trial: Trial) -> str:
    """A trial's values in one line, such as `learning_rate 0.003, batch_size 64`."""
    known = trial.values.items()
    return ", ".join(f"{key.partition('.')[2]} {as_word(value)}" for key, value in known)
