"""Answer HTTP requests with an exported model: a page for people, routes for programs."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import ORANGE, plain_errors, say
from flows.memory.lock import outdated
from flows.project.folder import Project
from flows.project.loopback import HERE
from tasks.core.digits import digits
from tasks.core.step import UserError

TOKEN = "KERAS_FLOWS_TOKEN"
MORE = f"""\
examples:
  python -m flows export fashion && python -m flows serve fashion
  curl --data-binary @photo.png http://127.0.0.1:8000/predict

With a token, from a file or from {TOKEN}, requests need `Authorization: Bearer TOKEN`.
SIGHUP takes over the model that was exported since, or with --champion promoted. SIGTERM answers
what has begun, and ends."""


def main(arguments: list[str]) -> int:
    parser = command_line("serve", __doc__, MORE)
    parser.add_argument("pipeline", help="one that was exported, such as fashion")
    parser.add_argument("--port", type=int, default=8000, help="8000; 0 takes any that is free")
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1; 0.0.0.0 is every network")
    parser.add_argument(
        "--name", action="append", default=[], help="a name under which it is asked, as by a proxy"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="requests need its content")
    parser.add_argument(
        "--champion", action="store_true", help="the promoted model, not the one that is here"
    )
    options = parser.parse_args(arguments)

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("flows.inference").setLevel(logging.INFO)
    with plain_errors() as end:
        run(Project.here(), options)
    return end.code


def run(project: Project, options: argparse.Namespace) -> None:
    """Serve until a signal ends it.

    Raises:
        UserError: there is no model, or no such address.
    """
    token = _token(options.token_file)
    from flows.inference import model, server  # here: FastAPI takes half a second to import
    from flows.inference.guard import Names

    def load() -> model.Model:
        place = champions_project(project, options.pipeline) if options.champion else project
        return model.load(place, options.pipeline)

    listening, first = server.listen(options.host, options.port), load()
    url = address(options.host, listening.getsockname()[1])
    score = "".join(
        f", {name.replace('_', ' ')} {digits(value)}" for name, value in first.score.items()
    )
    say(Text(f"{first.name} {first.version[:8]}{score}: {url}"))
    if not options.champion and outdated(project, f"export@{first.name}"):
        again = f"`python -m flows export {first.name}` exports that model"
        say(Text(f"{first.name} was trained again since: {again}", ORANGE))
    if options.host not in HERE and token is None:
        warn = "Whoever reaches this machine may ask: set --token-file, or stay on 127.0.0.1."
        say(Text(warn, ORANGE))
    server.serve(first, load, listening, Names(options.host, options.name), token)


def address(host: str, port: int) -> str:
    """Where a browser finds the server; an address of IPv6 has colons of its own."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def champions_project(project: Project, pipeline: str) -> Project:
    """Where the champion's export is, with its records: found by another process, which needs DVC.

    Raises:
        UserError: there is no champion, or nobody has its export.
    """
    command = [sys.executable, "-m", "flows.memory.past", pipeline]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True)
    if done.returncode:
        raise UserError(done.stderr.strip())
    return Project(Path(done.stdout.strip()))


def _token(file: Path | None) -> str | None:
    """The token that requests need, if there is one.

    Raises:
        UserError: the file cannot be read, or has nothing.
    """
    if file is None:
        return os.environ.get(TOKEN) or None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--token-file {file} cannot be read: {error}.") from None
    if not token:
        raise UserError(f"--token-file {file} is empty. Expected a token, such as 32 letters.")
    return token
