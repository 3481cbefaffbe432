"""A run with other parameters: its copy of the folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flows.engine import experiment
from flows.project import params
from flows.project.params import ROOT
from tests.support.own import put_csv, table

CHANGES = {
    "load": {"folder": "a folder"},
    "visualize": {"near": None},
    "build": {"hidden": [7, 8]},
    "fit": {"epochs": 3, "class_weights": "balanced"},
}
LINES = {
    "folder: null # a": "folder: a folder # a",
    "near: 0.014": "near: null",
    "hidden: [1024, 512, 256, 128, 64] #": "hidden: [7, 8]                    #",  # comments stay in their column
    "epochs: 20": "epochs: 3",
    "class_weights: null": "class_weights: balanced",
}


def test_the_copy_has_the_values_that_were_asked_for_and_every_other_line_as_it_was(workspaces, monkeypatch):
    made = workspaces("tried")
    shutil.copy(ROOT / "params.yaml", made.path)
    before = expected = (made.path / "params.yaml").read_text()
    for old, new in LINES.items():
        expected = expected.replace(old, new, 1)
    monkeypatch.chdir(made.path)
    with experiment.workspace("fashion", CHANGES):
        assert Path.cwd() != made.path
        assert Path("params.yaml").read_text() == expected
        read = params.read("fashion")
        assert (read.visualize.near, read.build.hidden, read.fit.class_weights) == (None, [7, 8], "balanced")
    assert Path("params.yaml").read_text() == before
    assert Path.cwd() == made.path


def test_another_family_leaves_the_keys_of_the_one_before(workspaces, monkeypatch):
    made = workspaces("other")
    monkeypatch.chdir(made.path)
    with experiment.workspace("fashion", {"build": {"family": "linear"}}):
        assert set(params.read("fashion").build.model_dump()) == {"family", "output_units", "output_activation"}


@pytest.mark.parametrize("name", ["data/own/in.csv", "data/own"])
def test_the_copy_has_the_data_also_where_git_leaves_them_out(workspaces, monkeypatch, name):
    made = workspaces(f"kept{len(name)}")
    put_csv(made.path / "data/own/in.csv", *table(30))
    put_csv(made.path / "data/own/train.csv", *table(30))
    made.run("python", "flows/new.py", "mine", name)
    monkeypatch.chdir(made.path)
    with experiment.workspace("mine", {"fit": {"epochs": 1}}):
        assert "24 + 6 rows" in experiment._dvc("repro", "load@mine")
        assert "changed" not in experiment._dvc("status", "load@mine")
    assert (made.path / name).exists()
