"""Compare the experiments of a pipeline by their scores on the validation rows."""

from __future__ import annotations

import io
import math
from pathlib import Path

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import GRAY, plain_errors, say
from flows.engine import experiment
from flows.engine.experiment import Result
from flows.project import git, textfile
from flows.project.changes import between, text_with
from flows.project.folder import Project
from flows.project.params import differences
from tasks.core.digits import digits
from tasks.core.folder import Folder
from tasks.core.step import UserError

HERE = "(here)"  # the project's folder as it is now
FIRST = "val_loss"  # the lowest comes first
TRAIN = "python -m flows train "
DRAWN = 10  # trainings in a picture: it has as many colors
MORE = "To use the parameters of one: python -m flows compare {0} --apply NAME"
NONE_YET = "No experiment yet. To make one: python -m flows train {0} fit.epochs=3"
COLLEAGUES = """
Those of colleagues: dvc exp list --all-commits --name-only {0} lists them, and
dvc exp pull {0} NAME brings one, on the commit that it started from"""
OTHER_DATA = "other data: not comparable"


def main(arguments: list[str]) -> int:
    parser = command_line("compare", __doc__)
    parser.add_argument("pipeline", help="a section of params.yaml, such as fashion")
    parser.add_argument(
        "--picture",
        metavar="FILE",
        help=f"draw the validation loss of the {DRAWN} best, epoch by epoch, as a .png",
    )
    parser.add_argument(
        "--apply", metavar="NAME", help="write the parameters of an experiment into params.yaml"
    )
    options = parser.parse_args(arguments)
    project = Project.here()
    with plain_errors() as end:
        if options.apply:
            apply(project, options.pipeline, options.apply)
            return end.code
        shown = show(project, options.pipeline)
        if options.picture:
            _draw(shown, Path(options.picture))
    return end.code


def apply(project: Project, pipeline: str, name: str) -> None:
    """Write the parameters of an experiment into params.yaml; every other line stays.

    Raises:
        UserError: there is no such experiment.
    """
    project.read(pipeline)
    found = experiment.results(project, pipeline)
    if name not in found:
        known = ", ".join(found) or "none"
        raise UserError(f"{pipeline} has no experiment `{name}`. There are: {known}.")

    here = experiment.result_here(project, pipeline)
    changes = between(here.sections, found[name].sections)
    if not changes:
        say(Text(f"params.yaml has the parameters of {name} already."))
        return
    textfile.change(project.params_file, lambda text: text_with(text, pipeline, changes))
    for line in _changes(here, found[name]):
        say(Text(line))
    say(
        Text(f"\nparams.yaml has them. What DVC remembers is not trained again:\n{TRAIN}{pipeline}")
    )


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
    cells = {name: [_cell(found[name].metrics.get(score)) for score in columns] for name in order}
    wide = max(10, *(len(cell) for row in [columns, *cells.values()] for cell in row))
    head = f"{'experiment':{width}}{_row(columns, wide)}"
    say(Text(f"{head}other parameters than here", "bold"), len(head))
    for name in order:
        what = ", ".join(_differs(name, found[name], here))
        say(Text(f"{name:{width}}{_row(cells[name], wide)}{what}"), len(head))
    say(Text(f"\n{(MORE if some else NONE_YET).format(pipeline)}", GRAY))
    remotes = git.run(project, "remote").split()
    if remotes and not some:
        say(Text(COLLEAGUES.strip().format("origin" if "origin" in remotes else remotes[0]), GRAY))
    return {name: found[name] for name in order}


def _draw(results: dict[str, Result], path: Path) -> None:
    """The learning curves of the best."""
    if path.suffix.lower() != ".png" or not path.absolute().parent.is_dir():
        raise UserError(f"--picture {path}: expected a .png file in a folder that exists.")
    import pandas as pd  # here: they take a second to import

    from tasks.pictures import comparison

    tables = {
        name: pd.read_csv(io.StringIO(result.history))
        for name, result in results.items()
        if FIRST in result.metrics
    }
    best = dict(list(tables.items())[:DRAWN])
    comparison.draw(Folder(path.absolute().parent), path.name, best)
    say(Text(f"\nlearning curves: {path}"))


def _row(cells: list[str], width: int) -> str:
    return "".join(f"{cell:>{width}}  " for cell in cells)


def _cell(score: float | None) -> str:
    """A score in four digits, also if the last are zeros: all have the same."""
    if score is None:
        return ""
    return digits(score) if abs(score) >= 10_000 else f"{score:#.4g}".rstrip(".")


def _differs(name: str, result: Result, here: Result) -> list[str]:
    """What was otherwise than here."""
    changes = [] if name == HERE else _changes(here, result)
    if not result.metrics:
        changes = ["not trained with the parameters of now"]
    other_data = [OTHER_DATA] if result.data != here.data else []
    return other_data + changes


def _changes(here: Result, result: Result) -> list[str]:
    """`fit.epochs: 20 -> 3`, for each parameter that differs."""
    return [
        line
        for step in {**here.sections, **result.sections}
        for line in differences(step, here.sections.get(step, {}), result.sections.get(step, {}))
    ]
