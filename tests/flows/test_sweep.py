"""Sweeps: one table whatever ran it, no trial trained twice, and DVC knows what was trained."""

from __future__ import annotations

import json
import shutil

import pytest

from flows.engine import rounds
from flows.engine.sweep import sweep
from flows.engine.trial import DONE, Result
from flows.memory import lock
from flows.memory.recall import Recall
from flows.project import sweeps
from flows.project.changes import text_with
from flows.project.folder import Project
from flows.project.sweeps import changes
from tests.support.swept import put_sweep, trained

WIDE = {"compile.learning_rate": {"low": 0.01, "high": 1e12, "log": True}}


@pytest.fixture(scope="module")
def workspace(workspaces):
    return workspaces("swept", trained=True)


@pytest.fixture(scope="module")
def project(workspace):
    """A project whose sweep has run, one trial after the other."""
    made = put_sweep(Project(workspace.path))
    sweep(made, "linear")
    return made


def left(project: Project) -> dict[str, bytes]:
    return {
        name: (project.data("linear") / name).read_bytes() for name in ("sweep.csv", "sweep.png")
    }


def weights(project: Project) -> set[str]:
    """The weights of every training that the run cache has, by their MD5."""
    files = (project.root / ".dvc/cache/runs").glob("*/*/*")
    lines = [line for file in files for line in file.read_text().splitlines()]
    return {
        lines[place + 2].strip()
        for place, line in enumerate(lines)
        if line.endswith("best.weights.h5")
    }


def test_two_workers_leave_the_bytes_of_one(project, workspaces):
    other = put_sweep(Project(workspaces("beside", trained=True).path))
    sweep(other, "linear", workers=2)
    assert left(other) == left(project)
    assert weights(other) == weights(project)
    assert len(trained(other)) == 6


def test_a_finished_sweep_trains_nothing_and_leaves_the_same(project):
    before, lines = left(project), trained(project)
    assert len(lines) == 6
    table = sweep(project, "linear")
    assert trained(project) == lines
    assert left(project) == before
    assert all(result.found for _, result in table.rows.values())


def test_more_trials_begin_with_those_that_are_known(project):
    before = left(project)["sweep.csv"].decode()
    put_sweep(project, trials=7)
    sweep(project, "linear")
    assert left(project)["sweep.csv"].decode().startswith(before)
    assert len(trained(project)) == 7
    put_sweep(project)


def test_no_trial_has_seen_the_test_rows(project):
    places = (project.root / ".dvc/cache/runs").glob("*/*/*")
    commands = [file.read_text().splitlines()[0] for file in places]
    assert sum("evaluate" in line for line in commands) == 1, "that of the training before"
    assert sum("fit" in line for line in commands) == 8


def test_dvc_restores_what_a_sweep_has_trained_with_the_bytes_of_its_own_training(
    project, workspace
):
    table = sweep(project, "linear")
    text = project.params_file.read_text()
    project.params_file.write_text(text_with(text, "linear", changes(table.best[0].values)))
    said = workspace.dvc("repro", "fit@linear")
    assert "'fit@linear' is cached" in said
    assert "up to date" in workspace.dvc("status", "fit@linear")
    restored = workspace.bytes("linear")["data/linear/best.weights.h5"]

    said = workspace.dvc("repro", "-f", "-s", "fit@linear")
    assert "lowest loss" in said
    assert workspace.bytes("linear")["data/linear/best.weights.h5"] == restored
    project.params_file.write_text(text)
    workspace.dvc("repro", "fit@linear")


def test_the_best_trials_are_experiments_with_no_score_on_the_test_rows(project, workspace):
    workspace.run("git", "checkout", "-q", "data", "dvc.lock")
    table = sweep(project, "linear")
    names = workspace.run("git", "for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps")
    assert set(names.split()) == {f"linear-sweep-{number}" for number in range(1, 7)}
    assert "linear-sweep-" in workspace.dvc("exp", "show", "--csv")

    # It warns of pipelines that have never run here, and applies the experiment all the same.
    workspace.dvc("exp", "apply", f"linear-sweep-{table.ranked[0]}", code=None)
    scores = json.loads((project.data("linear") / "metrics.json").read_text())
    assert set(scores) == {"loss", "mae", "best_epoch"}
    assert scores["loss"] == table.best[1].value
    said = workspace.run("python", "-m", "flows", "plan", "linear")
    assert "evaluate     run" in said
    assert "fit          skip" in said
    workspace.run("git", "checkout", "-q", "data", "dvc.lock", "params.yaml")
    put_sweep(project)


def test_a_training_that_diverges_is_a_row_and_is_not_tried_again(project):
    put_sweep(project, space=WIDE, search="random", trials=4, round=4)
    table = sweep(project, "linear")
    failed = [result for _, result in table.rows.values() if result.state == "failed"]
    assert failed
    assert all("the training has diverged" in result.says for result in failed)
    assert table.best[1].value < float("inf")
    before, lines = left(project), len(trained(project))
    log = project.root / ".dvc/tmp/sweeps/linear/worker-1.log"
    said = log.read_text()

    sweep(project, "linear")
    assert (left(project), len(trained(project)), log.read_text()) == (before, lines, said)
    put_sweep(project)


def test_a_damaged_file_of_the_cache_is_made_again(project):
    table = sweep(project, "linear")
    before, count = left(project), len(trained(project))
    number = table.ranked[0]
    place = project.root / ".dvc/cache/files/md5"
    history = project.data("linear") / "history.csv"
    digest = entry_of(project, table, number)["history.csv"]
    kept = place / digest[:2] / digest[2:]
    kept.chmod(0o644)
    kept.write_text("epoch,loss\n")
    sweep(project, "linear")
    assert left(project) == before
    assert len(trained(project)) == count + 1
    assert history.is_file()


def entry_of(project, table, number) -> dict[str, str]:
    """The MD5 of each file that a trial's training wrote, by its name."""
    from flows.engine.trial import Trials

    trials = Trials(project, table.sweep)
    trial = table.rows[number][0]
    trials.run(trial, None)
    return {
        out["path"].rpartition("/")[2]: out["md5"]
        for out in trials.entries[trial.trained]["fit"]["outs"]
    }


def test_code_that_was_edited_since_makes_other_keys(workspace):
    """Whatever dvc.lock has of it; also of a folder."""
    project = Project(workspace.path)
    before = Recall(project, "linear", ("fit",)).forms["fit"]["deps"]
    edited = [project.root / name for name in ("tasks/fit.py", "tasks/training/loop.py")]
    texts = [file.read_text() for file in edited]
    for file in edited:
        file.write_text(file.read_text() + "# edited\n")
    after = Recall(project, "linear", ("fit",)).forms["fit"]["deps"]
    for file, text in zip(edited, texts, strict=True):
        file.write_text(text)
    changed = [dep["path"] for dep in after if dep not in before]
    assert changed == ["tasks/fit.py", "tasks/training"]


def test_halving_goes_on_with_the_bytes_of_an_unbroken_training(project, workspaces):
    put_sweep(project, halving=[2, 4, 8], trials=6, round=6, search="random")
    table = sweep(project, "linear", workers=2)
    states = [result.state for _, result in table.rows.values()]
    assert states.count("done") == 2
    assert states.count("stopped early") == 4
    assert {result.epochs for _, result in table.rows.values()} == {2, 4, 8}
    logs = (project.root / ".dvc/tmp/sweeps/linear").glob("worker-*.log")
    assert sum(log.read_text().count("continuing in epoch") for log in logs) == 5
    best = entry_of(project, table, table.ranked[0])

    other = put_sweep(Project(workspaces("unbroken", trained=True).path))
    text = other.params_file.read_text()
    values = {**table.best[0].values, "fit.epochs": 8}
    other.params_file.write_text(text_with(text, "linear", changes(values)))
    from flows.engine.apart import Apart
    from flows.engine.trial import Trial, Trials
    from flows.project import sweeps

    trials = Trials(other, sweeps.read(other, "linear"))
    place = other.root / ".dvc/tmp/sweeps/linear"
    place.mkdir(parents=True)
    with open(place / "lock", "w") as held:
        apart = Apart(place / "worker-1.log", held)
        trial = Trial(1, {"fit.epochs": 8})
        trials.run(trial, apart)
        apart.close()
    outs = trials.entries[trial.trained]["fit"]["outs"]
    assert {out["path"].rpartition("/")[2]: out["md5"] for out in outs} == best
    assert not list(project.root.glob(".dvc/tmp/sweeps/linear/*/")), "nothing is left"
    put_sweep(project)
    assert lock.stages(project)
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("how", "asked"),
    [
        ({"search": "tpe"}, [[1, 2, 3], [4, 5, 6]]),
        ({"search": "random"}, [[1, 2, 3, 4, 5, 6]]),
        ({"search": "grid", "space": {"fit.batch_size": [2, 3, 6, 9]}}, [[1, 2, 3, 4]]),
        (
            {"search": "random", "halving": [1, 3]},
            [[1, 2, 3], [3], [4, 5, 6], [6]],
        ),
    ],
)
def test_only_a_search_that_learns_from_a_round_waits_for_its_end(workspace, how, asked):
    project = put_sweep(Project(workspace.path), **how)
    found: list[list[int]] = []

    def run(trials):
        found.append([trial.number for trial in trials])
        return [Result(DONE, 1 / trial.number, 1, 1) for trial in trials]

    chosen = sweeps.read(project, "linear")
    assert list(rounds.run(project, chosen, run).rows) == [*range(1, 1 + max(max(asked)))]
    assert found == asked
    put_sweep(project)
