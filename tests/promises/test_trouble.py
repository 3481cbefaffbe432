"""Trouble around the pipeline: it says so, loses nothing, and resumes when that is mended."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from ruamel.yaml import YAML

from flows import stage
from flows.engine import step
from flows.memory import outputs
from flows.memory.lock import Used
from flows.memory.repository import Busy, Frozen, repository, target
from flows.memory.reproduce import _by_dvc, reproduce
from flows.project import steps
from flows.project.folder import Project
from tasks import build, fit, normalize
from tasks.core.step import UserError
from tests.conftest import DRIVERS
from tests.support.disk import FILLER, fill, small_disk
from tests.support.served import last_run

FROZEN = "  fit:\n    foreach: ${pipelines}\n    do:\n      frozen: true\n"


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    return workspaces("trouble", PREFECT_API_URL=prefect_server)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("place", "says"),
    [("data/linear", "No space left on device"), (".dvc/cache", "No space left on device")],
)
def test_a_full_disk_is_named_and_when_there_is_room_the_same_command_goes_on(
    workspace, driver, place, says
):
    with small_disk(workspace.path / place, "size=4k"):
        (workspace.path / place / "all-there-is").write_bytes(bytes(4096))
        said = workspace.run(*DRIVERS[driver], code=1 if driver == "flow" else 255)
        assert says in said
        assert "Traceback" not in said
        assert not list(workspace.path.glob("data/linear/.part*"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_read_only_folder_is_named(workspace, driver):
    with small_disk(workspace.path / "data" / "linear", "ro,size=4k"):
        said = workspace.run(*DRIVERS[driver], code=1 if driver == "flow" else 255)
        assert "Read-only file system" in said
        assert "Traceback" not in said


@pytest.fixture(scope="module")
def whole(workspace):
    """What the pipeline writes when nothing is wrong, after all of the above went wrong."""
    workspace.run(*DRIVERS["flow"])
    return workspace.bytes("linear")


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_disk_that_fills_up_in_the_training_costs_nothing(workspace, whole, driver):
    """The outputs of before are not there, as DVC takes them away; they come back with the room."""
    folder = workspace.path / "data" / "linear"
    kept = folder.rename(folder.with_name("kept"))
    try:
        with small_disk(folder, "size=2m"):
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            (folder / "best.weights.h5").unlink()
            fill(folder)
            workspace.set(linear__fit__epochs=4)
            said = workspace.run(*DRIVERS[driver], code=1 if driver == "flow" else 255)
            assert "No space left on device" in said
            assert "Traceback" not in said
            assert "Task run encountered" not in said

            (folder / FILLER).unlink()
            workspace.set(linear__fit__epochs=3)
            workspace.run(*DRIVERS[driver])
            (folder / ".resume").exists() and shutil.rmtree(folder / ".resume")
            assert workspace.bytes("linear") == whole
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from flows.engine.step import run
from flows.project.folder import Project
from flows.project.steps import STEPS
from tasks.core.step import UserError
from tests.support.disk import FILLER, fill

project = Project(Path(sys.argv[1]))
folder = project.data("linear")
for step in STEPS:
    for free in (0, 8, 20):
        fill(folder, free * 1024)
        try:
            run(project, step, "linear", force=True)
        except UserError as error:
            print(step, free, error)
        left = [path.name for path in folder.rglob(".part*")]
        assert not left, (step, free, left)
        (folder / FILLER).unlink()
    run(project, step, "linear", force=True)
"""


def test_a_disk_that_fills_up_at_any_step_is_named_and_leaves_nothing_half_written(
    workspace, whole, tmp_path
):
    """In a process of its own, which HDF5 would end."""
    for name in ("params.yaml", "data/built-in"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(workspace.path / name)
    folder = tmp_path / "data" / "linear"
    with small_disk(folder, "size=2m"):
        said = workspace.run("python", "-c", ON_A_SMALL_DISK, str(tmp_path))
        for step in steps.STEPS:
            assert f"{step} 0 {step}: No space left on device" in said
        assert "fit 8 fit: No space left on device" in said
        assert "Traceback" not in said

        made = {f"data/linear/{file.name}": file.read_bytes() for file in folder.glob("[a-z]*.*")}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    assert digests == {name: whole[name] for name in digests}
    assert len(digests) > 15


def cached(workspace, name: str) -> Path:
    """An output's file in DVC's cache."""
    stages = YAML(typ="safe").load(workspace.path / "dvc.lock")["stages"].values()
    (digest,) = (
        out["md5"]
        for stage in stages
        for out in stage["outs"]
        if out["path"] == f"data/linear/{name}"
    )
    return workspace.path / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]


def damage(path: Path) -> None:
    """Turn one byte in the middle round, as a bad disk does: the size and the permissions stay."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    with open(path, "rb+") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0xFF]))
    path.chmod(mode)


@pytest.mark.parametrize("name", ["best.weights.h5", "normalized.npz"])
def test_a_damaged_file_in_the_cache_does_not_come_back(workspace, whole, name):
    """By the flow: `dvc repro` takes what its cache has without reading it."""
    damage(cached(workspace, name))
    (workspace.path / "data" / "linear" / name).unlink()
    said = workspace.run(*DRIVERS["flow"])
    assert "damaged in DVC's cache" in said
    assert workspace.bytes("linear") == whole, said


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_damaged_file_in_the_cache_does_not_replace_what_a_step_has_just_made(
    workspace, whole, driver
):
    damage(cached(workspace, "predictions.csv"))
    cached(workspace, "learning_curve.png").unlink()  # so evaluate has to run
    (workspace.path / "data" / "linear" / "learning_curve.png").unlink()
    said = workspace.run(*DRIVERS[driver])
    assert workspace.bytes("linear") == whole, said
    assert "predictions.csv was damaged in DVC's cache, and was deleted" in said


def test_a_file_that_another_run_made_anew_meanwhile_is_not_taken_for_damaged(workspace, whole):
    project = Project(workspace.path)
    folder = step.folder_of(project, "linear")
    file = folder.path / "normalized.npz"
    folder.recorded = {**folder.recorded, file.name: "0" * 32}  # as it was when the step began
    says = r"^data/linear/normalized\.npz was made anew while fit was running\. Run again\.$"
    before = step.identity(file)
    with pytest.raises(step.Outside, match=says), step._damage(project, steps.step("fit"), folder):
        folder.read(file.name)
    assert step.identity(file) == before


def test_dvcs_folder_that_is_deleted_while_a_step_runs_is_named(workspace, whole):
    """As by `git clean -fdx`."""

    def run() -> Used:
        shutil.rmtree(workspace.path / ".dvc" / "tmp")
        return Used({}, {})

    with pytest.raises(UserError, match=r"^DVC's folder \.dvc/tmp was deleted meanwhile"):
        reproduce(Project(workspace.path), "load@linear", run, force=True)
    assert workspace.bytes("linear") == whole


def test_a_link_to_an_object_that_is_gone_from_the_cache_is_as_no_file(workspace, whole):
    """As `cache.type: symlink` leaves them, in a clone too; DVC fails on such a link."""
    raw, own = (workspace.path / "data" / "linear" / name for name in ("raw.npz", "own"))
    gone = cached(workspace, "raw.npz").with_name("gone")
    raw.unlink()
    raw.symlink_to(gone)
    own.symlink_to("nowhere")  # a person's
    said = workspace.run("python", "-m", "flows", "plan", "linear")
    assert re.search("load +restore ", said)
    assert own.is_symlink()
    own.unlink()
    workspace.run(*DRIVERS["flow"])
    assert workspace.bytes("linear") == whole


def test_what_git_has_is_no_link_after_a_failed_step_where_the_cache_gives_links(workspace, whole):
    metrics = workspace.path / "data" / "linear" / "metrics.json"
    content = metrics.read_bytes()
    workspace.dvc("config", "--local", "cache.type", "symlink")
    metrics.unlink()
    outputs.put_back(Project(workspace.path), "evaluate@linear")
    workspace.dvc("config", "--local", "--unset", "cache.type")
    assert metrics.read_bytes() == content
    assert not metrics.is_symlink()


def test_a_damaged_file_that_a_killed_flow_brought_from_the_cache_is_found(workspace, whole):
    name = "learning_curve.png"  # no step reads it
    damage(cached(workspace, name))
    (workspace.path / "data" / "linear" / name).unlink()
    project = Project(workspace.path)
    with repository(project) as repo:  # the kill comes before the flow looks at it
        _by_dvc(repo, target(project, "evaluate@linear"), force=False)
    assert workspace.bytes("linear") != whole
    assert "damaged in DVC's cache" in workspace.run(*DRIVERS["flow"])
    assert workspace.bytes("linear") == whole


def test_a_stage_that_dvc_yaml_lost_is_missed_and_not_taken_for_done(workspace):
    graph = workspace.path / "dvc.yaml"
    before = graph.read_text()
    graph.write_text(before.replace("  compile:\n", "  compiled:\n"))
    said = workspace.run("python", "-m", "flows", "plan", "linear", code=1)
    assert "dvc.yaml has no stage compile@linear. `git checkout dvc.yaml` brings it back." in said
    graph.write_text(before)


def test_a_frozen_step_is_refused_and_not_recorded_as_made_from_other_parameters(workspace, whole):
    graph = workspace.path / "dvc.yaml"
    before = graph.read_text()
    graph.write_text(before.replace("  fit:\n    foreach: ${pipelines}\n    do:\n", FROZEN))
    workspace.set(linear__fit__epochs=4)
    says = (
        "dvc.yaml: fit has `frozen: true`, so its result may be that of other parameters. Take "
        "that line out."
    )
    for command in (["plan", "linear"], ["train", "linear", "--force"]):
        said = workspace.run("python", "-m", "flows", *command, code=1)
        assert said.splitlines()[-1].endswith(says)
    with pytest.raises(Frozen, match=r"^dvc\.yaml: fit has `frozen: true`"):
        reproduce(Project(workspace.path), "fit@linear", lambda: pytest.fail("it ran"), force=True)

    graph.write_text(before)
    workspace.set(linear__fit__epochs=3)
    assert workspace.bytes("linear") == whole


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (normalize, r"Take fewer rows or features\."),
        (build, r"Make the model smaller: build\.hidden, build\.filters, or"),
        (fit, r"Lower fit\.batch_size, or make the model smaller: build\.hidden,"),
    ],
)
@pytest.mark.parametrize("kind", ["NumPy", "TensorFlow", "a library"])
def test_memory_that_is_not_there_is_one_line_with_the_keys(
    tmp_path, monkeypatch, module, says, kind
):
    def greedy(folder, params, run=None):
        if kind == "NumPy":
            return np.empty((10**6, 10**9))
        if kind == "a library":
            raise ImportError("libx.so: failed to map segment from shared object")
        from tasks.network.backend import tf

        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    name = module.__name__.rpartition(".")[2]
    # The step is looked up once for a process.
    known = replace(steps.step(name), function=greedy)
    monkeypatch.setattr(step, "step", lambda _: known)
    project = Project(tmp_path)
    project.params_file.write_bytes(Project.here().params_file.read_bytes())
    with pytest.raises(UserError, match=rf"^There is not enough memory\. {says}") as caught:
        step.run(project, name, "linear")
    assert len(str(caught.value).splitlines()) == 1


def test_a_bug_in_a_step_that_dvc_started_brings_the_outputs_of_before_back(monkeypatch, tmp_path):
    back: list[str] = []
    monkeypatch.setattr(stage.Project, "here", lambda: Project(tmp_path))
    monkeypatch.setattr(outputs, "put_back", lambda project, address: back.append(address))
    monkeypatch.setattr(stage, "run_in_turn", lambda *_: 1 / 0)
    monkeypatch.setattr(stage, "stop_on_signals", lambda: None)
    with pytest.raises(ZeroDivisionError):
        stage.main("load", "linear")
    assert back == ["load@linear"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_truncated_checkpoint_is_replaced(workspace, whole, driver):
    file = workspace.path / "data" / "linear" / "best.weights.h5"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])
    workspace.run(*DRIVERS[driver])
    assert workspace.bytes("linear") == whole


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_clock_that_was_set_back_changes_nothing(workspace, whole, driver):
    tomorrow = time.time() + 86400
    for folder in ("data", ".dvc", "tasks"):
        for path in (workspace.path / folder).rglob("*"):
            os.utime(path, (tomorrow, tomorrow))
    workspace.set(linear__fit__epochs=4)
    workspace.run(*DRIVERS[driver])
    assert workspace.bytes("linear") != whole
    workspace.set(linear__fit__epochs=3)
    workspace.run(*DRIVERS[driver])
    assert workspace.bytes("linear") == whole


def test_what_another_run_writes_is_not_put_back_by_one_that_has_to_wait(workspace, whole):
    project = Project(workspace.path)
    holder = {"pid": os.getpid(), "cmd": "dvc repro"}
    file = workspace.path / "data/linear/history.csv"
    (workspace.path / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(file): holder}}))
    workspace.set(linear__fit__epochs=4)
    file.unlink()
    file.write_text("what the other run has written")
    with pytest.raises(Busy, match="Another run is at work here"):
        reproduce(project, "fit@linear", lambda: pytest.fail("it ran"))
    assert file.read_text() == "what the other run has written"

    (workspace.path / ".dvc/tmp/rwlock").unlink()
    workspace.set(linear__fit__epochs=3)
    workspace.run(*DRIVERS["flow"])
    assert workspace.bytes("linear") == whole


def test_a_flow_beside_a_dvc_repro_says_who_holds_the_files_and_nothing_is_lost(workspace, whole):
    workspace.set(
        linear__fit__epochs=10**6, linear__run__save_every=0.1
    )  # it does not end by itself
    repro = workspace.start(*DRIVERS["dvc"])
    workspace.wait_for_training(repro)
    said = workspace.run(*DRIVERS["flow"], code=1)
    assert "Another run is at work here" in said
    assert str(repro.pid) in said
    assert repro.poll() is None
    os.killpg(repro.pid, signal.SIGINT)
    repro.communicate(timeout=120)
    workspace.set(linear__fit__epochs=3)
    workspace.run(*DRIVERS["flow"])
    assert workspace.bytes("linear") == whole


def test_verify_names_the_first_step_file_and_layer_that_differ(workspace, whole):
    workspace.run("git", "commit", "-qam", "Record")
    said = workspace.run("python", "-m", "flows", "verify", "linaer", code=1)
    assert "The last commit has no run of linaer. It has " in said
    assert "to the bit" in workspace.run("python", "-m", "flows", "verify", "linear")
    file = cached(workspace, "best.weights.h5")
    other = workspace.path / "other.h5"
    other.write_bytes(file.read_bytes())
    with h5py.File(other, "r+") as weights:
        weights["layers/dense/vars/1"][0] += 1
    changed = hashlib.md5(other.read_bytes()).hexdigest()
    kept = file.parents[1] / changed[:2] / changed[2:]
    kept.parent.mkdir(exist_ok=True)
    other.rename(kept)
    lock = workspace.path / "dvc.lock"
    lock.write_text(lock.read_text().replace(file.parent.name + file.name, changed))
    workspace.run("git", "commit", "-qam", "Record what nobody made")
    said = workspace.run("python", "-m", "flows", "verify", "linear", code=1)
    assert f"data/linear/best.weights.h5: recorded {changed}" in said
    assert "the first layer is layers/dense/vars/1" in said
    workspace.run("git", "reset", "-q", "--hard", "HEAD^")


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_step_whose_time_is_over_says_which_key_and_resumes(
    workspace, whole, prefect_server, driver
):
    workspace.set(linear__fit__seed=list(DRIVERS).index(driver) + 1)
    workspace.set(linear__run__timeouts={"fit": 0.001})
    before = workspace.bytes("linear")
    said = workspace.run(*DRIVERS[driver], code=1 if driver == "flow" else 255)
    assert "run.timeouts.fit is 0.001 seconds: stopped in epoch 2" in said
    if driver == "flow":
        assert last_run(prefect_server)[1]["fit"]["name"] == "TimedOut"
        assert workspace.bytes("linear") == before
    assert "Traceback" not in said
    assert (workspace.path / "data/linear/.resume/fit.npz").is_file()
    planned = workspace.run("python", "-m", "flows", "plan", "linear")
    assert "resumes in epoch 2 of 3" in planned

    workspace.set(linear__run__timeouts={})
    said = workspace.run(*DRIVERS[driver])
    assert "continuing in epoch 2" in said
    workspace.set(linear__fit__seed=0)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_disk_that_is_full_when_a_step_begins_costs_nothing_whichever_it_is(
    workspace, whole, driver
):
    """Each step under one of the drivers, as a run takes a second."""
    chosen = steps.STEPS[list(DRIVERS).index(driver) :: len(DRIVERS)]
    folder = workspace.path / "data" / "linear"
    kept = folder.rename(folder.with_name("kept"))
    try:
        with small_disk(folder, "size=2m"):
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            for name in chosen:
                recorded = YAML(typ="safe").load(workspace.path / "dvc.lock")["stages"]
                for out in recorded[f"{name}@linear"]["outs"]:  # so that it has to run
                    cached(workspace, Path(out["path"]).name).unlink(missing_ok=True)
                    (workspace.path / out["path"]).unlink()
                fill(folder)
                said = workspace.run(*DRIVERS[driver], code=1 if driver == "flow" else 255)
                assert f"{name}: No space left on device" in said
                assert "Traceback" not in said

                (folder / FILLER).unlink()
                workspace.run(*DRIVERS[driver])
                shutil.rmtree(folder / ".resume", ignore_errors=True)
                assert workspace.bytes("linear") == whole, name
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)
