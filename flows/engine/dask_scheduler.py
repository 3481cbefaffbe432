"""Hands out the trials of sweeps: python -m flows.engine.dask_scheduler tcp://127.0.0.1:8786.

As `dask scheduler`, with what a sweep needs: it can import the project, only this machine reaches
it unless it speaks TLS, it gives a machine up that has been silent for a minute, and it says so at
once when a worker ends, as the sweep knows where its trial is resumed.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import dask
from distributed.cli.dask_scheduler import main

from flows.engine.machines import check
from tasks.core.step import UserError

SETTINGS = {
    "worker-ttl": "30s",  # that a worker may be silent, and Dask looks as often; its own is 5 min
    "allowed-failures": 0,  # else Dask hands the trial of a worker that ended to any other
}


def start(address: str) -> None:
    """Serve until a signal ends it.

    Raises:
        UserError: the address is none, or everybody could reach it.
    """
    check(address)
    place = urlsplit(address)
    dask.config.set({f"distributed.scheduler.{key}": value for key, value in SETTINGS.items()})
    where = ["--protocol", place.scheme, "--host", place.hostname, "--port", str(place.port)]
    main([*where, "--no-dashboard"])


if __name__ == "__main__":
    try:
        start(sys.argv[1])
    except UserError as error:
        sys.exit(f"error {error}")
