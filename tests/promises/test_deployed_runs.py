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


def test_the_next_run_of_a_deployment_waits_for_its_turn(served):
    served.workspace.set(linear__fit__epochs=NEVER)
    first = served.run("linear")
    served.artifact(first, "linear-progress")
    second = served.run("linear")
    eventually(lambda: served.state(second)["name"] == "AwaitingConcurrencySlot")
    served.workspace.set(linear__fit__epochs=300)
    served.cancel(first)
    assert served.ended(first)["type"] == "CANCELLED"
    assert "passed" in served.ended(second)["message"]


def test_a_cancelled_run_stops_within_a_batch_with_all_its_processes(served):
    served.workspace.set(linear__fit__epochs=NEVER)
    run = served.run("linear")
    served.artifact(run, "linear-progress")
    assert at_work(served)
    served.cancel(run)
    assert served.ended(run)["type"] == "CANCELLED"
    eventually(lambda: not at_work(served))
    assert {step["type"] for step in served.steps(run).values()} <= set(FINAL)
    assert any("stopped in epoch" in line for line in served.lines(run))
    assert not [line for line in served.lines(run) if "Traceback" in line]
    served.workspace.set(linear__fit__epochs=300)
    assert served.ended(served.run("linear"))["name"] == "Completed"


def test_a_step_that_takes_too_long_times_out_and_the_old_outputs_stay(served):
    before = served.workspace.bytes("linear")
    served.workspace.set(linear__fit__epochs=NEVER, linear__run__timeouts={"fit": 4.0})
    run = served.run("linear")
    state = served.ended(run)
    assert state["name"] == "Failed"
    assert "fit" in state["message"]
    assert served.steps(run)["fit"]["name"] == "TimedOut"
    assert served.workspace.bytes("linear") == before
    served.workspace.set(linear__fit__epochs=300, linear__run__timeouts={})


def test_a_run_whose_process_is_killed_does_not_stay_running(served):
    served.workspace.set(linear__fit__epochs=NEVER)
    run = served.run("linear")
    served.artifact(run, "linear-progress")
    for process in at_work(served):
        process.kill()
    assert served.ended(run)["type"] == "CRASHED"
    served.workspace.set(linear__fit__epochs=300)


def test_a_name_that_is_no_pipeline_makes_no_folder(served):
    run = served.run("linear", pipeline="../../elsewhere")
    assert served.ended(run)["type"] == "FAILED"
    assert "no pipeline `../../elsewhere`" in served.state(run)["message"]
    assert not (served.workspace.path.parent / "elsewhere").exists()


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
