"""A run with other parameters: its copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.engine import experiment
from flows.engine.copies import dvc
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.support.own import put_images

SHIPPED = Project.here()
CHANGES = {
    "load": {"folder": "a folder"},
    "visualize": {"near": None},
    "build": {"hidden": [7, 8]},
    "fit": {"epochs": 3, "class_weights": "balanced"},
}
# What is in the section is changed there, and its comment is the parameter's meaning, in its
# column; what came by a merge is written out below it.
CHANGED = {
    "folder: null # a folder with the dataset's four files;": (
        "folder: a folder # where its files are;"
    ),
    "hidden: [1024, 512, 256, 128, 64] # 1.5 million weights": (
        "hidden: [7, 8]                    # units of each hidden Dense layer"
    ),
}
ADDED = ["      near: null", "      epochs: 3", "      class_weights: balanced"]
SHORT = {"fit": {"epochs": 1}}


def shipped(workspace) -> Project:
    """The project of a workspace, with the parameters that come with it."""
    shutil.copy(SHIPPED.params_file, workspace.path)
    return Project(workspace.path)


def test_the_copy_has_the_values_that_were_asked_for_and_every_other_line_as_it_was(workspaces):
    project = shipped(workspaces("tried"))
    before = expected = project.params_file.read_text()
    for old, new in CHANGED.items():
        expected = expected.replace(old, new, 1)

    with experiment.workspace(project, "one", "fashion", CHANGES) as copy:
        assert copy.root != project.root
        lines = copy.params_file.read_text().splitlines()
        found = copy.read("fashion")
        other = copy.read("fashion-cnn")

    for line in ADDED:
        lines.remove(line)
    assert lines == expected.splitlines()
    assert (found.visualize.near, found.build.hidden) == (None, [7, 8])
    assert (found.fit.epochs, found.fit.class_weights) == (3, "balanced")
    assert other == project.read("fashion-cnn")
    assert project.params_file.read_text() == before


def test_another_family_leaves_the_keys_of_the_one_before(workspaces):
    project = shipped(workspaces("other"))
    with experiment.workspace(project, "one", "fashion", {"build": {"family": "linear"}}) as copy:
        keys = {"family", "output_units", "output_activation"}
        assert set(copy.read("fashion").build.model_dump()) == keys


def test_another_family_begins_with_its_own_defaults(workspaces):
    project = shipped(workspaces("begins"))
    changes = {"build": {"family": "cnn", "dropout": 0.3}}
    with experiment.workspace(project, "one", "fashion", changes) as copy:
        build = copy.read("fashion").build
        assert (build.family, build.filters, build.hidden) == ("cnn", [32, 64, 128], [])
        assert build.dropout == 0.3


def test_values_that_do_not_go_together_are_refused_before_anything_runs(workspaces):
    project, changes = shipped(workspaces("together")), {"evaluate": {"min_r2": 0.5}}
    with (
        pytest.raises(UserError, match=r"min_r2 cannot be measured"),
        experiment.workspace(project, "one", "fashion", changes),
    ):
        pass


def files(workspace, root: Path) -> dict[str, bytes | str]:
    """What git knows or would add, without params.yaml."""
    listed = workspace.run("git", "-C", str(root), "ls-files", "-coz", "--exclude-standard")
    names = {name for name in listed.split("\0") if name not in ("", "params.yaml")}
    return {name: content(root / name) for name in names if os.path.lexists(root / name)}


def content(path: Path) -> bytes | str:
    return os.readlink(path) if path.is_symlink() else path.read_bytes()


def test_a_copy_goes_though_a_process_in_it_ends_a_little_later(workspaces):
    project = shipped(workspaces("outlived"))
    writing = "from pathlib import Path\nfor n in range(3000):\n Path('late').mkdir(exist_ok=True)"
    writing += "\n Path(f'late/{n}').touch()"

    with experiment.workspace(project, "one", "fashion", SHORT) as copy:
        process = subprocess.Popen([sys.executable, "-c", writing], cwd=copy.root.parents[0])
        while not (copy.root.parents[0] / "late").exists():
            time.sleep(0.001)
    process.wait()
    assert not list((project.root / ".dvc/tmp/trials").glob("one*"))


def test_the_copy_is_the_working_tree_staged_or_not(workspaces):
    made = workspaces("as-it-is")
    for number, name in enumerate(("docs/design.md", "docs/models.md", "docs/tour.md")):
        (made.path / name).write_text(f"edited {number}")
    (made.path / "docs/extending.md").unlink()
    made.run("git", "mv", "docs/recovery.md", "docs/back.md")
    (made.path / "models/new.py").write_text("staged")
    (made.path / "models/link.py").symlink_to("new.py")
    made.run("git", "rm", "-q", "docs/prefect.md")
    shutil.rmtree(made.path / "benchmarks")
    made.run("git", "add", "docs/models.md", "docs/tour.md", "models")

    (made.path / "docs/tour.md").write_text("edited once more")
    (made.path / "models/untracked.py").write_text("untracked")
    (made.path / "benchmarks").write_text("a file where a folder was")
    made.run("git", "update-index", "--skip-worktree", "tasks/fit.py")
    (made.path / "tasks/fit.py").write_text("edited, and git is told not to look")

    project = Project(made.path)
    with experiment.workspace(project, "one", "linear", SHORT) as copy:
        expected, found = files(made, project.root), files(made, copy.root)
        assert found == expected
        assert "new.py" in made.run("git", "-C", str(copy.root), "diff", "--cached", "--name-only")
    assert not list((made.path / ".dvc/tmp/trials").glob("one*"))


@pytest.fixture(scope="module")
def larger(workspaces):
    """The project as a folder of a larger repository."""
    made = workspaces("larger")
    inner = made.path / "team" / "project"
    inner.mkdir(parents=True)
    for name in made.run("git", "ls-files", "-z").split("\0"):
        if name:
            (inner / name).parent.mkdir(parents=True, exist_ok=True)
            (made.path / name).rename(inner / name)
    (made.path / ".gitignore").write_text("/team/ignored/\n*.jpg\n*.JPEG\n")
    made.run("git", "add", "-A")
    made.run("git", "commit", "-qm", "Move it into a folder")
    made.path = inner
    return made


def links(root: Path) -> str:
    """A link to a link; git has neither of them, nor all of the images."""
    put_images(root / "kept/classes")
    (root / "in").mkdir(exist_ok=True)
    (root / "in/middle").symlink_to("../kept/classes")
    (root / "in/link").symlink_to("middle")
    return "in/link"


def outside(root: Path) -> str:
    put_images(root.parent.parent.parent / "beside")
    return "../../../beside"


def ignored_beside(root: Path) -> str:
    put_images(root.parent / "ignored" / "images")
    return "../ignored/images"


def in_a_submodule(root: Path) -> str:
    place = root / "in/theirs"
    put_images(place / "images")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Images"]):
        subprocess.run(["git", "-C", place, *command], check=True)
    subprocess.run(["git", "-C", root, "add", "in/theirs"], check=True)
    return "in/theirs/images"


# Where 10 images are, as load.path has it.
PLACES = {
    "ignored": lambda root: put_images(root / "data/own").relative_to(root),
    "ignored in part": lambda root: put_images(root / "in/part").relative_to(root),
    "ignored by the larger repository": ignored_beside,
    "outside": outside,
    "absolute": lambda root: put_images(root / "in/absolute"),
    "links": links,
    "in a submodule": in_a_submodule,
}


@pytest.mark.parametrize("place", PLACES)
def test_the_copy_has_the_same_data_wherever_they_are(larger, place):
    project = Project(larger.path)
    path = PLACES[place](project.root)
    expected = tree(project.root / path)
    larger.run("python", "-m", "flows", "new", "mine", str(path))
    larger.set(mine__load__path=str(path))
    try:
        with experiment.workspace(project, "one", "mine", SHORT) as copy:
            assert tree(copy.root / path) == expected
            if place in ("ignored in part", "links"):  # DVC's view takes seconds
                assert "8 training and 2 test rows" in dvc(copy, "repro", "load@mine")
                assert "changed" not in dvc(copy, "status", "load@mine")
    finally:
        larger.run("git", "checkout", "-q", "params.yaml")
    assert len(expected) == 10
    assert tree(project.root / path) == expected


def tree(root: Path) -> dict[str, bytes]:
    found = {}
    for folder, _, names in os.walk(root, followlinks=True):
        for name in names:
            path = Path(folder, name)
            found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found
