"""Schedulers and workers of Dask, as a person starts them."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager

from tests.conftest import Workspace

MODULES = {
    "scheduler": ("flows.engine.dask_scheduler",),
    "bare": ("distributed.cli.dask_scheduler", "--no-dashboard"),
    "worker": ("flows.engine.dask_worker",),
}


@contextmanager
def dask(kind: str, workspace: Workspace, *options: str):
    """A scheduler or a worker of Dask, as a person starts it in a clone."""
    command = [sys.executable, "-m", *MODULES[kind], *options]
    log = open(workspace.path.parent / f"{kind}.log", "a")  # noqa: SIM115 # as long as it runs
    process = subprocess.Popen(command, cwd=workspace.path, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()
