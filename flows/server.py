"""Prefect's settings, and the process of its server.

Call `configure` before the first import of `prefect`, which reads its settings then.

python -m flows.server: a server with its UI, until Ctrl-C.
"""

from __future__ import annotations

import atexit
import base64
import ctypes
import fcntl
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from flows.params import ROOT
from tasks.base import UserError

PATIENCE = 300  # seconds: the first start makes the database, which has taken over a minute on slow disks


def configure(verbose: bool = False) -> None:
    """Settings of the project; whoever sets the variable in the environment wins."""
    defaults = {
        "PREFECT_HOME": str(ROOT / ".prefect"),  # the runs' history stays with the project
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks",  # the steps' lines reach the run's log
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO" if verbose else "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


class Server:
    """The server of a run: the one at PREFECT_API_URL, else the UI's of this project, else one for the run's time.

    Prefect would start a server of its own, but only after it has imported all of it into this process too. This one
    starts before anything else is imported, and dies with the process that wanted it.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        url = os.environ.get("PREFECT_API_URL")
        if url:
            if not _answers(url):
                raise UserError(
                    f"Prefect's server at PREFECT_API_URL={url} does not answer. Start it, or unset PREFECT_API_URL: "
                    "then a server is started for the time of the run. `dvc repro` needs none."
                )
        elif (url := _ui_address()) is None:
            port = _free_port(0)
            url = f"http://127.0.0.1:{port}/api"
            self.log = _home() / "server.log"
            with open(self.log, "w", encoding="utf-8") as log:
                command = [sys.executable, "-m", "flows.server", str(port)]
                # In a session of its own: Ctrl-C is for the run, which tells the server how it ended.
                self.process = subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            atexit.register(self._stop)
        os.environ["PREFECT_API_URL"] = self.url = url

    def ready(self) -> bool:
        """Whether it answers now.

        Raises:
            UserError: it has ended.
        """
        if self.process and self.process.poll() is not None:
            said = [line for line in self.log.read_text(encoding="utf-8").splitlines() if "Error" in line]
            raise UserError(
                f"Prefect's server did not start: {said[-1].strip() if said else 'no reason was given'}. Its database "
                f"is {self.log.with_name('prefect.db')}; all that it said is in {self.log}."
            )
        return _answers(self.url)

    def wait(self) -> None:
        """Return when it answers."""
        until = time.monotonic() + PATIENCE
        while not self.ready():
            if time.monotonic() > until:
                raise UserError(f"Prefect's server did not answer within {PATIENCE} s; see {self.log}.")
            time.sleep(0.05)

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _answers(url: str) -> bool:
    request = Request(f"{url.rstrip('/')}/health")
    if password := os.environ.get("PREFECT_API_AUTH_STRING"):
        request.add_header("Authorization", "Basic " + base64.b64encode(password.encode()).decode())
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=10):
            return True
    except (URLError, OSError, ValueError):
        return False


def _home() -> Path:
    home = Path(os.environ["PREFECT_HOME"])
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"PREFECT_HOME={home} cannot be made ({error.strerror}): set it to another folder.") from None
    return home


def _address_file() -> Path:
    return _home() / "ui-address"


def _ui_address() -> str | None:
    """Where the server that `python -m flows.server` started for this project listens, if it does."""
    try:
        with open(_address_file(), encoding="utf-8") as file:
            return None if lock(file) else file.read()
    except FileNotFoundError:
        return None


def lock(file: IO) -> bool:
    """Hold a file for this process until it ends, however it ends; or say that another one does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port(wanted: int) -> int:
    """`wanted`, or if that is taken another one."""
    for port in (wanted, 0):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return free.getsockname()[1]
    raise UserError("no free port on 127.0.0.1")


def die_with_parent() -> None:
    """When the process that started this one is killed, the kernel sends this one SIGTERM."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def main(port: str | None = None) -> None:
    """Prefect's server: with a port, for one run; without, with the UI, for a person."""
    configure()
    options = ["--host", "127.0.0.1", "--port"]
    if port:
        die_with_parent()
        sys.argv = ["prefect", "server", "start", *options, port, "--no-ui", "--no-scheduler", "--no-late-runs"]
        runpy.run_module("prefect", run_name="__main__")
        return
    url = f"http://127.0.0.1:{_free_port(4200)}"
    os.environ["PREFECT_SERVER_UI_API_URL"] = os.environ["PREFECT_API_URL"] = f"{url}/api"
    with open(_address_file(), "a+", encoding="utf-8") as file:
        if not lock(file):
            raise UserError(f"Prefect's UI runs already for this project, at {_address_file().read_text()[:-4]}.")
        file.truncate(0)
        file.write(f"{url}/api")
        file.flush()
        print(f"Prefect's UI will be at {url}. Ctrl-C ends it.", flush=True)
        sys.argv = ["prefect", "server", "start", *options, url.rpartition(":")[2]]
        runpy.run_module("prefect", run_name="__main__")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
