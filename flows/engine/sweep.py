"""A whole sweep: Optuna proposes, some processes train, DVC remembers; a table and a picture."""

from __future__ import annotations

from collections.abc import Callable

from flows.engine import rounds
from flows.engine.kept import keep
from flows.engine.rounds import Table
from flows.engine.side_by_side import SideBySide
from flows.engine.trial import Trials
from flows.project import sweeps
from flows.project.folder import Project
from tasks.core.step import UserError

Submit = Callable[[SideBySide], rounds.Run]


def sweep(
    project: Project,
    pipeline: str,
    workers: int = 1,
    submit: Submit = lambda side: side.run_all,
) -> Table:
    """Run the sweep of a pipeline, or go on with it; write its table and its picture.

    Args:
        project: the project.
        pipeline: its name in params.yaml, also under `sweeps:`.
        workers: trials side by side.
        submit: how the trials of a round are run.

    Raises:
        UserError: there is no such sweep, or a mistake in it; a full disk; nothing could be
            trained.
        Stopped: it was asked to stop. What was trained is kept.
    """
    chosen = sweeps.read(project, pipeline)
    if chosen is None:
        raise UserError(
            f"params.yaml has no sweeps.{pipeline}. To let one be proposed: python -m flows sweep "
            f"{pipeline}"
        )
    with rounds.alone(project, pipeline) as held:
        trials = Trials(project, chosen)
        with SideBySide(trials, workers, held) as side:
            table = rounds.run(project, chosen, submit(side))
        rounds.write(project, table)
        keep(trials, table)
        trials.tidy(table.rows.values())
    return table
