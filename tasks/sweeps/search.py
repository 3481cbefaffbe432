"""Proposes the values of trials: Optuna, asked for a round at once and told in order of number.

So the proposals follow from the space, the seed and the results alone, whichever trial ends first.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
FAMILY = "build.family"
FEW = 8  # trials: of fewer nobody can say what mattered
DIGITS = 4  # of a proposed number: more say nothing, and read badly


Values = dict[str, Any]


class Search:
    """The proposals of one sweep.

    Args:
        space: what to try for each key, such as `fit.batch_size`.
        used: the keys that a family of models has, given its name, or None if it is not tried.
        search: `tpe`, `random` or `grid`.
        seed: of the proposals.
        first: trials that are drawn at random before `tpe` learns from them.
        maximize: whether more is better.
    """

    def __init__(
        self,
        space: Mapping[str, Any],
        used: Callable[[str | None], list[str]],
        search: str,
        seed: int,
        first: int,
        maximize: bool,
    ) -> None:
        self.space, self.used = space, used
        sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed)
        if search == "tpe":
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=first)
        direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
        self.study = optuna.create_study(sampler=sampler, direction=direction)
        self.grid = self._grid() if search == "grid" else None
        self.asked: dict[int, optuna.Trial] = {}

    def ask(self, numbers: range) -> dict[int, Values]:
        """The values of the next trials by their numbers; fewer if the grid has no more."""
        found = {}
        for number in numbers:
            if self.grid is not None:
                chosen = next(self.grid, None)
                if chosen is None:
                    break
                self.study.enqueue_trial({key: _name(value) for key, value in chosen.items()})
            self.asked[number] = self.study.ask()
            found[number] = self._values(self.asked[number])
        return found

    def report(self, number: int, epochs: int, value: float) -> None:
        """A trial's result so far, after some epochs."""
        self.asked[number].report(value, epochs)

    def tell(self, number: int, state: str, value: float | None) -> None:
        """How a trial ended: `done`, `failed`, or stopped early."""
        known = {"done": TrialState.COMPLETE, "failed": TrialState.FAIL}
        ended = known.get(state, TrialState.PRUNED)
        said = value if ended == TrialState.COMPLETE else None
        self.study.tell(self.asked.pop(number), said, state=ended)

    def importance(self) -> dict[str, float]:
        """The share of each key in the differences between trials; nothing if they are few."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(done) < FEW or len({trial.value for trial in done}) == 1:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return optuna.importance.get_param_importances(self.study, evaluator=evaluator)

    def _values(self, trial: optuna.Trial) -> Values:
        found: Values = {}
        if FAMILY in self.space:  # first: it says which keys there are
            found[FAMILY] = self._value(trial, FAMILY)
        for key in self.used(found.get(FAMILY)):
            if key != FAMILY:
                found[key] = self._value(trial, key)
        return {key: found[key] for key in self.space if key in found}

    def _value(self, trial: optuna.Trial, key: str) -> Any:
        domain = self.space[key]
        if isinstance(domain, list):
            return json.loads(trial.suggest_categorical(key, [_name(each) for each in domain]))
        low, high = domain.low, domain.high
        if isinstance(low, int) and isinstance(high, int):
            return trial.suggest_int(key, low, high, log=domain.log)
        drawn = trial.suggest_float(key, low, high, log=domain.log)
        return min(max(float(f"{drawn:.{DIGITS}g}"), low), high)

    def _grid(self):
        """All combinations, each once: a family's without the keys that it does not have."""
        known = []
        for family in self.space.get(FAMILY, [None]):
            keys = [key for key in self.used(family) if key != FAMILY]
            for values in itertools.product(*(self.space[key] for key in keys)):
                chosen = {} if family is None else {FAMILY: family}
                known.append(chosen | dict(zip(keys, values, strict=True)))
        return iter(known)


def _name(value: Any) -> str:
    """A value as Optuna takes it for one of several choices."""
    return json.dumps(value)
