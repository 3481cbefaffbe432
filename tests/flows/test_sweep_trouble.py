"""Trouble around a sweep is named; what was trained is kept, and the same command goes on."""

from __future__ import annotations

import re
import shutil
import threading

import pytest

from flows.engine import apart as apart_module
from flows.engine import step, trial
from flows.engine.apart import Apart
from flows.engine.side_by_side import SideBySide
from flows.engine.sweep import sweep
from flows.project.folder import Project
from tasks.core.folder import Folder
from tasks.core.step import Stopped, UserError
from tests.support.disk import small_disk
from tests.support.swept import put_sweep, trained

RUN = (
    "python",
    "-c",
    "from flows.engine.sweep import *; print(sweep(Project.here(), 'linear').so_far())",
)
MODELS = """
import os
import keras

def small(schema):
    return keras.Sequential([keras.Input(schema["input_shape"]), keras.layers.Dense(1)])

def too_large(schema):
    os.kill(os.getpid(), 9)  # as Linux does when the memory is short
"""


@pytest.fixture(scope="module")
def workspace(workspaces):
    made = workspaces("troubled", trained=True)
    put_sweep(Project(made.path), trials=3, round=1, seed=7)
    return made


@pytest.fixture
def project(workspace):
    return Project(workspace.path)


def test_parameters_that_are_edited_meanwhile_stop_the_sweep_and_nothing_is_lost(project):
    before = project.params_file.read_text()

    def submit(side: SideBySide):
        def run(trials):
            results = side.run_all(trials)
            put_sweep(project, trials=3, round=1, seed=8)
            return results

        return run

    with pytest.raises(
        UserError, match="changed while the sweep was running, so its table matches"
    ):
        sweep(project, "linear", submit=submit)
    assert not (project.data("linear") / "sweep.csv").exists()
    assert len(trained(project)) == 1

    project.params_file.write_text(before)
    sweep(project, "linear")
    assert len(trained(project)) == 3


def test_of_two_sweeps_at_once_the_second_waits_and_has_nothing_to_do(workspace, project):
    put_sweep(project, trials=2, round=1, seed=9)
    shutil.rmtree(project.root / ".dvc/tmp/sweeps", ignore_errors=True)
    processes = [workspace.start(*RUN) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    ends = [re.search("2 of 2 trials, best loss .*", each)[0] for each in said]
    assert ends[0] == ends[1]
    assert len(trained(project)) == 2


def test_a_full_disk_stops_the_sweep_and_is_named_and_then_it_goes_on(project):
    put_sweep(project, trials=2, round=2, seed=10, search="random")
    place = project.root / ".dvc/tmp/sweeps/linear"
    place.mkdir(parents=True, exist_ok=True)
    with (
        small_disk(place, "size=24k"),
        pytest.raises(step.Outside, match="No space left on device"),
    ):
        sweep(project, "linear")
    assert sweep(project, "linear").best


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_a_stop_while_the_process_of_a_trial_begins_is_a_stop(project, tmp_path, seconds):
    apart = Apart(tmp_path / "log", None)
    # Before it is there at all, or before it listens to signals.
    threading.Timer(seconds, apart.stop).start()
    steps = ("build", "compile")  # on a busy machine build may be done by then
    with pytest.raises(Stopped, match="stopped before"):
        [trial._run(apart, project, each, "linear") for each in steps]
    apart.close()


def test_a_process_that_was_told_to_stop_between_two_steps_is_not_that_of_the_next_trial(
    project, tmp_path
):
    apart = Apart(tmp_path / "log", None)
    apart.run(project, "build", "linear")
    apart.stop()
    apart.stopped = False  # as the next trial begins
    apart.run(project, "fit", "linear")
    apart.close()


def test_a_process_that_has_become_large_begins_anew(project, tmp_path, monkeypatch):
    apart, pids = Apart(tmp_path / "log", None), []
    for large in (apart_module.LARGE, 2**20):
        monkeypatch.setattr(apart_module, "LARGE", large)
        for name in ("build", "compile"):
            apart.run(project, name, "linear")
            pids.append(apart.process.pid)
    apart.close()
    assert pids[0] == pids[1]
    assert len(set(pids)) == 3


class Dying:
    """A process that trains a little and is killed, so many times."""

    log, stopped = "log", False

    def __init__(self, deaths: int, saves: bool) -> None:
        self.deaths, self.saves = deaths, saves

    def run(self, place, step, pipeline):
        if not self.deaths:
            return "used"
        self.deaths -= 1
        if self.saves:
            file = Folder(place.data(pipeline)).scratch("fit.npz")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(str(self.deaths))
        raise apart_module.Died("exit code -9")


def test_a_trial_that_makes_progress_between_its_deaths_is_trained_to_its_end(tmp_path):
    place = Project(tmp_path)
    assert trial._run(Dying(2 * trial.DEATHS, saves=True), place, "fit", "linear") == "used"
    with pytest.raises(UserError, match="its process ended 3 times"):
        trial._run(Dying(trial.DEATHS, saves=False), place, "fit", "linear")


def test_a_trial_whose_process_dies_again_and_again_is_a_row(project):
    (project.root / "models/mine.py").write_text(MODELS)
    functions = ["models.mine:small", "models.mine:too_large"]
    space = {"build.family": ["function"], "build.function": functions}
    put_sweep(project, search="grid", trials=2, round=2, space=space)
    table = sweep(project, "linear", workers=2)
    states = {trial.values["build.function"]: result for trial, result in table.rows.values()}
    assert states["models.mine:small"].state == "done"
    assert "its process ended 3 times" in states["models.mine:too_large"].says
    (project.root / "models/mine.py").unlink()


def test_nothing_but_failures_is_an_error_with_the_first_reason(project):
    space = {"compile.learning_rate": {"low": 1e25, "high": 1e30, "log": True}}
    put_sweep(project, trials=2, round=1, search="random", space=space)
    with pytest.raises(
        UserError, match=r"No trial of linear was trained to its end. The first: loss"
    ):
        sweep(project, "linear")


def test_what_other_code_has_trained_is_not_recorded(project):
    put_sweep(project, trials=1, round=1, seed=13, search="random")
    file = project.root / "tasks/training/__init__.py"
    before = file.read_bytes()
    file.write_bytes(before + b"# edited after the process of the trial began\n")
    with pytest.raises(step.Outside, match="tasks/training changed while a trial was running"):
        sweep(project, "linear")
    file.write_bytes(before)
    count = len(trained(project))
    assert sweep(project, "linear").best
    assert len(trained(project)) == count + 1, "it was trained anew"


def test_without_git_there_is_a_table_and_no_experiment(project):
    put_sweep(project, trials=2, round=1, seed=9)
    (project.root / ".git").rename(project.root / "git")
    try:
        table = sweep(project, "linear")
    finally:
        (project.root / "git").rename(project.root / ".git")
    assert table.experiments == []
    assert (project.data("linear") / "sweep.csv").is_file()
