"""What a model goes through that leaves the project: stages of release/dvc.yaml, as steps are run.

`dvc repro release/dvc.yaml:export@fashion` does the same: there is one function for both.
"""

from __future__ import annotations

from flows.engine import step as engine
from flows.engine import witness
from flows.memory.lock import Used, as_recorded, outdated, stages
from flows.memory.plan import plan
from flows.memory.reproduce import UNCHANGED, reproduce
from flows.project.folder import Project
from tasks.core.step import UserError


def check_current(project: Project, pipeline: str) -> None:
    """Refuse a pipeline that is not trained, or not with the code, parameters and data of now."""
    todo = [step.step for step in plan(project, pipeline) if step.action != UNCHANGED]
    if todo:
        raise UserError(
            f"{pipeline} is not up to date: {', '.join(todo)} would run. First type "
            f"`python -m flows train {pipeline}`."
        )


def check_exported(project: Project, pipeline: str) -> None:
    """Refuse a pipeline whose export is missing, of another model, or changed by hand."""
    again = f"Run `python -m flows export {pipeline}`"
    project.release(pipeline)
    if f"export@{pipeline}" not in stages(project):
        raise UserError(f"{pipeline} was not exported. {again}.")
    if outdated(project, f"export@{pipeline}"):
        raise UserError(f"The export of {pipeline} is of another model. {again}.")
    if not as_recorded(project, f"export@{pipeline}"):
        raise UserError(f"The export of {pipeline} is not what dvc.lock records. {again}.")


def bring_up_to_date(project: Project, name: str, pipeline: str) -> tuple[str, str]:
    """Leave a stage as it is, restore what it wrote, or run it.

    Args:
        project: this one, or a copy of it.
        name: of the stage, such as `export`.
        pipeline: its name in `params.yaml`, which has an entry for it under `release:`.

    Returns:
        `unchanged`, `restored` or `run`; and what the stage says of its result, if it ran.

    Raises:
        UserError: a mistake in `release:`, or the stage failed. What was there is back.
    """
    address, said = f"{name}@{pipeline}", ""

    def function() -> Used:
        nonlocal said
        said, used = engine.run(project, name, pipeline)
        return used

    outcome = reproduce(project, address, function)
    witness.forget(project, address)
    return outcome, said
