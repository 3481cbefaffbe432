"""A run with other parameters: its copy of the folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from flows import experiment, params
from flows.params import ROOT

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
