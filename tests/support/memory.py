"""How much memory this process needs at most, while it does something. Linux only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path


def added(work: Callable[[], object]) -> int:
    """How many bytes more than before, without what lies in files."""
    before = highest = own()
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.is_set():
            highest = max(highest, own())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return highest - before


def own() -> int:
    """Bytes of memory in use, without what lies in files."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024
