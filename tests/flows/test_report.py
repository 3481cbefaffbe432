"""What a run's pages in Prefect's UI say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.client.schemas.actions import ArtifactCreate
from prefect.states import Completed

from flows.pipeline import _rows
from flows.project.folder import Project
from flows.server import answered, champion, sweeps
from flows.server.markdown import listed
from flows.server.report import Run, _compared, _origin, _warnings, key, verdict
from flows.server.runs import titled
from tasks.answers.summary import Part, Summary
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources.base import New
from tests.support.project import new_project
from tests.support.promoted import commit, git


def test_a_first_run_has_no_empty_columns():
    assert _compared({"test_mae": 0.5}, {}).splitlines()[0] == "| metric | this run |"
    head, _, row = _compared({"test_mae": 0.5}, {"test_mae": 0.7}).splitlines()
    assert head == "| metric | this run | last run | difference |"
    assert row == "| test_mae | 0.5 | 0.7 | -0.2 |"


def test_the_score_to_choose_by_comes_before_those_of_the_test_rows(project):
    scores = {"passed": True, "test_loss": 1.0, "val_loss": 0.25, "test_mse": 0.5}
    folder = project.data("linear")
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(
        json.dumps(scores | {"test_mse_low": 0.4, "test_mse_high": 0.6})
    )
    assert verdict(project, "linear") == "passed, val_loss 0.25, test_mse 0.5 (0.4 to 0.6)"


def test_sentences_are_a_list_as_a_table_would_be_cut():
    row = ("near-duplicates", "ok", "none of *10* rows")
    assert listed([row]) == "- **near-duplicates** ok: none of \\*10\\* rows"


@pytest.mark.parametrize("pipeline", ["fashion", "Fashion_2", "kündigung", "c++"])
def test_whatever_a_pipeline_is_called_prefect_takes_the_key(pipeline):
    assert ArtifactCreate(key=key(pipeline, "report")).key.endswith("-report")


def test_the_checks_that_warn_are_named_in_one_line():
    found = [{"check": "labels", "result": "ok"}, {"check": "leaks", "result": "warning"}]
    assert _warnings(found) == "1 of 2 checks warn: leaks"
    assert _warnings(found[:1]) == "all ok"


def test_each_baseline_has_a_row():
    scores = {"test_mse": 1.0, "baselines": {"mean": 4.0}, "baselines_without": {"a": {"mean": 5}}}
    _, _, *rows = _compared(scores, {}).splitlines()
    assert rows == [
        "| test_mse | 1 |",
        "| baselines\\: mean | 4 |",
        "| baselines_without\\: a\\: mean | 5 |",
    ]


def test_the_commit_is_named_by_its_hash_whatever_tags_it_has(tmp_path):
    project = new_project(tmp_path / "project")
    git(project, "init", "-q")
    head = commit(project)
    git(project, "tag", "-a", "houses#champion#1", "-m", "Better")
    assert f"| commit | {head} |" in next(_origin(project, "linear", Run({}, [], 1, "")))
    project.params_file.write_text("pipelines: {}\n")
    assert f"| commit | {head}-dirty |" in next(_origin(project, "linear", Run({}, [], 1, "")))


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("fraud v0.0.1: better", "fraud: v0.0.1: better"),
        ("accuracy 0.9\nTo adopt it: ..", "fraud: accuracy 0.9"),
        (None, "fraud:"),
    ],
)
def test_a_title_has_the_name_once_and_the_first_line(message, title):
    assert titled("fraud", Completed(message=message)) == title


PAGES = {
    "of a sweep": lambda: sweeps.report(NOWHERE, None),
    "of new rows": lambda: answered.show("mine", None),
    "of the champions": lambda: champion.report(NOWHERE, "mine"),
}
NOWHERE = Project(Path("/nowhere"))


@pytest.mark.parametrize("page", PAGES)
def test_a_result_stays_one_when_the_server_has_gone(page, monkeypatch):
    """No page is made: the model, the answers or the tag are there."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    PAGES[page]()


def test_a_run_whose_records_were_deleted_says_so(tmp_path):
    with pytest.raises(UserError, match=r"^dvc\.lock was deleted or replaced during the run\."):
        _rows(new_project(tmp_path / "project"), "linear")


def test_answers_to_images_are_shown_with_them(tmp_path):
    """Beside how often each was given; of a table's rows that alone."""
    told = pd.DataFrame({"from": ["a.png", "b.png"], "predicted": "shoe", "confidence": 0.9})
    images = np.zeros((2, 8, 8), np.uint8)
    for x, titles in ((images, ["Answers", "The first images"]), (images[:, 0], ["Answers"])):
        summary = Summary()
        summary.add(Part(told, New(x, ["a.png", "b.png"], None)))
        shown = list(answered._pictures(Folder(tmp_path / "data/shoes"), summary))
        heads = [each.partition(";base64,")[0] for each in shown]
        assert heads == [f"![{title}](data:image/png" for title in titles]
