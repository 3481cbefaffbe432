"""Prefect's server on this machine answers its own page, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.conftest import ROOT
from tests.support.served import eventually, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server as a run starts it."""
    port, home = free_port(), tmp_path_factory.mktemp("guarded")
    with started([sys.executable, "-m", "flows.server.process", str(port)], port, home) as url:
        yield url


@contextmanager
def started(command: list[str], port: int, home: Path) -> Iterator[str]:
    """A server's address, while it runs."""
    env = {**os.environ, "PREFECT_HOME": str(home)}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/api/health").status_code == 200
        except httpx.HTTPError:
            assert process.poll() is None
            return False

    try:
        eventually(answers, 240)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def status(server: str, headers: list[tuple[str, str]]) -> int:
    return httpx.post(f"{server}/api/flow_runs/filter", json={}, headers=headers).status_code


def of_port(server: str, text: str) -> str:
    return text.replace("PORT", str(urlsplit(server).port))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Host", "localhost:PORT")],
        [("Host", "LOCALHOST:PORT")],
        [("Host", "[::1]:PORT")],
        [("Host", "127.0.0.1:5000")],  # as seen through a forwarded port
        [("Origin", "http://127.0.0.1:PORT")],
        [("Origin", "http://localhost:PORT")],  # its page under the other name
    ],
    ids=str,
)
def test_it_answers_this_machine_and_its_own_page(server, headers):
    assert status(server, [(name, of_port(server, value)) for name, value in headers]) == 200


FOREIGN = [
    "http://evil.example",
    "http://evil.example:PORT",
    "http://127.0.0.1:1",  # another program of this machine
    "http://127.0.0.1",
    "http://127.0.0.1.evil.example:PORT",
    "http://127.0.0.1:PORT.evil.example",
    "http://localhost@evil.example:PORT",
    "http://[evil",
    "null",
    "",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_it_refuses_a_foreign_page(server, origin):
    assert status(server, [("Origin", of_port(server, origin))]) == 403


@pytest.mark.parametrize(
    "host", ["evil.example:PORT", "evil.example", "127.0.0.1.evil.example:PORT", "0.0.0.0:PORT", ""]
)
def test_it_refuses_a_name_that_is_not_this_machines(server, host):
    """Such a name leads to 127.0.0.1 when its owner says so; then the page is no foreign one."""
    host = of_port(server, host)
    assert status(server, [("Host", host)]) == 403
    assert status(server, [("Host", host), ("Origin", f"http://{host}")]) == 403


def test_it_refuses_to_say_that_a_foreign_page_may_ask(server):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{server}/api/flow_runs/filter", headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/events/out", "/api/logs/out", "/api/events/in"])
def test_it_refuses_a_websocket_of_a_foreign_page(server, path):
    def join(origin: str | None) -> None:
        address = server.replace("http", "ws", 1) + path
        connect(address, origin=origin, subprotocols=["prefect"]).close()

    for own in (None, server, server.replace("127.0.0.1", "localhost")):
        join(own)
    for foreign in FOREIGN:
        with pytest.raises(InvalidStatus, match="HTTP 403"):
            join(of_port(server, foreign))


def test_no_page_may_show_it_inside_of_itself(server):
    headers = httpx.get(f"{server}/api/health").headers
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_a_server_whose_run_was_killed_before_it_began_does_not_begin():
    command = [sys.executable, "-m", "flows.server.process", str(free_port()), "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.endswith("the process that started this one has ended\n")


def test_a_server_that_prefect_starts_in_this_folder_answers_no_foreign_page(tmp_path):
    port = free_port()
    prefect = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--port", str(port)]
    with started(prefect, port, tmp_path) as url:
        foreign = [("Origin", "http://foreign.example")]
        asked = httpx.get(f"{url}/api/health", headers=foreign)
        assert "access-control-allow-origin" not in asked.headers
        assert status(url, foreign) == 403
