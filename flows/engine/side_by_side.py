"""Trials side by side: by some hands, each of which runs one at a time."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Protocol

from flows.engine.apart import Apart
from flows.engine.trial import DONE, Result, Trial, Trials
from flows.project.sweeps import Sweep, refuse_changes
from tasks.core.digits import digits
from tasks.core.step import Stopped
from tasks.sweeps.table import word as as_word

log = logging.getLogger("flows")
MOST = 64  # trials side by side


class Hand(Protocol):
    """Who runs a trial at a time, here or on another machine."""

    def run(self, trials: Trials, trial: Trial) -> Result:
        """Train it."""

    def stop(self) -> None:
        """Let the trial that runs stop where it can resume."""

    def close(self) -> None:
        """There are no more trials."""


class Here:
    """A process on this machine. It is started when there is something to train."""

    def __init__(self, log: Path, held: IO) -> None:
        self.apart = Apart(log, held)
        self.stop, self.close = self.apart.stop, self.apart.close

    def run(self, trials: Trials, trial: Trial) -> Result:
        return trials.run(trial, self.apart)


class SideBySide:
    """Runs the trials of a sweep, by as many hands as there are.

    Args:
        trials: the sweep's.
        hands: who runs them.
    """

    def __init__(self, trials: Trials, hands: Sequence[Hand]) -> None:
        self.trials, self.lines, self.all = trials, Lines(trials.sweep), hands
        self.error: Exception | None = None  # the first, of a trial that could not be run
        self.free: queue.SimpleQueue[Hand] = queue.SimpleQueue()
        for hand in hands:
            self.free.put(hand)

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *error: object) -> None:
        self.lines.tell_known()
        for hand in self.all:
            hand.close()

    def run(self, trial: Trial) -> Result:
        """Find a trial, or run it by a hand that is free, or wait for one.

        When a trial cannot be run at all, the others stop where they can resume.
        """
        hand, started = self.free.get(), time.monotonic()
        try:
            if self.error:
                raise Stopped("stopped, as another trial could not be run")
            result = self._known(trial) or hand.run(self.trials, trial)
        except Exception as error:
            self.error = self.error or error
            for each in self.all:
                each.stop()
            raise
        finally:
            self.free.put(hand)
        self.lines.ended(trial, result, time.monotonic() - started)
        return result

    def _known(self, trial: Trial) -> Result | None:
        """What DVC has of a trial; None if it must be trained, by the parameters of now."""
        if found := self.trials.find(trial):
            return found._replace(found=True)
        refuse_changes(self.trials.project, self.trials.sweep)
        return None

    def run_all(self, trials: list[Trial]) -> list[Result]:
        """Run trials, each when a hand is free."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            futures = [pool.submit(self.run, trial) for trial in trials]
            wait(futures)
        if self.error:
            raise self.error
        return [future.result() for future in futures]


class Lines:
    """A line in the log for each trial that was trained, and one for those that were known."""

    def __init__(self, chosen: Sweep) -> None:
        self.sweep, self.best, self.count = chosen, math.inf, 0
        self.known: dict[int, int] = {}  # by number, for how many trials; no line has told them
        self.turn = threading.Lock()  # trials end in threads of their own

    def ended(self, trial: Trial, result: Result, seconds: float) -> None:
        with self.turn:
            self.count += 0 if trial.goes_on else trial.times
        if result.found:
            with self.turn:
                self.known[trial.number] = trial.times
            self._is_better(result)
            return
        self.tell_known()
        word = "ran" if result.state == DONE else "failed"
        width = len(str(self.sweep.params.trials))
        said = result.says or self._value(trial, result)
        line = f"trial {trial.number:<{width}}  {word:6} {seconds:6.1f} s  {said}"
        log.info("%s", f"{line}  ({values(trial)})")

    def tell_known(self) -> None:
        """Say how many trials needed no training, unless there are none, or a line has said it."""
        with self.turn:
            known, self.known = sum(self.known.values()), {}
        if known:
            trials = self.sweep.params.trials
            log.info("known already: %d of %d trials%s", known, trials, self._best())

    def _value(self, trial: Trial, result: Result) -> str:
        assert result.value is not None  # it is done
        after = f" after {trial.epochs} epochs" if trial.goes_on else ""
        best = ", the best so far" if self._is_better(result) else ""
        return f"{self.sweep.params.objective} {digits(result.value)}{after}{best}"

    def _is_better(self, result: Result) -> bool:
        """Whether a result is the best one up to now; then it is from now on."""
        if result.value is None:  # it failed
            return False
        with self.turn:
            rank = -result.value if self.sweep.maximize else result.value
            better, self.best = rank < self.best, min(rank, self.best)
        return better

    def so_far(self) -> tuple[float, str]:
        """The share that is done, and a line such as `trial 9 of 24, best val_loss 0.21`."""
        trials = self.sweep.params.trials
        return self.count / trials, f"trial {self.count} of {trials}{self._best()}"

    def _best(self) -> str:
        value = -self.best if self.sweep.maximize else self.best
        objective = self.sweep.params.objective
        return f", best {objective} {digits(value)}" if math.isfinite(value) else ""


def values(trial: Trial) -> str:
    """A trial's values in one line, such as `learning_rate 0.003, batch_size 64`."""
    known = trial.values.items()
    return ", ".join(f"{key.partition('.')[2]} {as_word(value)}" for key, value in known)
