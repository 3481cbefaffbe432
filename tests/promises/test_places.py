"""Where the project may be: with git or without, moved, shared with other users of the machine."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from flows.engine import experiment
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.conftest import ROOT
from tests.support.own import put_csv, put_images, table

SETTLE = ("python", "-m", "flows.memory.local")  # a line of `make install`
DVC_CHOOSES = {"DVC_SITE_CACHE_DIR": ""}


def plans(workspace, pipeline: str = "linear", **more) -> str:
    return workspace.run("python", "-m", "flows", "plan", pipeline, **more)


def states(place: Path) -> set[str]:
    """DVC's folders of projects' states."""
    return {path.name for path in place.glob("repo/*")}


@pytest.mark.parametrize("driver", ["flow", "dvc"])
def test_dvcs_state_is_private_and_in_the_project_also_when_that_is_moved(workspaces, driver):
    assert f"@.venv/bin/{' '.join(SETTLE)}\n" in (ROOT / "Makefile").read_text()
    made = workspaces(f"site-{driver}", **DVC_CHOOSES)
    made.run(*SETTLE)
    made.dvc("config", "--local", "core.remote", "mine")
    before = made.path
    made.path = before.rename(before.with_name("moved"))

    if driver == "flow":
        plans(made)
    else:
        made.run(*SETTLE)
        made.dvc("repro", "load@linear")
    site = made.path / ".dvc" / "tmp" / "site"
    assert len(states(site)) == 1
    assert site.stat().st_mode & 0o777 == 0o700
    assert made.dvc("config", "core.remote").strip() == "mine"
    assert not before.exists()
    assert not states(site) & states(Path("/var/tmp/dvc"))  # DVC's name of a project's state


def test_git_changes_no_byte_of_a_clone_where_it_is_told_to_end_lines_as_windows_does(workspaces):
    made = workspaces("lines", **DVC_CHOOSES)
    theirs = made.path.with_name("theirs")
    made.run("git", "clone", "-q", "-c", "core.autocrlf=true", str(made.path), str(theirs))
    for name in made.run("git", "ls-files").splitlines():
        assert (theirs / name).read_bytes() == (made.path / name).read_bytes(), name


def test_without_git_both_drivers_work_and_an_experiment_says_what_to_type(workspaces):
    made = workspaces("no-git", GIT_CEILING_DIRECTORIES="/")
    shutil.rmtree(made.path / ".git")
    said = made.dvc("status", "load@linear", code=255)
    assert "not a git repository" in said  # until `make install`, or a run
    made.run(*SETTLE)
    made.dvc("repro", "build@linear")
    assert plans(made).count("nothing has changed") == 3

    with (
        pytest.raises(UserError, match="Type: git init && git add -A && git commit -m Begin"),
        experiment.workspace(Project(made.path), "one", "linear", {"fit": {"epochs": 2}}),
    ):
        pass

    made.run("git", "init", "-q")
    assert plans(made).count("nothing has changed") == 3
    assert "no_scm" not in (made.path / ".dvc/config.local").read_text()


@pytest.mark.parametrize("name", ["in.csv", "folder"])
def test_another_target_of_a_link_is_noticed_by_both_drivers(workspaces, name):
    made = workspaces(f"linked-{name}")
    for number, rows in enumerate((20, 30)):
        put_csv(made.path / str(number) / "train.csv", *table(rows))
        put_csv(made.path / str(number) / "test.csv", *table(10))
    link = made.path / name
    below = "train.csv" if name == "in.csv" else ""

    def point(number: int) -> None:
        link.unlink(missing_ok=True)
        link.symlink_to(Path(str(number), below))

    point(0)
    made.run("python", "-m", "flows", "new", "mine", name)
    assert f"      path: {name} " in (made.path / "params.yaml").read_text()
    made.dvc("repro", "load@mine")
    assert f"{name} changed" not in plans(made, "mine")
    point(1)
    assert f"{name} changed" in plans(made, "mine")
    assert "Running stage" in made.dvc("repro", "load@mine")
    assert link.is_symlink()


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_has_no_end_is_named_and_not_waited_for(workspaces, kind):
    made = workspaces(f"endless-{kind}")
    put_csv(made.path / "in/train.csv", *table(20))
    put_csv(made.path / "in/test.csv", *table(10))
    made.run("python", "-m", "flows", "new", "mine", "in")
    odd = made.path / "in/more"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero")
    for verb in ("plan", "train"):
        said = made.run("python", "-m", "flows", verb, "mine", code=1)
        assert "in/more is a pipe, a socket or a device. Expected a file" in said
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "line"), [("dvc.lock", "schema: '2.0'"), ("params.yaml", "defaults:")]
)
def test_the_advice_for_a_merge_conflict_works(workspaces, name, line):
    made = workspaces(f"conflict-{name}")
    file = made.path / name
    ours = file.read_text()
    made.run("git", "checkout", "-qb", "other")
    for branch in ("other", "main"):
        made.run("git", "checkout", "-q", branch)
        file.write_text(ours.replace(line, f"{line} # {branch}", 1))
        made.run("git", "commit", "-qam", branch)
    made.run("git", "merge", "other", code=1)

    said = plans(made, code=1)
    assert len(said.splitlines()) == 1, said
    assert "both versions of a merge" in said
    (advice,) = re.findall("`(git checkout [^`]+)`", said)
    made.run(*advice.split())
    plans(made)
    assert f"{line} # main" in file.read_text()
    made.run("git", "commit", "-qam", "Merge")


def test_data_that_dvc_keeps_and_that_are_not_there_come_with_the_command_that_is_named(workspaces):
    made = workspaces("pulled")
    data = put_csv(made.path / "datasets" / "in.csv", *table(20))
    made.dvc("add", "-q", "datasets/in.csv")
    made.run("python", "-m", "flows", "new", "mine", "datasets/in.csv")
    data.unlink()

    code = (
        "from flows.memory.reproduce import reproduce\n"
        "from flows.project.folder import Project\n"
        "reproduce(Project.here(), 'load@mine', None)"
    )
    said = made.run("python", "-c", code, code=1).splitlines()[-1]
    advice = re.search(r": There is no (.*)\. DVC keeps it: `(dvc pull \1)` brings it\.$", said)
    assert made.run("python", "-m", "flows", "train", "mine", code=1).endswith(f"{advice[0][2:]}\n")
    made.run(*advice[2].split())
    assert data.is_file()
    assert plans(made, "mine").count("it has not run yet") == 8


def test_a_dvcignore_inside_the_data_is_one_line_under_the_plan_and_the_flow(workspaces):
    made = workspaces("ignoring")
    put_images(made.path / "own/pictures")
    made.run("python", "-m", "flows", "new", "mine", "own/pictures")
    (made.path / "own/pictures/.dvcignore").write_text("*.txt\n")
    for verb in ("plan", "train"):
        said = made.run("python", "-m", "flows", verb, "mine", code=1).splitlines()[-1]
        assert "own/pictures' has a .dvcignore, which DVC does not allow inside data." in said
