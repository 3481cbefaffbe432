"""Delete old experiments, saved states and runs, and what DVC's cache keeps for nobody."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import rich
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from flows.command.help import command_line
from flows.command.terminal import plain_errors
from flows.engine import copies
from flows.engine.processes import hold
from flows.project.folder import Project
from flows.server.settings import configure
from tasks.core.step import UserError

EXAMPLE = """\
examples:
  python -m flows tidy --plan          show what would be deleted
  python -m flows tidy --older 7d      delete it, also what is only a week old

Results of any commit are kept, and whatever is not that old. --tips keeps the results of the
newest commit of each branch, and of each tag, and not those of older commits."""
NAMED = 3  # names in a line of the table


class Part(NamedTuple):
    """One kind of what is kept: how much there is, and what of it would go."""

    what: str
    goes: str
    of: str
    names: list[str]
    delete: Callable[[], None] | None  # None: there is nothing


def main(arguments: list[str]) -> int:
    parser = command_line("tidy", __doc__, EXAMPLE)
    parser.add_argument("--plan", action="store_true", help="show what would go; delete nothing")
    parser.add_argument(
        "--older",
        type=_days,
        default="30d",
        metavar="AGE",
        help="age, such as 7d (without it 30d)",
    )
    parser.add_argument("--tips", action="store_true", help="older commits keep no results")
    options = parser.parse_args(arguments)

    project = Project.here()
    configure(project)
    with plain_errors() as end:
        tidy(project, options.older, options.tips, options.plan)
    return end.code


def _days(text: str) -> timedelta:
    if not re.fullmatch(r"[1-9]\d{0,4}d", text):
        raise argparse.ArgumentTypeError(
            f"got `{text}`, expected one day or more, such as 1d or 30d"
        )
    return timedelta(days=int(text[:-1]))


def tidy(project: Project, older: timedelta, tips: bool, plan: bool) -> None:
    """Show what is kept and what of it would go, and delete that.

    Args:
        older: nothing younger goes.
        tips: see `EXAMPLE`.
        plan: whether to delete nothing.

    Raises:
        UserError: a run is at work. Nothing was deleted.
    """
    from flows.memory.unneeded import kept  # here: DVC takes half a second to import

    since = time.time() - older.total_seconds()
    looking = Console(stderr=True).status("looking at what is kept")
    with ExitStack() as held:
        with looking:
            held.enter_context(nothing_runs(project))
            in_dvc = held.enter_context(kept(project, since, tips))
            parts = [*_of_dvc(in_dvc), _states(project, since), _runs(older)]
        show(parts, older)
        doomed = [part.delete for part in parts if part.delete]
        if plan or not doomed:
            print("Nothing was deleted." if doomed else "There is nothing to delete.")
            return
        with Console(stderr=True).status("deleting"):
            for delete in doomed:
                delete()
    print("Deleted.")


@contextmanager
def nothing_runs(project: Project) -> Iterator[None]:
    """Hold what a run of each pipeline holds: one that is started now waits.

    Raises:
        UserError: a run is at work.
    """
    with ExitStack() as held:
        runs = (project.root / "data").glob("*/.resume")
        places = {place / "run.lock": f"A run of {place.parent.name}" for place in runs}
        sweeps = project.root.glob(".dvc/tmp/sweeps/*")
        places |= {place / "lock": f"A sweep of {place.name}" for place in sweeps}
        for place, what in places.items():
            file = held.enter_context(open(place, "a+", encoding="utf-8"))
            if not hold(file):
                raise UserError(f"{what} is at work. Wait until it has ended.")
        copies.remove_left(project)
        at_work = copies.at_work(project)
        if at_work:
            raise UserError(f"The experiment {at_work[0]} is at work. Wait until it has ended.")
        yield


def _of_dvc(in_dvc) -> Iterator[Part]:
    """What DVC keeps: see `flows.memory.unneeded.Kept`."""
    old, every = in_dvc.old, in_dvc.experiments
    remove = in_dvc.remove_experiments if old else None
    yield Part("experiments", str(len(old)), str(len(every)), [ref.name for ref in old], remove)

    unneeded, sizes = in_dvc.unneeded, in_dvc.sizes
    goes, whole = decimal(sum(unneeded.values())), decimal(sum(sizes.values()))
    remove = in_dvc.remove_objects if unneeded else None
    yield Part("files in DVC's cache", goes, whole, [f"{len(unneeded)} of {len(sizes)}"], remove)


def _states(project: Project, since: float) -> Part:
    """The saved states of trainings."""
    states = list((project.root / "data").glob("*/.resume/*.npz"))
    states += project.root.glob(".dvc/tmp/sweeps/*/*/data/*/.resume/*.npz")
    old = [state for state in states if state.stat().st_mtime < since]

    def delete() -> None:
        for state in old:
            state.unlink()

    names = [state.relative_to(project.root).as_posix() for state in old]
    goes, whole = _size(old), _size(states)
    return Part("saved states of trainings", goes, whole, names, delete if old else None)


def _size(files: list[Path]) -> str:
    return decimal(sum(file.stat().st_size for file in files))


def _runs(older: timedelta) -> Part:
    """The runs that Prefect's database on this machine has."""
    from flows.server import database  # here: Prefect takes seconds to import

    path = database.file()
    if path is None:
        return Part("runs in Prefect", "0", "0", [], None)

    old, every = database.ended_runs(path, older)

    def delete() -> None:
        database.forget_runs(path, older)

    names = [f"the database has {_size([path])}"]
    return Part("runs in Prefect", str(old), str(every), names, delete if old else None)


def show(parts: list[Part], older: timedelta) -> None:
    table = Table(box=None, pad_edge=False)
    for title in (f"older than {older.days} day{'s' * (older.days > 1)}", "goes", "of", ""):
        table.add_column(title, justify="right" if title in ("goes", "of") else "left")
    for part in parts:
        more = f" and {len(part.names) - NAMED} more" if len(part.names) > NAMED else ""
        table.add_row(part.what, part.goes, part.of, ", ".join(part.names[:NAMED]) + more)
    rich.print(table)
