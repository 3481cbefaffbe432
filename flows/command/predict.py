"""Answers of a trained model to new rows."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from flows.command.terminal import plain_errors
from flows.predict import answers
from flows.project.folder import Project
from tasks.core.step import UserError, readable

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
    parser = argparse.ArgumentParser(
        "python -m flows predict",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pipeline", help="a trained one, such as fashion")
    parser.add_argument(
        "data",
        help="a file or a folder of the kind that it was trained on, or an image; - is standard "
        "input",
    )
    parser.add_argument("--to", metavar="FILE", help="a CSV file for all answers; - prints them")
    options = parser.parse_args(arguments)

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    with plain_errors() as end, _file(options.data) as data:
        to = Path(options.to) if options.to not in (None, "-") else None
        parts = answers(Project.here(), options.pipeline, data, to)
        Answered(options.to).show(options.pipeline, parts)
    return end.code


@contextmanager
def _file(data: str) -> Iterator[Path]:
    """The data; standard input as a file that goes in the end."""
    if data != "-":
        yield Path(data)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stdin")
        with open(path, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path


class Answered:
    """Answers on their way to the terminal and to a file.

    Args:
        to: the file, `-` for standard output, or None.
    """

    def __init__(self, to: str | None) -> None:
        self.to = to
        self.console = Console(stderr=to == "-")
        self.first: pd.DataFrame | None = None
        self.rows, self.classes = 0, Counter[str]()

    def show(self, pipeline: str, parts: Iterator[pd.DataFrame]) -> None:
        from tasks.answers.score import Score  # here: pandas takes a second to import

        score = Score()
        with self._open() as file, Console(stderr=True).status("reading") as status:
            for part in parts:
                if file:
                    part.to_csv(file, index=False, header=not self.rows, lineterminator="\n")
                self.first = part.head(SHOWN) if self.first is None else self.first
                self.rows += len(part)
                if "confidence" in part:
                    self.classes.update(part["predicted"].tolist())
                score.add(part)
                status.update(f"{self.rows:,} rows")
        self._summary(pipeline, score)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The file of the answers: it has its name when it is whole."""
        if self.to is None:
            yield None
        elif self.to == "-":
            yield sys.stdout
        else:
            path = Path(self.to)
            if not path.absolute().parent.is_dir():
                raise UserError(f"--to {path}: there is no folder {path.parent}. Make it first.")
            part = path.with_name(f".part.{path.name}")
            try:
                with open(part, "w", encoding="utf-8", newline="") as file:
                    yield file
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)

    def _summary(self, pipeline: str, score: Any) -> None:
        assert self.first is not None
        if self.to is None:
            self.console.print(_table(self.first))
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        said = ", ".join(f"{name} {count:,}" for name, count in self.classes.most_common(10))
        counted = f"{rows}: {said}" if said else rows
        self.console.print(readable(counted), highlight=False, markup=False, soft_wrap=True)

        if score.rows and self.classes:
            share = f"{score.right:,} of {score.rows:,}"
            self.console.print(f"accuracy {score.right / score.rows:.4f}: {share} are right")
        elif score.rows:
            self.console.print(f"mean squared error {score.squares / score.rows:.4g}")
        if score.unknown:
            self.console.print(f"{score.unknown:,} rows have a label that the training did not see")
        if self.to not in (None, "-"):
            self.console.print(f"all answers: {self.to}", markup=False)
        elif self.to is None and self.rows > SHOWN:
            more = f"{self.rows - SHOWN:,} more: --to answers.csv writes them all"
            self.console.print(f"[dim]{more}[/]")


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
    if str(name).endswith("confidence"):
        return f"{value:.1%}"
    return readable(f"{value:.5g}" if isinstance(value, float) else str(value))
