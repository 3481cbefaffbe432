"""Promise 4: killed anywhere, resumed to the same bytes. `make soak` does it 200 times."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time

import httpx
import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML, YAMLError
from voluptuous import Invalid

from flows.engine.step import run
from flows.memory.reproduce import RUN, reproduce
from flows.project.folder import Project
from tests.conftest import DRIVERS, ROOT
from tests.support.processes import at_work
from tests.support.served import eventually

KILLS = int(os.environ.get("KILLS", "2"))  # for each driver
LONGEST = 25.0  # seconds: about what a run takes here, from nothing to its end


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(
    driver, workspaces, prefect_server
):
    workspace = workspaces(f"killed-{driver}", PREFECT_API_URL=prefect_server)
    # Long enough that a quarter of the kills or so fall into the training.
    workspace.set(linear__fit__epochs=3000, linear__run__save_every=0.1)
    workspace.run("git", "commit", "-qam", "Save often")
    others = unfinished(prefect_server)
    started = time.monotonic()
    workspace.run(*DRIVERS[driver])
    longest = min(LONGEST, time.monotonic() - started)
    whole = workspace.bytes("linear")

    draw = random.Random(driver)
    kills = resumed = hands = 0
    forget(workspace)
    before = workspace.bytes("linear")
    while kills < KILLS:
        process = workspace.start(*DRIVERS[driver])
        try:
            said = process.communicate(timeout=draw.uniform(0.3, longest))[0]
            assert process.returncode == 0, said
            assert workspace.bytes("linear") == whole
            forget(workspace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = process.communicate()[0]
            kills += 1
            if driver == "dvc":  # the flow needs none
                hands += lend_a_hand(workspace)
            # Whatever has a final name is whole: that of an unbroken run, or what was there before.
            now = {
                path: digest
                for path, digest in workspace.bytes("linear").items()
                if path in whole and "/" in path
            }
            assert now.items() <= whole.items() | before.items()
        resumed += "continuing in epoch" in said
    said = workspace.run(*DRIVERS[driver])
    resumed += "continuing in epoch" in said
    assert workspace.bytes("linear") == whole
    assert "up to date" in workspace.dvc("status", "visualize@linear", "evaluate@linear")
    assert not list(workspace.path.glob("data/linear/.resume/fit.npz"))
    eventually(lambda: unfinished(prefect_server) <= others)  # each run that was killed is closed
    print(f"{driver}: {kills} kills, {resumed} trainings resumed, {hands} repairs by hand")


def unfinished(server: str) -> set[str]:
    chosen = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    return {run["id"] for run in httpx.post(f"{server}/flow_runs/filter", json=chosen).json()}


def forget(workspace) -> None:
    """As in a new clone: no outputs, no cache."""
    for folder in (".dvc/cache", ".dvc/tmp", "data/linear"):
        shutil.rmtree(workspace.path / folder, ignore_errors=True)
    workspace.run("git", "checkout", "-q", "dvc.lock", "data")


def lend_a_hand(workspace) -> bool:
    """DVC writes dvc.lock and its rwlock in place, and may leave empty folders in its run cache.

    After a kill in such a moment, do what README says.
    """
    helped = False
    lock, rwlock = workspace.path / "dvc.lock", workspace.path / ".dvc" / "tmp" / "rwlock"
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(lock))
    except (YAMLError, Invalid):
        workspace.run("git", "checkout", "-q", "dvc.lock")
        helped = True
    try:
        json.loads(rwlock.read_text())
    except FileNotFoundError:
        pass
    except ValueError:
        rwlock.unlink()
        helped = True
    for folder in (workspace.path / ".dvc" / "cache" / "runs").glob("*/*"):
        if not any(folder.iterdir()):
            folder.rmdir()
            helped = True
    return helped


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    return workspaces("left", trained=True, PREFECT_API_URL=prefect_server)


@pytest.mark.parametrize("damaged", [b"{", b'\xfb"write": {}}', b'{"wrhte": {}, "read": {}}'])
def test_a_flow_mends_the_lock_file_that_a_kill_left_half(workspace, damaged):
    project, rwlock = Project(workspace.path), workspace.path / ".dvc/tmp/rwlock"
    rwlock.parent.mkdir(parents=True, exist_ok=True)
    rwlock.write_bytes(damaged)
    step = lambda: run(project, "load", "linear")[1]  # noqa: E731
    assert reproduce(project, "load@linear", step, force=True) == RUN
    json.loads(rwlock.read_bytes())


def test_a_flow_passes_over_what_a_kill_left_of_the_run_cache(workspace):
    whole = workspace.bytes("linear")
    for entry in workspace.path.glob(".dvc/cache/runs/*/*/*"):
        entry.unlink()
    shutil.copy(ROOT / "dvc.lock", workspace.path)  # of other runs, so that DVC looks for entries
    assert "done in" in workspace.flow("linear")
    assert workspace.bytes("linear") == whole


def test_a_step_that_outlives_its_dvc_is_waited_for_and_spoils_nothing(workspace):
    """As after `kill` of `dvc repro` alone, and the same command again with other parameters."""
    workspace.set(linear__fit__epochs=10**6, linear__run__save_every=0.1)
    repro = workspace.start("dvc", "repro", "fit@linear")
    workspace.wait_for_training(repro)
    step = at_work(workspace, "flows.stage")
    step.suspend()
    os.kill(repro.pid, signal.SIGKILL)
    repro.wait()

    workspace.set(linear__fit__epochs=4)
    again = workspace.start("dvc", "repro", "fit@linear")
    for line in again.stdout:
        if f"another fit (process {step.pid}) is at work here" in line:
            break
    assert again.poll() is None
    step.resume()
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    recorded = workspace.bytes("linear")
    workspace.flow("linear", "--force")
    fit = ("data/linear/best.weights.h5", "data/linear/history.csv", "fit@linear")
    assert {name: workspace.bytes("linear")[name] for name in fit} == {
        name: recorded[name] for name in fit
    }
