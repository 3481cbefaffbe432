"""Offer the pipelines of params.yaml in Prefect's UI, and run what it starts and schedules."""

from __future__ import annotations

import argparse
import os
import signal

from flows.command.terminal import plain_errors
from flows.project.folder import Project
from flows.server.process import Server, prefect, ui_address
from flows.server.settings import configure
from tasks.core.step import UserError


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m flows worker", description=__doc__)
    parser.parse_args(arguments)
    project = Project.here()
    configure(project, verbose=True)
    # A shell's background jobs ignore it; Prefect ends by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with plain_errors() as end:
        work(project)
    return end.code


def work(project: Project) -> None:
    """Register the deployments, and start a worker that runs them, until Ctrl-C.

    Raises:
        UserError: there is no server, or params.yaml cannot be read.
    """
    if not os.environ.get("PREFECT_API_URL") and not ui_address():
        raise UserError(
            "There is no server to work for: start `make ui` in another terminal, or set "
            "PREFECT_API_URL."
        )
    Server(project).wait()

    from flows.pipeline import run_pipeline  # here: Prefect takes 2 s to import
    from flows.server.deployments import POOL, register

    for name in register(project, run_pipeline):
        print(f"offered: {name}", flush=True)
    os.environ["PREFECT_WORKER_QUERY_SECONDS"] = "3"
    prefect("worker", "start", "--pool", POOL, "--type", "process")
