"""What the commands share: mistakes in one line, and the lines of a run."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import rich
from pydantic import ValidationError
from rich.text import Text

from tasks.core.step import UserError, stopping


@dataclass
class End:
    """How a command ends."""

    code: int = 0


@contextmanager
def plain_errors() -> Iterator[End]:
    """A user's mistake is one line and exit code 1; Ctrl-C is `stopped` and 130."""
    end, console = End(), rich.get_console()
    try:
        yield end
    except KeyboardInterrupt:
        console.print(Text("stopped", "yellow"))
        end.code = 130
    except UserError as error:
        console.print(Text("error ", "red").append(str(error), "default"), soft_wrap=True)
        end.code = 1
    except ValidationError as error:
        if not error.title.endswith("Settings"):
            raise
        wrong = error.errors()[0]
        set_to = [
            name
            for name, value in os.environ.items()
            if name.startswith("PREFECT_") and value == wrong["input"]
        ]
        said = f"{' or '.join(set_to) or error.title}={wrong['input']} is wrong: {wrong['msg']}."
        console.print(Text("error ", "red").append(said, "default"), soft_wrap=True)
        end.code = 1


def stop_when_nobody_reads() -> None:
    """Let a closed pipe, as `head` leaves it, stop the run as Ctrl-C does."""
    console = rich.get_console()

    def stop() -> None:
        console.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stopping.set()

    console.on_broken_pipe = stop  # type: ignore[method-assign] # by itself it ends this thread


class Lines(logging.Handler):
    """Prints the flow's line for each step and, dimmed, the steps' own log lines in between."""

    COLORS: ClassVar = {
        "ran": "green",
        "cached": "blue",
        "restored": "blue",
        "stopped": "yellow",
        "waits": "yellow",
        "failed": "red",
    }

    def emit(self, record: logging.LogRecord) -> None:
        line = Text(self.format(record))
        if record.name == "tasks":
            line = Text("  ").append(line)
            line.stylize("yellow" if record.levelno >= logging.WARNING else "dim")
        else:
            for word, color in self.COLORS.items():
                line.highlight_regex(rf"(?<=^.{{13}}){word}", color)
        rich.get_console().print(line, soft_wrap=True)
