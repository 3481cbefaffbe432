"""A run with other parameters: its copy of the project."""

from __future__ import annotations

import shutil

import pytest

from flows.engine import experiment
from flows.project.folder import Project
from tests.support.own import put_csv, table

SHIPPED = Project.here()
CHANGES = {
    "load": {"folder": "a folder"},
    "visualize": {"near": None},
    "build": {"hidden": [7, 8]},
    "fit": {"epochs": 3, "class_weights": "balanced"},
}
# What is in the section is changed there; what came by a merge is written out below it.
CHANGED = {
    "      folder: null # a": "      folder: a folder # a",
    "hidden: [1024, 512, 256, 128, 64] #": "hidden: [7, 8]                    #",  # in its column
}
ADDED = ["      near: null", "      epochs: 3", "      class_weights: balanced"]


def shipped(workspace) -> Project:
    """The project of a workspace, with the parameters that come with it."""
    shutil.copy(SHIPPED.params_file, workspace.path)
    return Project(workspace.path)


def test_the_copy_has_the_values_that_were_asked_for_and_every_other_line_as_it_was(workspaces):
    project = shipped(workspaces("tried"))
    before = expected = project.params_file.read_text()
    for old, new in CHANGED.items():
        expected = expected.replace(old, new, 1)

    with experiment.workspace(project, "fashion", CHANGES) as copy:
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
    with experiment.workspace(project, "fashion", {"build": {"family": "linear"}}) as copy:
        keys = {"family", "output_units", "output_activation"}
        assert set(copy.read("fashion").build.model_dump()) == keys


def test_another_family_begins_with_its_own_defaults(workspaces):
    project = shipped(workspaces("begins"))
    changes = {"build": {"family": "cnn", "dropout": 0.3}}
    with experiment.workspace(project, "fashion", changes) as copy:
        build = copy.read("fashion").build
        assert (build.family, build.filters, build.hidden) == ("cnn", [32, 64, 128], [])
        assert build.dropout == 0.3


@pytest.mark.parametrize("name", ["data/own/in.csv", "data/own"])
def test_the_copy_has_the_data_also_where_git_leaves_them_out(workspaces, name):
    made = workspaces(f"kept{len(name)}")
    put_csv(made.path / "data/own/in.csv", *table(30))
    put_csv(made.path / "data/own/train.csv", *table(30))
    made.run("python", "-m", "flows", "new", "mine", name)

    with experiment.workspace(Project(made.path), "mine", {"fit": {"epochs": 1}}) as copy:
        assert "24 + 6 rows" in experiment._dvc(copy, "repro", "load@mine")
        assert "changed" not in experiment._dvc(copy, "status", "load@mine")
    assert (made.path / name).exists()
