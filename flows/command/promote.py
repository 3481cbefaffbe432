"""Make the model of the last commit the champion, if it is shown to be better."""

from __future__ import annotations

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import GRAY, GREEN, RED, plain_errors, say
from flows.command.train import begin, leave
from flows.engine import promotion, readiness
from flows.project import git
from flows.project.folder import Project

EXAMPLE = """\
examples:
  python -m flows promote fashion          judge the last commit against the champion
  python -m flows promote fashion --back   return to the champion before

The champions are git tags. To let others see them: git push --tags"""


def main(arguments: list[str]) -> int:
    parser = command_line("promote", __doc__, EXAMPLE)
    parser.add_argument("pipeline", help="a trained and exported one, such as fashion")
    parser.add_argument("--back", action="store_true", help="return to the champion before")
    options = parser.parse_args(arguments)
    with plain_errors() as end:
        end.code = promote(Project.here(), options.pipeline, options.back)
    return end.code


def promote(project: Project, pipeline: str, back: bool) -> int:
    """Run the flow and say how it ended.

    Returns:
        0 if the model is the champion now.
    """
    project.read(pipeline)
    server = begin(project, verbose=False)

    check = promotion.the_last_two if back else readiness.ready
    check(project, pipeline)  # while the server starts

    from flows.promote import promote_model  # here: Prefect takes seconds to import
    from flows.server import runs

    server.wait()
    runs.server_is_away = leave
    with runs.signed():
        state = promote_model(pipeline, back, return_state=True)
    if not state.is_completed():
        if state.name != "Failed":  # else the flow has said it
            say(Text("not promoted ", RED).append(str(state.message), "default"))
        return 1

    if state.name != runs.PROMOTED:
        say(Text(str(state.message)))
        return 0
    say(Text("promoted ", GREEN).append(str(state.message), "default"))
    say(Text(_next(project), GRAY))
    return 0


def _next(project: Project) -> str:
    if git.run(project, "remote"):
        return "The tag is only here yet: git push && git push --tags"
    return "There is no git remote, so the tag is only here."
