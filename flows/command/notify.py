"""Let Prefect tell a webhook of failed runs, models that do not pass, drift, and new champions."""

from __future__ import annotations

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import GRAY, plain_errors, say
from flows.project.folder import Project
from flows.server import settings
from flows.server.process import Server

EXAMPLE = """\
examples:
  python -m flows notify https://hooks.slack.com/services/...   Slack, Mattermost, Discord
  python -m flows notify --off                                  tell nobody any more

A message is sent at once, to try it. Messages are sent as long as Prefect's server runs: make ui"""


def main(arguments: list[str]) -> int:
    parser = command_line("notify", __doc__, EXAMPLE)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("url", nargs="?", help="of a webhook that takes JSON with a `text`")
    where.add_argument("--off", action="store_true", help="tell nobody any more")
    options = parser.parse_args(arguments)
    with plain_errors() as end:
        notify(Project.here(), options.url)
    return end.code


def notify(project: Project, url: str | None) -> None:
    """Make the automation in Prefect; without an address take it away."""
    settings.configure(project)
    server = Server(project)
    from flows.server import notices  # here: Prefect takes seconds to import

    server.wait()
    if url is None:
        say(Text("Nobody is told any more." if notices.stop() else "Nobody was told."))
        return
    notices.tell(url)
    say(Text("A message was sent to try it. The automation is in Prefect's UI: automations"))
    if server.process:
        say(Text("Messages are sent as long as Prefect's server runs: make ui", GRAY))
