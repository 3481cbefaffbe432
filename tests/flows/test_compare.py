"""`compare`: the experiments of a pipeline, by the validation score, with what they changed."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from PIL import Image

from flows.command import compare
from flows.engine.experiment import _parsed, result_here
from flows.project.folder import Project

COMPARE = ("python", "-m", "flows", "compare", "linear")


@pytest.fixture(scope="module")
def workspace(workspaces):
    """A commit with a score, and three experiments as DVC keeps them: a git reference each."""
    made = workspaces("compared")
    (made.path / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")  # no run of other parameters
    score(made, 0.5)
    made.run("git", "commit", "-qam", "Run")
    base = made.run("git", "rev-parse", "HEAD").strip()

    tried = {
        "better": (0.25, {"linear__fit__epochs": 4, "linear__fit__seed": 7}),
        "worse": (0.75, {"linear__compile__learning_rate": 0.5}),
        "another": (None, {"fashion__fit__epochs": 9}),  # of another pipeline
    }
    for name, (loss, values) in tried.items():
        made.set(**values)
        if loss:
            score(made, loss)
        made.run("git", "commit", "-qam", name)
        made.run("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", "HEAD")
        made.run("git", "reset", "-q", "--hard", base)
    return made


@pytest.mark.parametrize(
    ("score", "cell"), [(0.21, "0.2100"), (1234.56, "1235"), (5.519e9, "5,519,000,000"), (None, "")]
)
def test_a_score_is_written_as_people_do(score, cell):
    assert compare._cell(score) == cell


def score(workspace, loss: float) -> None:
    file = workspace.path / "data/linear/metrics.json"
    file.write_text(json.dumps({"val_loss": loss, "val_mae": loss / 2, "test_mse": 1.0}) + "\n")
    history = f"epoch,loss,val_loss,checkpoint\n1,9,9,1\n2,{loss},{loss},1\n3,8,8,0\n"
    file.with_name("history.csv").write_text(history)


def test_the_lowest_val_loss_is_first_with_the_changed_parameters_and_no_test_score(workspace):
    head, *rows, _, _ = workspace.run(*COMPARE).splitlines()
    assert head.split()[:3] == ["experiment", "val_loss", "val_mae"]
    assert [" ".join(row.split()) for row in rows] == [
        "better 0.2500 0.1250 fit.epochs: 3 -> 4, fit.seed: 0 -> 7",
        "(here) 0.5000 0.2500",
        "worse 0.7500 0.3750 compile.learning_rate: 0.01 -> 0.5",
    ]


def test_scores_of_other_parameters_than_those_here_are_not_told(workspaces):
    made = workspaces("edited", trained=True)
    project = Project(made.path)
    assert result_here(project, "linear").metrics
    made.set(linear__fit__epochs=7)
    assert not result_here(project, "linear").metrics

    made = workspaces("forged", trained=True)
    (made.path / "data/linear/metrics.json").write_text('{"val_loss": 0}')
    assert not result_here(Project(made.path), "linear").metrics


def test_the_learning_curves_are_drawn(workspace):
    said = workspace.run(*COMPARE, "--picture", "curves.png")
    assert said.splitlines()[-1] == "learning curves: curves.png"
    with Image.open(workspace.path / "curves.png") as picture:
        colors = picture.convert("RGB").getcolors()
    assert len(colors) > 3
    assert picture.width == 1200

    assert "expected a .png file" in workspace.run(*COMPARE, "--picture", "no/curves.png", code=1)


def test_an_experiment_is_adopted_and_every_other_line_of_the_parameters_stays(workspace):
    said = workspace.run(*COMPARE, "--apply", "better")
    assert said.splitlines()[:2] == ["fit.epochs: 3 -> 4", "fit.seed: 0 -> 7"]
    added = re.findall(r"^\+ +(.*)", workspace.run("git", "diff", "params.yaml"), re.MULTILINE)
    assert {"epochs: 4", "seed: 7"} <= set(added)
    assert "<<: *fit" in (workspace.path / "params.yaml").read_text(encoding="utf-8")

    assert "has the parameters" in workspace.run(*COMPARE, "--apply", "better")
    assert "There are: better, worse." in workspace.run(*COMPARE, "--apply", "none", code=1)
    workspace.run("git", "checkout", "-q", "params.yaml")


def test_dvcs_own_command_shows_the_same(workspace):
    """As docs/models.md has it."""
    page = (workspace.path / "docs/models.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(dvc exp show .*?) +#", page, re.MULTILINE)
    command = command.replace("/fashion/", "/linear/")
    said = workspace.run(*shlex.split(command), "--no-pager")
    rows = [line for line in said.splitlines() if "better" in line or "worse" in line]
    assert ["better" in row for row in rows] == [True, False]
    assert "test_mse" not in said


def test_without_validation_rows_it_says_what_to_do(workspaces):
    said = workspaces("uncompared").run(*COMPARE, code=1)
    assert "No run of linear has a score on validation rows. Hold some out with" in said


def test_a_clone_without_experiments_is_told_how_to_get_those_of_others(workspaces):
    made = workspaces("unshared")
    (made.path / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    score(made, 0.5)
    assert "dvc exp pull" not in made.run(*COMPARE)

    made.run("git", "remote", "add", "origin", "elsewhere")
    said = made.run(*COMPARE)
    assert "No experiment yet. To make one: python -m flows train linear" in said
    assert "dvc exp pull origin NAME" in said


@pytest.mark.parametrize("name", ["linear", "c++"])
def test_the_data_of_a_pipeline_are_found_whatever_it_is_called(name):
    recorded = f"    - path: data/{name}/raw.npz\n      hash: md5\n      md5: abc123\n"
    assert _parsed("pipelines: {}\n", "{}", "", recorded, name).data == "abc123"
