"""A colleague's clone: the commands of docs/share.md."""

from __future__ import annotations

import pytest

from tests.conftest import Workspace

LAST = ("evaluate@linear", "visualize@linear")  # the steps that stand for the whole pipeline


@pytest.fixture(scope="module")
def both(workspaces):
    """A project whose linear pipeline was trained and pushed, and a clone of it."""
    ours = workspaces("ours", trained=True, DVC_SITE_CACHE_DIR="")
    remote = ours.path.parent / "remote"
    ours.dvc("remote", "add", "-d", "shared", str(remote))
    ours.run("git", "commit", "-qam", "Name the remote")
    ours.dvc("push", "-d", *LAST)

    theirs = Workspace(ours.path.parent / "theirs", {"DVC_SITE_CACHE_DIR": ""})
    ours.run("git", "clone", "-q", str(ours.path), str(theirs.path))
    return ours, theirs


def test_a_clone_pulls_one_pipeline_without_an_error_and_has_nothing_left_to_do(both):
    ours, theirs = both
    before = theirs.run("python", "-m", "flows", "plan", "linear")
    assert before.count("not made here yet") == 8
    said = theirs.dvc("pull", "-d", *LAST)
    assert "ERROR" not in said
    assert theirs.bytes("linear") == ours.bytes("linear")
    said = theirs.run("python", "-m", "flows", "plan", "linear")
    assert said.count("nothing has changed") == 8


def test_pipelines_that_were_never_made_end_a_plain_pull_and_no_other(both):
    _, theirs = both
    theirs.dvc("pull", "-d", *LAST)
    assert "data/fashion/raw.npz" in theirs.dvc("pull", code=1)
    for command in ("pull", "checkout"):
        assert "ERROR" not in theirs.dvc(command, "--allow-missing")
    assert (theirs.path / "data/linear/model.keras").is_file()
