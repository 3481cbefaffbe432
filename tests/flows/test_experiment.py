"""A run with other parameters: its copy of the folder."""

from __future__ import annotations

import shutil

import pytest

from flows.engine import experiment
from flows.project.folder import Project
from tests.conftest import ROOT
from tests.support.own import put_csv, table

CHANGES = {
    "load": {"folder": "a folder"},
    "visualize": {"near": None},
    "build": {"hidden": [7, 8]},
    "fit": {"epochs": 3, "class_weights": "balanced"},
}
JIT = (
    "      jit_compile: true # about half the time for each epoch; its compilation takes 1 to 2 s\n"
)
LINES = {
    "folder: null # a": "folder: a folder # a",
    "      <<: *visualize\n": "      <<: *visualize\n      near: null\n",
    # Comments stay in their column.
    "hidden: [1024, 512, 256, 128, 64] #": "hidden: [7, 8]                    #",
    JIT: f"{JIT}      epochs: 3\n      class_weights: balanced\n",
}


def test_the_copy_has_the_values_that_were_asked_for_and_every_other_line_as_it_was(workspaces):
    made = workspaces("tried")
    shutil.copy(ROOT / "params.yaml", made.path)
    before = expected = (made.path / "params.yaml").read_text()
    for old, new in LINES.items():
        expected = expected.replace(old, new, 1)
    with experiment.workspace(Project(made.path), "fashion", CHANGES) as copy:
        assert copy.root != made.path
        assert copy.params_file.read_text() == expected
        read = copy.read("fashion")
        assert (read.visualize.near, read.build.hidden, read.fit.class_weights) == (
            None,
            [7, 8],
            "balanced",
        )
    assert (made.path / "params.yaml").read_text() == before


def test_another_family_leaves_the_keys_of_the_one_before(workspaces):
    made = workspaces("other")
    with experiment.workspace(
        Project(made.path), "fashion", {"build": {"family": "linear"}}
    ) as copy:
        assert set(copy.read("fashion").build.model_dump()) == {
            "family",
            "output_units",
            "output_activation",
        }


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
