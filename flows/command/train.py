"""Train a pipeline: Prefect's flow in the terminal. Nothing runs that has not changed."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
import warnings
from contextlib import suppress
from typing import Any

from rich.text import Text

from flows.command import plan as plan_command
from flows.command import summary
from flows.command.help import command_line
from flows.command.terminal import (
    GRAY,
    ORANGE,
    RED,
    AtWork,
    Lines,
    plain_errors,
    say,
    stop_when_nobody_reads,
)
from flows.engine.environment import KERAS, pin
from flows.engine.limits import check_limits
from flows.engine.processes import waits
from flows.memory.lock import edited, stages
from flows.project import params
from flows.project.changes import typed
from flows.project.folder import Project
from flows.project.tracked import check_here
from flows.server import settings
from flows.server.process import Server
from tasks.core.code import code
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources.place import Place

log = logging.getLogger("flows")
EXAMPLE = """\
examples:
  python -m flows train fashion
  python -m flows train fashion fit.epochs=3 build.dropout=0.2

The second is an experiment: params.yaml and the results stay as they are. `python -m flows compare
fashion` lists the experiments, and adopts one."""


def main(arguments: list[str]) -> int:
    parser = command_line("train", __doc__, EXAMPLE)
    parser.add_argument("pipeline", help="a section of params.yaml, such as fashion")
    parser.add_argument(
        "changes",
        nargs="*",
        default=[],  # else argparse says that they are required
        metavar="STEP.KEY=VALUE",
        help="other parameters: an experiment, in a copy of the project",
    )
    parser.add_argument("--plan", action="store_true", help="show what would run; run nothing")
    parser.add_argument("--force", action="store_true", help="run every step, changed or not")
    parser.add_argument("-v", "--verbose", action="store_true", help="show Prefect's log as well")
    options = parser.parse_args(arguments)

    project = Project.here()
    with plain_errors() as end:
        if options.plan and options.changes:
            raise UserError(
                "--plan shows what params.yaml would run. An experiment has no plan: leave out "
                f"{' '.join(options.changes)}, or --plan."
            )
        if options.plan:
            plan_command.show(project, options.pipeline, options.force)
        else:
            end.code = train(
                project, options.pipeline, options.force, options.verbose, options.changes
            )
    return end.code


def train(
    project: Project, pipeline: str, force: bool, verbose: bool, words: list[str] | None = None
) -> int:
    """Run the flow and say what happened.

    The order is the program: what takes long starts first, beside what comes next.

    Args:
        words: other parameters, as they are typed.
    """
    started = time.monotonic()
    chosen = project.read(pipeline)
    changes = typed(words or [], params.content(project.params_file), pipeline)
    path = changes.get("load", {}).get("path")
    check_data(project, pipeline, path or chosen.load.path, is_typed=path is not None)
    stop_when_nobody_reads()
    say(Text(pipeline, "bold"))
    plan_command.warn_of_losses(project)

    server, working = begin(project, verbose), AtWork()

    with working.on("getting ready"):
        from flows.memory.plan import plan

        warm_up(plan(project, pipeline, force), chosen)

        from flows import pipeline as flow
        from flows import turn
        from flows.server import report, runs

    wait_for(server)
    runs.server_is_away = leave
    turn.at_work = working.on  # type: ignore[assignment] # of another name
    with runs.signed():
        given = flow.Changes.model_validate(changes)
        state = flow.run_pipeline(pipeline, force, given, return_state=True)

    seconds = time.monotonic() - started - sum(waits)
    if not state.is_completed():
        return fail(state, seconds)
    if changes:
        say(Text(f"\n{state.message}", "bold"))
    else:
        summary.show(project, pipeline, server.page(report.page(pipeline)), server.lasts)
    say(Text(f"done in {seconds:.1f} s"))
    return 0


def check_data(project: Project, pipeline: str, path: str, is_typed: bool = False) -> None:
    """Refuse a `load.path` that leads nowhere before the server takes seconds to start.

    Args:
        is_typed: whether it stands in the command, and not in params.yaml.
    """
    check_here(project, path)
    place = Place.named(path, Folder(project.data(pipeline)))
    is_with_dvc = place.path.with_name(f"{place.name}.dvc").is_file()
    is_lost = not is_with_dvc and not place.path.exists()
    if is_lost and is_typed:
        raise UserError(
            f"load.path={path}: there is no {place}. Expected your data: correct the path that "
            "you typed. A relative one begins at the project's folder."
        )
    if is_lost and _was_read(project, pipeline):
        raise UserError(
            f"load.path: there is no {place}, which load has read before, and neither git nor DVC "
            "has it. Copy it here, or let the clone that has it share it (docs/share.md). If it "
            "has moved, correct the path in params.yaml."
        )
    place.there("your data")


def _was_read(project: Project, pipeline: str) -> bool:
    """Whether dvc.lock has a result of the path that params.yaml names."""
    is_new = any(change.startswith("load.path:") for change in edited(project, pipeline))
    return f"load@{pipeline}" in stages(project) and not is_new


def begin(project: Project, verbose: bool) -> Server:
    """Start a server in a process of its own, before Prefect is imported, and show the lines."""
    check_limits()
    # Which `requests` silences, unless what another thread imports resets the filters meanwhile.
    warnings.filterwarnings("ignore", "SOCKS support in urllib3")
    settings.configure(project, verbose)
    server = Server(project)
    if not verbose:  # else Prefect shows the lines
        for name in ("flows", "tasks"):
            logging.getLogger(name).addHandler(Lines())
            logging.getLogger(name).setLevel(logging.INFO)
    return server


def wait_for(server: Server) -> None:
    if not server.ready():
        say(Text(f"waiting for Prefect's server to start: {server.usually()}", GRAY), 2)
        server.wait()


def fail(state: Any, seconds: float) -> int:
    """Say how a run ended that was not completed.

    Returns:
        The exit code.
    """
    mark, code = (Text("failed", RED), 1) if state.is_failed() else (Text("stopped", ORANGE), 130)
    say(mark.append(f" after {seconds:.1f} s: {state.message}", "default"))
    return code


def warm_up(planned: list, chosen: Any) -> None:
    """Import TensorFlow in a thread, if a step that is sure to run needs it."""
    if any(step.action == "run" and KERAS in code(step.step) for step in planned):
        pin("fit", chosen)
        module = "tasks.network.backend"
        threading.Thread(target=_import, args=(module,), daemon=True).start()


def _import(module: str) -> None:
    with suppress(Exception):  # short of memory, say: the step that needs it tells
        importlib.import_module(module)


def leave(state) -> None:
    """End the process: Prefect's client would try for minutes to reach a server that has gone."""
    said = f"{state.name} {state.message}"
    log.warning("Prefect's server does not answer, so this could not be told: %s", said)
    log.warning("What was done is kept. The next run tells the server.")
    sys.stdout.flush()
    os._exit(0 if state.is_completed() else 1)
