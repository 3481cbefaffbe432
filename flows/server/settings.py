"""Prefect's settings, which it reads from the environment when it is imported."""

from __future__ import annotations

import os

from flows.project.folder import Project


def configure(project: Project, verbose: bool = False) -> None:
    """Settings of the project; whoever sets the variable in the environment wins.

    Call it before the first import of `prefect`.
    """
    defaults = {
        "PREFECT_HOME": str(project.root / ".prefect"),  # the runs' history stays with the project
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks",  # the steps' lines reach the run's log
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO" if verbose else "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
