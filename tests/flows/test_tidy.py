"""`tidy`: what is old or needed by nobody goes, and nothing else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from flows.command.tidy import main, nothing_runs, tidy
from flows.engine.processes import hold
from flows.memory import unneeded
from flows.project.folder import Project
from flows.server import database
from tasks.core.step import UserError
from tests.conftest import Workspace

DAY = 24 * 3600
MONTH = timedelta(days=30)
PIPELINE = "\nstages:\n  make:\n    cmd: cp in out\n    deps: [in]\n    outs: [out]\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A small project of DVC's: two commits with a result each, and a result that is in neither."""
    root = tmp_path_factory.mktemp("made")
    for command in ("git init -q -b main", "dvc init -q", "dvc config core.analytics false"):
        call(root, command)
    (root / "dvc.yaml").write_text(PIPELINE)
    for text in ("first", "second"):
        make(root, text)
        call(root, "git add -A")
        call(root, f"git commit -qm {text}")
    make(root, "never committed")
    make(root, "second")
    return root


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Project:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / ".prefect"))
    root = tmp_path / "project"
    shutil.copytree(made, root, symlinks=True)
    return Project(root)


def make(root: Path, text: str) -> None:
    (root / "in").write_text(text)
    call(root, "dvc repro -q")


def call(root: Path, command: str, **env: str) -> str:
    """What a command prints; `dvc` begins warm."""
    return Workspace(root).run(*command.split(), **env)


def made_earlier(root: Path, name: str, days: float) -> None:
    """Give the commit of an experiment another date."""
    (ref,) = call(root, f"git for-each-ref --format=%(refname) refs/exps/*/*/{name}").split()
    then = f"@{int(time.time() - days * DAY)} +0000"
    command = f"git commit-tree -m {name} -p {ref}~1 {ref}^{{tree}}"
    call(root, f"git update-ref {ref} {call(root, command, GIT_COMMITTER_DATE=then).strip()}")


def results(project: Project) -> set[str]:
    """What is in the cache."""
    files = (project.root / ".dvc/cache/files").rglob("*")
    return {file.read_text() for file in files if file.is_file()}


def age(project: Project, days: float) -> None:
    """Let all that is in the cache be that old."""
    then = time.time() - days * DAY
    for file in (project.root / ".dvc/cache").rglob("*"):
        os.utime(file, (then, then))


def test_results_of_commits_and_late_runs_stay_and_others_go(project, capsys):
    age(project, 29)
    tidy(project, MONTH, tips=False, plan=False)
    assert results(project) == {"first", "second", "never committed"}
    assert "There is nothing to delete." in capsys.readouterr().out

    age(project, 31)
    tidy(project, MONTH, tips=False, plan=True)
    assert results(project) == {"first", "second", "never committed"}
    said = capsys.readouterr().out
    assert "files in DVC's cache" in said
    assert "1 of 3" in said
    assert "Nothing was deleted." in said

    tidy(project, MONTH, tips=False, plan=False)
    assert results(project) == {"first", "second"}
    assert capsys.readouterr().out.endswith("Deleted.\n")


@pytest.mark.parametrize("key", ["grep.lineNumber", "grep.column", "color.grep=always"])
def test_what_a_users_git_shows_costs_no_result(project, key):
    name, _, value = key.partition("=")
    call(project.root, f"git config {name} {value or 'true'}")
    age(project, 31)
    tidy(project, MONTH, tips=False, plan=False)
    assert results(project) == {"first", "second"}


def test_results_of_before_the_project_moved_within_its_repository_stay(project):
    root = project.root
    (root / "sub").mkdir()
    call(root, "git mv dvc.yaml dvc.lock in .dvc .dvcignore .gitignore sub")
    call(root, "git commit -qm Move")
    moved = Project(root / "sub")
    age(moved, 31)
    tidy(moved, MONTH, tips=False, plan=False)
    assert {"first", "second"} <= results(moved)


def test_results_of_older_stashes_stay(project):
    for text in ("stashed", "stashed later"):
        make(project.root, text)
        call(project.root, "git stash -q")
    age(project, 31)
    tidy(project, MONTH, tips=False, plan=False)
    assert {"stashed", "stashed later"} <= results(project)


def test_data_that_were_added_again_today_stay(project):
    data = project.root / "data.csv"
    for text in ("added", "added again"):
        data.write_text(text)
        call(project.root, "dvc add -q data.csv")
    for file in (project.root / ".dvc/cache/runs").rglob("*"):
        os.utime(file, (0, 0))
    tidy(project, MONTH, tips=False, plan=False)
    assert {"added", "added again"} <= results(project)


@pytest.mark.parametrize("age", ["0d", "7", "-1d", "1.5d", "a week", "123456d", ""])
def test_an_age_that_is_none_is_refused_with_an_example(capsys, age):
    with pytest.raises(SystemExit):
        main([f"--older={age}"])
    expected = f"got `{age}`, expected one day or more, such as 1d or 30d\n"
    assert capsys.readouterr().err.endswith(expected)


def test_results_of_older_commits_go_if_asked(project):
    call(project.root, "git tag good HEAD~1")
    age(project, 31)
    tidy(project, MONTH, tips=True, plan=False)
    assert results(project) == {"first", "second"}

    call(project.root, "git tag -d good")
    tidy(project, MONTH, tips=True, plan=False)
    assert results(project) == {"second"}


def test_old_experiments_go_with_their_results_and_late_ones_stay(project, capsys):
    for name, days in (("old", 31), ("late", 29)):
        make(project.root, f"tried {name}")
        call(project.root, f"dvc exp save -q --name {name}")
        made_earlier(project.root, name, days)
    make(project.root, "second")
    age(project, 31)

    tidy(project, MONTH, tips=False, plan=False)
    assert call(project.root, "dvc exp list --name-only").split() == ["late"]
    assert results(project) == {"first", "second", "tried late"}
    assert "old" in capsys.readouterr().out


def test_a_folder_that_is_needed_keeps_its_files(project):
    (project.root / "dvc.yaml").write_text(PIPELINE.replace("cp in out", "mkdir out; cp in out"))
    make(project.root, "in a folder")
    call(project.root, "git add -A")
    call(project.root, "git commit -qm Folder")
    call(project.root, "git checkout -q HEAD~1")
    call(project.root, "dvc checkout -q")
    age(project, 31)
    tidy(project, MONTH, tips=False, plan=False)
    assert {"first", "second", "in a folder"} < results(project)  # and the folder's own file


def test_a_cache_that_others_share_is_left_alone(project, tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared")
    call(project.root, f"dvc cache dir -q --local {shared}")
    make(project.root, "shared")
    make(project.root, "second")
    before = sorted(shared.rglob("*"))
    with unneeded.kept(project, time.time() + DAY, tips=True) as found:
        assert not found.unneeded
    assert sorted(shared.rglob("*")) == before


def test_nothing_is_deleted_while_it_is_not_known_what_a_folder_has(project):
    (project.root / "parts").mkdir()
    (project.root / "parts" / "one").write_text("of a folder")
    call(project.root, "dvc add -q parts")
    (listing,) = (project.root / ".dvc/cache/files").rglob("*.dir")
    listing.chmod(0o600)
    listing.write_text("[")
    with pytest.raises(UserError, match=r"cache was damaged: .*\. Run again"):
        tidy(project, timedelta(0), tips=False, plan=False)
    with pytest.raises(UserError, match=r"without cache for directory 'parts'\. `dvc pull`"):
        tidy(project, timedelta(0), tips=False, plan=False)
    assert "of a folder" in results(project)

    call(project.root, "dvc commit -q parts.dvc")
    tidy(project, timedelta(0), tips=False, plan=False)
    assert "of a folder" in results(project)


def test_old_states_of_trainings_go(project):
    states = [project.root / "data" / name / ".resume" / "fit.npz" for name in ("old", "late")]
    for state, days in zip(states, (31, 29), strict=True):
        state.parent.mkdir(parents=True)
        state.write_bytes(b"state")
        os.utime(state, (0, time.time() - days * DAY))
    tidy(project, MONTH, tips=False, plan=False)
    assert [state.exists() for state in states] == [False, True]


def test_nothing_is_deleted_while_a_run_is_at_work(project):
    resume = project.root / "data" / "mine" / ".resume"
    resume.mkdir(parents=True)
    with open(resume / "run.lock", "w") as held:
        hold(held)
        with pytest.raises(UserError, match="A run of mine is at work"):
            tidy(project, MONTH, tips=False, plan=False)

    trials = project.root / ".dvc" / "tmp" / "trials"
    trials.mkdir(parents=True, exist_ok=True)
    with open(trials / "mine-1.lock", "w") as held:
        hold(held)
        with pytest.raises(UserError, match="The experiment mine-1 is at work"):
            tidy(project, MONTH, tips=False, plan=False)
    with nothing_runs(project), open(resume / "run.lock") as other:
        assert not hold(other)  # a run that is started now waits


def test_nothing_is_deleted_while_a_step_of_dvc_repro_is_at_work(project):
    slow = PIPELINE.replace("cp in out", "touch began && sleep 60; cp in out")
    (project.root / "dvc.yaml").write_text(slow)
    repro = subprocess.Popen(["dvc", "repro", "-q"], cwd=project.root, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not (project.root / "began").exists() and time.monotonic() < until:
            time.sleep(0.1)
        with pytest.raises(UserError, match=r"`.*dvc.* repro.*` is at work here"):
            tidy(project, MONTH, tips=False, plan=False)
    finally:
        os.killpg(repro.pid, 9)
        repro.wait()


@pytest.fixture(scope="module")
def history(workspaces, tmp_path_factory):
    """Prefect's database after two runs, one of them made old."""
    workspace = workspaces("tidied", trained=True, home=True)
    for near in (0.25, 0.5):  # so that a step runs, which takes no time
        workspace.set(linear__visualize__near=near)
        workspace.flow("linear")
    path = workspace.path / ".prefect" / "prefect.db"
    with closing(sqlite3.connect(path)) as open_:
        first = "(SELECT id FROM flow_run ORDER BY end_time LIMIT 1)"
        old = f"UPDATE flow_run SET end_time = '2020-01-01 00:00:00.000000' WHERE id = {first}"
        open_.execute(old)
        open_.commit()
    return workspace, path


def test_old_runs_go_with_their_artifacts_and_late_ones_stay(history):
    workspace, path = history
    assert database.ended_runs(path, MONTH) == (1, 2)
    before = rows(path, "artifact")
    said = workspace.run(sys.executable, "-m", "flows", "tidy")
    assert "runs in Prefect" in said
    assert database.ended_runs(path, MONTH) == (0, 1)
    assert 0 < rows(path, "artifact") < before
    assert rows(path, "task_run") == 8
    assert rows(path, "artifact_collection") > 0


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as open_:
        return open_.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
