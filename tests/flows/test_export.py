"""`python -m flows export`, and the stage of release/dvc.yaml that does the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys

import h5py
import numpy as np
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from flows.command import export as command
from flows.command import summary
from flows.predict import predict
from flows.project.folder import Project
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.exports.onnx import open as open_model
from tasks.release.export import Params, export
from tests.conftest import eventually

# Of a library of DVC's, which a command of its own does not show.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

EXPORT = ("python", "-m", "flows", "export", "linear")
STAGE = "release/dvc.yaml:export@linear"


@pytest.fixture(scope="module")
def workspace(workspaces):
    return workspaces("exported", trained=True)


@pytest.fixture(scope="module")
def folder(workspace):
    """Where the model is exported to."""
    workspace.run(*EXPORT)
    return workspace.path / "data/linear/export"


@pytest.fixture
def project(workspace, monkeypatch):
    made = Project(workspace.path)
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: made))
    return made


def test_a_project_that_exports_nothing_has_no_more_stages(workspaces):
    with Repo(str(workspaces("plain").path)) as repo:
        assert {stage.path_in_repo for stage in repo.index.stages} == {"dvc.yaml"}


def test_the_command_and_dvc_write_the_same_bytes_and_neither_repeats_the_other(workspace, folder):
    before = contents(folder)
    assert set(before) == {"model.tflite", "schema.json"}
    assert "up to date" in workspace.dvc("status", STAGE)
    assert "nothing has changed" in workspace.run(*EXPORT)

    recorded = (workspace.path / "release/dvc.lock").read_text()
    workspace.dvc("repro", "--single-item", "--force", STAGE)
    assert contents(folder) == before
    assert (workspace.path / "release/dvc.lock").read_text() == recorded


def test_the_proof_is_in_git_and_the_model_in_the_cache(workspace, folder):
    proof = json.loads((folder.parent / "proof.json").read_text())
    assert proof.pop("largest_difference") <= 1e-5
    assert proof == {"format": "litert", "rows": 6, "differ": 0}
    new = workspace.run("git", "status", "--short", "-uall")
    assert "data/linear/proof.json" in new
    with Repo(str(workspace.path)) as repo:  # what `dvc artifacts get` finds
        assert repo.artifacts.read()["dvc.yaml"]["linear"].path == "data/linear/export"
    assert "model.tflite" not in new

    shutil.rmtree(folder)
    assert "restored from DVC's cache" in workspace.run(*EXPORT)
    assert (folder / "model.tflite").is_file()


def test_a_file_that_was_changed_is_checked_and_nothing_written(workspace, folder, project, capfd):
    changed = workspace.path / "changed.tflite"
    changed.write_bytes((folder / "model.tflite").read_bytes())
    assert command.main(["linear", "--check", str(changed)]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "0 of 6 answers to test rows differ" in said
    assert said.endswith(" times the largest prediction")

    with h5py.File(folder.parent / "best.weights.h5") as file:
        kernel = file["layers/dense/vars/0"][()].tobytes()
    content = changed.read_bytes()
    assert content.count(kernel) == 1
    changed.write_bytes(content.replace(kernel, np.float32(7).tobytes()))
    assert command.main(["linear", "--check", str(changed)]) == 1
    assert "in predictions.csv" in capfd.readouterr().out


def test_a_run_says_whether_the_export_is_older_than_the_model(workspace, folder, project, capfd):
    summary.show(project, "linear", "nowhere", True)
    assert "export       data/linear/export\n" in capfd.readouterr().out

    file = workspace.path / "dvc.lock"
    before, yaml = file.read_bytes(), YAML()
    recorded = yaml.load(file)
    (model,) = recorded["stages"]["reload_best@linear"]["outs"]
    model["md5"] = "0" * 32
    yaml.dump(recorded, file)
    summary.show(project, "linear", "nowhere", True)
    assert "older than the model: python -m flows export linear" in capfd.readouterr().out
    file.write_bytes(before)


def test_the_exported_model_answers_new_rows_without_tensorflow(workspace, folder):
    (workspace.path / "new.csv").write_text("10\n-3.5\n")
    code = (
        "import sys; from flows.predict import predict\n"
        "print(predict('linear', 'new.csv', exported=True)['predicted'].tolist())\n"
        "assert 'tensorflow' not in sys.modules"
    )
    found = json.loads(workspace.run("python", "-c", code).splitlines()[-1])
    known = predict("linear", workspace.path / "new.csv", Project(workspace.path))
    np.testing.assert_allclose(found, known["predicted"], rtol=1e-5)

    (folder / "model.tflite").write_bytes(b"another")
    with pytest.raises(UserError, match=r"no exported model that is up to date\. Run `python"):
        predict("linear", workspace.path / "new.csv", Project(workspace.path), exported=True)
    shutil.rmtree(folder)
    workspace.run(*EXPORT)


def test_an_answer_that_differs_is_named_and_nothing_exported(workspace, tmp_path):
    copy = tmp_path / "data/linear"
    shutil.copytree(workspace.path / "data/linear", copy, ignore=shutil.ignore_patterns("export"))
    lines = (copy / "predictions.csv").read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",99.5"
    (copy / "predictions.csv").write_text("\n".join(lines) + "\n")

    with pytest.raises(UserError, match=r"test row 2 is .*, in predictions\.csv 99\.5\. Nothing"):
        export(Folder(copy), Params(format="litert"))
    assert not list(copy.glob("*export*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "no pipeline `nobody`"),
        (["fashion"], "fashion is not up to date: load, normalize, visualize, build"),
        (["linear", "--check", "nowhere"], "There is no nowhere. Expected an exported model"),
        (["linear", "--check", "dvc.yaml"], "dvc.yaml is not an exported model: expected"),
        (["linear", "--check", "broken.onnx"], "broken.onnx could not be asked about the test"),
        (["fashion", "--check", "broken.onnx"], "fashion has no trained model here"),
    ],
)
def test_what_cannot_be_exported_is_one_line(project, monkeypatch, capfd, arguments, says):
    monkeypatch.chdir(project.root)
    (project.root / "broken.onnx").write_text("no model")
    before = project.params_file.read_bytes()
    assert command.main(arguments) == 1
    said = " ".join(capfd.readouterr().err.split())
    assert says in said
    assert "Traceback" not in said
    assert project.params_file.read_bytes() == before


def test_an_export_that_fails_leaves_params_yaml_as_it_was(project, folder, monkeypatch, capfd):
    before = project.params_file.read_bytes()
    monkeypatch.setattr(sys, "executable", "/bin/false")  # no converter
    assert command.main(["linear", "--format", "saved_model"]) == 1
    assert "saved_model cannot hold this model: exit code 1." in capfd.readouterr().err
    assert project.params_file.read_bytes() == before
    assert (folder / "model.tflite").is_file()


def test_a_kill_leaves_nothing_half_written_and_the_same_command_goes_on(workspace, folder):
    process = workspace.start(*EXPORT, "--format", "onnx")
    eventually(lambda: list(folder.parent.glob(".part.export.*")), 200)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not folder.exists()

    workspace.run(*EXPORT)
    assert not list(folder.parent.glob(".part.*"))
    assert open_model(folder / "model.onnx").ask(np.array([[10.0]])).shape == (1, 1)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
