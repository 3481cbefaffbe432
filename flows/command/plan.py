"""Show what would run, and why; run nothing."""

from __future__ import annotations

import argparse

import rich
from rich.table import Table
from rich.text import Text

from flows.command.terminal import plain_errors
from flows.engine import witness
from flows.memory.lock import lost
from flows.project.folder import Project
from tasks.core.step import readable

WORDS = {
    "run": "[yellow]run[/]",
    "unchanged": "skip",
    "restored": "[blue]restore[/]",
    "if changed": "if changed",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m flows plan", description=__doc__)
    parser.add_argument("pipeline", help="a section of params.yaml, such as fashion")
    parser.add_argument("--force", action="store_true", help="as `train --force` would")
    options = parser.parse_args(arguments)
    with plain_errors() as end:
        show(Project.here(), options.pipeline, options.force)
    return end.code


def show(project: Project, pipeline: str, force: bool) -> None:
    """Print a table: a row for each step, what would happen to it, and why."""
    from flows.memory.plan import plan  # here: DVC takes half a second to import

    project.read(pipeline)
    warn_of_losses(project)
    table = Table(box=None, pad_edge=False)
    for title in ("step", "would", "because"):
        table.add_column(title, no_wrap=title != "because")
    for planned in plan(project, pipeline, force):
        reasons = "\n".join(map(readable, planned.reasons)) or "nothing has changed"
        table.add_row(planned.step, WORDS[planned.action], Text(reasons))
    rich.print(table)


def warn_of_losses(project: Project) -> None:
    """Say it if a kill has cut `dvc.lock`, or if a record was taken back."""
    for line in witness.settle(project):
        print(line)
    missing = lost(project)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        print(
            f"dvc.lock has no {missing[0]}{more}, which the last commit has. If a run was killed, "
            "`git checkout dvc.lock` brings them back."
        )
