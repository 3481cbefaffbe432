"""A Dask worker in this clone, for the trials of sweeps: python -m flows.engine.dask_worker."""

from __future__ import annotations

import sys

from distributed.cli.dask_worker import main

from flows.engine.processes import die_with_parent


def start(address: str, port: str, parent: str | None = None) -> None:
    """Run trials for a scheduler until a signal ends it, or the scheduler has gone.

    Args:
        address: `tcp://HOST:PORT` of this machine, or `tls://HOST:PORT`.
        port: at which the scheduler reaches this worker; 0 is any.
        parent: the number of the process that started this one, if it goes on starting workers.
    """
    die_with_parent(int(parent) if parent else None)
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--worker-port", port]
    if address.startswith("tcp"):  # by SSH: nobody else shall reach it
        options += ["--host", "127.0.0.1"]
    main([address, *options])


if __name__ == "__main__":
    start(*sys.argv[1:])
