"""What the tests share: a home of their own, copies of the project to work in, and a real Prefect server."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BIN = Path(sys.executable).parent

# Small enough that a step takes less time than the import of TensorFlow.
TINY = {
    "linear.fit.epochs": 3,
    "linear.evaluate.max_mse": 100.0,
    "fashion.build.hidden": [16],
    "fashion.fit.epochs": 1,
    "fashion.fit.batch_size": 256,
    "fashion.evaluate.min_accuracy": 0.6,
    "fashion-cnn.build.filters": [2],
    "fashion-cnn.build.hidden": [],
    "fashion-cnn.fit.epochs": 1,
}


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory):
    """Nothing is written to the user's home. The dataset that was fetched once is kept beside pytest's own cache."""
    home = tmp_path_factory.mktemp("home")
    values = {
        "HOME": str(home),
        "KERAS_HOME": str(home / ".keras"),
        "XDG_CACHE_HOME": str(ROOT / ".pytest_cache" / "user"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PREFECT_HOME": str(home / "prefect"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DO_NOT_TRACK": "1",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        **{f"GIT_{who}_{what}": "tests" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        patch.delenv("PREFECT_API_URL", raising=False)
        patch.chdir(ROOT)  # the steps' paths start there
        yield home


@pytest.fixture(scope="session", autouse=True)
def _project_stays_as_it_is():
    """Fail when a test writes to the project's own outputs, cache or records."""

    def state() -> dict[str, int]:
        places = ("data", ".dvc", ".prefect", "params.yaml", "dvc.yaml", "dvc.lock")
        paths = [path for place in places for path in (ROOT / place, *(ROOT / place).rglob("*"))]
        return {str(path): path.stat().st_mtime_ns for path in paths if path.is_file()}

    before = state()
    yield
    assert state() == before


class Workspace:
    """A copy of the project with tiny parameters, committed to a git repository of its own."""

    def __init__(self, path: Path, env: dict[str, str] | None = None) -> None:
        self.path, self.env = path, env or {}

    def start(self, *command: str, **env: str) -> subprocess.Popen:
        return subprocess.Popen(
            command, cwd=self.path, env={**os.environ, **self.env, **env}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def run(self, *command: str, code: int | None = 0, **env: str) -> str:
        """The output of a command; its exit code must be `code`, if that is not None."""
        process = self.start(*command, **env)
        output = process.communicate(timeout=300)[0]
        assert code in (None, process.returncode), f"{' '.join(command)}: exit {process.returncode}\n{output}"
        return output

    def flow(self, pipeline: str, *options: str, **more) -> str:
        return self.run("python", f"flows/{pipeline}.py", *options, **more)

    def dvc(self, *arguments: str, **more) -> str:
        return self.run("dvc", *arguments, **more)

    def set(self, **values) -> None:
        """Change parameters of pipelines: `set(linear__fit__epochs=4)`; comments stay."""
        change(self.path / "params.yaml", {name.replace("__", "."): value for name, value in values.items()})

    def bytes(self, *pipelines: str) -> dict[str, str]:
        """A digest of every output of the pipelines, and of what DVC recorded of them."""
        folders = [self.path / "data" / name for name in pipelines]
        files = [p for folder in folders for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
        digests = {str(p.relative_to(self.path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
        stages = YAML(typ="safe").load(self.path / "dvc.lock")["stages"]
        return digests | {name: repr(stage) for name, stage in stages.items() if name.partition("@")[2] in pipelines}


def change(file: Path, values: dict) -> None:
    """Set parameters of pipelines in a params.yaml, by names such as `linear.fit.epochs`."""
    yaml = YAML()
    yaml.width = 4096
    content = yaml.load(file)
    for name, value in values.items():
        *sections, key = name.split(".")
        place = content["pipelines"]
        for section in sections:
            place = place[section]
        place[key] = value
    yaml.dump(content, file)


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory):
    """Make workspaces: `workspaces("name")`. Each is what a clone would be, with the uncommitted changes."""

    def make(name: str, **env: str) -> Workspace:
        path = tmp_path_factory.mktemp(name) / "keras-flows"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for file in filter(None, listed.stdout.split("\0")):
            if (ROOT / file).is_file():
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, path / file)
        change(path / "params.yaml", TINY)
        workspace = Workspace(path, env)
        for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
            workspace.run("git", *command)
        return workspace

    return make


class Served:
    """A workspace whose deployments are served: Prefect's server with its UI, and the worker, as `make` starts them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.processes = workspace, []
        self.home = workspace.path / ".prefect"
        workspace.env["PREFECT_HOME"] = str(self.home)

    def begin(self, **env: str) -> None:
        self.log = open(self.workspace.path / "served.log", "w")  # noqa: SIM115
        self._start("ui", **env)
        address = self.home / "ui-address"
        eventually(lambda: address.is_file() and address.read_text())
        self.url = address.read_text()
        name, _, password = env.get("PREFECT_API_AUTH_STRING", "").partition(":")
        self.client = httpx.Client(base_url=self.url, timeout=30, auth=(name, password) if password else None)
        eventually(self.answers, 120)
        self._start("worker", **env)
        workers = "/work_pools/keras-flows/workers/filter"  # 404 until there is such a pool
        eventually(lambda: (found := self.client.post(workers, json={})).is_success and found.json(), 120)

    def _start(self, what: str, **env: str) -> None:
        # Another test's server may be about to take 4200.
        env = {**os.environ, **self.workspace.env, "PREFECT_SERVER_API_PORT": str(free_port()), **env}
        command = ["python", "-m", "flows", what]
        options = {"stdin": subprocess.DEVNULL, "stdout": self.log, "stderr": subprocess.STDOUT}
        self.processes.append(
            subprocess.Popen(command, cwd=self.workspace.path, env=env, start_new_session=True, **options)
        )

    def end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.log.close()

    def answers(self) -> bool:
        try:
            return self.client.get("/health").status_code == 200
        except httpx.HTTPError:
            assert self.processes[0].poll() is None, (self.workspace.path / "served.log").read_text()
            return False

    def get(self, path: str):
        return self.client.get(f"/{path}").raise_for_status().json()

    def post(self, path: str, content: dict):
        for _ in range(20):
            answer = self.client.post(f"/{path}", json=content)
            if answer.status_code != 503:  # SQLite is locked for a moment: a person would click again
                break
            time.sleep(0.5)
        return answer.raise_for_status().json()

    def deployment(self, name: str) -> dict:
        return self.get(f"deployments/name/pipeline/{name}")

    def run(self, name: str, **parameters) -> str:
        """Start a run of a deployment; its id."""
        path = f"deployments/{self.deployment(name)['id']}/create_flow_run"
        return self.post(path, {"parameters": parameters})["id"]

    def state(self, run: str) -> dict:
        return self.get(f"flow_runs/{run}")["state"]

    def ended(self, run: str, seconds: float = 180) -> dict:
        """The state in which a run ends."""
        final = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
        eventually(lambda: self.state(run)["type"] in final, seconds)
        return self.state(run)

    def steps(self, run: str) -> dict[str, dict]:
        found = self.post("task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return {step["name"]: step["state"] for step in found}

    def artifacts(self, run: str) -> dict[str, dict]:
        found = self.post("artifacts/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return {artifact["key"]: artifact for artifact in found}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def eventually(true, seconds: float = 60) -> None:
    """Wait until something is true."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.3)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """The address of a real Prefect server with a database of its own."""
    port = free_port()
    home = tmp_path_factory.mktemp("prefect")
    log = open(home / "log.txt", "w")  # noqa: SIM115
    env = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}/api"
    try:
        for _ in range(240):
            try:
                if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                assert process.poll() is None, (home / "log.txt").read_text()
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()
