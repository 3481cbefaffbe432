"""Offer the pipelines of params.yaml in Prefect's UI, and run what it starts and schedules."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from collections.abc import Callable

from flows.command.terminal import plain_errors
from flows.project.folder import Project
from flows.server.process import Server, prefect, ui_address
from flows.server.settings import configure
from tasks.core.folder import identity
from tasks.core.step import UserError

EVERY = 2  # seconds between two looks at params.yaml


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
        UserError: PREFECT_API_URL names a server that does not answer, or params.yaml cannot be
            read.
    """
    if not os.environ.get("PREFECT_API_URL"):
        _wait_for_ui()
    Server(project).wait()

    from flows.batch_predict import run_predict  # here: Prefect takes 2 s to import
    from flows.pipeline import run_pipeline
    from flows.server.deployments import POOL, register
    from flows.sweep import run_sweep

    def offer() -> None:
        offered = register(project, run_pipeline, run_predict, run_sweep)
        print(f"offered in the UI: {', '.join(offered)}", flush=True)

    read = identity(project.params_file)
    offer()
    threading.Thread(target=_offer_again, args=(project, read, offer), daemon=True).start()
    os.environ["PREFECT_WORKER_QUERY_SECONDS"] = "3"
    prefect("worker", "start", "--pool", POOL, "--type", "process")


def _wait_for_ui() -> None:
    if ui_address() is None:
        print(
            "Waiting for Prefect's server: start `make ui` in another terminal. Ctrl-C ends this.",
            flush=True,
        )
    while ui_address() is None:
        time.sleep(0.5)


def _offer_again(project: Project, read: object, offer: Callable[[], None]) -> None:
    """Whenever params.yaml changes: a new pipeline is offered, and forms show today's values."""
    while True:
        time.sleep(EVERY)
        now = identity(project.params_file)
        if now == read:
            continue
        read = now
        try:
            offer()
        except UserError as error:
            print(f"not offered anew: {error}", flush=True)
        except Exception as error:  # the server may be away for a moment
            print(f"not offered anew, as Prefect's server did not take it: {error}", flush=True)
