"""Start Prefect's server with its UI for this project, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sysconfig
from pathlib import Path

from flows.command.help import command_line
from flows.command.terminal import plain_errors
from flows.engine.processes import hold
from flows.project.folder import Project
from flows.server import guard
from flows.server.process import address_file, check_database, free_port
from flows.server.settings import configure
from tasks.core.step import UserError


def main(arguments: list[str]) -> int:
    command_line("ui", __doc__).parse_args(arguments)
    configure(Project.here(), verbose=True)
    _keep_pages_here()
    # A shell's background jobs ignore it; Prefect ends by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with plain_errors() as end:
        serve()
    return end.code


def _keep_pages_here() -> None:
    """Prefect copies its pages before it serves them: to here if its own folder is somebody else's.

    As where several users, or a container and its user, share an environment.
    """
    if not os.access(sysconfig.get_path("purelib"), os.W_OK):
        pages = Path(os.environ["PREFECT_HOME"], "pages")
        os.environ.setdefault("PREFECT_SERVER_UI_STATIC_DIRECTORY", str(pages))


def serve() -> None:
    """On PREFECT_SERVER_API_PORT, or 4200, or on another port if that is taken."""
    wanted = os.environ.get("PREFECT_SERVER_API_PORT", "4200")
    if not wanted.isdigit() or int(wanted) > 65535:
        raise UserError(f"PREFECT_SERVER_API_PORT={wanted} is not a port. Set one up to 65535.")
    port = free_port(int(wanted))
    url = f"http://127.0.0.1:{port}"
    os.environ["PREFECT_SERVER_UI_API_URL"] = os.environ["PREFECT_API_URL"] = f"{url}/api"

    with open(address_file(), "a+", encoding="utf-8") as file:
        if not hold(file):
            running = address_file().read_text()[:-4]
            raise UserError(f"The UI of this project runs already: {running}")
        check_database()
        file.truncate(0)
        file.write(f"{url}/api")
        file.flush()
        taken = f"Port {wanted} is taken. " if int(wanted) not in (0, port) else ""
        print(f"{taken}Prefect's UI will be at {url}. Ctrl-C ends it.", flush=True)
        os.environ["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] = "true"
        guard.serve(port)
