"""Answers of a trained model to new rows."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import plain_errors
from flows.predict import answers, place_of
from flows.project.folder import Project
from tasks.core.digits import digits
from tasks.core.step import readable
from tasks.sources.place import Place

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = """\
examples:
  python -m flows predict fashion photo.png
  python -m flows predict fashion photos/ --to answers.csv
  cat new.csv | python -m flows predict prices - --to -

New rows are read and scaled as the training rows were. If they have labels, such as a table with
the target or a folder for each class, the score is told too."""
SHOWN = 10  # answers in the terminal


def main(arguments: list[str]) -> int:
    parser = command_line("predict", __doc__, EXAMPLE)
    parser.add_argument("pipeline", help="a trained one, such as fashion")
    parser.add_argument(
        "data",
        help="a file or a folder of the kind that it was trained on, or an image; - is standard "
        "input",
    )
    parser.add_argument("--to", metavar="FILE", help="a CSV file for all answers; - prints them")
    parser.add_argument(
        "--exported",
        action="store_true",
        help="ask the exported model: without TensorFlow, and the same but for the last digits",
    )
    options = parser.parse_args(arguments)

    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_Warnings()])
    with plain_errors() as end, _place(options.data) as place:
        show(Project.here(), options.pipeline, place, options.to, options.exported)
    return end.code


BESIDE = Console(stderr=True)  # the answers: progress and warnings


class _Warnings(logging.Handler):
    """Prints above the progress, which a line of its own would break."""

    def emit(self, record: logging.LogRecord) -> None:
        BESIDE.print(Text(self.format(record)), soft_wrap=not BESIDE.is_terminal)


@contextmanager
def _place(data: str) -> Iterator[Place]:
    """The data; a stream, which can be read once, as a file that goes in the end."""
    if data != "-" and not Path(data).is_fifo():
        yield place_of(Path(data))
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder, "stream")
        stream = sys.stdin.buffer if data == "-" else stack.enter_context(open(data, "rb"))
        with open(path, "wb") as file:
            shutil.copyfileobj(stream, file)
        yield Place(path, "standard input" if data == "-" else data)


def show(
    project: Project, pipeline: str, place: Place, to: str | None, exported: bool = False
) -> None:
    """Answer all rows, and say what the answers are.

    Args:
        project: this one.
        pipeline: a trained one.
        place: the rows.
        to: a file for all answers, `-` for standard output, or None.
        exported: whether the exported model is asked.
    """
    # Here: a mistake in the command is said at once.
    from tasks.answers.file import AnswersFile
    from tasks.answers.summary import Summary
    from tasks.drift.watch import Watch

    summary, file, watch = Summary(), AnswersFile(to, place) if to else None, Watch()
    console = BESIDE if to == "-" else Console()
    quiet = to == "-"  # the answers may go to the same terminal
    with file.open() if file else nullcontext(), _progress(place, quiet) as tell:
        for part in answers(project, pipeline, place, watch, exported):
            if file:
                file.add(part.told)
            summary.add(part)
            tell(summary.rows)

    assert summary.first is not None
    if to is None:
        console.print(_table(summary.first.told.head(SHOWN)))
    for line in summary.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if to not in (None, "-"):
        console.print(f"all answers: {to}", markup=False, soft_wrap=True)
        console.print(f"drift: {watch.write(Path(to))}", markup=False, soft_wrap=True)
    elif to is None and summary.rows > SHOWN:
        more = f"{summary.rows - SHOWN:,} more: --to answers.csv writes them all"
        console.print(f"[dim]{more}[/]")


@contextmanager
def _progress(place: Place, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how many rows are answered, and their share where the number of all is known."""
    if quiet:
        yield lambda rows: None
        return
    total = _rows(place.path)

    def tell(rows: int) -> None:
        share = f", {min(rows / total, 1):.0%}" if total else ""
        status.update(f"{rows:,} rows{share}")

    with BESIDE.status("reading") as status:
        yield tell


def _rows(path: Path) -> int | None:
    """How many rows there are, about: of text the lines, of a folder the files; else None."""
    if path.is_dir():
        return sum(file.is_file() for file in path.rglob("*"))
    can_be_read = path.is_file() and os.access(path, os.R_OK)
    if path.suffix.lower() not in (".csv", ".txt", ".tsv", "") or not can_be_read:
        return None
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))


def _table(part: pd.DataFrame) -> Table:
    """The answers; of classes the first two."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [name for name in part if not name.startswith("third")]
    for name in shown:
        number = part[name].dtype.kind == "f"
        table.add_column(
            "" if name.endswith("confidence") else name,
            justify="right" if number else "left",
            overflow="fold",
        )
    for _, row in part[shown].iterrows():
        table.add_row(*(_cell(name, each) for name, each in row.items()))
    return table


def _cell(name: Any, value: Any) -> str:
    if value is None or value != value:  # a label that is missing
        return ""
    if str(name).endswith("confidence"):
        return f"{value:.1%}"
    if not isinstance(value, float):
        return readable(str(value))
    number = f"{value:,.6g}"
    return digits(value, 6) if "e+" in number else number
