"""A run whose checkpoint is clearly overfitted says which parameter to change."""

from __future__ import annotations

import json

import pytest

from flows.command import summary
from flows.command.new import new
from flows.project.advice import advice
from flows.project.folder import Project
from tests.support.own import put_csv, table
from tests.support.project import new_project

ADVICE = (
    "val_loss was 0.5 in epoch 2, and 0.7 in the one that was kept, 4: overfitting. "
    "Try fit.monitor: val_loss"
)


@pytest.fixture
def project(tmp_path) -> Project:
    made = new_project(tmp_path / "project")
    new(made, "mine", str(put_csv(made.root / "own/in.csv", *table(60))))
    made.data("mine").mkdir(parents=True)
    return made


def trained(project: Project, *val_losses: float, kept: int = 4) -> None:
    """Epochs of a training, one of which was kept."""
    lines = ["epoch,loss,val_loss,checkpoint"]
    for epoch, loss in enumerate(val_losses, start=1):
        lines.append(f"{epoch},{1 / epoch},{loss},{int(epoch <= kept)}")
    put_csv(project.data("mine") / "history.csv", *lines)


def changed(project: Project, old: str, new: str) -> None:
    content = project.params_file.read_text(encoding="utf-8")
    head, mine = content.split("  mine: #")
    assert old in mine
    project.params_file.write_text(f"{head}  mine: #{mine.replace(old, new)}", encoding="utf-8")


def test_a_table_of_few_rows_is_told_that_its_last_epochs_overfit(project):
    assert project.read("mine").fit.monitor == "loss"
    trained(project, 0.9, 0.5, 0.6, 0.7)
    assert advice(project, "mine") == ADVICE


def test_a_checkpoint_before_the_last_epoch_counts(project):
    trained(project, 0.9, 0.5, 0.52, 0.9, kept=3)
    assert advice(project, "mine") == ""


@pytest.mark.parametrize("last", [0.5, 0.54])
def test_a_little_more_is_no_overfitting(project, last):
    trained(project, 0.9, 0.5, 0.6, last)
    assert advice(project, "mine") == ""


def test_who_monitors_val_loss_needs_no_advice(project):
    trained(project, 0.9, 0.5, 0.6, 0.7)
    changed(project, "monitor: loss", "monitor: val_loss")
    assert advice(project, "mine") == ""


def test_test_rows_choose_no_epoch(project):
    trained(project, 0.9, 0.5, 0.6, 0.7)
    changed(project, "<<: *normalize", "<<: *normalize\n      validation: test")
    assert advice(project, "mine") == ""


def test_without_validation_rows_there_is_none(project):
    assert project.read("linear").normalize.validation == "none"
    assert advice(project, "linear") == ""


def test_a_run_ends_with_the_advice(project, capsys):
    trained(project, 0.9, 0.5, 0.6, 0.7)
    contents = {
        "metrics": {"best_epoch": 4, "val_loss": 0.7, "test_accuracy": 0.5},
        "schema": {"labels": "classes"},
        "checks": [{"check": "labels", "result": "warning", "says": "one class is rare"}],
        "near_duplicates": {"count": 0, "result": "ok"},
    }
    for name, content in contents.items():
        (project.data("mine") / f"{name}.json").write_text(json.dumps(content))

    summary.show(project, "mine", "somewhere", True)
    said = capsys.readouterr().out
    assert ADVICE in " ".join(said.split())
    assert "\n  labels: one class is rare\n" in said  # also if normalize is cached
