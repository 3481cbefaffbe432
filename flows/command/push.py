"""Send to DVC's remote what it lacks: all results, and all runs and trials that DVC remembers."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import counted, plain_errors, say
from flows.project.folder import Project


def main(arguments: list[str]) -> int:
    command_line("push", __doc__).parse_args(arguments)
    with plain_errors() as end:
        from flows.memory.exchange import push  # here: DVC takes half a second to import

        with Console(stderr=True).status("comparing with DVC's remote"):
            files, runs = push(Project.here())
        sent = f"sent {counted(files, 'file')} of {counted(runs, 'run')}"
        say(Text(f"{sent}. git carries the rest: commit, and git push"))
    return end.code
