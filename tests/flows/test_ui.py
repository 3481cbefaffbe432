"""`make ui` and `make worker` on a terminal: they ask nothing, and say what they wait for."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from flows.command.ui import _keep_pages_here
from tests.support.served import eventually, free_port
from tests.support.terminal import Terminal

PAGES = "PREFECT_SERVER_UI_STATIC_DIRECTORY"


@contextmanager
def terminal(*arguments, **env):
    made = Terminal(*arguments, **env)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def terminals(workspaces):
    """The worker, started first, and the UI, whose port is taken."""
    workspace = workspaces("on-a-terminal", home=True)
    with socket.socket() as taken, terminal(workspace, "python", "-m", "flows", "worker") as worker:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = str(taken.getsockname()[1])
        eventually(lambda: worker.shows("\n"))
        ui = ("python", "-m", "flows", "ui")
        with terminal(workspace, *ui, PREFECT_SERVER_API_PORT=port) as shown:
            eventually(lambda: shown.shows("Ctrl-C ends it"), 120)
            url = (workspace.path / ".prefect" / "ui-address").read_text()
            eventually(lambda: answers(url), 300)
            yield worker, shown, port, url


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_taken_port_is_named_and_another_one_serves_without_a_question(terminals):
    _, ui, port, url = terminals
    page = url.removesuffix("/api")
    said = f"Port {port} is taken. Prefect's UI will be at {page}. Ctrl-C ends it."
    assert ui.said.splitlines() == [said]


@pytest.mark.parametrize("ours", [True, False])
def test_prefects_pages_are_in_the_project_where_the_installation_is_not_ours(
    monkeypatch, tmp_path, ours
):
    """Prefect copies them before it serves them; as another user it was tried by hand."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv(PAGES, "")
    monkeypatch.delenv(PAGES)
    monkeypatch.setattr(os, "access", lambda path, mode: ours)
    _keep_pages_here()
    assert os.environ.get(PAGES) == (None if ours else str(tmp_path / "pages"))


def test_the_worker_says_that_it_waits_and_then_offers_the_pipelines_in_one_line(terminals):
    worker, *_ = terminals
    assert worker.said.startswith("Waiting for Prefect's server: start `make ui`")
    eventually(lambda: worker.shows("offered in the UI: fashion, fashion-experiment, "), 300)
    assert "separate terminal" not in worker.said


def test_several_writers_at_once_are_all_answered(terminals):
    """SQLite has refused such, and each refusal was 140 lines."""
    _, ui, _, url = terminals
    seconds, refused, done = 6, [], []

    def write(name: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            client.headers["Prefect-Csrf-Client"] = name
            token = client.get(f"/csrf-token?client={name}").json()["token"]
            client.headers["Prefect-Csrf-Token"] = token
            flow = client.post("/flows/", json={"name": "writers"}).json()["id"]
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                run = {"flow_id": flow, "state": {"type": "PENDING"}}
                made = client.post("/flow_runs/", json=run)
                done.append(made)
                if made.status_code != 201:
                    refused.append(made)
                    continue
                change = {"state": {"type": "RUNNING"}, "force": True}
                answer = client.post(f"/flow_runs/{made.json()['id']}/set_state", json=change)
                if answer.status_code not in (200, 201):
                    refused.append(answer)

    writers = [threading.Thread(target=write, args=(f"writer-{k}",)) for k in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert not refused
    assert len(done) > len(writers)
    assert not ui.shows("locked")


def test_both_end_with_their_terminals(terminals):
    worker, ui, _, url = terminals
    for each in (worker, ui):
        each.hang_up()
        assert each.process.returncode
    assert not answers(url)
