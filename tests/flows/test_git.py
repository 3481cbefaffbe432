"""How the project asks git."""

from __future__ import annotations

import os

import pytest

from flows.project import git
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.support.promoted import commit


@pytest.fixture
def project(tmp_path) -> Project:
    """A folder of a larger repository, with one file."""
    made = Project(tmp_path / "top" / "project")
    made.root.mkdir(parents=True)
    (made.root / "a.txt").write_bytes(b"one\r\n\xff")
    git.run(made, "init", "-q", "..")
    commit(made)
    return made


def test_a_file_is_read_byte_by_byte_from_a_commit_and_from_the_index(project):
    before = (project.root / "a.txt").read_bytes()
    (project.root / "a.txt").write_bytes(b"two")
    git.run(project, "add", "a.txt")
    assert git.file(project, "HEAD", "a.txt") == before
    assert git.file(project, "", "a.txt") == b"two"
    assert git.file(project, "HEAD", "b.txt") is None


def test_a_name_that_is_not_utf_8_leads_to_its_file(project):
    place = os.fsencode(project.root) + b"/caf\xe9.txt"
    with open(place, "wb"):
        pass
    name = git.run(project, "ls-files", "--others", "-z").strip("\0")
    assert (project.root / name).is_file()
    git.run(project, "add", "--", name)


def test_nothing_found_is_no_failure(project):
    assert git.run(project, "grep", "-F", "three", "HEAD") == ""


def test_a_failure_says_why_in_english(project, monkeypatch):
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    with pytest.raises(UserError, match=r"^`git rev-parse nowhere` failed: fatal: ambiguous"):
        git.run(project, "rev-parse", "nowhere")
    assert git.said(project, "rev-parse", "nowhere") == ""


def test_a_long_command_is_named_by_its_beginning(project):
    with pytest.raises(UserError, match=r"^`git cat-file -p( a){20,40} \.\.\.` failed: "):
        git.run(project, "cat-file", "-p", *["a"] * 1000)


def test_without_git_it_is_asked_for(project, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"^git is needed here, and there is none\. Install it\.$"):
        git.run(project, "status")
    assert git.said(project, "status") == ""
    assert git.file(project, "HEAD", "a.txt") is None
