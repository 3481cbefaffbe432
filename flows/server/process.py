"""The process of Prefect's server: one for a run, or the one that serves the UI."""

from __future__ import annotations

import atexit
import base64
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener, getproxies

from flows.engine.processes import die_with_parent, hold
from flows.project.folder import Project
from flows.project.loopback import is_here
from flows.server.settings import configure
from tasks.core.step import UserError

# Seconds: the first start makes the database, which has taken over a minute on slow disks.
PATIENCE = 300
SECRETS = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")  # Prefect's client prefers the first


class Server:
    """The server of a run: at PREFECT_API_URL, else the project's UI, else one for this run alone.

    Prefect would start one of its own, but only after it has imported all of it into this process
    too. This one starts before anything else is imported, and dies with the process.
    """

    def __init__(self, project: Project) -> None:
        self.process: subprocess.Popen | None = None
        self.first = False  # whether it has to make its database, which takes long
        if url := os.environ.get("PREFECT_API_URL"):
            _must_answer(url)
        self.url = url or ui_address() or self._start(project)
        self.began = time.monotonic()
        os.environ["PREFECT_API_URL"] = self.url

    def _start(self, project: Project) -> str:
        """Start one for this run; it has the address that is returned."""
        port = free_port(0)
        self.first = not (_home() / "prefect.db").is_file()
        self.log = _home() / "server.log"
        command = [sys.executable, "-m", "flows.server.process", str(port), str(os.getpid())]
        with open(self.log, "w", encoding="utf-8") as log:
            # In a session of its own: Ctrl-C is for the run, which still reports its end.
            self.process = subprocess.Popen(
                command,
                cwd=project.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(_stop, self.process)
        return f"http://127.0.0.1:{port}/api"

    def ready(self) -> bool:
        """Whether it answers now.

        Raises:
            UserError: it has ended.
        """
        if self.process and self.process.poll() is not None:
            lines = self.log.read_text(encoding="utf-8").splitlines()
            said = [line for line in lines if "Error" in line or "memory allocation" in line]
            why = said[-1].strip() if said else "no reason was given"
            raise UserError(
                f"Prefect's server did not start: {why}. Its database is "
                f"{self.log.with_name('prefect.db')}; all that it said is in {self.log}."
            )
        return answers(self.url)

    def usually(self) -> str:
        """How long its start takes, in words."""
        if self.first:
            return "the first start makes its database, and takes up to a minute"
        with suppress(FileNotFoundError):
            return f"{_last_start().read_text(encoding='utf-8')} s the last time"
        return "some seconds"

    @property
    def lasts(self) -> bool:
        """Whether it is there after the run, and so has a UI."""
        return self.process is None

    def page(self, path: str) -> str:
        """Where a page of the UI is, or will be when `make ui` runs."""
        place = self.url.removesuffix("/api") if self.lasts else "http://127.0.0.1:4200"
        return f"{place}/{path}"

    def wait(self) -> None:
        """Return when it answers, and note how long that took."""
        until = time.monotonic() + PATIENCE
        while not self.ready():
            if time.monotonic() > until:
                raise UserError(
                    f"Prefect's server at {self.url} did not answer within {PATIENCE} s. Run again."
                )
            time.sleep(0.05)
        if self.process:
            seconds = time.monotonic() - self.began
            _last_start().write_text(f"{seconds:.0f}", encoding="utf-8")


def _last_start() -> Path:
    return _home() / "last-start"


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()


def answers(url: str | None = None) -> bool:
    """Whether a server is there, and lets this process in: at an address, or at PREFECT_API_URL."""
    with suppress(OSError, ValueError):
        return _ask(url or os.environ["PREFECT_API_URL"])
    return False


def _ask(url: str) -> bool:
    # Its version, which unlike `health` also asks for the password.
    request = Request(f"{url.rstrip('/')}/admin/version")
    if password := os.environ.get("PREFECT_API_AUTH_STRING"):
        request.add_header("Authorization", "Basic " + base64.b64encode(password.encode()).decode())
    elif key := os.environ.get("PREFECT_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")

    proxies = {} if is_here(url) else getproxies()
    if everywhere := proxies.get("all"):  # urllib, unlike Prefect's client, leaves it aside
        proxies = {"http": everywhere, "https": everywhere, **proxies}
    with build_opener(ProxyHandler(proxies)).open(request, timeout=10):
        return True


def _must_answer(url: str) -> None:
    try:
        _ask(url)
    except HTTPError as error:
        if error.code not in (401, 403):
            raise UserError(f"PREFECT_API_URL={url} is not a Prefect server: {error}.") from None
        given = [name for name in SECRETS if os.environ.get(name)]
        wants = f"does not accept {given[0]}" if given else "wants a password or a key"
        raise UserError(
            f"Prefect's server at {url} {wants}: set PREFECT_API_AUTH_STRING=NAME:PASSWORD, or "
            "PREFECT_API_KEY=KEY."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"Prefect's server at PREFECT_API_URL={url} does not answer ({error}). Start it, or "
            "unset PREFECT_API_URL: then a server is started for the run. `dvc repro` needs none."
        ) from None


def _home() -> Path:
    home = Path(os.environ["PREFECT_HOME"])
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"PREFECT_HOME={home} cannot be made ({error.strerror}): set it to another folder."
        ) from None
    return home


def check_database() -> None:
    """Name a database file that cannot be written; Prefect ends with a traceback that does not."""
    if "PREFECT_SERVER_DATABASE_CONNECTION_URL" in os.environ:
        return
    file = _home() / "prefect.db"
    try:
        file.open("ab").close()
    except OSError as error:
        raise UserError(
            f"Prefect's database {file} cannot be written ({error.strerror}): make it writable, "
            "or set PREFECT_HOME to another folder."
        ) from None


def address_file() -> Path:
    return _home() / "ui-address"


def ui_address() -> str | None:
    """Where the server that `python -m flows ui` started listens; None if it does not run."""
    try:
        with open(address_file(), encoding="utf-8") as file:
            return None if hold(file) else file.read()
    except FileNotFoundError:
        return None


def free_port(wanted: int) -> int:
    """`wanted`, or if that is taken another one."""
    for port in (wanted, 0):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return free.getsockname()[1]
    raise UserError("127.0.0.1 has no free port. End a program that listens there, and run again.")


def temporary(port: int, parent: int | None = None) -> None:
    """A server for one run, without what only people and schedules need.

    Args:
        port: to listen on.
        parent: the number of the run's process.
    """
    die_with_parent(parent)
    for part in ("UI", "SERVICES_SCHEDULER", "SERVICES_LATE_RUNS"):
        os.environ[f"PREFECT_SERVER_{part}_ENABLED"] = "false"
    # No run uses blocks, and looking for them imports every installed extension, such as Dask's.
    os.environ["PREFECT_SERVER_REGISTER_BLOCKS_ON_START"] = "false"

    from flows.server.guard import serve  # here: a step of `dvc repro` imports this module, too

    serve(port)


def prefect(*arguments: str) -> None:
    """Prefect's command line, in this process."""
    sys.argv = ["prefect", *arguments]
    runpy.run_module("prefect", run_name="__main__")


if __name__ == "__main__":
    configure(Project.here(), verbose=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    temporary(*map(int, sys.argv[1:]))
