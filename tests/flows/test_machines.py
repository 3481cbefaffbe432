"""A sweep on Dask: workers with clones of their own leave the table of one process here."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack

import psutil
import pytest
from distributed import Client

from flows.engine import away, machines
from flows.engine.sweep import sweep
from flows.engine.trial import Trial, Trials
from flows.project import sweeps
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.conftest import ROOT, Workspace, eventually, free_port
from tests.support.cluster import dask
from tests.support.swept import put_sweep, trained

RUN = "from flows.engine.sweep import *; sweep(Project.here(), 'linear', on='{}')"


@pytest.fixture(scope="module")
def clones(workspaces):
    """The project of the sweep, and a clone that shares nothing with it; the one has no trial."""
    ours, theirs = workspaces("ours", trained=True), workspaces("theirs")
    for each in (ours, theirs):
        put_sweep(Project(each.path), trials=4, round=2)
    return ours, theirs


@pytest.fixture(scope="module")
def scheduler(clones):
    address = f"tcp://127.0.0.1:{free_port()}"
    with dask("scheduler", clones[0], address):
        yield address


ANY = "0"  # port


def test_workers_with_a_clone_leave_the_bytes_of_one_process_here(clones, scheduler, workspaces):
    ours, theirs = clones
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(dask("worker", theirs, scheduler, ANY))
        ours.run("python", "-c", RUN.format(scheduler))
        refuse_what_was_edited_since(clones, scheduler)
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


def refuse_what_was_edited_since(clones, scheduler):
    ours, theirs = clones
    asked, file = (ours.path / "params.yaml").read_bytes(), theirs.path / "tasks/core/step.py"
    code = file.read_bytes()
    for each in clones:
        put_sweep(Project(each.path), trials=2, round=1, seed=4)
    file.write_bytes(code + b"# edited\n")
    said = ours.run("python", "-c", RUN.format(scheduler), code=1)
    assert "has another tasks/core/step.py. Bring its clone to the same commit" in said

    file.write_bytes(code)
    (theirs.path / "params.yaml").write_bytes(asked)
    said = ours.run("python", "-c", RUN.format(scheduler), code=1)
    assert "has another params.yaml. Commit yours" in said
    (ours.path / "params.yaml").write_bytes(asked)


def test_a_worker_whose_data_were_brought_meanwhile_looks_at_them_again(clones, monkeypatch):
    project = Project(clones[0].path)
    monkeypatch.setattr(Project, "here", lambda: project)
    monkeypatch.setattr(away, "_here", {})
    chosen = sweeps.read(project, "linear")
    rows = Trials(project, chosen).rows
    order = away.Order("linear", Trial(1, {}), chosen.made_from, rows, {})
    away._of(order)[0].rows = {"data/linear/normalized.npz": "of other data"}
    assert away._of(order)[0].rows == rows


def test_another_kind_of_processor_is_told_once(caplog):
    caplog.set_level("WARNING")
    for cpu in (machines.cpu(), ("GenuineIntel", "sse"), ("GenuineIntel", "sse")):
        machines._tell_of_another(cpu)
    (said,) = caplog.messages
    assert "another kind of processor (GenuineIntel sse; here " in said
    assert "the last digits of its trials may differ" in said


@pytest.fixture(scope="module")
def idle(workspaces):
    """A third clone."""
    return workspaces("idle")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_trial_whose_worker_goes_is_resumed_by_another_of_its_clone(clones, idle, scheduler, how):
    ours, theirs = clones
    for each in (ours, theirs, idle):
        each.set(linear__fit__epochs=3000, linear__run__save_every=0.1)
        put_sweep(Project(each.path), trials=1, round=1, seed=int(how), search="random")
    place = theirs.path / ".dvc/tmp/sweeps/linear"
    for log in place.glob("worker-*.log"):
        log.unlink()
    with dask("worker", theirs, scheduler, ANY) as first:
        process = ours.start("python", "-c", RUN.format(scheduler))
        eventually(lambda: list(place.glob("*/data/linear/.resume/fit.npz")), 200)
        (of_trial,) = psutil.Process(first.pid).children()
        of_trial.suspend()  # else it might be at its end before the others are there
        with (
            dask("worker", idle, scheduler, ANY),
            dask("worker", theirs, scheduler, ANY),
            Client(scheduler, set_as_default=False) as client,
        ):
            client.wait_for_workers(3)
            of_trial.resume()
            first.send_signal(how)
            first.wait(timeout=25)  # Dask would wait for 30 s, for the trial to end
            said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    logs = [log.read_text() for log in place.glob("worker-*.log")]
    assert any("continuing in epoch" in log for log in logs)
    assert not trained(Project(idle.path))


def test_what_a_clone_has_trained_for_another_machine_no_other_clone_trains(
    clones, idle, scheduler, workspaces
):
    ours, theirs = clones
    asking = workspaces("asking")
    for each in (ours, theirs, idle, asking):
        each.set(linear__fit__epochs=3)
        put_sweep(Project(each.path), trials=4, round=2, seed=2)
    with dask("worker", theirs, scheduler, ANY):
        ours.run("python", "-c", RUN.format(scheduler))
        before = trained(Project(theirs.path))
        with (
            dask("worker", idle, scheduler, ANY),
            Client(scheduler, set_as_default=False) as client,
        ):
            client.wait_for_workers(2)
            asking.run("python", "-c", RUN.format(scheduler))
    assert trained(Project(theirs.path)) == before
    assert not trained(Project(idle.path))
    left = [(each.path / "data/linear/sweep.csv").read_bytes() for each in (ours, asking)]
    assert left[0] == left[1]


def test_a_worker_whose_parent_is_killed_while_it_begins_does_not_wait_for_a_scheduler(tmp_path):
    begun = (
        "from flows.command.worker import *; from flows.command.worker import _run_trials; "
        f"_run_trials(Project.here(), 'tcp://127.0.0.1:{free_port()}', 0)"
    )
    with open(tmp_path / "log", "w") as log:
        parent = psutil.Popen([sys.executable, "-c", begun], cwd=ROOT, stdout=log, stderr=log)
    try:
        eventually(parent.children)
        (worker,) = parent.children()
    finally:
        parent.kill()
        parent.wait()
    alive = psutil.wait_procs([worker], timeout=60)[1]
    for process in alive:
        process.kill()
    assert not alive


def test_a_worker_that_began_with_another_lock_file_refuses(clones, scheduler):
    ours, theirs = clones
    put_sweep(Project(ours.path), trials=3, round=1, seed=6)
    file = theirs.path / "requirements.lock"
    before = file.read_text()
    file.write_text(before + "# another\n")
    with dask("worker", theirs, scheduler, ANY):
        said = ours.run("python", "-c", RUN.format(scheduler), code=1)
    assert "has another requirements.lock. Bring its clone to the same commit" in said
    file.write_text(before)


def test_a_scheduler_that_was_started_elsewhere_is_told_where(clones, tmp_path):
    ours, port = clones[0], free_port()
    put_sweep(Project(ours.path), trials=1, round=1, search="random", seed=14)
    elsewhere = Workspace(tmp_path / "elsewhere")
    elsewhere.path.mkdir()
    with dask("bare", elsewhere, "--host", "127.0.0.1", "--port", str(port)):
        said = ours.run("python", "-c", RUN.format(f"tcp://127.0.0.1:{port}"), code=1)
    assert "Start it in the project's folder: python -m flows.engine.dask_scheduler" in said


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Makes one, by which scheduler, workers and clients know each other from now on."""

    def make(name: str) -> None:
        files = {"CERT": tmp_path / f"{name}.pem", "KEY": tmp_path / f"{name}.key"}
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=team"]
        command += ["-out", str(files["CERT"]), "-keyout", str(files["KEY"])]
        subprocess.run(command, check=True, capture_output=True)
        prefix = "DASK_DISTRIBUTED__COMM__TLS__"
        monkeypatch.setenv(f"{prefix}CA_FILE", str(files["CERT"]))
        for who in ("CLIENT", "SCHEDULER", "WORKER"):
            for what, file in files.items():
                monkeypatch.setenv(f"{prefix}{who}__{what}", str(file))

    return make


def test_with_tls_whoever_has_no_certificate_of_the_team_is_kept_out(clones, certificate):
    ours, theirs = clones
    for each in clones:
        put_sweep(Project(each.path), trials=1, round=1, search="random", seed=11)
    certificate("team")
    address = f"tls://127.0.0.1:{free_port()}"
    with dask("scheduler", ours, address), dask("worker", theirs, address, ANY):
        ours.run("python", "-c", RUN.format(address))
        certificate("stranger")
        impatient = RUN.replace("; ", "; from flows.engine import machines; ", 1)
        impatient = impatient.replace("; sweep", "; machines.PATIENCE = '3s'; sweep", 1)
        said = ours.run("python", "-c", impatient.format(address), code=1)
    assert "no Dask scheduler answers there" in said
    assert not trained(Project(ours.path))


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
    monkeypatch.setattr(machines, "PATIENCE", "1s")
    with pytest.raises(UserError, match=says):
        machines.connect(address, None)
