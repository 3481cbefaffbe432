"""Prefect's settings, which it reads from the environment when it is imported."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.request import getproxies_environment

from flows.project.folder import Project
from flows.project.loopback import HERE, is_here

LOGGERS = ("flows", "tasks")  # the steps' lines reach the run's log


def configure(project: Project, verbose: bool = False) -> None:
    """Settings of the project; whoever sets the variable in the environment wins.

    Call it before the first import of `prefect`.
    """
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        if not os.environ[name]:  # means that it is not set; Prefect would not read it as a number
            del os.environ[name]

    home = project.root / ".prefect"  # the runs' history stays with the project
    defaults = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO" if verbose else "CRITICAL",
        "PREFECT_LOGGING_INTERNAL_LEVEL": "ERROR" if verbose else "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds: a silent run is lost, see lost.py
        # The newer one does not show which step a part of the form of an experiment is of.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    password = os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    if password and "PREFECT_API_URL" not in os.environ:  # the server is this project's own
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)
    _add("PREFECT_LOGGING_EXTRA_LOGGERS", LOGGERS)

    if os.environ["PREFECT_HOME"] == str(home):
        _make_private(home)
    _ask_this_machine_directly()


def _add(name: str, values: tuple[str, ...]) -> None:
    """Add to a list in the environment, and keep what it has."""
    there = [each.strip() for each in os.environ.get(name, "").split(",") if each.strip()]
    os.environ[name] = ",".join(dict.fromkeys([*there, *values]))


def _make_private(home: Path) -> None:
    """Let only its owner read the runs' history: parameters, logs, artifacts."""
    with suppress(OSError):  # that it cannot be written is said by whoever writes
        home.mkdir(exist_ok=True)
        for path in (home, *home.iterdir()):
            path.chmod(path.stat().st_mode & 0o700)


def _ask_this_machine_directly() -> None:
    """Where a proxy is set, a server on this machine is asked without it, and any other by it."""
    proxies = getproxies_environment()
    without = proxies.pop("no", "")
    if not proxies or without == "*":
        return
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = without
    for name in ("NO_PROXY", "no_proxy"):
        _add(name, HERE)

    if not is_here(os.environ.get("PREFECT_API_URL", "http://127.0.0.1")) or find_spec("socksio"):
        return
    for name, value in list(os.environ.items()):
        # With such a proxy and without that package, no client of Prefect can be made at all.
        if name.lower().endswith("_proxy") and value.lower().startswith("socks"):
            del os.environ[name]
