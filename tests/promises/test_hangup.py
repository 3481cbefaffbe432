"""A terminal that closes: what runs there stops where it can resume, and no byte is lost."""

from __future__ import annotations

from contextlib import suppress

import psutil
import pytest

from tests.conftest import DRIVERS
from tests.support.served import eventually
from tests.support.terminal import Terminal


def at_work(place) -> list[int]:
    """The numbers of the processes in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has just ended
            if process.cwd() == str(place) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    made = workspaces("closed", trained=True, PREFECT_API_URL=prefect_server)
    made.set(linear__fit__epochs=3000, linear__run__save_every=1000.0)  # by the stop alone
    return made


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_run_in_a_closed_terminal_resumes_to_the_bytes_of_one_that_nobody_stopped(
    workspace, driver
):
    workspace.set(linear__fit__seed=10 + [*DRIVERS].index(driver))
    terminal = Terminal(workspace, *DRIVERS[driver])
    eventually(lambda: terminal.shows("loss"), 200)  # the bar of a training has it
    terminal.hang_up()
    eventually(lambda: not at_work(workspace.path))

    assert "continuing in epoch" in workspace.run(*DRIVERS[driver])
    resumed = workspace.bytes("linear")
    workspace.flow("linear", "--force")
    assert workspace.bytes("linear") == resumed
