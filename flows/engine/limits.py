"""What this process may use: where it is too little for any run, that is said before it begins.

Later, native code ends the process without a word, or Prefect's server does not answer for minutes.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from tasks.core.step import UserError

MEMORY = 512 * 2**20  # bytes, with which `linear` and a server of its own do not begin
ADDRESSES = 3 * 2**30  # bytes of `ulimit -v`: the stacks of threads count in full, used or not
FILES = 32  # open ones, of `ulimit -n`: a run has about 25, and so has its server
GROUPS = Path("/sys/fs/cgroup")


def check_limits() -> None:
    """Refuse to run where neither TensorFlow nor Prefect's server can.

    Raises:
        UserError: the machine, its container, or `ulimit` allows too little.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < FILES:
        raise UserError(
            f"`ulimit -n` allows {files} open files. Expected {FILES} at least: `ulimit -n 1024`."
        )
    addresses, _ = resource.getrlimit(resource.RLIMIT_AS)
    if addresses != resource.RLIM_INFINITY and addresses < ADDRESSES:
        raise UserError(
            f"There is not enough memory: `ulimit -v` allows {_gb(addresses)}. Expected no limit, "
            f"or {_gb(ADDRESSES)}: `ulimit -v unlimited`."
        )
    memory = min(psutil.virtual_memory().total, *_of_groups())
    if memory < MEMORY:
        raise UserError(
            f"There is not enough memory: this machine, or its container, has {_gb(memory)}. "
            "Expected 2 GB: set a higher limit."
        )


def _gb(size: int) -> str:
    return f"{size / 2**30:.2g} GB"


def _of_groups() -> Iterator[int]:
    """The limits of the control groups that this process is in: those of a container, say."""
    with suppress(OSError):  # not Linux
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            old = kinds == "memory"
            place = GROUPS / "memory" if old else GROUPS
            file = "memory.limit_in_bytes" if old else "memory.max"
            # In a container, its own group is the top.
            for group in (place / path.lstrip("/"), place):
                with suppress(OSError, ValueError):  # it has none, or `max`
                    yield int((group / file).read_text(encoding="utf-8"))
