"""What the tests share: a home of their own, copies of the project, a real Prefect server."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.server import process as server
from tests.support import warm
from tests.support.served import Served, eventually, free_port  # noqa: F401  # for the tests, too

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

# A worker takes a whole file, and those come in this order: one that takes minutes must not begin
# when all the others have ended.
SLOWEST_FIRST = (
    *("sweep_kill", "sweep", "sweep_flow", "machines", "sweep_trouble"),
    *("deployments", "kill", "deployed_runs", "flow", "one_memory", "trouble", "browser", "soak"),
    *("export", "untold", "share", "remotes", "records", "other_data", "tidy", "experiments"),
    *("fashion", "formats", "terminal"),
    *("user_settings", "large", "surroundings", "predict", "worker", "ui", "places", "team"),
    *("server", "page", "bad_input"),
)

# Who makes git's commits. A user who has told git nothing is `dict.fromkeys(WHO)`.
WHO = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]

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

# The commands that run all steps of `linear`, one for each driver.
DRIVERS = {
    "flow": ("python", "-m", "flows", "train", "linear"),
    "dvc": ("dvc", "repro", "visualize@linear", "evaluate@linear"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {f"test_{name}.py": number for number, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory):
    """A home of the tests' own. The dataset, fetched once, is kept beside pytest's cache."""
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
        "SHELL": "/bin/sh",
        "TERM": "xterm-256color",  # rich draws no bar on a dumb one
        **dict.fromkeys(WHO, "tests"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        for name in ("PREFECT_API_URL", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            patch.delenv(name, raising=False)
        # Else every process of every workspace would compile the project again.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
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

    def start(self, *command: str, **env: str | None) -> subprocess.Popen:
        """Start a command with more variables; those that are None are taken out."""
        return warm.begin(
            command,
            {**self.env, **env},
            cwd=self.path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def run(self, *command: str, code: int | None = 0, **env: str | None) -> str:
        """The output of a command; its exit code must be `code`, if that is not None."""
        process = self.start(*command, **env)
        output = process.communicate(timeout=300)[0]
        assert code in (None, process.returncode), (
            f"{' '.join(command)}: exit {process.returncode}\n{output}"
        )
        return output

    def flow(self, pipeline: str, *options: str, **more) -> str:
        return self.run("python", "-m", "flows", "train", pipeline, *options, **more)

    def dvc(self, *arguments: str, **more) -> str:
        return self.run("dvc", *arguments, **more)

    def set(self, **values) -> None:
        """Change parameters of pipelines: `set(linear__fit__epochs=4)`; comments stay."""
        change(
            self.path / "params.yaml",
            {name.replace("__", "."): value for name, value in values.items()},
        )

    def wait_for_training(self, process: subprocess.Popen, pipeline: str = "linear") -> None:
        """Wait until `fit`, in a command that was started just now, has saved a state.

        Set run.save_every to a fraction of a second before.
        """
        file, since = self.path / "data" / pipeline / ".resume" / "fit.npz", time.time_ns()

        def saved() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"the command ended before:\n{process.communicate()[0]}")
            return file.is_file() and file.stat().st_mtime_ns > since

        eventually(saved, 200)

    def bytes(self, *pipelines: str) -> dict[str, str]:
        """A digest of every output of the pipelines, and of what DVC recorded of them."""
        folders = [self.path / "data" / name for name in pipelines]
        files = [
            p
            for folder in folders
            for p in folder.iterdir()
            if p.is_file() and not p.name.startswith(".")
        ]
        digests = {
            str(p.relative_to(self.path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
        }
        stages = YAML(typ="safe").load(self.path / "dvc.lock")["stages"]
        return digests | {
            name: repr(stage)
            for name, stage in stages.items()
            if name.partition("@")[2] in pipelines
        }


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


def copied(path: Path) -> None:
    """Copy the project as a clone would be, with what is not committed and tiny parameters."""
    asked = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True)
    for file in filter(None, listed.stdout.split("\0")):
        if (ROOT / file).is_file():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, path / file)
    change(path / "params.yaml", TINY)


@contextmanager
def made_once(tmp_path_factory, name: str) -> Iterator[tuple[Path, bool]]:
    """A folder that the first of pytest's workers makes for all, and whether that is done."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    with open(place / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = place / f"{name}.done"
        yield place / name, done.exists()
        done.touch()


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A copy in which `linear` has run."""
    with made_once(tmp_path_factory, "trained") as (path, done):
        if not done:
            copied(path)
            workspace = Workspace(path)
            workspace.run("git", "init", "-q")
            workspace.run(*DRIVERS["dvc"])
    return path


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory) -> Path:
    """A PREFECT_HOME, to copy, with an empty database: a server needs 6 s to make one."""
    with made_once(tmp_path_factory, "prefect-home") as (path, done):
        if not done:
            command = ["prefect", "server", "database", "upgrade", "-y"]
            env = {**os.environ, "PREFECT_HOME": str(path)}
            subprocess.run(command, env=env, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory, request):
    """Make workspaces: `workspaces("name")`.

    With `trained=True` the pipeline `linear` has run there, and its outputs are committed. With
    `home=True` its PREFECT_HOME is its own, as a user has it, and not that of all tests.
    """

    def make(name: str, *, trained: bool = False, home: bool = False, **env: str) -> Workspace:
        path = tmp_path_factory.mktemp(name) / "keras-flows"
        copied(path)
        if trained:
            made = request.getfixturevalue("trained")
            for folder in (".dvc/cache", "data/linear"):
                shutil.copytree(made / folder, path / folder, dirs_exist_ok=True)
            shutil.copy(made / "dvc.lock", path)
        if home:
            env["PREFECT_HOME"] = ""
            shutil.copytree(request.getfixturevalue("prefect_home"), path / ".prefect")
        workspace = Workspace(path, env)
        for command in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["commit", "-q", "-m", "Begin"],
        ):
            workspace.run("git", *command)
        return workspace

    return make


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory, prefect_home):
    """The address of a real Prefect server with a database of its own."""
    home = tmp_path_factory.mktemp("prefect")
    shutil.copytree(prefect_home, home, dirs_exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    log = open(home / "log.txt", "w")  # noqa: SIM115
    # As the server of one run: without what only people and schedules need.
    process = subprocess.Popen(
        ["python", "-m", "flows.server.process", str(port)],
        cwd=ROOT,
        env={**os.environ, "PREFECT_HOME": str(home)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )

    def answers() -> bool:
        assert process.poll() is None, (home / "log.txt").read_text()
        return server.answers(url)

    try:
        eventually(answers, 120)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()
