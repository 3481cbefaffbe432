"""Promise 11: a sweep that is killed anywhere leaves the same. `make soak-sweep` kills more."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import psutil

from flows.project.folder import Project
from tests.support.swept import put_sweep, trained

KILLS = int(os.environ.get("SWEEP_KILLS", "4"))
LONGEST = 25.0  # seconds until a kill: about what the sweep takes here
# Without Prefect's server, which is not what is killed here.
RUN = ("python", "-c", "from flows.engine.sweep import *; sweep(Project.here(), 'linear', 2)")


def test_a_sweep_whose_processes_are_killed_leaves_the_same_and_trains_nothing_twice(workspaces):
    whole = made(workspaces("whole", trained=True))
    started = time.monotonic()
    whole.run(*RUN)
    longest = min(LONGEST, time.monotonic() - started)
    killed = made(workspaces("killed-sweep", trained=True))

    draw, kills = random.Random(0), 0
    while kills < KILLS:
        process = killed.start(*RUN)
        try:
            said = process.communicate(timeout=draw.uniform(0.3, longest))[0]
            assert process.returncode == 0, said
            break
        except subprocess.TimeoutExpired:
            of_trials = [
                child
                for child in psutil.Process(process.pid).children(recursive=True)
                if "flows.engine.apart" in child.cmdline()
            ]
            if of_trials and draw.random() < 0.5:  # a worker; the sweep starts it again
                draw.choice(of_trials).kill()
                kills += 1
                time.sleep(draw.uniform(0, 2))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
    killed.run(*RUN)

    assert left(killed) == left(whole)
    lines = trained(Project(killed.path))
    assert len(set(lines)) == len(trained(Project(whole.path))) == 4
    logs = (killed.path / ".dvc/tmp/sweeps/linear").glob("worker-*.log")
    resumed = sum(log.read_text().count("continuing in epoch") for log in logs)
    print(f"{kills} kills, {resumed} trainings resumed")


def made(workspace):
    workspace.set(linear__fit__epochs=1000, linear__run__save_every=0.1)
    put_sweep(Project(workspace.path), trials=4, round=2)
    return workspace


def left(workspace) -> dict[str, bytes]:
    folder = workspace.path / "data/linear"
    return {name: (folder / name).read_bytes() for name in ("sweep.csv", "sweep.png")}
