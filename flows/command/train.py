"""The command line of a flow: what a person types, and what they see."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

try:
    import rich
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Run `make install`, then `. .venv/bin/activate`.")
from rich.table import Table
from rich.text import Text

from flows.project import params
from flows.project.params import ROOT
from flows.server import process as server
from tasks.core.code import code
from tasks.core.step import UserError

PLANNED = {"run": "[yellow]run[/]", "unchanged": "skip", "restored": "[blue]restore[/]", "if changed": "if changed"}
PASSED_OVER = (
    "params.yaml has `{name}`, which dvc.yaml does not know: `dvc repro` passes it over. Write it into dvc.yaml's list "
    "of pipelines and into what load reads, or take it out."
)


def main(pipeline: str | None, description: str) -> int:
    """Parse the command line, run or plan the pipeline, and say what happened.

    Args:
        pipeline: a section of `params.yaml`; None if the command line is to say which.
        description: for `--help`.

    Returns:
        The exit code: 0, or 1 when something has failed.
    """
    parser = argparse.ArgumentParser(description=description, epilog="Parameters are in params.yaml.")
    parser.add_argument("--plan", action="store_true", help="show what would run and why, and run nothing")
    parser.add_argument("--force", action="store_true", help="run every step, also where nothing has changed")
    parser.add_argument("-v", "--verbose", action="store_true", help="show Prefect's log as well")
    if pipeline is None:
        parser.add_argument("pipeline", help="a section of params.yaml")
    options = parser.parse_args()
    pipeline = pipeline or options.pipeline

    os.chdir(ROOT)  # DVC's names and the outputs' paths start here
    console = rich.get_console()
    try:
        params.read(pipeline)
        for name in params.passed_over():
            if name != pipeline:  # of which the plan says it
                warning = Text("warning ", "yellow").append(PASSED_OVER.format(name=name), "default")
                console.print(warning, soft_wrap=True)
        return _plan(pipeline, options.force) if options.plan else _run(pipeline, options)
    except KeyboardInterrupt:
        console.print(Text("stopped", "yellow"))
        return 130
    except UserError as error:
        console.print(Text("error ", "red").append(str(error), "default"), soft_wrap=True)
        return 1


def _plan(pipeline: str, force: bool) -> int:
    from flows.memory import repo as memory

    table = Table(box=None, pad_edge=False)
    for title in ("step", "would", "because"):
        table.add_column(title, no_wrap=title != "because")
    for planned in memory.plan(pipeline, force):
        table.add_row(planned.step, PLANNED[planned.action], "\n".join(planned.reasons) or "nothing has changed")
    rich.print(table)
    return 0


def _run(pipeline: str, options: argparse.Namespace) -> int:
    started = time.monotonic()
    console = rich.get_console()
    console.print(f"[bold]{pipeline}[/]", highlight=False)
    server.configure(options.verbose)
    prefect_server = server.Server()
    if not options.verbose:  # else Prefect shows them
        for name in ("flows", "tasks"):
            logging.getLogger(name).addHandler(_Lines())
    from flows.memory import repo as memory

    planned = memory.plan(pipeline, options.force)
    if any(step.action == memory.RUN and "tasks/network/backend.py" in code(step.step) for step in planned):
        # TensorFlow takes long to import: begin now, while Prefect's server starts in another process.
        threading.Thread(target=importlib.import_module, args=("tasks.network.backend",), daemon=True).start()
    from flows.pipeline import run_pipeline
    from flows.server import report as records

    if not prefect_server.ready():
        console.print("[dim]Prefect's server is starting. The first time it needs up to a minute.[/]")
        prefect_server.wait()
    with records.signed():
        state = run_pipeline(pipeline, options.force, return_state=True)
    if not state.is_completed():
        mark = Text("failed", "red") if state.is_failed() else Text("stopped", "yellow")
        console.print(
            mark.append(f" after {time.monotonic() - started:.1f} s: {state.message}", "default"), soft_wrap=True
        )
        return 1
    _summary(pipeline)
    console.print(f"done in {time.monotonic() - started:.1f} s", highlight=False)
    return 0


def _summary(pipeline: str) -> None:
    """The metrics, and where everything lies."""
    folder = Path("data", pipeline)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in metrics.items():
        if isinstance(value, dict):
            for point, answer in value.items():
                table.add_row(f"{name} x = {point}", f"y = {answer:.2f}")
        elif isinstance(value, bool):
            table.add_row(name, "[green]yes[/]" if value else "[red]no[/]")
        else:
            table.add_row(name, str(value) if isinstance(value, int) else f"{value:.4g}")
    files = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    table.add_row("files", f"data/{pipeline}/: {', '.join(files)}")
    rich.print(table)


class _Lines(logging.Handler):
    """What the flow says of each step, and between, dim, what the steps say of themselves."""

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
