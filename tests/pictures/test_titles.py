"""The titles: one for every picture, and without importing what draws them."""

from __future__ import annotations

import subprocess
import sys

from ruamel.yaml import YAML

from tasks.pictures import TITLES, titles
from tests.conftest import ROOT


def test_every_picture_of_the_graph_has_a_title_and_no_other():
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    outputs = [str(out) for stage in stages for out in stage["do"].get("outs", [])]
    pictures = {out.rpartition("/")[2] for out in outputs if out.endswith(".png")}
    assert set(TITLES) == pictures


def test_titles_differ_where_classes_and_regression_differ():
    classes, regression = titles("one_hot"), titles("regression")
    assert list(classes) == list(regression) == list(TITLES)
    assert classes["mistakes.png"] == "Most confident mistakes"
    assert regression["mistakes.png"] == "Residuals"
    assert classes["learning_curve.png"] == regression["learning_curve.png"] == "Learning curve"


def test_titles_need_no_matplotlib():
    code = "import sys, tasks.pictures; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"
