"""What the commands share: mistakes in one line, and lines that a terminal shows well."""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import rich
from pydantic import ValidationError
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from flows.engine.step import is_short_of_memory
from tasks.core.step import UserError, stopping

# Of the 256 colors, those that can be read on black and on white.
GREEN, BLUE, ORANGE, RED, GRAY = (f"color({number})" for number in (28, 32, 166, 160, 243))
MOMENT = 2.0  # seconds that a person waits without a word
# Steps run side by side: while one prints, no other begins or ends the line below all others.
printing = threading.Lock()
# A full disk, a folder that is read-only, a path that leads nowhere: for a person to put right.
PLAIN = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES),
    *(errno.ENAMETOOLONG, errno.ELOOP),
)
NARROW = 20  # columns: less than this beside an indent is no room for text


@dataclass
class End:
    """How a command ends."""

    code: int = 0


@contextmanager
def plain_errors() -> Iterator[End]:
    """A user's mistake is one line and exit code 1; Ctrl-C is `stopped` and 130.

    Both go to the standard error stream: a program may read what the command prints.
    """
    end = End()
    try:
        yield end
    except KeyboardInterrupt:
        _say_beside(Text("stopped", ORANGE))
        end.code = 130
    except UserError as error:
        _say_error(str(error))
        end.code = 1
    except OSError as error:
        if error.errno not in PLAIN:
            raise
        _say_error(f"{error.strerror}: {error.filename or 'a file'}. Fix this and run again.")
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
        name = " or ".join(set_to) or error.title
        _say_error(f"{name}={wrong['input']} is wrong: {wrong['msg']}.")
        end.code = 1
    except (MemoryError, ImportError, RuntimeError) as error:
        if not is_short_of_memory(error):
            raise
        _say_error("There is not enough memory. Expected 2 GB, or no limit (`ulimit -v`).")
        end.code = 1


def _say_error(message: str) -> None:
    _say_beside(Text("error ", RED).append(message, "default"))


def _say_beside(line: Text) -> None:
    with suppress(BrokenPipeError):  # nobody reads what was printed before, and stands above it
        sys.stdout.flush()
    say(line, console=Console(stderr=True))


def say(line: Text, indent: int = 0, console: Console | None = None) -> None:
    """Print a line. In a terminal, what does not fit goes on below it, from a column on.

    Args:
        line: may have several lines, of which all but the first begin at the indent.
        indent: the column. A file, or a program that reads, gets each line whole.
        console: where; standard output if it is None.
    """
    console = console or rich.get_console()
    head, body = line[:indent], line[indent:]
    room = console.width - indent
    whole = not console.is_terminal or room < NARROW
    parts = body.split("\n", allow_blank=True) if whole else body.wrap(console, room)
    with printing:
        for part in parts:
            row = head + part
            row.rstrip()
            console.print(row, soft_wrap=True)
            head = Text(" " * indent)


def counted(count: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {what}{'s' * (count != 1)}"


class _Terminal(io.FileIO):
    """Standard output. If the terminal is gone, and has ended nothing, the run goes on unseen."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(content)


def stop_when_nobody_reads() -> None:
    """Let a closed pipe, as `head` leaves it, stop the run as Ctrl-C does."""
    console = rich.get_console()
    if sys.stdout.isatty():
        raw = io.BufferedWriter(_Terminal(sys.stdout.fileno(), "w", closefd=False))
        encoding, errors = sys.stdout.encoding, sys.stdout.errors
        sys.stdout = io.TextIOWrapper(raw, encoding, errors, line_buffering=True)

    def stop() -> None:
        console.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stopping.set()

    console.on_broken_pipe = stop  # type: ignore[method-assign] # by itself it ends this thread


class AtWork:
    """Below all other lines, what has been at work for more than a moment, and for how long.

    A step's own bar stands below that. It must begin and end while the step is at work: rich shows
    no bar that outlives the one it began under.
    """

    def __init__(self) -> None:
        self.since: dict[str, float] = {}
        self.live: Live | None = None

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Around something that may take long."""
        with printing:
            self.since[what] = time.monotonic()
            self._follow()
        try:
            yield
        finally:
            with printing:
                del self.since[what]
                self._follow()

    def _follow(self) -> None:
        """Show the line as long as there is something to show."""
        console = rich.get_console()
        if self.since and not self.live and console.is_terminal:
            self.live = Live(
                console=console,
                get_renderable=self._line,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self.live.start()
        elif self.live and not self.since:
            self.live.stop()
            self.live = None

    def _line(self) -> RenderableType:
        now = time.monotonic()
        long = {what: now - began for what, began in self.since.copy().items()}
        said = [f"{what}, {seconds:.0f} s" for what, seconds in long.items() if seconds > MOMENT]
        line = Text(f"  {'; '.join(said)}", GRAY, overflow="ellipsis", no_wrap=True)
        return line if said else Group()  # which has no line


class Lines(logging.Handler):
    """Prints the flow's line for each step and, in gray, the steps' own log lines in between."""

    STEP = re.compile(r"((?:trial )?\w+ +)(\w+) +[\d.]+ s  ")  # how a step's line begins
    COLORS: ClassVar = {
        "ran": GREEN,
        "cached": BLUE,
        "restored": BLUE,
        "stopped": ORANGE,
        "waits": ORANGE,
        "failed": RED,
    }

    def emit(self, record: logging.LogRecord) -> None:
        if rich.get_console().is_terminal and hasattr(record, "passing"):
            return  # `AtWork` shows there that the step is at work
        line, indent = Text(self.format(record)), 0
        if record.name == "tasks":
            line, indent = Text("  ").append(line), 2
            line.stylize(ORANGE if record.levelno >= logging.WARNING else GRAY)
        elif begins := self.STEP.match(line.plain):
            indent = begins.end()
            line.stylize(self.COLORS.get(begins[2], ""), *begins.span(2))
        say(line, indent)
