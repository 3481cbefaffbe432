"""Compare the experiments of a pipeline by their scores on the validation rows."""

from __future__ import annotations

import argparse
import io
import math
from pathlib import Path

from rich.text import Text

from flows.command.terminal import GRAY, plain_errors, say
from flows.engine import experiment
from flows.engine.experiment import Result
from flows.project.folder import Project
from flows.project.params import differences
from tasks.core.folder import Folder
from tasks.core.step import UserError

HERE = "(here)"  # the project's folder as it is now
FIRST = "val_loss"  # the lowest comes first
DRAWN = 10  # trainings in a picture: it has as many colors
MORE = """\
To make an experiment yours: dvc exp apply NAME"""
NONE_YET = """\
No experiment yet. To make one: dvc exp run -S pipelines.{0}.fit.epochs=3 evaluate@{0}"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m flows compare", description=__doc__)
    parser.add_argument("pipeline", help="a section of params.yaml, such as fashion")
    parser.add_argument(
        "--picture",
        metavar="FILE",
        help=f"draw the validation loss of the {DRAWN} best, epoch by epoch, as a .png",
    )
    options = parser.parse_args(arguments)
    with plain_errors() as end:
        shown = show(Project.here(), options.pipeline)
        if options.picture:
            _draw(shown, Path(options.picture))
    return end.code


def show(project: Project, pipeline: str) -> dict[str, Result]:
    """Print a line for each experiment, the one with the lowest `val_loss` first.

    Returns:
        The experiments, and the project's folder as it is now, in that order.

    Raises:
        UserError: there is no such pipeline, or no score on validation rows.
    """
    project.read(pipeline)
    found = experiment.results(project, pipeline)
    some = bool(found)
    here = found[HERE] = experiment.result_here(project, pipeline)

    names = {name for result in found.values() for name in result.metrics}
    scores = {name for name in names if name.startswith("val_")}
    if not scores:
        raise UserError(
            f"No run of {pipeline} has a score on validation rows. Hold some out with "
            f"`normalize.validation` in params.yaml, then run: `python -m flows train {pipeline}`."
        )
    columns = [FIRST, *sorted(scores - {FIRST})]

    order = sorted(found, key=lambda name: found[name].metrics.get(FIRST, math.inf))
    width = max(len("experiment"), *map(len, found)) + 2
    cells = [name.rjust(10) for name in columns]
    head = f"{'experiment':{width}}{'  '.join(cells)}  "
    say(Text(f"{head}other parameters than here", "bold"), len(head))
    for name in order:
        say(_row(name, found[name], here, columns, width), len(head))
    say(Text(f"\n{(MORE if some else NONE_YET).format(pipeline)}", GRAY))
    return {name: found[name] for name in order}


def _draw(results: dict[str, Result], path: Path) -> None:
    """The learning curves of the best."""
    if path.suffix.lower() != ".png" or not path.absolute().parent.is_dir():
        raise UserError(f"--picture {path}: expected a .png file in a folder that exists.")
    import pandas as pd  # here: they take a second to import

    from tasks.pictures import curves

    tables = {
        name: pd.read_csv(io.StringIO(result.history))
        for name, result in results.items()
        if FIRST in result.metrics
    }
    best = dict(list(tables.items())[:DRAWN])
    curves.draw(Folder(path.absolute().parent), path.name, best)
    say(Text(f"\nlearning curves: {path}"))


def _row(name: str, result: Result, here: Result, columns: list[str], width: int) -> Text:
    scores = [result.metrics.get(column) for column in columns]
    cells = ["" if score is None else f"{score:.4f}" for score in scores]
    places = [cell.rjust(max(10, len(column))) for cell, column in zip(cells, columns, strict=True)]
    changes = [] if name == HERE else _changes(here, result)
    return Text(f"{name:{width}}{'  '.join(places)}  {', '.join(changes)}")


def _changes(here: Result, result: Result) -> list[str]:
    """`fit.epochs: 20 -> 3`, for each parameter that differs."""
    return [
        line
        for step in {**here.sections, **result.sections}
        for line in differences(step, here.sections.get(step, {}), result.sections.get(step, {}))
    ]
