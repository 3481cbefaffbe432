"""The part `sweeps:` of `params.yaml`: which parameters of a pipeline a sweep tries, and how."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from flows.project import params
from flows.project.changes import Changes, sections_with
from flows.project.folder import Project
from flows.project.mistakes import near
from flows.project.params import FILE
from flows.project.steps import step
from tasks.core.step import Section, UserError

STEPS = ("build", "compile", "fit")  # whose parameters a sweep may try: a trial ends before test
# Keys of these steps that a sweep may not try.
FIXED = {
    "compile.loss": "trials with other losses cannot be compared",
    "fit.monitor": "trials that choose their checkpoint otherwise cannot be compared",
    "fit.threads": "all trials compute with the same number",
}
FAMILY = "build.family"
LOWER = ("val_loss", "val_mae", "loss", "mae")  # objectives of which less is better
METRIC = {"classes": "accuracy", "regression": "mae"}  # what `compile` lets Keras measure


class Range(Section):
    """Numbers between two bounds, which may be tried too."""

    low: int | float
    high: int | float
    log: bool = Field(description="Whether to draw from powers, such as 0.001, 0.01, 0.1.")


class Params(Section):
    trials: int = Field(gt=0, le=100_000, description="In all.")
    round: int = Field(gt=0, description="Trials that are proposed at once, and may run at once.")
    seed: int = Field(ge=0, lt=2**32, description="Of the proposals.")
    search: Literal["tpe", "random", "grid"] = Field(
        description="`tpe` learns from the rounds before, `random` does not, `grid` tries all."
    )
    objective: Literal["val_loss", "val_accuracy", "val_mae", "loss", "accuracy", "mae"] = Field(
        description="What the best trial is best in, at its checkpoint."
    )
    halving: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2)] | None = Field(
        description="Epochs such as [3, 9, 27]: only the best third of a round goes on."
    )
    space: dict[str, Any] = Field(
        min_length=1, description="Values or a range for each parameter that is tried."
    )


@dataclass(frozen=True)
class Sweep:
    """A sweep as params.yaml has it, checked, and the pipeline that it starts from.

    Args:
        name: of the pipeline.
        params: see `Params`.
        space: what to try for each key, such as `fit.batch_size`: a range, or a list.
        content: of params.yaml.
    """

    name: str
    params: Params
    space: dict[str, Range | list[Any]]
    content: dict[str, Any]

    @property
    def maximize(self) -> bool:
        return self.params.objective not in LOWER

    @property
    def size(self) -> float:
        """How many combinations the space has."""
        sizes = [len(d) if isinstance(d, list) else math.inf for d in self.space.values()]
        return math.prod(sizes)

    @property
    def at_once(self) -> int:
        """Trials that are asked for at once: only `tpe` and halving need the results of a round."""
        waits = self.params.search == "tpe" or self.params.halving
        return self.params.round if waits else self.params.trials

    def used(self, family: str | None) -> list[str]:
        """The keys that a trial of a family of models has; another family has others."""
        family = family or self.content["pipelines"][self.name]["build"]["family"]
        model = step("build").section(family)
        known = set(model.model_fields) if model else set()
        return [
            key
            for key in self.space
            if not key.startswith("build.") or key.removeprefix("build.") in known
        ]

    @property
    def made_from(self) -> str:
        """All of params.yaml that the trials depend on: the same text means the same trials."""
        sections = dict(self.sections({}))
        for name in ("visualize", "evaluate", "run"):  # no trial sees them
            sections.pop(name, None)
        return json.dumps([self.params.model_dump(mode="json"), sections], sort_keys=True)

    def sections(self, values: dict[str, Any]) -> dict[str, Any]:
        """The pipeline's sections in params.yaml with a trial's values, by key."""
        return sections_with(self.content, self.name, changes(values))


def changes(values: dict[str, Any]) -> Changes:
    """Values by key, such as `fit.epochs`, as values by section and key."""
    found: Changes = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        found.setdefault(section, {})[name] = value
    return found


def names(project: Project) -> list[str]:
    """The pipelines that have a sweep."""
    return list(params.entries(project.params_file, "sweeps"))


def read(project: Project, name: str) -> Sweep | None:
    """The checked sweep of a pipeline; None if params.yaml has none.

    Raises:
        UserError: a mistake in it, or in the pipeline.
    """
    chosen = project.read(name)
    content = params.content(project.params_file)
    there = params.entries(project.params_file, "sweeps")
    if name not in there:
        return None

    place = f"{FILE}: sweeps.{name}"
    found: Params = params.checked(Params, f"sweeps.{name}", there[name])
    space = {key: _domain(place, key, found.space[key]) for key in found.space}
    sweep = Sweep(name, found, space, content)
    for key, domain in space.items():
        _check_key(place, key)
        _check_values(sweep, key, domain)
        space[key] = _drawn(sweep, key, domain)
    _check_search(place, sweep)
    _check_objective(place, sweep, chosen)
    _check_halving(place, sweep, chosen)
    return sweep


def refuse_changes(project: Project, sweep: Sweep) -> None:
    """Raise UserError if params.yaml has another sweep now."""
    now = read(project, sweep.name)
    if now is None or now.made_from != sweep.made_from:
        raise UserError(
            f"{FILE} (sweeps.{sweep.name} or pipelines.{sweep.name}) changed while the sweep was "
            "running, so its table matches neither version. What was trained is kept. Run again."
        )


def _domain(place: str, key: str, given: Any) -> Range | list[Any]:
    where = f"{place}.space.{key}"
    if isinstance(given, dict):
        found = params.checked(Range, where.removeprefix(f"{FILE}: "), given)
        if found.low >= found.high:
            advice = "Swap them." if found.low > found.high else f"List the value: [{found.low}]."
            raise UserError(f"{where}: low is {found.low}, high is {found.high}. {advice}")
        if found.log and found.low <= 0:
            raise UserError(f"{where}: low is {found.low}. With `log: true` it must be above 0.")
        return found

    if not isinstance(given, list) or not given:
        raise UserError(
            f"{where}: got {json.dumps(given, default=str)}, expected a list of values to try, "
            "or a range such as {low: 0.0001, high: 0.01, log: true}."
        )
    if any(one == other for one, other in combinations(given, 2)):  # 1 and 1.0 too
        raise UserError(f"{where}: a value stands twice in {given}. Leave one out.")
    return given


def _check_key(place: str, key: str) -> None:
    section, _, name = key.partition(".")
    if key in FIXED:
        raise UserError(f"{place}.space.{key} cannot be tried: {FIXED[key]}. Take it out.")
    if section not in STEPS or not name:
        meant = near(section, list(STEPS)) if section not in STEPS else ""
        raise UserError(
            f"{place}.space.{key} names no parameter that a sweep can try.{meant} Expected build., "
            "compile. or fit. and a key, such as fit.batch_size."
        )


def _check_values(sweep: Sweep, key: str, domain: Range | list[Any]) -> None:
    """Each value in the pipeline's section, in a family that has the key."""
    for value in domain if isinstance(domain, list) else [domain.low, domain.high]:
        section = {**_beside(sweep, key, value), key: value}
        params.checked(params.model(), f"sweeps.{sweep.name}.space", sweep.sections(section))


def _drawn(sweep: Sweep, key: str, domain: Range | list[Any]) -> Range | list[Any]:
    """A range as it is drawn from: with bounds 1 and 10, whole numbers, if the key takes no other.

    Otherwise a learning rate from 1 to 10 would be a whole number, too.
    """
    if isinstance(domain, list) or not isinstance(domain.low, int):
        return domain
    try:
        _check_values(sweep, key, [domain.low + 0.5])
    except UserError:
        return domain
    return Range(low=float(domain.low), high=float(domain.high), log=domain.log)


def _beside(sweep: Sweep, key: str, value: Any) -> dict[str, Any]:
    """What a key of `build` is tried with: a family that has it, and the other keys of that."""
    families = [value] if key == FAMILY else sweep.space.get(FAMILY, [])
    if not key.startswith("build.") or not isinstance(families, list):
        return {}
    for family in filter(lambda each: isinstance(each, str), families):
        used = sweep.used(family)
        if key in used:
            others = {each: sweep.space[each] for each in used if each.startswith("build.")}
            firsts = {k: d[0] if isinstance(d, list) else d.low for k, d in others.items()}
            return {**firsts, FAMILY: family}
    return {}


def _check_search(place: str, sweep: Sweep) -> None:
    asked = sweep.params
    if asked.search == "grid":
        ranges = [key for key, each in sweep.space.items() if not isinstance(each, list)]
        if ranges:
            raise UserError(
                f"{place}.space.{ranges[0]} is a range, and `search: grid` tries all values: "
                "list them, or search by tpe or random."
            )
        if sweep.size > asked.trials:
            raise UserError(
                f"{place}: the grid has {sweep.size:,} combinations, and trials is "
                f"{asked.trials:,}. List fewer values, or raise trials; or search by tpe."
            )
    if asked.search == "tpe" and asked.round >= asked.trials > 1:
        raise UserError(
            f"{place}: search is tpe, which learns from the rounds before, but round is "
            f"{asked.round} and trials is {asked.trials}. Set round to a third of the trials or "
            "less; or search by random."
        )


def _check_objective(place: str, sweep: Sweep, chosen: Any) -> None:
    measured = ["loss", METRIC[chosen.load.predicts]]
    if chosen.normalize.validation != "none":
        measured = [*(f"val_{name}" for name in measured), *measured]
    asked = sweep.params.objective
    if asked not in measured:
        raise UserError(
            f"{place}.objective is {asked}, which a training of {sweep.name} does not measure. "
            f"Expected {', '.join(measured)}."
        )


def _check_halving(place: str, sweep: Sweep, chosen: Any) -> None:
    rungs = sweep.params.halving
    if rungs is None:
        return
    if any(low >= high for low, high in pairwise(rungs)):
        raise UserError(f"{place}.halving is {rungs}. Expected each number above the last.")
    if "fit.epochs" in sweep.space:
        raise UserError(f"{place}: halving sets the epochs. Take fit.epochs out of the space.")

    schedules: Any = sweep.space.get("fit.schedule", [chosen.fit.schedule])
    depends = [name for name in schedules if name != "constant"]
    if depends:
        raise UserError(
            f"{place}.halving goes on with a training, and with fit.schedule {depends[0]} the "
            "learning rate depends on its length. Set halving to null, or the schedule to constant."
        )
