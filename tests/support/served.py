"""Prefect's server with its UI, and the worker, as `make ui` and `make worker` start them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support import warm

POOL = "keras-flows"
NEVER = 1_000_000  # epochs: a training that waits for the test, on any machine
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")


class Served:
    """A workspace whose deployments are served.

    Args:
        workspace: a `Workspace` of conftest.py.
    """

    def __init__(self, workspace) -> None:
        self.workspace, self.processes = workspace, []
        self.home = workspace.path / ".prefect"
        workspace.env["PREFECT_HOME"] = str(self.home)

    def begin(self, **env: str) -> None:
        self.env = env
        self.log = open(self.workspace.path / "served.log", "w")  # noqa: SIM115
        self._start("ui")

        address = self.home / "ui-address"
        eventually(lambda: address.is_file() and address.read_text(), 120)
        self.url = address.read_text()
        name, _, password = env.get("PREFECT_API_AUTH_STRING", "").partition(":")
        auth = (name, password) if password else None
        self.client = httpx.Client(base_url=self.url, timeout=30, auth=auth)
        eventually(self.answers, 300)
        self.client.headers["Prefect-Csrf-Client"] = "tests"
        token = self.get("csrf-token?client=tests")["token"]
        self.client.headers["Prefect-Csrf-Token"] = token
        self.begin_work()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Begin, and end whatever happens."""
        try:
            self.begin()
            yield
        finally:
            self.end()

    def begin_work(self) -> None:
        """Start the worker, and wait until it has registered the deployments and asks for runs."""
        before = self._workers()
        self._start("worker")
        eventually(lambda: self._workers() > before, 120)

    def join(self, workspace, *options: str, pool: str = POOL) -> None:
        """Let a clone on another machine work for this server; returns when it asks for runs."""
        workspace.env["PREFECT_HOME"] = str(workspace.path / ".prefect")
        before = self._workers(pool)
        options += ("--server", self.url, "--pool", pool)
        self._start("worker", *options, workspace=workspace)
        eventually(lambda: self._workers(pool) > before, 120)

    def end_work(self) -> None:
        self._end(self.processes.pop())

    def _workers(self, pool: str = POOL) -> set[str]:
        """The names of the workers so far; each start makes another."""
        answer = self.client.post(f"/work_pools/{pool}/workers/filter", json={})
        if answer.status_code in (404, 503):  # there is no pool yet; SQLite is locked for a moment
            return set()
        return {worker["name"] for worker in answer.raise_for_status().json()}

    def _start(self, verb: str, *options: str, workspace=None) -> None:
        workspace = workspace or self.workspace
        # Another test's server may be about to take 4200.
        port = {"PREFECT_SERVER_API_PORT": str(free_port())}
        process = warm.begin(
            ("python", "-m", "flows", verb, *options),
            {**workspace.env, **port, **self.env},
            cwd=workspace.path,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes.append(process)

    def end(self) -> None:
        for process in reversed(self.processes):
            self._end(process)
        self.log.close()

    def _end(self, process: subprocess.Popen) -> None:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def answers(self) -> bool:
        try:
            return self.client.get("/health").status_code == 200
        except httpx.HTTPError:
            assert self.processes[0].poll() is None, self.said()
            return False

    def said(self) -> str:
        """All that the server and the worker wrote."""
        return (self.workspace.path / "served.log").read_text()

    def get(self, path: str) -> Any:
        return self._ask("GET", path).json()

    def post(self, path: str, content: dict) -> Any:
        return self._ask("POST", path, json=content).json()

    def patch(self, path: str, content: dict) -> None:
        self._ask("PATCH", path, json=content)

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        for _ in range(20):
            answer = self.client.request(method, f"/{path}", **content)
            if answer.status_code != 503:
                break
            time.sleep(0.5)  # SQLite is locked for a moment: a person would click again
        return answer.raise_for_status()

    def deployment(self, name: str) -> dict:
        kind = name.rpartition("-")[2]
        flow = kind if kind in ("predict", "sweep") else "pipeline"
        return self.get(f"deployments/name/{flow}/{name}")

    def deployments(self) -> set[str]:
        return {each["name"] for each in self.post("deployments/filter", {})}

    def run(self, name: str, **parameters: Any) -> str:
        """Start a run of a deployment; its id."""
        path = f"deployments/{self.deployment(name)['id']}/create_flow_run"
        return self.post(path, {"parameters": parameters})["id"]

    def runs(self) -> set[str]:
        """The ids of the flow runs that have been made; those of a schedule are not among them."""
        found = self.post("flow_runs/filter", {"sort": "ID_DESC", "limit": 200})
        return {run["id"] for run in found if not run["auto_scheduled"]}

    def cancel(self, run: str) -> None:
        self.post(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

    def state(self, run: str) -> dict:
        return self.get(f"flow_runs/{run}")["state"]

    def ended(self, run: str, seconds: float = 180) -> dict:
        """The state in which a run ends."""
        eventually(lambda: self.state(run)["type"] in FINAL, seconds)
        return self.state(run)

    def steps(self, run: str) -> dict[str, dict]:
        """The state of each step of a run that has ended: they are sent behind the run."""

        def ended() -> bool:
            found = self._steps(run).values()
            return len(found) > 0 and {step["type"] for step in found} <= set(FINAL)

        eventually(ended)
        return self._steps(run)

    def _steps(self, run: str) -> dict[str, dict]:
        found = self.post("task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return {step["name"]: step["state"] for step in found}

    def artifacts(self, run: str) -> dict[str, dict]:
        found = self.post("artifacts/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return {artifact["key"]: artifact for artifact in found}

    def artifact(self, run: str, key: str) -> dict:
        """An artifact of a run, as soon as it is there."""
        eventually(lambda: key in self.artifacts(run), 120)
        return self.artifacts(run)[key]

    def lines(self, run: str) -> list[str]:
        """The log of a run that has ended: it is sent behind the run."""
        eventually(lambda: self._lines(run)[-1].startswith("Finished in state"))
        return self._lines(run)

    def _lines(self, run: str) -> list[str]:
        query = {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200}
        return [line["message"] for line in self.post("logs/filter", query)]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def eventually(true: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something is true."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.1)


def last_run(url: str, by_dvc: bool = False) -> tuple[dict, dict[str, dict]]:
    """The state of the newest run of a flow, or of `dvc repro`, and those of its steps."""
    newest = {"limit": 5, "sort": "START_TIME_DESC"}
    found = httpx.post(f"{url}/flow_runs/filter", json=newest).json()
    # What `dvc repro` has done is told behind it.
    run = next(each for each in found if ("dvc repro" in each["tags"]) == by_dvc)
    asked = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    for _ in range(20):  # the client sends the tasks' last states behind the flow's
        time.sleep(1)
        steps = httpx.post(f"{url}/task_runs/filter", json=asked).json()
        if all(step["state"]["type"] in FINAL for step in steps):
            break
    return run["state"], {step["name"]: step["state"] for step in steps}
