"""The flow as Prefect's server sees it, and what it says when something is wrong."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateDetails
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Failed
from zc.lockfile import LockFile

from flows import pipeline
from flows.project.folder import Project
from flows.server import runs
from tasks.sources.fashion_mnist import DEBIAN_FOLDER
from tests.support.project import new_project
from tests.support.served import eventually, last_run

TRAIN = ["python", "-m", "flows", "train", "linear"]
WORDS = ("waited", "done in")
ENDLESS = 10**6  # epochs: such a training does not end by itself


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    """A workspace whose linear pipeline has been run once."""
    made = workspaces("seen", PREFECT_API_URL=prefect_server)
    made.set(linear__run__save_every=0.1)
    made.first = made.flow("linear")  # what it said
    return made


def test_every_step_is_a_task_whose_state_tells_what_happened(workspace, prefect_server):
    flow, steps = last_run(prefect_server)
    assert flow["name"] == "Completed"
    assert "passed" in flow["message"]
    assert len(steps) == 8
    assert {state["name"] for state in steps.values()} == {"Completed"}
    assert steps["load"]["message"].startswith("6 training and 6 test rows from y = x + 6")

    workspace.flow("linear")
    flow, steps = last_run(prefect_server)
    assert flow["name"] == "Completed"
    assert {state["name"] for state in steps.values()} == {"Cached"}


def test_a_run_ends_with_the_address_of_its_newest_report(workspace, prefect_server):
    def shown(said: str) -> dict:
        (page,) = re.findall(r"^  http.+/artifacts/artifact/(.+)$", said, re.M)
        return httpx.get(f"{prefect_server}/artifacts/{page}").raise_for_status().json()

    first = shown(workspace.first)
    assert first["key"] == "linear-report"
    assert shown(workspace.flow("linear"))["id"] == first["id"]  # nothing has changed
    workspace.set(linear__visualize__near=0.5)
    assert "| visualize.near | 0.5 |" in shown(workspace.flow("linear"))["data"]


def test_a_failed_step_says_why_in_its_state_and_nothing_is_lost(workspace, prefect_server):
    before = workspace.bytes("linear")
    workspace.set(linear__compile__learning_rate=1e30)
    said = workspace.flow("linear", code=1)
    assert "the training has diverged" in said
    assert "Traceback" not in said
    flow, steps = last_run(prefect_server)
    assert flow["name"] == "Failed"
    assert "diverged" in flow["message"]
    assert "diverged" in steps["fit"]["message"]
    eventually(
        lambda: (
            not {"RUNNING", "PENDING"}
            & {step["type"] for step in last_run(prefect_server)[1].values()}
        )
    )
    _, steps = last_run(prefect_server)
    assert {name for name, state in steps.items() if state["name"] == "NotRun"} == {
        "reload_best",
        "evaluate",
    }
    assert steps["reload_best"]["message"] == "it needs fit"
    assert {steps[name]["type"] for name in ("reload_best", "evaluate")} == {"CANCELLED"}
    assert steps["fit"]["type"] == "FAILED"

    workspace.set(linear__compile__learning_rate=0.01)
    workspace.flow("linear")
    assert workspace.bytes("linear") == before


def test_dvc_repro_too_fails_in_one_line_and_leaves_the_old_outputs(workspace):
    before = workspace.bytes("linear")
    workspace.set(linear__build__output_units=3)
    said = workspace.dvc("repro", "build@linear", code=255)
    assert "Dense(3, auto) cannot work" in said
    assert "Traceback" not in said
    assert workspace.bytes("linear") == before
    workspace.set(linear__build__output_units="auto")


def test_a_model_that_does_not_pass_is_a_failed_run_only_if_params_yaml_says_so(
    workspace, prefect_server
):
    workspace.set(linear__evaluate__max_mse=1e-9)
    workspace.flow("linear")
    flow, _ = last_run(prefect_server)
    assert (flow["type"], flow["name"]) == ("COMPLETED", "NotPassed")
    assert flow["message"].startswith("NOT passed, test_mae")

    workspace.set(linear__run__must_pass=True)
    assert "NOT passed" in workspace.flow("linear", code=1)
    flow, steps = last_run(prefect_server)
    assert (flow["type"], flow["name"]) == ("FAILED", "NotPassed")
    assert {state["name"] for state in steps.values()} == {"Cached"}
    workspace.set(linear__evaluate__max_mse=100.0, linear__run__must_pass=False)


OUTPUT = {"output_units": "auto", "output_activation": "auto"}
CNN = {
    "family": "cnn",
    "filters": [2],
    "convolutions": 1,
    "head": "average",
    "hidden": [],
    "activation": "relu",
    "batch_norm": False,
    "dropout": 0,
    "dtype_policy": "float32",
    **OUTPUT,
}
CANNOT = {
    "cnn for a table": ({"build": CNN}, r"build\.family is `cnn`, which is for images, "),
    "flip for a table": ({"fit__flip": True}, r"fit\.flip and fit\.shift are for images, "),
}  # fmt: skip


@pytest.mark.parametrize("kind", CANNOT)
def test_a_combination_that_cannot_work_is_one_line_under_both_drivers_and_nothing_is_lost(
    workspace, kind
):
    values, message = CANNOT[kind]
    file, before = workspace.path / "params.yaml", workspace.bytes("linear")
    params = file.read_bytes()
    workspace.set(**{f"linear__{key}": value for key, value in values.items()})
    for said in (
        workspace.flow("linear", code=1),
        workspace.dvc("repro", "fit@linear", code=255),
    ):  # DVC's own code
        assert any(re.search(message, line) for line in said.splitlines()), said
        assert "Traceback" not in said
        assert workspace.bytes("linear") == before
    file.write_bytes(params)


def test_a_server_that_is_away_is_named_before_anything_runs(workspace):
    said = workspace.flow("linear", "--force", code=1, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert "PREFECT_API_URL=http://127.0.0.1:9/api does not answer" in said
    assert "ran" not in said.split()


def test_a_database_that_cannot_be_written_is_named(workspace, tmp_path):
    (tmp_path / "prefect.db").mkdir()  # also root cannot write to this
    said = workspace.run("env", "-u", "PREFECT_API_URL", *TRAIN, code=1, PREFECT_HOME=str(tmp_path))
    assert "Prefect's server did not start" in said
    assert "unable to open database file" in said
    assert f"{tmp_path}/prefect.db" in said
    assert "Traceback" not in said

    said = workspace.run("python", "-m", "flows", "ui", code=1, PREFECT_HOME=str(tmp_path))
    assert f"Prefect's database {tmp_path}/prefect.db cannot be written (Is a directory)" in said
    assert "Traceback" not in said


@pytest.mark.skipif(
    DEBIAN_FOLDER.is_dir(), reason=f"the dataset is installed here, in {DEBIAN_FOLDER}"
)
def test_load_is_tried_again_and_then_names_every_place(workspace, prefect_server, tmp_path):
    nowhere = {
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1",
    }
    said = workspace.flow("fashion", code=1, XDG_CACHE_HOME=str(tmp_path), **nowhere)
    assert said.count("tries again in a moment") == 2
    assert "Fashion-MNIST was not found. Tried:" in said
    places = (
        "Keras's cache",
        "Debian's package dataset",
        "the cache of keras-flows",
        "Keras's download",
        "Debian's package,",
    )
    assert [place for place in places if f"  - {place}" not in said] == []
    assert "Traceback" not in said
    _, steps = last_run(prefect_server)
    assert steps["load"]["name"] == "Failed"
    assert "was not found" in steps["load"]["message"]


@pytest.mark.parametrize("driver", ["flow", "dvc"])
def test_parameters_edited_while_a_step_runs_are_not_recorded_as_what_made_it(workspace, driver):
    before, after = (4, 5) if driver == "flow" else (2, 3)
    workspace.set(linear__fit__epochs=1500, linear__fit__batch_size=before)
    command = TRAIN if driver == "flow" else ["dvc", "repro", "fit@linear"]
    process = workspace.start(*command)
    workspace.wait_for_training(process)
    workspace.set(linear__fit__batch_size=after)
    said = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "params.yaml (pipelines.linear.fit) changed while fit was running" in said
    assert f"batch_size: {after}\n" not in (workspace.path / "dvc.lock").read_text()
    workspace.set(linear__fit__epochs=3, linear__fit__batch_size=32)


def test_ctrl_c_stops_between_batches_and_the_next_run_goes_on(workspace, prefect_server):
    workspace.set(linear__fit__epochs=ENDLESS)
    process = workspace.start(*TRAIN)
    workspace.wait_for_training(process)
    eventually(lambda: {"reload_best", "evaluate"} <= set(last_run(prefect_server)[1]))  # they wait
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 130
    assert "stopped in epoch" in said
    flow, steps = last_run(prefect_server)
    assert flow["name"] == "Cancelled"
    assert {steps[name]["name"] for name in ("reload_best", "evaluate")} == {"NotRun"}
    assert "Running" not in {state["name"] for state in steps.values()}

    process = workspace.start("dvc", "repro", "fit@linear")
    wait_for(process, "continuing in epoch")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    workspace.set(linear__fit__epochs=3)


@pytest.mark.parametrize("ignored", [False, True], ids=["closed", "nohup"])
def test_a_closed_terminal_stops_as_ctrl_c_does_unless_nohup_ignores_it(
    workspace, prefect_server, ignored
):
    workspace.set(linear__fit__epochs=3 if ignored else ENDLESS, linear__fit__batch_size=7)
    master, terminal = pty.openpty()

    def take() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, *TRAIN[1:]],
        cwd=workspace.path,
        env=os.environ | workspace.env,
        **dict.fromkeys(("stdin", "stdout", "stderr"), terminal),
        start_new_session=True,
        preexec_fn=take,
    )
    os.close(terminal)
    said = b""
    while (b"compile" if ignored else b"loss") not in said:  # the bar of a training has its loss
        assert select.select([master], [], [], 240)[0], said.decode()
        said += os.read(master, 10_000)
    os.close(master)
    assert process.wait(240) == (0 if ignored else 130)
    flow, steps = last_run(prefect_server)
    assert flow["name"] == ("Completed" if ignored else "Cancelled")
    assert ignored or "stopped in epoch" in steps["fit"]["message"]
    workspace.set(linear__fit__epochs=3, linear__fit__batch_size=32)


def test_a_killed_run_is_closed_as_crashed_by_the_next_one(workspace, prefect_server):
    workspace.set(linear__fit__epochs=ENDLESS, linear__fit__batch_size=3)
    process = workspace.start(*TRAIN)
    workspace.wait_for_training(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (killed,) = httpx.post(
        f"{prefect_server}/flow_runs/filter", json={"limit": 1, "sort": "START_TIME_DESC"}
    ).json()
    assert killed["state"]["name"] == "Running"
    workspace.set(linear__fit__epochs=3, linear__fit__batch_size=32)
    workspace.flow("linear")
    (killed,) = httpx.post(
        f"{prefect_server}/flow_runs/filter", json={"flow_runs": {"id": {"any_": [killed["id"]]}}}
    ).json()
    assert killed["state"]["type"] == "CRASHED"
    assert "was killed" in killed["state"]["message"]
    steps = httpx.post(
        f"{prefect_server}/task_runs/filter", json={"flow_runs": {"id": {"any_": [killed["id"]]}}}
    ).json()
    assert {step["name"]: step["state"]["type"] for step in steps}["fit"] == "CRASHED"
    assert not {"RUNNING", "PENDING"} & {step["state"]["type"] for step in steps}


def test_a_run_is_closed_as_crashed_if_its_process_is_dead_and_only_then(workspace, prefect_server):
    gone, zombie = subprocess.Popen(["true"]), subprocess.Popen(["true"])
    gone.wait()
    os.waitid(
        os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT
    )  # it has ended, and nobody has asked how
    here = [
        f"process {process} on {platform.node()}" for process in (gone.pid, zombie.pid, os.getpid())
    ]
    last = httpx.post(
        f"{prefect_server}/flow_runs/filter", json={"limit": 1, "sort": "START_TIME_DESC"}
    ).json()[0]
    ids = {
        state: [
            httpx.post(
                f"{prefect_server}/flow_runs/",
                json={"flow_id": last["flow_id"], "state": {"type": state}, "tags": ["mine", tag]},
            ).json()["id"]
            for tag in (*here, f"process {gone.pid} on elsewhere")
        ]
        for state in ("PENDING", "RUNNING")  # a kill may come before the flow's first line
    }
    workspace.flow("linear")
    zombie.wait()
    for state, made in ids.items():
        runs = [httpx.get(f"{prefect_server}/flow_runs/{id}").json() for id in made]
        assert [run["state"]["type"] for run in runs] == ["CRASHED", "CRASHED", state, state]
        assert runs[0]["state"]["message"] == "its process was killed"


def test_a_second_run_in_the_same_folder_waits_for_the_first(workspace):
    workspace.set(linear__fit__epochs=ENDLESS, linear__fit__batch_size=2)
    first = workspace.start(*TRAIN)
    workspace.wait_for_training(first)
    began = time.monotonic()
    second = workspace.start(*TRAIN)
    wait_for(second, f"another run (process {first.pid}) is at work here")

    time.sleep(3)
    workspace.set(linear__fit__epochs=3, linear__fit__batch_size=32)
    os.kill(first.pid, signal.SIGINT)
    assert first.wait(timeout=120) == 130
    first.communicate()
    said = second.communicate(timeout=120)[0]
    assert second.returncode == 0, said
    assert said.count(" cached ") == 8
    waited, took = (float(re.search(rf"{word} (.+) s$", said, re.M)[1]) for word in WORDS)
    assert waited + took < time.monotonic() - began  # none is counted twice


# dash, Debian's sh, stays between DVC and the step; bash does not.
@pytest.mark.parametrize(
    ("how", "shell"),
    [("SIGTERM", "sh"), ("SIGKILL", "sh"), ("SIGKILL", "bash"), ("SIGKILL of all", "sh")],
)
def test_a_killed_dvc_repro_leaves_no_process_and_its_run_is_closed_as_crashed(
    workspace, prefect_server, how, shell
):
    workspace.set(linear__fit__epochs=ENDLESS, linear__fit__batch_size=3)
    process = workspace.start("dvc", "repro", "fit@linear", SHELL=shutil.which(shell))
    workspace.wait_for_training(process)
    kill = os.killpg if "all" in how else os.kill
    kill(process.pid, getattr(signal, how.split()[0]))
    process.wait(timeout=60)
    with closing(
        LockFile(str(workspace.path / ".dvc" / "tmp" / "lock"))
    ):  # as the next `dvc` command has it
        eventually(lambda: not at_work_in(workspace.path), 20)
    process.communicate()
    assert not list(workspace.path.glob(".dvc/tmp/repro-*"))
    flow, steps = last_run(prefect_server, by_dvc=True)
    assert (flow["type"], flow["message"]) == ("CRASHED", "fit: dvc repro was killed")
    assert steps["fit"]["type"] == "CRASHED"
    assert not {"RUNNING", "PENDING"} & {state["type"] for state in steps.values()}
    workspace.set(linear__fit__epochs=3, linear__fit__batch_size=32)


def at_work_in(folder: Path) -> list[str]:
    """The processes that were started in a folder and have not ended."""
    return [
        each.info["name"]
        for each in psutil.process_iter(["name", "cwd", "status"])
        if each.info["cwd"] == str(folder) and each.info["status"] != psutil.STATUS_ZOMBIE
    ]


def wait_for(process, text: str) -> str:
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return "".join(said)
    raise AssertionError(f"the command ended without saying {text!r}, but this:\n{''.join(said)}")


def test_without_a_server_the_flow_starts_its_own(workspaces):
    alone = workspaces("alone", trained=True)
    said = alone.run("env", "-u", "PREFECT_API_URL", *TRAIN)
    assert "waiting for Prefect's server to start: the first start makes its database" in said
    assert "predicted for x = 10: y = " in said
    assert "Traceback" not in said


def test_a_step_that_the_server_does_not_know_is_asked_for_again_and_then_left(
    prefect_server, monkeypatch
):
    """Prefect tells of its tasks behind their runs: a step may be over before it is known."""
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    step = Failed(name="NotRun", state_details=StateDetails(task_run_id=uuid4()))
    with temporary_settings({PREFECT_API_URL: prefect_server}), get_client(sync_client=True) as it:
        runs._tell_not_run(it, step)
    assert len(asked) == 20


def test_a_name_that_is_no_pipeline_makes_no_folder(tmp_path):
    """As a run of a deployment may have it: its form takes any name."""
    project = new_project(tmp_path / "keras-flows")
    state = pipeline._run(project, "../../elsewhere", False, {}, {})
    assert state.is_failed()
    assert "no pipeline `../../elsewhere`" in state.message
    assert not (tmp_path / "elsewhere").exists()


def test_an_experiment_that_did_not_pass_says_so_before_its_scores(tmp_path):
    project = Project(tmp_path)
    scores = project.data("mine") / "metrics.json"
    scores.parent.mkdir(parents=True)
    for passed, said in ((False, "NOT passed, val_loss 0.5"), (True, "val_loss 0.5")):
        scores.write_text(json.dumps({"val_loss": 0.5, "test_loss": 0.6, "passed": passed}))
        assert pipeline._validated(project, "mine") == said
