"""A sweep on Dask: workers with clones of their own leave the table of one process here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest

from flows.engine.sweep import sweep
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.conftest import Workspace, eventually, free_port
from tests.support.swept import put_sweep, trained

RUN = "from flows.engine.sweep import *; sweep(Project.here(), 'linear', on='{}')"


@contextmanager
def dask(kind: str, workspace: Workspace, *options: str):
    """A scheduler or a worker of Dask, as a person starts it in a clone."""
    module = f"distributed.cli.dask_{kind}"
    command = [sys.executable, "-m", module, "--no-dashboard", *options]
    log = open(workspace.path.parent / f"{kind}.log", "a")  # noqa: SIM115 # as long as it runs
    process = subprocess.Popen(
        command, cwd=workspace.path, env={**os.environ, "PYTHONPATH": "."}, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


@pytest.fixture(scope="module")
def clones(workspaces):
    """The project of the sweep, and a clone that shares nothing with it; the one has no trial."""
    ours, theirs = workspaces("ours", trained=True), workspaces("theirs")
    for each in (ours, theirs):
        put_sweep(Project(each.path), trials=4, round=2)
    return ours, theirs


@pytest.fixture(scope="module")
def scheduler(clones):
    port = free_port()
    with dask("scheduler", clones[0], "--host", "127.0.0.1", "--port", str(port)):
        yield f"tcp://127.0.0.1:{port}"


WORKER = ("--no-nanny", "--nthreads", "1", "--host", "127.0.0.1")


def test_workers_with_a_clone_leave_the_bytes_of_one_process_here(clones, scheduler, workspaces):
    ours, theirs = clones
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(dask("worker", theirs, scheduler, *WORKER))
        ours.run("python", "-c", RUN.format(scheduler))
    assert not trained(Project(ours.path)), "all was trained in the clone"
    assert len(trained(Project(theirs.path))) == 4

    alone = put_sweep(Project(workspaces("alone", trained=True).path), trials=4, round=2)
    sweep(alone, "linear")
    for name in ("sweep.csv", "sweep.png"):
        there = ours.path / "data/linear" / name
        assert there.read_bytes() == (alone.data("linear") / name).read_bytes()

    # What came back is known to DVC here: nobody is asked again.
    sweep(Project(ours.path), "linear")
    assert not trained(Project(ours.path))


def test_a_trial_whose_worker_is_killed_is_trained_by_another(clones, scheduler):
    ours, theirs = clones
    for each in clones:
        each.set(linear__fit__epochs=3000, linear__run__save_every=0.1)
        put_sweep(Project(each.path), trials=2, round=1, seed=5)
    place = theirs.path / ".dvc/tmp/sweeps/linear"
    with dask("worker", theirs, scheduler, *WORKER) as first:
        process = ours.start("python", "-c", RUN.format(scheduler))
        eventually(lambda: list(place.glob("*/data/linear/.resume/fit.npz")), 200)
        first.kill()
        with dask("worker", theirs, scheduler, *WORKER):
            said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    logs = [log.read_text() for log in place.glob("worker-*.log")]
    assert any("continuing in epoch" in log for log in logs)


def test_a_worker_with_other_code_or_other_parameters_refuses(clones, scheduler):
    ours, theirs = clones
    put_sweep(Project(ours.path), trials=3, round=1, seed=6)
    with dask("worker", theirs, scheduler, *WORKER):
        said = ours.run("python", "-c", RUN.format(scheduler), code=1)
    assert "has another params.yaml. Commit yours" in said

    file = theirs.path / "requirements.lock"
    file.write_text(file.read_text() + "# another\n")
    with dask("worker", theirs, scheduler, *WORKER):
        said = ours.run("python", "-c", RUN.format(scheduler), code=1)
    assert "has another requirements.lock. Bring its clone to the same commit" in said


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("dask", "expected tcp://127.0.0.1:8786, or tls://HOST:PORT."),
        ("tcp://127.0.0.1", "expected tcp://127.0.0.1:8786"),
        ("tcp://10.1.2.3:8786", "runs code for everybody who reaches it. Use tls://"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers there"),
        ("tls://127.0.0.1:1", "no Dask scheduler answers there"),
    ],
)
def test_an_address_that_is_none_or_that_everybody_reaches_is_refused(address, says, monkeypatch):
    from flows.engine import machines

    monkeypatch.setattr(machines, "PATIENCE", "1s")
    with pytest.raises(UserError, match=says):
        machines.connect(address, None)
