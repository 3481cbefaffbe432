"""What the system allows a run: little memory, no writing. It says so, and nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import DRIVERS
from tests.support.served import eventually

FLOW = " ".join(DRIVERS["flow"])


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    made = workspaces("limited", trained=True, PREFECT_API_URL=prefect_server)
    made.whole = made.bytes("linear")
    return made


@contextmanager
def limited(megabytes: int) -> Iterator[Path]:
    """A group of processes that have so much memory: a file that takes their numbers."""
    place = Path("/sys/fs/cgroup")
    old = place / "memory"
    name = f"keras-flows-{os.getpid()}"
    group = (old if old.is_dir() else place) / name
    limit = "memory.limit_in_bytes" if old.is_dir() else "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text(str(megabytes * 2**20))
    except OSError as error:
        with suppress(OSError):
            group.rmdir()
        pytest.skip(f"this user may not limit the memory of a group: {error}")
    members = group / "cgroup.procs"
    try:
        yield members
    finally:
        eventually(lambda: not members.read_text())  # who tells the server ends a moment later
        group.rmdir()


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (
            "-v 1048576",
            "There is not enough memory: `ulimit -v` allows 1 GB. Expected no limit, or 3 GB: "
            "`ulimit -v unlimited`.",
        ),
        ("-n 24", "`ulimit -n` allows 24 open files. Expected 32 at least: `ulimit -n 1024`."),
    ],
)
def test_too_low_a_limit_is_named_and_nothing_begins(workspace, limit, says):
    said = workspace.run("sh", "-c", f"ulimit {limit}; {FLOW}", code=1)
    assert said.splitlines() == ["linear", f"error {says}"]


def test_too_small_a_container_is_named_and_nothing_begins(workspace):
    with limited(350) as group:
        said = workspace.run("sh", "-c", f"echo $$ > {group}; {FLOW}", code=1)
    assert said.splitlines() == [
        "linear",
        "error There is not enough memory: this machine, or its container, has 0.34 GB. Expected "
        "2 GB: set a higher limit.",
    ]


def test_a_step_of_dvc_repro_in_too_small_a_container_is_refused_and_costs_nothing(workspace):
    workspace.set(linear__fit__epochs=4)
    with limited(200) as group:
        said = workspace.run("sh", "-c", f"echo $$ > {group}; exec dvc repro fit@linear", code=255)
    workspace.set(linear__fit__epochs=3)
    assert "fit: There is not enough memory: this machine, or its container, has 0.2 GB." in said
    workspace.run(*DRIVERS["dvc"])
    assert workspace.bytes("linear") == workspace.whole


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_project_that_may_not_be_written_is_named_and_stays_as_it_is(workspace, driver):
    """As on a drive that is mounted to be read. Root may write all the same, so it is disarmed."""
    as_others = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    prefix = [] if os.geteuid() else as_others
    places = [workspace.path, *(path for path in workspace.path.rglob("*") if path.is_dir())]
    modes = {place: place.stat().st_mode for place in places}
    workspace.set(linear__fit__epochs=4)
    for place in places:
        place.chmod(0o555)
    try:
        said = workspace.run(*prefix, *DRIVERS[driver], code=1 if driver == "flow" else 255)
    finally:
        for place, mode in modes.items():
            place.chmod(mode)
        workspace.set(linear__fit__epochs=3)
    assert "Permission denied" in said
    assert "Traceback" not in said
    assert workspace.bytes("linear") == workspace.whole
