"""Promise 4: killed anywhere, continued to the same bytes. `make soak` does it hundreds of times."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time

import pytest
from ruamel.yaml import YAML, YAMLError

KILLS = int(os.environ.get("KILLS", "2"))  # for each driver
LONGEST = 25.0  # seconds: about what a run takes here, from nothing to its end
COMMANDS = {"flow": ["python", "flows/linear.py"], "dvc": ["dvc", "repro", "visualize@linear", "evaluate@linear"]}


@pytest.mark.parametrize("driver", COMMANDS)
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(driver, workspaces, prefect_server):
    workspace = workspaces(f"killed-{driver}", PREFECT_API_URL=prefect_server)
    workspace.set(linear__fit__epochs=300, linear__fit__save_every=0.1)
    workspace.run("git", "commit", "-qam", "Save often")
    started = time.monotonic()
    workspace.run(*COMMANDS[driver])
    longest = min(LONGEST, time.monotonic() - started)
    whole = workspace.bytes("linear")

    draw = random.Random(driver)
    kills = resumed = locks = 0
    forget(workspace)
    before = workspace.bytes("linear")
    while kills < KILLS:
        process = workspace.start(*COMMANDS[driver])
        try:
            said = process.communicate(timeout=draw.uniform(0.3, longest))[0]
            assert process.returncode == 0, said
            assert workspace.bytes("linear") == whole
            resumed += "continuing in epoch" in said
            forget(workspace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            locks += put_lock_back(workspace)
            # Whatever has a final name is whole: what a run that was never killed writes, or what was there before.
            now = {path: digest for path, digest in workspace.bytes("linear").items() if path in whole and "/" in path}
            assert now.items() <= whole.items() | before.items()
    said = workspace.run(*COMMANDS[driver])
    resumed += "continuing in epoch" in said
    assert workspace.bytes("linear") == whole
    assert "up to date" in workspace.dvc("status", "visualize@linear", "evaluate@linear")
    assert not list(workspace.path.glob("data/linear/.resume/fit.npz"))
    print(f"{driver}: {kills} kills, {resumed} runs continued a training, dvc.lock put back {locks} times")


def forget(workspace) -> None:
    """As in a new clone: no outputs, no cache."""
    for folder in (".dvc/cache", ".dvc/tmp", "data/linear"):
        shutil.rmtree(workspace.path / folder, ignore_errors=True)
    workspace.run("git", "checkout", "-q", "dvc.lock", "data")


def put_lock_back(workspace) -> bool:
    """DVC itself writes dvc.lock in its place. If a kill falls into that moment, do what the flow's message says."""
    try:
        whole = set(YAML(typ="safe").load(workspace.path / "dvc.lock")) == {"schema", "stages"}
    except (YAMLError, TypeError):
        whole = False
    if not whole:
        workspace.run("git", "checkout", "-q", "dvc.lock")
    return not whole
