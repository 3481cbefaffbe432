"""Take from DVC's remote what is lacking here: this commit's results, and all runs and trials."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import counted, plain_errors, say
from flows.project.folder import Project


def main(arguments: list[str]) -> int:
    command_line("pull", __doc__).parse_args(arguments)
    with plain_errors() as end:
        from flows.memory.exchange import pull  # here: DVC takes half a second to import

        with Console(stderr=True).status("comparing with DVC's remote"):
            files, runs = pull(Project.here())
        say(Text(f"took {counted(files, 'file')} of {counted(runs, 'run')}"))
    return end.code
