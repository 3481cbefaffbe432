"""Runs with other parameters from start to end, in a project that is a part of a repository."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import WHO
from tests.support.own import put_csv, table


def trial(epochs: int) -> tuple[str, ...]:
    """The command that starts one."""
    return ("python", "-m", "flows", "train", "mine", f"fit.epochs={epochs}")


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    """A folder of a larger repository, with a new pipeline on data that DVC keeps."""
    made = workspaces("trials", PREFECT_API_URL=prefect_server)
    data = put_csv(made.path / "datasets/mine.csv", *table(40))
    made.run("python", "-m", "flows", "new", "mine", "datasets/mine.csv")
    for name in ("fashion", "fashion-cnn", "linear"):  # DVC's cache has nothing of them
        made.run("python", "-m", "flows", "remove", name)
    move_into(made, "team/project")

    (made.path / "datasets").mkdir()
    data.rename(made.path / "datasets/mine.csv")
    made.dvc("add", "-q", "datasets/mine.csv")
    made.run("git", "add", "datasets")  # staged, and in no commit; so is nothing of data/mine
    return made


def move_into(workspace, folder: str) -> None:
    inner = workspace.path / folder
    inner.mkdir(parents=True)
    for name in workspace.run("git", "ls-files", "-z").split("\0")[:-1]:
        (inner / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.path / name).rename(inner / name)
    (inner / "dvc.lock").unlink()
    workspace.run("git", "add", "-A", ":(exclude)datasets")
    workspace.run("git", "commit", "-qm", "Move it into a folder")
    workspace.path = inner


def experiments(workspace) -> dict[str, str]:
    """The name of each experiment, and its commit."""
    listed = workspace.run("git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps")
    refs = (line.split() for line in listed.splitlines())
    return {name.rpartition("/")[2]: commit for name, commit in refs}


def copies(workspace) -> list[str]:
    return [path.name for path in (workspace.path / ".dvc/tmp/trials").glob("mine-*")]


def test_a_kill_while_it_is_saved_leaves_nothing(workspace):
    hook = workspace.path.parents[1] / ".git" / "hooks" / "pre-receive"
    process = workspace.start(*trial(epochs=1))
    hook.write_text(f"#!/bin/sh\nkill -9 {process.pid}\nexit 1\n")
    hook.chmod(0o755)
    said = process.communicate(timeout=300)[0]
    hook.unlink()
    assert process.returncode == -signal.SIGKILL, said
    assert not experiments(workspace)
    assert len(copies(workspace)) == 2  # the folder, and the mark that its process lived


def test_a_new_pipelines_experiment_has_its_metrics_and_can_be_applied(workspace):
    said = workspace.run(*trial(epochs=2), **dict.fromkeys(WHO))
    assert not copies(workspace), "what the killed one left is removed, and its own as well"
    ((name, commit),) = experiments(workspace).items()
    assert f"python -m flows compare mine --apply {name}" in " ".join(said.split())
    kept = workspace.run("git", "ls-tree", "-r", "--name-only", commit, "data/mine").split()
    assert {"metrics.json", "history.csv", "environment.json"} <= {
        path.rpartition("/")[2] for path in kept
    }
    assert "test_accuracy" in workspace.dvc("exp", "show", "--csv").splitlines()[0]

    workspace.run("python", "-m", "flows", "compare", "mine", "--apply", name)
    said = workspace.dvc("repro", "visualize@mine", "evaluate@mine")
    assert "Running stage" not in said, "DVC's cache has the results"
    for file in ("metrics.json", "history.csv", "environment.json", "predictions.csv"):
        assert (workspace.path / "data/mine" / file).is_file()
    assert "epochs: 2" in workspace.run("git", "diff", "HEAD", "--", "params.yaml")
    said = workspace.run("python", "-m", "flows", "plan", "mine")
    assert said.count("nothing has changed") == 8, said


def test_a_clone_gets_the_data_that_dvc_keeps_and_makes_the_same_bytes(workspace):
    workspace.run("git", "add", "-A")
    workspace.run("git", "commit", "-qm", "Apply the experiment")
    said = workspace.run("python", "-m", "flows", "verify", "mine")
    assert "to the bit" in said
    assert not list((workspace.path / ".dvc/tmp/trials").glob("verify*"))
