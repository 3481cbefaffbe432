"""A run whose server or reporter is killed: the next run tells the server how it ended."""

from __future__ import annotations

import json
import os
import signal
import sqlite3

import httpx
import pytest

from flows.project.folder import Project
from tests.support.processes import at_work
from tests.support.served import eventually
from tests.support.swept import put_sweep

LONG = {"linear__fit__epochs": 3000, "linear__fit__batch_size": 3, "linear__run__save_every": 0.1}


def test_a_run_whose_server_was_killed_is_closed_as_it_ended(workspaces):
    workspace = workspaces("unserved", trained=True, home=True)
    home = workspace.path / ".prefect"
    workspace.set(**LONG)
    process = workspace.start("python", "flows/linear.py")
    workspace.wait_for_training(process)
    os.killpg(process.pid, signal.SIGSTOP)  # it cannot end before
    os.kill(at_work(workspace, "flows.server.process").pid, signal.SIGKILL)
    os.killpg(process.pid, signal.SIGCONT)
    said = process.communicate(timeout=240)[0]
    assert process.returncode == 0, said
    assert "The next run tells the server" in said
    assert "EventsWorker" not in said
    assert "Traceback" not in said
    assert max(map(len, said.splitlines())) < 300

    (note,) = (home / "untold").iterdir()
    assert json.loads(note.read_text())["end"]["type"] == "COMPLETED"
    assert home.stat().st_mode & 0o077 == 0
    workspace.flow("linear")
    assert not list((home / "untold").iterdir())
    with sqlite3.connect(home / "prefect.db") as database:
        runs = database.execute("SELECT state_type FROM flow_run").fetchall()
        steps = dict(database.execute("SELECT name, state_type FROM task_run").fetchall())
    database.close()
    assert runs == [("COMPLETED",), ("COMPLETED",)]
    assert steps["fit"] == "COMPLETED"


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    return workspaces("unreported", trained=True, PREFECT_API_URL=prefect_server)


def last_repro(server: str) -> dict:
    query = {"flow_runs": {"tags": {"all_": ["dvc repro"]}}, "sort": "START_TIME_DESC", "limit": 1}
    found = httpx.post(f"{server}/flow_runs/filter", json=query).json()
    return found[0] if found else {"state": {"type": None}}


@pytest.mark.parametrize("when", ["in the training", "at the end"])
def test_a_dvc_repro_whose_reporter_was_killed_is_closed_as_it_ended(
    workspace, prefect_server, when
):
    early = when == "in the training"
    workspace.set(**LONG | {"linear__fit__epochs": 3000 + early})
    process = workspace.start("dvc", "repro", "fit@linear")
    workspace.wait_for_training(process)
    reporter = at_work(workspace, "flows.server.reporter")
    eventually(lambda: last_repro(prefect_server)["state"]["type"] == "RUNNING")
    run = last_repro(prefect_server)["id"]
    os.kill(reporter.pid, signal.SIGKILL if early else signal.SIGSTOP)
    assert process.wait(timeout=240) == 0, process.communicate()[0]
    process.communicate()

    if not early:
        reporter.kill()
        assert list(workspace.path.glob(".dvc/tmp/repro-*"))
        workspace.flow("linear")
    eventually(lambda: not list(workspace.path.glob(".dvc/tmp/repro-*")))
    ended = last_repro(prefect_server)
    assert (ended["id"], ended["state"]["type"]) == (run, "COMPLETED")
    found = {"flow_runs": {"id": {"any_": [run]}}}
    steps = httpx.post(f"{prefect_server}/task_runs/filter", json=found).json()
    states = {step["name"]: step["state"] for step in steps}
    assert states["fit"]["type"] == "COMPLETED"
    assert len(states) == len(steps)


def test_a_sweep_whose_server_was_killed_goes_on_to_its_table(workspaces):
    workspace = workspaces("sweep-unserved", trained=True, home=True)
    workspace.set(**LONG)
    put_sweep(Project(workspace.path), trials=2, round=1, search="random")
    process = workspace.start("python", "-m", "flows", "sweep", "linear")
    place = workspace.path / ".dvc/tmp/sweeps/linear"
    eventually(lambda: list(place.glob("*/data/linear/.resume/fit.npz")), 200)
    os.kill(at_work(workspace, "flows.server.process").pid, signal.SIGKILL)
    said = process.communicate(timeout=240)[0]
    assert process.returncode == 0, said
    assert "2 of 2 trials, best loss" in said
    assert "Traceback" not in said
