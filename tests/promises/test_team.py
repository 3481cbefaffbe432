"""A team's server: Prefect on a real PostgreSQL, behind a password; clones that share no disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import pytest

from flows.project.folder import Project
from tests.conftest import Workspace
from tests.support.cluster import dask
from tests.support.served import NEVER, Served, eventually, free_port
from tests.support.swept import put_sweep, trained

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
pytestmark = pytest.mark.skipif(
    not PROGRAMS, reason="PostgreSQL is not installed here: `make tools` does it"
)
PASSWORD = "team:a-password-for-this-test"


@pytest.fixture(scope="module")
def postgres():
    """The address of a database in a PostgreSQL of its own."""
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), free_port()
    user = (
        {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    )  # it refuses to run as root
    if user:
        shutil.chown(folder, **user)
    secret = folder / "password"
    secret.write_text("secret")
    if user:
        shutil.chown(secret, **user)
    programs, data = PROGRAMS[-1].parent, folder / "data"
    create = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "prefect",
        "--auth=scram-sha-256",
        f"--pwfile={secret}",
    ]
    subprocess.run(create, check=True, capture_output=True, cwd=folder, **user)
    options = ["-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            **user,
        )
    ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
    eventually(lambda: subprocess.run(ready, capture_output=True).returncode == 0)
    yield f"postgresql+asyncpg://prefect:secret@127.0.0.1:{port}/postgres"
    server.terminate()
    server.wait(timeout=30)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def served(workspaces, postgres):
    made = Served(workspaces("team"))
    try:
        made.begin(
            PREFECT_SERVER_DATABASE_CONNECTION_URL=postgres,
            PREFECT_SERVER_API_AUTH_STRING=PASSWORD,
            PREFECT_API_AUTH_STRING=PASSWORD,
            PYTHONUTF8="1",  # so that nothing begins warm here
        )
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def trained_once(served):
    assert served.ended(served.run("linear"))["name"] == "Completed"


def test_runs_are_kept_in_postgresql(served, trained_once):
    assert not (served.home / "prefect.db").exists()


def test_a_run_from_the_terminal_needs_the_password(served):
    env = {"PREFECT_API_URL": served.url}
    said = served.workspace.flow("linear", code=1, **env)
    assert "PREFECT_API_AUTH_STRING" in said
    assert "Traceback" not in said
    served.workspace.flow("linear", **env, PREFECT_API_AUTH_STRING=PASSWORD)


@pytest.mark.parametrize("auth", [None, ("team", "guess")])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "admin/settings"),
        ("GET", "admin/version"),
        ("POST", "artifacts/filter"),
        ("POST", "deployments/filter"),
        ("POST", "events/filter"),
        ("POST", "flow_runs/filter"),
        ("POST", "flows/filter"),
        ("POST", "logs/filter"),
        ("POST", "task_runs/filter"),
        ("POST", "variables/filter"),
        ("POST", "work_pools/filter"),
    ],
)
def test_without_the_password_nothing_is_readable(served, method, path, auth):
    token = {name: value for name, value in served.client.headers.items() if "csrf" in name}
    content = {} if method == "POST" else None
    answer = httpx.request(method, f"{served.url}/{path}", json=content, auth=auth, headers=token)
    assert answer.status_code == 401


@pytest.fixture(scope="module")
def second(served, trained_once):
    """A clone of the project, on what could be another machine."""
    first = served.workspace
    first.dvc("remote", "add", "-d", "shared", str(first.path.parent / "remote"))
    put_sweep(Project(first.path), trials=2, round=1)
    first.run("git", "add", "-A")
    first.run("git", "commit", "-qm", "Train linear")
    first.run("python", "-m", "flows", "push")

    made = Workspace(first.path.parent / "second", {"DVC_SITE_CACHE_DIR": ""})
    first.run("git", "clone", "-q", str(first.path), str(made.path))
    return made


def test_a_second_clone_joins_and_works_in_its_own_folder_with_what_the_first_has_made(
    served, second
):
    served.end_work()
    served.join(second)
    second.run("python", "-m", "flows", "pull")
    assert "nothing has changed" in served.ended(served.run("linear"))["message"]
    assert second.bytes("linear") == served.workspace.bytes("linear")


def test_a_sweep_in_one_clone_is_trained_in_the_other_and_then_known_to_a_run_there(served, second):
    first, address = served.workspace, f"tcp://127.0.0.1:{free_port()}"
    served.end_work()
    with dask("scheduler", first, address):
        served.join(second, "--on", address, pool="second")
        env = {"PREFECT_API_URL": served.url, "PREFECT_API_AUTH_STRING": PASSWORD}
        first.run("python", "-m", "flows", "sweep", "linear", "--on", address, **env)
    assert not trained(Project(first.path))
    assert len(trained(Project(second.path))) == 2

    place = f"deployments/{served.deployment('linear-sweep')['id']}"
    served.patch(place, {"work_pool_name": "second"})  # as a person does in the UI, and then runs
    run = served.run("linear-sweep")
    assert "2 of 2 trials, best loss" in served.ended(run)["message"]
    assert {step["name"] for step in served.steps(run).values()} == {"Cached"}
    assert len(trained(Project(second.path))) == 2
    for name in ("sweep.csv", "sweep.png"):
        of_both = [each.path / "data/linear" / name for each in (first, second)]
        assert of_both[0].read_bytes() == of_both[1].read_bytes()


def test_a_run_that_no_machine_holds_is_crashed_within_a_minute_and_another_takes_the_next(
    served, second
):
    served.end_work()
    served.join(second)
    second.set(linear__fit__epochs=NEVER)
    run = served.run("linear")
    served.artifact(run, "linear-progress")

    worker = psutil.Process(served.processes.pop().pid)
    for process in [*worker.children(recursive=True), worker]:
        process.kill()  # as when the machine is unplugged
    since = time.monotonic()
    state = served.ended(run)
    assert state["name"] == "Crashed"
    assert "no machine holds it any more" in state["message"]
    print(f"Crashed after {time.monotonic() - since:.0f} s")

    served.begin_work()
    assert "passed" in served.ended(served.run("linear"))["message"]
