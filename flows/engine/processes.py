"""Processes: whether one is alive, who holds a file, and who ends with whom."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

import psutil

from flows.project.folder import Project
from tasks.core.step import Stopped, log, stopping

waits: list[float] = []  # the seconds that this process has waited for others, each time


def lives(process: int, since: float | None = None) -> bool:
    """Whether a process has not ended; a zombie has.

    Args:
        process: its number, which the system gives again later.
        since: when it was `born`, where that is known.
    """
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process)
        same = since is None or abs(born(found) - since) < 1
        return same and found.status() != psutil.STATUS_ZOMBIE
    return False


def born(process: psutil.Process) -> float:
    """When a process began, in seconds since the system did.

    By the clock, which may be set meanwhile, the same process would have begun at another time.
    """
    return process._proc.create_time(monotonic=True)  # type: ignore[attr-defined] # its own part


def repro_process() -> psutil.Process | None:
    """The process of the `dvc` command that this one works for."""
    return next(filter(_is_dvc, psutil.Process().parents()), None)


def _is_dvc(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(Path(part).name == "dvc" for part in process.cmdline()[:3])
    return False


def hold(file: IO, wait: bool = False, without: bool = True) -> bool:
    """Hold a file for this process until it ends, however it ends; or say that another one does.

    Args:
        file: to hold.
        wait: for the other process.
        without: the answer on a drive that has no locks, as some network drives have none.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise
        _tell_of_no_locks(os.path.dirname(file.name))
        return without
    return True


@cache
def _tell_of_no_locks(folder: str) -> None:
    log.warning("%s is on a drive without locks: start one run at a time", folder)


def take_turn(file: IO, other: str) -> None:
    """Hold a file, as soon as no other process does.

    Args:
        file: to hold.
        other: who may be at work meanwhile, in words.

    Raises:
        Stopped: the wait was.
    """
    if hold(file):
        return
    lines = logging.getLogger("flows")
    lines.info("%s is at work here: this one waits for it", other)
    began = time.monotonic()
    while not hold(file):
        if stopping.wait(0.2):
            raise Stopped("stopped while it waited for its turn")
    waits.append(time.monotonic() - began)
    lines.info("waited %.1f s", waits[-1])


@contextmanager
def alone(project: Project, pipeline: str, what: str = "run") -> Iterator[None]:
    """Wait until no other process is at the same work on the pipeline in this folder.

    Args:
        what: a run of the flow, or the name of a step: one whose `dvc` was killed still goes on.

    Raises:
        Stopped: the wait was.
    """
    file = project.data(pipeline) / ".resume" / f"{what}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as held:  # its lock ends with the process
        take_turn(held, f"another {what} (process {file.read_text()})")
        with suppress(OSError):  # a full disk: then nobody is told the number
            os.truncate(held.fileno(), 0)
            os.write(held.fileno(), str(os.getpid()).encode())
        yield


def die_with_parent(parent: int | None = None) -> None:
    """When the process that started this one is killed, the kernel sends this one SIGTERM.

    Args:
        parent: its number; if it was killed already, this process ends.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if parent not in (None, os.getppid()):
        sys.exit("the process that started this one has ended")
