"""Processes: whether one is alive, who holds a file, and who ends with whom."""

from __future__ import annotations

import ctypes
import fcntl
import signal
import sys
from contextlib import suppress
from typing import IO

import psutil


def lives(process: int) -> bool:
    """Whether a process has not ended; a zombie has."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False


def lock(file: IO) -> bool:
    """Hold a file for this process until it ends, however it ends; or say that another one does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def die_with_parent() -> None:
    """When the process that started this one is killed, the kernel sends this one SIGTERM."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
