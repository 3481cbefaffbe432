"""Offer the pipelines of params.yaml in Prefect's UI, and run what it starts and schedules.

On another machine, in a clone of the project, the same joins the server of the first one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import plain_errors, say
from flows.project.folder import Project
from flows.server.process import Server, prefect, ui_address
from flows.server.settings import configure
from tasks.core.folder import identity
from tasks.core.step import UserError

INDENT = 2  # of a line that goes on
EVERY = 2  # seconds between two looks at params.yaml


def main(arguments: list[str]) -> int:
    parser = command_line("worker", __doc__)
    parser.add_argument("--server", metavar="URL", help="of Prefect's server: http://HOST:4200")
    parser.add_argument(
        "--on", metavar="ADDRESS", help="run trials of sweeps too, for a Dask scheduler"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="where Dask reaches this machine (any free one)"
    )
    parser.add_argument("--pool", help="take only what is sent to this pool (keras-flows)")
    options = parser.parse_args(arguments)
    project = Project.here()
    if options.server:
        os.environ["PREFECT_API_URL"] = api(options.server)
    configure(project, verbose=True)
    # A shell's background jobs ignore it; Prefect ends by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with plain_errors() as end:
        work(project, options.pool, options.on, options.port)
    return end.code


def api(address: str) -> str:
    """Where Prefect's server is asked, also if the address is that of its page."""
    bare = address.rstrip("/")
    return bare if urlsplit(bare).path else f"{bare}/api"


def work(project: Project, pool: str | None = None, on: str | None = None, port: int = 0) -> None:
    """Register the deployments, and start a worker that runs them, until Ctrl-C.

    Args:
        project: whose pipelines are offered, and in whose folder the runs are.
        pool: whose runs are taken, if not those of the pool that all deployments begin with.
        on: the address of a Dask scheduler, for which trials run here too.
        port: at which that scheduler reaches this machine; 0 is any.

    Raises:
        UserError: PREFECT_API_URL names a server that does not answer, params.yaml cannot be
            read, or everybody could reach the Dask scheduler.
    """
    if on is not None:
        from flows.engine.machines import check  # here: Dask takes a second to import

        check(on)
    if not os.environ.get("PREFECT_API_URL"):
        _wait_for_ui()
    Server(project).wait()

    from flows.batch_predict import run_predict  # here: Prefect takes 2 s to import
    from flows.pipeline import run_pipeline
    from flows.promote import promote_model
    from flows.server import lost
    from flows.server.deployments import POOL, ROOT, register
    from flows.sweep import run_sweep

    offered: list[str] = []

    def offer() -> None:
        before = offered[:]
        offered[:] = register(project, run_pipeline, run_predict, run_sweep, promote_model)
        tell(before, offered)

    read = identity(project.params_file)
    offer()
    lost.watch()
    threading.Thread(target=_offer_again, args=(project, read, offer), daemon=True).start()
    if on is not None:
        threading.Thread(target=_run_trials, args=(project, on, port), daemon=True).start()
    _set_for_runs(project, ROOT)
    prefect("worker", "start", "--pool", pool or POOL, "--type", "process")


def _set_for_runs(project: Project, root: str) -> None:
    """Set the variables that the worker's runs inherit.

    Args:
        project: whose runs they are.
        root: the name of the variable that says where the project is.
    """
    os.environ[root] = str(project.root)
    # The `python` of a run is this one, also where its environment is not activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["PREFECT_WORKER_QUERY_SECONDS"] = "3"


def tell(before: list[str], after: list[str]) -> None:
    """Say which deployments are new, and which are gone."""
    new = [name for name in after if name not in before]
    gone = [name for name in before if name not in after]
    if new:
        say(Text(f"offered in the UI: {', '.join(new)}"), INDENT)
    if gone:
        say(Text(f"offered no more: {', '.join(gone)}"), INDENT)
    if not new and not gone:
        say(Text("params.yaml was edited: the forms show its values"))


def _run_trials(project: Project, on: str, port: int) -> None:
    """Keep a Dask worker in a process of its own; it ends when its scheduler has gone."""
    command = [sys.executable, "-m", "flows.engine.dask_worker", on, str(port), str(os.getpid())]
    while True:
        print(f"trials of sweeps: a Dask worker for {on}", flush=True)
        subprocess.run(
            command,
            cwd=project.root,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process, with which that one ends
            check=False,
        )
        time.sleep(EVERY)


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
        try:
            offer()
        except UserError as error:
            print(f"not offered anew: {error}", flush=True)
        except Exception as error:  # the server may be away for a moment: it is asked again
            print(f"not offered yet, as Prefect's server did not take it: {error}", flush=True)
            continue
        read = now
