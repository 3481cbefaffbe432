"""Promise 11: a sweep that is killed anywhere leaves the same. `make soak-sweep` kills more."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from typing import Any

import psutil
import pytest

from flows.project.folder import Project
from tests.conftest import free_port
from tests.support.swept import put_sweep, trained_to_the_end

KILLS = int(os.environ.get("SWEEP_KILLS", "3"))
# Enough that the sweep has not ended before the last kill.
TRIALS, EPOCHS = (4, 1000) if KILLS < 10 else (KILLS // 2, 2000)
LIMIT = 300 if KILLS < 10 else 3600  # seconds that a sweep may take
LONGEST = 12.0  # seconds until a kill: about half of them find the processes at their start
IN_EXPERIMENTS = ("params.yaml", "dvc.lock", "data/linear")
# Without Prefect's server, which is not what is killed here.
RUN = ("python", "-c", "from flows.engine.sweep import *; sweep(Project.here(), 'linear', 2)")


@pytest.fixture(scope="module")
def whole(workspaces):
    """A sweep that nothing has disturbed, and how long to wait for a kill, at most."""
    undisturbed = made(workspaces("whole", trained=True))
    started = time.monotonic()
    run_to_the_end(undisturbed)
    return undisturbed, min(LONGEST, (time.monotonic() - started) / 2)


def run_to_the_end(workspace) -> None:
    process = workspace.start(*RUN)
    said = process.communicate(timeout=LIMIT)[0]
    assert process.returncode == 0, said


def wait(draw: random.Random, kills: int, longest: float) -> float:
    """Seconds until a kill. No sweep ends within two, on any machine, so there is one at least."""
    return draw.uniform(0.3, longest if kills else 2)


def test_a_sweep_whose_processes_are_killed_leaves_the_same_and_trains_nothing_twice(
    whole, workspaces
):
    whole, longest = whole
    killed = made(workspaces("killed-sweep", trained=True))

    draw, kills = random.Random(0), 0
    while kills < KILLS:
        process = killed.start(*RUN)
        try:
            said = process.communicate(timeout=wait(draw, kills, longest))[0]
            assert process.returncode == 0, said
            break
        except subprocess.TimeoutExpired:
            trials = [*of_trials(psutil.Process(process.pid))]
            if trials and draw.random() < 0.5:  # the sweep starts it again
                draw.choice(trials).kill()
                kills += 1
                time.sleep(draw.uniform(0, 2))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
    run_to_the_end(killed)

    assert left(killed) == left(whole)
    lines = trained_to_the_end(Project(killed.path))
    assert len(set(lines)) == len(lines) == TRIALS
    assert kills
    print(f"{kills} kills, {resumed(killed)} trainings resumed")


KINDS = [
    *(["scheduler"], ["trial"], ["sweep"], ["worker"]),
    *(["worker", "trial"], ["scheduler", "worker"]),  # at once
]


def test_a_sweep_on_dask_whose_processes_are_killed_leaves_the_same_and_trains_nothing_twice(
    whole, workspaces
):
    whole, longest = whole
    ours = made(workspaces("killed-on-dask", trained=True))
    clones = [made(workspaces(name)) for name in ("first", "second")]
    draw, kills, kinds = random.Random(0), 0, cycle(KINDS)
    with Team(ours, clones) as team:
        team.begin()
        while kills < KILLS and team.ended(wait(draw, kills, longest)) != 0:
            kills += team.kill(next(kinds), draw)
            team.begin()
        while team.ended(LIMIT) != 0:  # as its scheduler was killed just now
            team.begin()
        team.scheduler_goes_and_workers_end()

    assert left(ours) == left(whole)
    lines = [line for each in (ours, *clones) for line in trained_to_the_end(Project(each.path))]
    assert len(set(lines)) == len(lines) == TRIALS
    assert kills
    print(f"{kills} kills, {sum(map(resumed, clones))} trainings resumed")


class Team:
    """A sweep on Dask: a scheduler, a worker in each of some clones, and the sweep itself.

    Args:
        ours: where the sweep and the scheduler are.
        clones: where its trials run.
    """

    def __init__(self, ours, clones) -> None:
        address = f"tcp://127.0.0.1:{free_port()}"
        run = f"from flows.engine.sweep import *; sweep(Project.here(), 'linear', on='{address}')"
        self.commands = {"scheduler": (ours, "-m", "flows.engine.dask_scheduler", address)}
        worker = ("-m", "flows.engine.dask_worker", address, "0")
        self.workers = {f"worker {n}": (clone, *worker) for n, clone in enumerate(clones)}
        self.commands |= {**self.workers, "sweep": (ours, "-c", run)}
        self.running: dict[str, psutil.Popen] = {}
        self.log = ours.path.parent / "team.log"

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.running.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait()

    def begin(self) -> None:
        """Start whoever is not running."""
        for name, (place, *command) in self.commands.items():
            if name not in self.running or self.running[name].poll() is not None:
                with open(self.log, "a") as log:
                    self.running[name] = psutil.Popen(
                        [sys.executable, *command], cwd=place.path, stdout=log, stderr=log
                    )

    def ended(self, seconds: float) -> int | None:
        """The exit code of the sweep, if it ends in some seconds: 1 if its scheduler has gone."""
        try:
            code = self.running["sweep"].wait(seconds)
        except psutil.TimeoutExpired:
            return None
        assert code in (0, 1, -signal.SIGKILL), self.log.read_text()
        return code

    def kill(self, kinds: list[str], draw: random.Random) -> int:
        """Kill processes of some kinds; how many there were."""
        worker = self.running[draw.choice([*self.workers])]
        victims = {**self.running, "worker": worker, "trial": next(of_trials(worker), None)}
        there = [victims[kind] for kind in kinds if victims[kind] and victims[kind].is_running()]
        for process in there:
            process.kill()
        psutil.wait_procs(there)
        return len(there)

    def scheduler_goes_and_workers_end(self) -> None:
        workers = [self.running[name] for name in self.workers]
        processes = [*workers, *(each for worker in workers for each in of_trials(worker))]
        self.running["scheduler"].kill()
        assert not psutil.wait_procs(processes, timeout=60)[1], self.log.read_text()


def of_trials(process: psutil.Process) -> Iterator[psutil.Process]:
    """The processes of trials that another one has started."""
    for each in process.children() if process.is_running() else []:
        with suppress(psutil.Error):  # it has just ended
            if "flows.engine.apart" in each.cmdline():
                yield each


def resumed(workspace) -> int:
    logs = (workspace.path / ".dvc/tmp/sweeps/linear").glob("worker-*.log")
    return sum(log.read_text().count("continuing in epoch") for log in logs)


def made(workspace):
    workspace.set(linear__fit__epochs=EPOCHS, linear__run__save_every=0.1)
    put_sweep(Project(workspace.path), trials=TRIALS, round=2)
    return workspace


def left(workspace) -> dict[str, Any]:
    """The table, the picture, and what the experiments of the best trials have."""
    folder = workspace.path / "data/linear"
    names = ("sweep.csv", "sweep.png")
    files: dict[str, Any] = {name: (folder / name).read_bytes() for name in names}
    refs = workspace.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    for ref in refs:
        name = ref.rpartition("/")[2]  # what is before it is the commit of this workspace
        files[name] = workspace.run("git", "ls-tree", "-r", ref, *IN_EXPERIMENTS)
    return files
