"""A sweep from its first round to its table: what Optuna asks for is run, and told in order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from flows.engine.processes import take_turn
from flows.engine.trial import DONE, Result, Trial, folder
from flows.project import textfile
from flows.project.changes import text_with
from flows.project.folder import Project
from flows.project.params import NONE, differences
from flows.project.sweeps import Sweep, changes, refuse_changes
from tasks.core.digits import digits
from tasks.core.folder import Folder
from tasks.core.step import UserError

EARLY = "stopped early"  # by halving
Rows = dict[int, tuple[Trial, Result]]
# Runs some trials, side by side or not, and returns their results in the same order.
Run = Callable[[list[Trial]], list[Result]]


@dataclass
class Table:
    """All trials of a sweep and what came of them, by number."""

    sweep: Sweep
    rows: Rows = field(default_factory=dict)
    importance: Callable[[], dict[str, float]] = dict  # of each key; it takes a second
    experiments: list[str] = field(default_factory=list)  # DVC's, the best first

    @property
    def ranked(self) -> list[int]:
        """The numbers of the trials that were trained to their end, the best first."""
        sign = -1 if self.sweep.maximize else 1
        done = [n for n, (_, result) in self.rows.items() if result.state == DONE]
        return sorted(done, key=lambda n: (sign * _value(self.rows[n][1]), n))

    @property
    def best(self) -> tuple[Trial, Result] | None:
        return self.rows[self.ranked[0]] if self.ranked else None

    @property
    def gains(self) -> list[str]:
        """What the best trial has otherwise than params.yaml: `fit.epochs: 20 -> 3`."""
        assert self.best is not None  # a sweep without one has failed
        now = self.sweep.sections({})
        return [
            line
            for section, values in changes(self.best[0].all_values).items()
            for line in differences(section, {k: now[section].get(k, NONE) for k in values}, values)
        ]

    def apply(self, project: Project) -> None:
        """Write the parameters of the best trial into params.yaml."""
        assert self.best is not None  # a sweep without one has failed
        values = changes(self.best[0].all_values)
        textfile.change(project.params_file, lambda text: text_with(text, self.sweep.name, values))

    def is_worse_than(self, value: float) -> bool:
        """Whether the best trial is."""
        assert self.best is not None  # a sweep without one has failed
        found = _value(self.best[1])
        return found < value if self.sweep.maximize else found > value

    def so_far(self) -> str:
        """How far the sweep is, such as `9 of 24 trials, best val_loss 0.21`."""
        asked = self.sweep.params
        best = f", best {asked.objective} {digits(_value(self.best[1]))}" if self.best else ""
        return f"{len(self.rows)} of {asked.trials} trials{best}"


def run(project: Project, sweep: Sweep, run: Run, table: Table | None = None) -> Table:
    """Ask for rounds until the sweep has all its trials.

    Args:
        run: runs the trials of a round, or a part of them.
        table: an empty one, to be filled.

    Raises:
        UserError: a full disk; the parameters were edited meanwhile; no trial could be trained.
        Stopped: it was asked to stop. What was trained is kept.
    """
    from tasks.sweeps.search import Search  # here: Optuna takes half a second to import

    asked, table = sweep.params, table or Table(sweep)
    search = Search(sweep.space, sweep.used, asked.search, asked.seed, asked.round, sweep.maximize)
    while len(table.rows) < asked.trials:
        first = len(table.rows) + 1
        numbers = range(first, min(first + sweep.at_once, asked.trials + 1))
        proposed = search.ask(numbers)
        if not proposed:
            break
        rows = _round(sweep, proposed, run, search.report)
        for number in proposed:
            search.tell(number, rows[number][1].state, rows[number][1].value)
        table.rows |= {number: rows[number] for number in proposed}

    refuse_changes(project, sweep)
    if table.best is None:
        why = next(iter(table.rows.values()))[1].says
        raise UserError(f"No trial of {sweep.name} was trained to its end. The first: {why}")
    table.importance = search.importance
    return table


class _Unknown(Exception):
    """How many trials of its round are known."""


def known(project: Project, sweep: Sweep, find: Callable[[Trial], Result | None]) -> int:
    """How many trials of a sweep need no training, up to the first round that needs one."""
    table = Table(sweep)  # each row once more for trials with the same values

    def look(trials: list[Trial]) -> list[Result]:
        found = [result for result in map(find, trials) if result]
        if len(found) < len(trials):
            raise _Unknown(sum(not trial.goes_on for trial in trials[: len(found)]))
        return found

    try:
        run(project, sweep, look, table)
    except _Unknown as unknown:
        return len(table.rows) + unknown.args[0]
    except UserError:  # none was trained to its end
        pass
    return len(table.rows)


def write(project: Project, table: Table) -> None:
    """Write `sweep.csv` and `sweep.png`."""
    from tasks.sweeps import picture  # here: Matplotlib takes a second to import
    from tasks.sweeps.table import Row, write

    sweep, rows = table.sweep, []
    for number, (trial, result) in sorted(table.rows.items()):
        told = result.state, result.value, result.best_epoch, result.epochs
        rows.append(Row(number, *told, trial.values, result.says))
    place, asked = Folder(project.data(sweep.name)), sweep.params
    write(place, rows, asked.objective, list(sweep.space))
    picture.draw(place, rows, asked.objective, sweep.maximize, sweep.space, table.importance())


def _round(sweep: Sweep, proposed: dict[int, dict[str, Any]], run: Run, report: Callable) -> Rows:
    """The trials of a round; with halving, all for some epochs, then the best for more."""
    rungs: list[Any] = list(sweep.params.halving or [None])  # type: ignore[list-item] # either
    rows: Rows = {}
    alive = list(proposed)
    for place, epochs in enumerate(rungs):
        last = place == len(rungs) - 1
        trials = [Trial(number, proposed[number], epochs, not last) for number in alive]
        rows |= _run_once(trials, run)
        if last:
            return rows

        table = Table(sweep, {number: rows[number] for number in alive})
        for number in table.ranked:
            report(number, epochs, rows[number][1].value)
        keep = math.ceil(len(alive) * rungs[place] / rungs[place + 1])
        alive = sorted(table.ranked[:keep])
        for number in table.ranked[keep:]:
            trial, result = rows[number]
            rows[number] = trial, result._replace(state=EARLY)
    return rows


def _run_once(trials: list[Trial], run: Run) -> Rows:
    """Trials with the same values are run once."""
    times = Counter(trial.digest for trial in trials)
    first: dict[str, Trial] = {}
    for trial in trials:
        first.setdefault(trial.digest, replace(trial, times=times[trial.digest]))
    results = dict(zip(first, run(list(first.values())), strict=True))
    return {trial.number: (trial, results[trial.digest]) for trial in trials}


def _value(result: Result) -> float:
    assert result.value is not None  # of one that is done
    return result.value


@contextmanager
def alone(project: Project, name: str) -> Iterator[Any]:
    """Hold a file until this process and those of its trials have ended; wait for another sweep's.

    Raises:
        Stopped: the wait was.
    """
    place = folder(project, name)
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "a", encoding="utf-8") as held:
        take_turn(held, f"another sweep of {name}")
        yield held
