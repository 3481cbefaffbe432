"""`verify`: what a commit records is what its code makes, wherever the data are."""

from __future__ import annotations

import shutil

import psutil
import pytest

VERIFY = ("python", "-m", "flows", "verify", "linear")


@pytest.fixture(scope="module")
def workspace(workspaces):
    """A commit with a run of `linear`."""
    return workspaces("verified", trained=True)


@pytest.mark.parametrize("name", ["metrics.json", "history.csv"])
def test_a_small_output_that_was_edited_and_committed_is_named(workspace, name):
    file = workspace.path / "data" / "linear" / name
    file.write_bytes(file.read_bytes().replace(b"1", b"0", 1))
    workspace.run("git", "commit", "-qam", "Falsify")
    said = workspace.run(*VERIFY, code=1)
    assert f"DIFFERS  data/linear/{name}: the last commit has" in said
    assert said.count("DIFFERS") == 1
    assert "Running stage" not in said
    workspace.run("git", "reset", "-q", "--hard", "HEAD~1")


def test_a_parameter_that_is_not_the_recorded_one_is_named(workspace):
    workspace.set(linear__fit__seed=5)
    workspace.run("git", "commit", "-qam", "Change a seed, and do not run")
    said = workspace.run(*VERIFY, code=1)
    assert "its dvc.lock: pipelines.linear.fit.seed: 5 -> 0" in said
    assert "Running stage" not in said
    workspace.run("git", "reset", "-q", "--hard", "HEAD~1")


def test_data_are_made_again_where_a_remote_has_them(workspace):
    workspace.dvc("remote", "add", "-d", "shared", str(workspace.path.parent / "remote"))
    workspace.dvc("push", "load@linear")
    workspace.run("git", "commit", "-qam", "Share the data")
    said = workspace.run(*VERIFY)
    assert "to the bit" in said
    assert "from DVC's remote" not in said
    workspace.run("git", "reset", "-q", "--hard", "HEAD~1")


def test_a_commit_without_a_run_is_no_success(workspace):
    lock = workspace.path / "dvc.lock"
    lock.write_text("schema: '2.0'\nstages: {}\n")
    workspace.run("git", "commit", "-qam", "Forget the runs")
    said = workspace.run(*VERIFY[:-1], code=1)
    assert "The last commit has no run of any pipeline. It has none." in said
    workspace.run("git", "reset", "-q", "--hard", "HEAD~1")


def test_a_project_in_no_commit_is_told_what_to_type(workspaces):
    made = workspaces("uncommitted")
    shutil.rmtree(made.path / ".git")
    said = made.run(*VERIFY, code=1, GIT_CEILING_DIRECTORIES=str(made.path.parent))
    assert "Type: git init && git add -A && git commit -m Begin" in said
    assert len(said.splitlines()) == 1

    made.run("git", "init", "-q")
    said = made.run(*VERIFY, code=1)
    assert "Type: git add -A && git commit -m Begin" in said
    assert len(said.splitlines()) == 1


def test_a_verify_that_is_killed_leaves_no_process_at_work(workspace):
    verify = workspace.start(*VERIFY)
    for line in verify.stdout:
        if line.startswith("Running stage"):
            break
    (repro,) = psutil.Process(verify.pid).children()
    verify.kill()
    verify.wait()
    psutil.wait_procs([repro], timeout=8)
    assert not repro.is_running()
