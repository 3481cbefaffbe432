"""Prefect's settings and server: the only module that concerns itself with it beyond `@flow` and `@task`.

Call `configure` before the first import of `prefect`, which reads its settings then.
"""

from __future__ import annotations

import os

from flows.params import ROOT
from tasks.base import UserError


def configure(verbose: bool = False) -> None:
    """Settings of the project; whoever sets the variable in the environment wins."""
    defaults = {
        "PREFECT_HOME": str(ROOT / ".prefect"),  # the runs' history stays with the project
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",  # Prefect's 20 s are too few for its first start
        "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks",  # the steps' lines reach the run's log
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO" if verbose else "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def check() -> None:
    """Fail early, and in one line, when the server that is asked for is not there."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return
    import httpx  # Prefect's own client library

    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=10).raise_for_status()
    except httpx.HTTPError as error:
        raise UserError(
            f"Prefect's server at PREFECT_API_URL={url} does not answer ({error}). Start it, or unset PREFECT_API_URL: "
            "then a server is started for the time of the run. `dvc repro` needs none."
        ) from None
