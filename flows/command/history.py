"""Say what was the champion when, why, and from which commit."""

from __future__ import annotations

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import GRAY, GREEN, plain_errors, say
from flows.engine.history import Line, lines
from flows.project.folder import Project

NONE_YET = "{0} has no champion yet. To make one: python -m flows promote {0}"
HEAD = "{:10}{:14}{:18}{:12}"


def main(arguments: list[str]) -> int:
    parser = command_line("history", __doc__)
    parser.add_argument("pipeline", help="a section of params.yaml, such as fashion")
    options = parser.parse_args(arguments)
    with plain_errors() as end:
        show(Project.here(), options.pipeline)
    return end.code


def show(project: Project, pipeline: str) -> None:
    """Print a line for each promotion and each model that was judged, the newest first.

    Raises:
        UserError: there is no such pipeline.
    """
    project.read(pipeline)
    found = lines(project, pipeline)
    if not found:
        say(Text(NONE_YET.format(pipeline)))
        return
    head = HEAD.format("version", "", "since (UTC)", "commit")
    say(Text(f"{head}why", "bold"))
    for line in found:
        say(_row(line), len(head))


def _row(line: Line) -> Text:
    row = Text(HEAD.format(line.version, line.word, line.since, line.commit[:10]))
    row.append(line.says)
    if line.champion:
        row.stylize(GREEN, 10, 24)
    elif not line.promoted:
        row.stylize(GRAY)
    return row
