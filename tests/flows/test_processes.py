"""Locks, and processes that have ended."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time

import psutil

from flows.engine.processes import born, hold, lives
from flows.memory.patches import holds
from tests.support.served import eventually


def test_a_held_file_is_held_until_its_process_ends(tmp_path):
    holder = "f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); input()"
    code = f"import fcntl, sys; {holder}"
    with subprocess.Popen(
        ["python", "-c", code, tmp_path / "held"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with open(tmp_path / "held") as file:
            assert not hold(file)
            other.kill()
            other.wait()
            assert hold(file)


def test_a_drive_without_locks_is_said_and_does_not_stop_a_run(tmp_path, monkeypatch, caplog):
    def flock(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with open(tmp_path / "held", "w") as file:
        assert hold(file)
        assert not hold(file, without=False)
    said = f"{tmp_path} is on a drive without locks: start one run at a time"
    assert caplog.text.count(said) == 1  # each step of a run has a lock there


def test_a_zombie_is_dead_and_so_is_a_number_that_was_given_again():
    with subprocess.Popen(["true"]) as ended:
        time.sleep(0.2)
        assert not lives(ended.pid)
    own = psutil.Process()
    assert lives(own.pid, born(own))
    assert not lives(own.pid, born(own) - 60)


def test_a_clock_that_is_set_makes_no_living_process_a_dead_one(monkeypatch):
    """As after a virtual machine was asleep: all processes seem to have begun an hour later."""
    command = [sys.executable, "-c", "input()", "repro", "fit@a b"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        written, since = time.time(), born(psutil.Process(process.pid))
        start = psutil._pslinux.boot_time()
        monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: start + 3600)
        assert lives(process.pid, since)
        holder = {"pid": process.pid, "cmd": "/bin/dvc repro fit@a b"}
        eventually(psutil.Process(process.pid).cmdline)  # for a moment of its start it has none
        assert holds(holder, written)
        assert not holds(holder | {"cmd": "/bin/dvc repro fit@b"}, written), "of another process"
        process.kill()


def test_any_umask_gives_the_same_bytes(workspaces):
    workspace, found = workspaces("umask"), set()
    for mask in ("000", "077"):
        workspace.run("sh", "-c", f"umask {mask}; dvc repro --force load@linear normalize@linear")
        found.add(workspace.bytes("linear")["data/linear/normalized.npz"])
    assert len(found) == 1
