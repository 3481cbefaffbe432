"""What is recorded is what happened: parameters, code and data that change at the wrong moment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from dvc.stage.cache import StageCache, _get_stage_hash
from ruamel.yaml import YAML

from flows.engine import step as engine
from flows.engine import witness
from flows.memory import lock
from flows.memory.repository import repository, stage_of
from flows.memory.reproduce import reproduce
from flows.project.folder import Project
from tasks.core.folder import md5
from tasks.core.step import UserError
from tests.conftest import ROOT, change
from tests.support.own import CSV, put_csv, table
from tests.support.served import eventually

REPRO = ("dvc", "repro", "evaluate@linear", "visualize@linear")
TABLE = {**CSV, "task": "regression", "class_names": []}


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    made = workspaces("records", PREFECT_API_URL=prefect_server)
    put_csv(made.path / "in.csv", *table(40, target=lambda row: 2 * row + 1))
    made.set(linear__load=TABLE, linear__evaluate__predict=None)
    return made


def test_what_another_process_writes_into_the_run_cache_is_left_to_it(workspace):
    """A plan looks there without DVC's lock, such as that of a reporter after a `dvc repro`."""
    project = Project(workspace.path)
    with repository(project) as repo:
        stage, cache = stage_of(repo, project, "load@linear"), repo.stage_cache
        folder = Path(cache._get_cache_dir(_get_stage_hash(stage)))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        assert cache._load(stage) is None
        (folder / ".half.tmp").write_text("cmd: [")
        assert cache._load(stage) is None
        (folder / ".half.tmp").unlink()

        with repo.lock:  # then it is what a kill has left, on which DVC fails
            assert cache._load(stage) is None
        assert not folder.exists()


def seed(workspace) -> int:
    """The seed that is recorded of `normalize`."""
    params = lock.stages(Project(workspace.path))["normalize@linear"]["params"]["params.yaml"]
    return params["pipelines.linear.normalize.seed"]


def overwrite(file: Path, old: str, new: str) -> None:
    """Other content of the same size in the same file, with the same time."""
    before = file.stat()
    text = file.read_text()
    assert len(old) == len(new)
    assert old in text
    with open(file, "r+") as opened:
        opened.write(text.replace(old, new))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_parameters_that_change_before_the_flow_records_are_not_recorded(workspace):
    project = Project(workspace.path)
    workspace.run("dvc", "repro", "normalize@linear")

    def function() -> lock.Used:
        _, used = engine.run(project, "normalize", "linear")
        change(project.params_file, {"linear.normalize.seed": 77})
        return used

    change(project.params_file, {"linear.normalize.seed": 76})
    with pytest.raises(UserError, match=r"normalize\.seed: 76 -> 77 changed between the end of"):
        reproduce(project, "normalize@linear", function)
    assert "normalize@linear" not in lock.stages(project)

    said = workspace.run("dvc", "repro", "normalize@linear")
    assert "Running stage 'normalize@linear'" in said, "its entry of the run cache stayed"
    assert seed(workspace) == 77


def test_parameters_that_change_before_dvc_repro_records_are_not_recorded(workspace):
    notes = workspace.path / ".dvc" / "tmp" / "used"
    for number in range(100, 120, 2):
        workspace.set(linear__normalize__seed=number)
        text = workspace.path.joinpath("params.yaml").read_text()
        later = text.replace(f"seed: {number}", f"seed: {number + 1}")

        repro = workspace.start("dvc", "repro", "normalize@linear")
        while repro.poll() is None and not list(notes.glob("normalize@linear *.json")):
            time.sleep(0.001)
        workspace.path.joinpath("params.yaml").write_text(later)
        said = repro.communicate(timeout=60)[0]
        if "was taken back" in said:
            break
        assert seed(workspace) == number  # the edit came too late, or the step saw it

    assert f"normalize.seed: {number} -> {number + 1} changed between the end of" in said
    assert "normalize@linear" not in lock.stages(Project(workspace.path))
    assert not list(notes.iterdir())
    assert "Running stage" in workspace.run("dvc", "repro", "normalize@linear")


def test_code_of_the_same_size_and_time_runs_as_it_is_recorded(workspaces):
    workspace = workspaces("code")
    workspace.run("dvc", "repro", "load@linear")
    file = workspace.path / "tasks" / "sources" / "line.py"
    workspace.run("python", "-c", "import tasks.sources.line")  # leaves a compiled file
    overwrite(file, "arange(5, 11", "arange(6, 12")

    said = workspace.run("dvc", "repro", "--force", "load@linear")
    assert "tasks/sources changed between the end of load@linear and its record" in said
    workspace.run("dvc", "repro", "load@linear")
    with np.load(workspace.path / "data" / "linear" / "raw.npz") as raw:
        assert raw["y_train"][0] == 6
    recorded = lock.stages(Project(workspace.path))["load@linear"]["deps"]
    files = sorted((workspace.path / "tasks" / "sources").glob("*.py"))
    digest = lock.digest_of_folder(file.parent, {each: md5(each) for each in files})
    assert {"path": "tasks/sources", "md5": digest} in [
        {"path": dep["path"], "md5": dep["md5"]} for dep in recorded
    ]


def test_data_of_the_same_size_and_time_are_noticed_by_the_flow(workspace):
    workspace.run("dvc", "repro", "load@linear")
    workspace.run("python", "-m", "flows", "train", "linear")
    overwrite(workspace.path / "in.csv", "3,1.5,7", "3,1.5,9")
    assert "in.csv changed" in workspace.run("python", "-m", "flows", "plan", "linear")
    workspace.run("python", "-m", "flows", "train", "linear")
    (workspace.path / "in.csv").touch()


def test_data_of_the_same_size_and_time_are_recorded_as_they_were_read(workspace):
    workspace.run("dvc", "repro", "load@linear")
    overwrite(workspace.path / "in.csv", "3,1.5,9", "3,1.5,8")
    said = workspace.run("dvc", "repro", "--force", "load@linear")
    assert "in.csv changed between the end of load@linear and its record" in said
    workspace.run("dvc", "repro", "load@linear")
    digest = lock.stages(Project(workspace.path))["load@linear"]["deps"][0]
    assert digest["path"] == "in.csv"
    assert digest["md5"] == md5(workspace.path / "in.csv")


@pytest.mark.parametrize("driver", ["flow", "dvc"])
def test_a_damaged_file_is_not_read_and_made_again(workspace, driver):
    command = REPRO if driver == "dvc" else ("python", "-m", "flows", "train", "linear")
    workspace.run(*command)
    right = workspace.bytes("linear")
    name = "data/linear/best.weights.h5"
    digest = lock.outputs(Project(workspace.path))[name]
    kept = workspace.path / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]

    content = bytearray(kept.read_bytes())
    content[-100] ^= 0x80
    kept.chmod(0o644)
    kept.write_bytes(content)
    kept.chmod(0o444)  # else DVC looks into it
    (workspace.path / name).unlink()
    (workspace.path / "data" / "linear" / "model.keras").unlink()
    for entry in list((workspace.path / ".dvc" / "cache" / "runs").rglob("*")):
        if entry.is_file() and "reload_best" in entry.read_text():
            shutil.rmtree(entry.parent)
    kept_model = lock.outputs(Project(workspace.path))["data/linear/model.keras"]
    model = workspace.path / ".dvc/cache/files/md5" / kept_model[:2] / kept_model[2:]
    model.unlink()

    said = workspace.run(*command, code=None)
    if driver == "dvc":
        assert "data/linear/best.weights.h5 is damaged. It was deleted, here and in" in said
        workspace.run(*command)
    assert workspace.bytes("linear") == right


def left_by_a_dead_run(workspace, seed: int) -> Path:
    """A note that `normalize` was made with another seed than is recorded."""
    workspace.run(*REPRO)
    notes = workspace.path / ".dvc" / "tmp" / "used"
    eventually(lambda: not list(notes.glob("*.json")), 20)
    _, used = engine.run(Project(workspace.path), "normalize", "linear")
    used.sections["normalize"]["seed"] = seed
    note = notes / "normalize@linear 999999 1.00.json"
    witness.write(note, used)
    return note


def test_a_note_that_nobody_looked_at_is_settled_by_the_next_flow(workspace):
    note = left_by_a_dead_run(workspace, seed=5)
    said = workspace.run("python", "-m", "flows", "train", "linear")
    assert "normalize.seed: 5 -> " in said
    assert not list(note.parent.glob("*.json"))


def test_a_note_that_dvc_could_not_look_at_is_kept_for_the_next_look(workspace):
    project, note = Project(workspace.path), left_by_a_dead_run(workspace, seed=6)
    settings = workspace.path / ".dvc" / "config"
    whole = settings.read_text()
    settings.write_text("[core")  # DVC does not begin
    assert witness.settle(project) == []
    settings.write_text(whole)
    assert note.exists()
    (line,) = witness.settle(project)
    assert "normalize.seed: 6 -> " in line
    workspace.run(*REPRO)


def test_a_lock_of_a_dead_run_is_released_though_its_number_is_used_again(workspace):
    workspace.run("dvc", "repro", "load@linear")
    rwlock = workspace.path / ".dvc" / "tmp" / "rwlock"
    output = str(workspace.path / "data" / "linear" / "normalized.npz")
    workspace.set(linear__normalize__seed=900)
    with subprocess.Popen(["sleep", "600"]) as other:
        holder = {"pid": other.pid, "cmd": "python flows/linear.py"}
        rwlock.write_text(json.dumps({"write": {output: holder}, "read": {}}))
        an_hour_ago = time.time() - 3600
        os.utime(rwlock, (an_hour_ago, an_hour_ago))
        try:
            workspace.run("python", "-m", "flows", "train", "linear")
        finally:
            other.kill()
    assert seed(workspace) == 900


def test_a_damaged_database_of_dvcs_is_made_anew(workspace):
    workspace.run("dvc", "repro", "load@linear")
    databases = list(Path(os.environ["DVC_SITE_CACHE_DIR"]).rglob("cache.db"))
    databases += (workspace.path / ".dvc").rglob("cache.db")
    for database in databases:
        database.write_bytes(os.urandom(40_000))
    said = workspace.run("python", "-m", "flows", "plan", "linear")
    assert "Traceback" not in said
    assert "load" in said


def test_a_dvc_lock_that_is_cut_anywhere_has_only_whole_stages(tmp_path):
    project, file = Project(tmp_path), tmp_path / "dvc.lock"
    shutil.copy(ROOT / "dvc.lock", file)
    text, whole = file.read_text(), lock.stages(project)
    assert len(whole) > 20

    for length in range(0, len(text), 211):
        file.write_text(text[:length])
        found = lock.stages(project)
        for address in [*found][:-1]:  # the last one may lack outputs, which DVC notices
            assert found[address] == whole[address]
        assert lock.outputs(project).keys() <= {
            out["path"] for stage in whole.values() for out in stage["outs"]
        }


def test_a_cut_dvc_lock_is_noticed_and_the_run_cache_brings_it_back(workspace):
    workspace.run(*REPRO)
    workspace.run("git", "add", "-A")
    workspace.run("git", "commit", "-q", "-m", "Run")
    file = workspace.path / "dvc.lock"
    whole = file.read_text()
    file.write_text(whole[: whole.index("  fit@linear:")])

    said = workspace.run("python", "-m", "flows", "plan", "linear")
    assert "dvc.lock has no fit@linear and" in said
    assert "git checkout dvc.lock" in said

    assert "Running stage" not in workspace.run(*REPRO)
    before, after = YAML(typ="safe").load(whole)["stages"], lock.stages(Project(workspace.path))
    assert after == {name: before[name] for name in before if name.endswith("@linear")}


def test_the_record_of_another_commit_is_not_taken_back(workspace):
    project = Project(workspace.path)
    notes = workspace.path / ".dvc" / "tmp" / "used"
    notes.mkdir(parents=True, exist_ok=True)
    workspace.set(linear__normalize__validation=0.25, linear__normalize__seed=1)
    workspace.run("dvc", "repro", "normalize@linear")
    first = (workspace.path / "dvc.lock").read_text()
    workspace.set(linear__normalize__seed=2)
    workspace.run("dvc", "repro", "normalize@linear")

    _, used = engine.run(project, "normalize", "linear")
    witness.write(notes / "normalize@linear 999999 1.00.json", used)
    (workspace.path / "dvc.lock").write_text(first)  # as `git checkout` does at once
    assert witness.settle(project) == []
    assert (workspace.path / "dvc.lock").read_text() == first
    assert not list(notes.iterdir())


def test_parameters_that_change_while_a_result_is_restored_are_not_recorded(workspace, monkeypatch):
    project, address = Project(workspace.path), "normalize@linear"
    for number in (31, 32):
        workspace.set(linear__normalize__seed=number)
        workspace.run("dvc", "repro", address)
    workspace.set(linear__normalize__seed=31)
    real = StageCache.restore

    def restore(*arguments, **options):
        real(*arguments, **options)
        workspace.set(linear__normalize__seed=33)

    with monkeypatch.context() as patch:
        patch.setattr(StageCache, "restore", restore)
        with pytest.raises(UserError, match="changed while its outputs came from DVC's cache"):
            reproduce(project, address, lambda: pytest.fail("it ran"))
    assert address not in lock.stages(project)
    workspace.set(linear__normalize__seed=31)
    assert reproduce(project, address, lambda: pytest.fail("it ran")) == "restored"


def test_data_outside_the_project_are_known_by_one_path(workspace):
    project, place = Project(workspace.path), workspace.path.parent / "outside.csv"
    place.write_text("a")
    (found,) = engine._files(project, ["../outside.csv"])
    assert found == place


def test_a_damaged_note_stops_nobody(workspace):
    notes = workspace.path / ".dvc" / "tmp" / "used"
    notes.mkdir(parents=True, exist_ok=True)
    (notes / "fit@linear 999999 1.00.json").touch()
    (notes / "x.json").touch()
    assert witness.settle(Project(workspace.path)) == []
    assert not list(notes.glob("*.json"))


def test_a_step_without_a_record_that_fails_leaves_what_git_has(workspaces):
    made = workspaces("unrecorded")
    file = made.path / "dvc.lock"
    stages = YAML().load(file)
    del stages["stages"]["fit@linear"]
    YAML().dump(stages, file)
    made.set(linear__compile__learning_rate=1e30)
    said = made.dvc("repro", "fit@linear", code=255)
    assert "the training has diverged" in said
    assert made.run("git", "status", "--short").split() == ["M", "dvc.lock", "M", "params.yaml"]
