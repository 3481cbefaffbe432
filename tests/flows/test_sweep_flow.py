"""`python -m flows sweep`: in the terminal, in Prefect's server, and in DVC."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time

import httpx
import psutil
import pytest

from flows.project import params
from flows.project.folder import Project
from tests.conftest import WHO
from tests.support.swept import put_sweep, trained

SWEEP = ("python", "-m", "flows", "sweep", "linear")
STAGE = "release/dvc.yaml:sweep@linear"


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    made = workspaces("flown", trained=True, PREFECT_API_URL=prefect_server)
    put_sweep(Project(made.path), trials=4, round=2)
    return made


@pytest.fixture(scope="module")
def said(workspace) -> str:
    return workspace.run(*SWEEP, "--workers", "2", **dict.fromkeys(WHO))


def test_a_line_tells_each_trial_and_the_end_the_best_as_a_difference(said):
    lines = re.findall(r"^trial \d  ran +[\d.]+ s  loss [\d.e-]+", said, re.MULTILINE)
    assert len(lines) == 4
    assert re.search(r"4 of 4 trials, best loss \S+: trial \d", said)
    assert "  compile.learning_rate: 0.01 -> 0." in said
    assert "To adopt it: python -m flows sweep linear --apply" in said


def test_prefect_has_each_trial_as_a_task_and_the_sweep_as_a_page(said, prefect_server):
    def asked(what: str, **chosen) -> list[dict]:
        return httpx.post(f"{prefect_server}/{what}/filter", json=chosen).json()

    chosen = {"flow_runs": {"name": {"like_": "linear sweep"}}}
    (run,) = asked("flow_runs", **chosen)
    assert run["state"]["type"] == "COMPLETED"
    tasks = asked("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
    assert len(tasks) == 4
    assert all(re.match(r"trial \d: learning_rate \S+, batch_size \d", t["name"]) for t in tasks)

    pages = {page["key"]: page for page in asked("artifacts/latest")}
    page = pages["linear-sweep"]["data"]
    assert "data:image/" in page
    assert "compile.learning\\_rate" in page or "compile.learning_rate" in page
    assert "trial 4 of 4, best loss" in pages["linear-sweep-progress"]["description"]


def test_dvc_has_nothing_to_do_after_the_flow_and_the_flow_nothing_after_dvc(said, workspace):
    assert "sweep@linear:" in (workspace.path / "release/dvc.lock").read_text()
    assert "up to date" in workspace.dvc("status", STAGE)
    before = files(workspace)
    count = len(trained(Project(workspace.path)))

    workspace.dvc("repro", "-f", "-s", STAGE)
    assert files(workspace) == before
    said = workspace.run(*SWEEP)
    assert "known already: 4 of 4 trials, best loss" in said
    assert not re.search(r"trial \d +(ran|failed)", said)
    assert files(workspace) == before
    assert len(trained(Project(workspace.path))) == count


def files(workspace) -> dict[str, bytes]:
    places = ("data/linear/sweep.csv", "data/linear/sweep.png", "release/dvc.lock")
    return {name: (workspace.path / name).read_bytes() for name in places}


def test_the_plan_shows_what_would_be_tried_and_what_is_known(said, workspace):
    said = workspace.run(*SWEEP, "--plan")
    assert "4 trials in rounds of 2, search tpe" in said
    assert re.search(r"compile.learning_rate +0.01 +0.001 to 0.1, logarithmic", said)
    assert "4 of 4 trials are known and need no training" in said


def test_a_pipeline_without_a_sweep_gets_one_that_is_proposed(workspace):
    file = workspace.path / "params.yaml"
    before = file.read_text()
    command = ("python", "-m", "flows", "sweep", "fashion")
    said = workspace.run(*command, "--plan")
    assert "params.yaml has no sweep of fashion. This one would be written there:" in said
    assert file.read_text() == before

    workspace.set(fashion__load__folder="nowhere")  # so that nothing is trained
    said = workspace.run(*command, code=1)
    assert "This one is written there:" in said
    assert "nowhere" in said
    assert "  fashion:\n    trials: 24" in file.read_text()
    file.write_text(before)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_or_a_closed_terminal_stops_within_a_batch_and_the_same_command_goes_on(
    workspace, how
):
    workspace.set(linear__fit__epochs=60_000, linear__run__save_every=0.2)
    put_sweep(Project(workspace.path), trials=2, round=1, seed=100 + how)
    shutil.rmtree(workspace.path / ".dvc/tmp/sweeps/linear", ignore_errors=True)
    process = workspace.start(*SWEEP)
    place = workspace.path / ".dvc/tmp/sweeps/linear"
    until = time.monotonic() + 200
    while not list(place.glob("*/data/linear/.resume/fit.npz")) and time.monotonic() < until:
        time.sleep(0.1)
    workers = psutil.Process(process.pid).children(recursive=True)
    started = time.monotonic()
    os.killpg(process.pid, how)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 130
    assert time.monotonic() - started < 30
    assert re.search(
        r"stopped after .*: stopped in epoch \d+ of 60000, .*the same command resumes", said
    )
    assert not [each for each in workers if "flows.engine.apart" in _command(each)]

    workspace.set(linear__fit__epochs=3)
    put_sweep(Project(workspace.path), trials=4, round=2)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_the_best_parameters_are_written_and_the_sweep_still_has_nothing_to_do(said, workspace):
    before = (workspace.path / "params.yaml").read_text()
    said = workspace.run(*SWEEP, "--apply")
    assert "written into params.yaml. To train it: python -m flows train linear" in said
    chosen = params.read(workspace.path / "params.yaml", "linear")
    assert f"compile.learning_rate: 0.01 -> {chosen.compile.learning_rate}" in said
    assert "up to date" in workspace.dvc("status", STAGE)
    said = workspace.run(*SWEEP)
    assert "params.yaml has its parameters already" in said
    (workspace.path / "params.yaml").write_text(before)
