"""Runs of deployments that wait, are cancelled, are killed, or lose their server."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psutil
import pytest

from tests.support.served import FINAL, NEVER, Served, eventually


@pytest.fixture(scope="module")
def served(workspaces):
    made = Served(workspaces("at-work", trained=True, home=True))
    made.workspace.set(linear__fit__epochs=300)
    with made.serving():
        yield made


def at_work(served) -> list[psutil.Process]:
    """The processes of runs, and what they have started."""
    found = []
    for begun in psutil.Process(served.processes[1].pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ends in this moment
            if "prefect.engine" in begun.cmdline():
                found += [begun, *begun.children(recursive=True)]
    return found


def test_a_cancelled_run_stops_with_all_its_processes_and_the_next_which_waited_begins(served):
    served.workspace.set(linear__fit__epochs=NEVER)
    first = served.run("linear")
    served.artifact(first, "linear-progress")
    processes = at_work(served)
    assert processes
    second = served.run("linear")
    eventually(lambda: served.state(second)["name"] == "AwaitingConcurrencySlot")

    served.workspace.set(linear__fit__epochs=300)
    served.cancel(first)
    assert served.ended(first)["type"] == "CANCELLED"
    eventually(lambda: not [process for process in processes if process.is_running()])
    assert {step["type"] for step in served.steps(first).values()} <= set(FINAL)
    assert any("stopped in epoch" in line for line in served.lines(first))
    assert not [line for line in served.lines(first) if "Traceback" in line]
    assert "passed" in served.ended(second)["message"]


def test_a_run_whose_process_is_killed_does_not_stay_running(served):
    served.workspace.set(linear__fit__epochs=NEVER)
    run = served.run("linear")
    served.artifact(run, "linear-progress")
    for process in at_work(served):
        process.kill()
    assert served.ended(run)["type"] == "CRASHED"
    served.workspace.set(linear__fit__epochs=300)


def test_a_worker_whose_terminal_is_closed_ends_with_its_runs_and_no_training_is_lost(served):
    served.workspace.set(linear__fit__epochs=NEVER, linear__run__save_every=0.1)
    run = served.run("linear")
    served.artifact(run, "linear-progress")
    processes, worker = at_work(served), served.processes.pop()
    os.killpg(worker.pid, signal.SIGHUP)
    assert worker.wait(60)
    eventually(lambda: not [process for process in processes if process.is_running()])
    assert served.ended(run)["type"] == "CRASHED"
    assert "resumes in epoch" in served.workspace.run("python", "-m", "flows", "plan", "linear")
    served.workspace.set(linear__fit__epochs=300)
    served.begin_work()


def test_dvc_repro_shows_up_with_its_steps_if_a_server_is_named(served):
    served.workspace.set(linear__fit__epochs=301)
    served.workspace.dvc("repro", "visualize@linear", "evaluate@linear", PREFECT_API_URL=served.url)

    def newest() -> dict:
        query = {"flow_runs": {"tags": {"all_": ["dvc repro"]}}, "limit": 1}
        found = served.post("flow_runs/filter", {**query, "sort": "START_TIME_DESC"})
        return found[0] if found else {"name": ""}

    eventually(lambda: newest()["name"].startswith("linear (dvc repro): passed, test_mae "))
    steps = served.steps(newest()["id"])
    ended = {name: steps[name]["name"] for name in ("build", "fit", "evaluate")}
    assert ended == {"build": "Cached", "fit": "Completed", "evaluate": "Completed"}
    assert len(steps) == 8

    served.workspace.set(linear__build__output_units=3)
    served.workspace.dvc("repro", "evaluate@linear", code=255, PREFECT_API_URL=served.url)
    eventually(lambda: newest()["state"]["type"] == "FAILED")
    assert "build.output_units" in newest()["state"]["message"]
    served.workspace.set(linear__build__output_units="auto", linear__fit__epochs=300)
    said = served.workspace.dvc(
        "repro", "evaluate@linear", "--force", PREFECT_API_URL="http://127.0.0.1:9/api"
    )
    assert "does not answer" in said
    eventually(lambda: not list(served.workspace.path.glob(".dvc/tmp/repro-*")))


def test_a_server_that_goes_away_does_not_take_the_training_with_it(served):
    """The last of all: it ends the server."""
    served.workspace.set(linear__fit__epochs=3000, linear__fit__batch_size=3)
    process = served.workspace.start("python", "flows/linear.py")
    for line in process.stdout:
        if "/3000: " in line:
            break
    # The training stands still until the server has gone: it cannot end before.
    os.killpg(process.pid, signal.SIGSTOP)
    os.killpg(served.processes[0].pid, signal.SIGKILL)
    served.processes[0].wait()
    os.killpg(process.pid, signal.SIGCONT)
    said = process.communicate(timeout=240)[0]
    assert "could not be told" in said, said
    assert said.count("its progress is not shown") == 1
    assert "Traceback" not in said
    assert "up to date" in served.workspace.dvc("status", "evaluate@linear")
