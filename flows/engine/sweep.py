"""A whole sweep: Optuna proposes, some processes train, DVC remembers; a table and a picture."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import IO

from flows.engine import rounds
from flows.engine.kept import keep
from flows.engine.rounds import Table
from flows.engine.side_by_side import Hand, Here, SideBySide
from flows.engine.step import stop_on_signals
from flows.engine.trial import Trials, folder, prepare
from flows.memory.lock import Used
from flows.memory.outputs import put_back
from flows.memory.reproduce import reproduce
from flows.project import params, sweeps
from flows.project.folder import Project
from flows.project.steps import SWEEP
from flows.project.sweeps import FAMILY
from tasks.core.step import Stopped, UserError

Submit = Callable[[SideBySide], rounds.Run]


def sweep(
    project: Project,
    pipeline: str,
    workers: int = 1,
    submit: Submit = lambda side: side.run_all,
    apply: bool = False,
    on: str | None = None,
    by_dvc: bool = False,
) -> Table:
    """Run the sweep of a pipeline, or go on with it; write its table and its picture.

    Args:
        project: the project.
        pipeline: its name in params.yaml, also under `sweeps:`.
        workers: trials side by side.
        submit: how the trials of a round are run.
        apply: whether to write the best trial's parameters into params.yaml.
        on: the address of a Dask scheduler, whose workers run the trials.
        by_dvc: whether `dvc repro` runs it, which has made the rows, and records what is written.

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
        if not by_dvc:
            prepare(project, pipeline)
        trials = Trials(project, chosen)
        with SideBySide(trials, _hands(trials, workers, held, on)) as side:
            table = rounds.run(project, chosen, submit(side))

        _write(project, table, apply, by_dvc)
        table.experiments = keep(trials, table)
        trials.tidy(table.rows.values())
    return table


def _write(project: Project, table: Table, apply: bool, by_dvc: bool) -> None:
    """Write the table and the picture, recorded as made from params.yaml; perhaps edit that."""
    # With another family the table would be another one: then the record is of the old one.
    content, same = table.sweep.content, FAMILY not in table.sweep.space
    if apply and same:
        table.apply(project)
        content = params.content(project.params_file)

    def write() -> Used:
        rounds.write(project, table)
        sections = content["pipelines"][table.sweep.name]
        return Used({**sections, "sweeps": content["sweeps"]}, {})

    if by_dvc:
        write()
    else:
        reproduce(project, f"{SWEEP}@{table.sweep.name}", write)
    if apply and not same:
        table.apply(project)


def _hands(trials: Trials, workers: int, held: IO, on: str | None) -> Sequence[Hand]:
    if on is None:
        logs = folder(trials.project, trials.sweep.name)
        return [Here(logs / f"worker-{k}.log", held) for k in range(1, workers + 1)]

    from flows.engine.machines import connect  # here: Dask takes a second to import

    return connect(on, trials)


def main(pipeline: str) -> int:
    """What a stage of `release/dvc.yaml` starts: lines on the terminal, an exit code."""
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stdout)
    stop_on_signals()
    try:
        sweep(Project.here(), pipeline, by_dvc=True)
        return 0
    except (UserError, OSError) as error:
        print(f"sweep: {error}", file=sys.stderr)
    except Stopped as stopped:
        print(f"sweep: {stopped}. The same command goes on.", file=sys.stderr)
    put_back(Project.here(), f"{SWEEP}@{pipeline}")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
