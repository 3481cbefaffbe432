"""What a person reads of files that git has, and that are not here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from flows.command.train import check_data
from flows.project.folder import Project
from flows.project.tracked import lacking
from tasks.core.step import UserError
from tests.conftest import ROOT
from tests.support.project import new_project
from tests.support.promoted import commit, git


@pytest.fixture
def project(tmp_path) -> Project:
    """A project with data that git has."""
    made = new_project(tmp_path / "project")
    for name in ("data/built-in/linear.csv", "release/dvc.yaml"):
        (made.root / name).parent.mkdir(parents=True)
        (made.root / name).write_text("a\n")
    git(made, "init", "-q")
    commit(made)
    return made


@pytest.mark.parametrize("place", ["data/built-in", "data/built-in/linear.csv"])
def test_what_git_has_comes_back_by_the_command_that_is_told(project, place):
    shutil.rmtree(project.root / "data")
    with pytest.raises(UserError, match=rf"no {place}\. git has it: `(.*)`\.") as told:
        check_data(project, "linear", place)

    command = str(told.value).split("`")[1]
    subprocess.run(command.split(), cwd=project.root, check=True)
    check_data(project, "linear", place)


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
@pytest.mark.parametrize("place", ["release", "release/dvc.yaml"])
def test_a_sparse_checkout_gets_what_it_lacks_by_the_command_that_is_told(project, cone, place):
    git(project, "sparse-checkout", "set", cone, "data")
    assert not (project.root / "release").exists()

    command = (lacking(project, place) or "").split("`")[1]
    assert command == "git sparse-checkout add release"
    subprocess.run(command.split(), cwd=project.root, check=True)
    assert lacking(project, place) is None


def test_of_what_git_does_not_have_nothing_is_said(project, tmp_path):
    assert lacking(project, "data/mine") is None
    assert lacking(project, str(tmp_path / "elsewhere")) is None
    assert lacking(new_project(tmp_path / "without-git"), "release") is None


def test_what_a_clone_does_not_get_is_told(project):
    shutil.copy(ROOT / "dvc.lock", project.root)
    shutil.rmtree(project.root / "data")
    git(project, "rm", "-rq", "--cached", "data")
    commit(project)
    with pytest.raises(UserError, match=r"data/built-in, which load has read .* share it"):
        check_data(project, "linear", "data/built-in")

    text = project.params_file.read_text()
    project.params_file.write_text(text.replace("path: data/built-in", "path: own/in.csv"))
    with pytest.raises(UserError, match=r"no own/in\.csv.* Correct the path in params\.yaml"):
        check_data(project, "linear", "own/in.csv")


def test_a_path_is_corrected_where_it_stands(project):
    with pytest.raises(UserError, match=r"^load.path=/nope: .* correct the path that you typed"):
        check_data(project, "linear", "/nope", is_typed=True)
    with pytest.raises(UserError, match=r"Correct the path in params.yaml"):
        check_data(project, "linear", "/nope")
