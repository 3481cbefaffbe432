"""Show what would run, and why; run nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import BLUE, GRAY, GREEN, plain_errors, say
from flows.engine import witness
from flows.memory.lock import lost
from flows.project.folder import Project
from flows.project.steps import step
from tasks.core.folder import Folder
from tasks.core.step import UserError, readable
from tasks.training.state import resumes

if TYPE_CHECKING:
    from flows.memory.plan import Plan

WORDS = {
    "run": ("run", GREEN),
    "unchanged": ("skip", GRAY),
    "restored": ("restore", BLUE),
    "if changed": ("if changed", ""),
}
LEGEND = "if changed: runs only if a file named beside it comes out different"
STEP, WOULD = 13, 12  # widths of the columns


def main(arguments: list[str]) -> int:
    parser = command_line("plan", __doc__)
    parser.add_argument("pipeline", nargs="?", help="such as fashion; without it, a line for each")
    parser.add_argument("--force", action="store_true", help="as `train --force` would")
    options = parser.parse_args(arguments)
    project = Project.here()
    with plain_errors() as end:
        if options.pipeline:
            show(project, options.pipeline, options.force)
        else:
            show_all(project, options.force)
    return end.code


def show(project: Project, pipeline: str, force: bool) -> None:
    """Print a line for each step: what would happen to it, and why."""
    from flows.memory.plan import IF_CHANGED, plan  # here: DVC takes half a second to import

    chosen = project.read(pipeline)
    warn_of_losses(project)
    planned = plan(project, pipeline, force)
    resumed = _resumed(project, pipeline, chosen, planned)

    say(Text(f"{'step':{STEP}}{'would':{WOULD}}because", "bold"))
    for each in planned:
        word, color = WORDS[each.action]
        line = Text(f"{each.step:{STEP}}").append(f"{word:{WOULD}}", color)
        because = [*map(readable, each.reasons), *filter(None, [resumed.get(each.step)])]
        say(line.append("\n".join(because) or "nothing has changed"), STEP + WOULD)
    if any(each.action == IF_CHANGED for each in planned):
        say(Text(f"\n{LEGEND}", GRAY))


def _resumed(project: Project, pipeline: str, chosen: Any, planned: list[Plan]) -> dict[str, str]:
    """Where a training that was interrupted would go on, by its step.

    It is known if the inputs are there already: what the steps before write may differ.
    """
    actions = {each.step: each.action for each in planned}
    return {
        each.step: resumes(Folder(project.data(pipeline)), getattr(chosen, each.step))
        for each in planned
        if each.action == "run" and step(each.step).trains
        if all(actions[before] == "unchanged" for before in each.after)
    }


def show_all(project: Project, force: bool) -> None:
    """Print a line for each pipeline: whether it is up to date, or which steps would run."""
    names = project.pipelines()
    if not names:
        raise UserError("params.yaml has no pipeline. `python -m flows new` adds one.")
    warn_of_losses(project)

    width = max(map(len, names)) + 2
    for name in names:
        try:
            said = _in_short(project, name, force)
        except UserError as error:  # the other pipelines may be right
            said = Text(str(error))
        say(Text(f"{name:{width}}").append(said), width)


def _in_short(project: Project, pipeline: str, force: bool) -> Text:
    from flows.memory.plan import IF_CHANGED, plan  # here: DVC takes half a second to import

    project.read(pipeline)
    planned = plan(project, pipeline, force)
    parts = []
    for action in ("run", "restored", IF_CHANGED):
        steps = [each.step for each in planned if each.action == action]
        word, color = WORDS[action]
        if len(steps) == len(planned):
            parts.append(Text(word, color).append(" all steps", "default"))
        elif steps:
            parts.append(Text(word, color).append(f" {', '.join(steps)}", "default"))
    return Text("; ").join(parts) if parts else Text("up to date", GRAY)


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
