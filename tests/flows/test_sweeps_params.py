"""The part `sweeps:` of params.yaml: what cannot work is refused before anything is trained."""

from __future__ import annotations

import json

import pytest

from flows.command.remove import remove
from flows.command.sweep import main
from flows.engine import rounds
from flows.engine.side_by_side import Lines
from flows.engine.trial import Result
from flows.guess import space
from flows.project import edit, sweeps, textfile
from tasks.core.step import UserError
from tests.support.project import PARAMS, new_project
from tests.support.swept import put_sweep

RATE = {"low": 0.001, "high": 0.1, "log": True}
SPACE = {"compile.learning_rate": RATE}
USUAL = {"objective": "val_loss", "space": SPACE}


def tried(key: str, domain) -> dict:
    return {"space": {key: domain}}


# What a sweep of `fashion` says, and what the message says.
MISTAKES = {
    "unknown key": ({"trails": 3}, "sweeps.fashion.trails: unknown key. Did you mean `trials`?"),
    "no trial": ({"trials": 0}, "sweeps.fashion.trials: got 0, expected a whole number above 0"),
    "trials are a word": (
        {"trials": "many"},
        "sweeps.fashion.trials: got 'many', expected a whole",
    ),
    "no round": ({"round": 0}, "sweeps.fashion.round: got 0, expected a whole number above 0."),
    "one round of tpe": ({"round": 6}, "round is 6 and trials is 6. Set round to a third"),
    "negative seed": ({"seed": -1}, "sweeps.fashion.seed: got -1, expected a whole number"),
    "unknown search": ({"search": "gird"}, "got 'gird', expected `tpe`, `random`, `grid`."),
    "unknown objective": ({"objective": "test_loss"}, "got 'test_loss', expected `val_loss`,"),
    "objective of a regression": (
        {"objective": "val_mae"},
        "objective is val_mae, which a training of fashion does not measure. Expected val_loss, "
        "val_accuracy, loss, accuracy.",
    ),
    "no space": ({"space": {}}, "sweeps.fashion.space: got {}, expected a section with keys"),
    "space is a list": ({"space": [1]}, "space: got [1], expected a section with keys."),
    "no step": (tried("learning_rate", RATE), "learning_rate names no parameter that a sweep can"),
    "misspelt step": (tried("biuld.dropout", [0.1]), "Did you mean `build`? Expected build., comp"),
    "no parameter": (
        tried("fit.batchsize", [8]),
        "sweeps.fashion.space.fit.batchsize: unknown key. Did you mean `batch_size`?",
    ),
    "another family's": (tried("build.filters", [[8]]), "space.build.filters: unknown key"),
    "test rows": (tried("load.path", ["a"]), "load.path names no parameter that a sweep can try"),
    "validation rows": (tried("normalize.seed", [1]), "normalize.seed names no parameter"),
    "another loss": (tried("compile.loss", ["mse"]), "trials with other losses cannot be compared"),
    "threads": (tried("fit.threads", [1, 2]), "fit.threads cannot be tried: all trials compute"),
    "monitor": (tried("fit.monitor", ["loss"]), "choose their checkpoint otherwise"),
    "no value": (tried("fit.batch_size", []), "got [], expected a list of values to try, or a ra"),
    "one value": (tried("fit.batch_size", 32), "got 32, expected a list of values to try, or a"),
    "a value twice": (tried("fit.batch_size", [8, 8]), "a value stands twice in [8, 8]."),
    "a value twice in two types": (tried("compile.learning_rate", [1, 1.0]), "twice in [1, 1.0]."),
    "wrong type": (tried("fit.batch_size", ["8"]), "space.fit.batch_size: got '8', expected a wh"),
    "out of bounds": (tried("build.dropout", [1.5]), "got 1.5, expected a number at least 0 and"),
    "range out of bounds": (
        tried("build.dropout", {"low": 0.0, "high": 1.0, "log": False}),
        "sweeps.fashion.space.build.dropout: got 1.0, expected a number",
    ),
    "range of words": (tried("compile.optimizer", RATE), "compile.optimizer: got 0.001, expected"),
    "low above high": (
        tried("compile.learning_rate", {**RATE, "low": 1.0}),
        "low is 1.0, high is 0.1. Swap them.",
    ),
    "low is high": (tried("fit.epochs", {**RATE, "low": 3, "high": 3}), "List the value: [3]."),
    "a step alone": (tried("fit", [1]), "names no parameter that a sweep can try. Expected build."),
    "logarithm of zero": (
        tried("build.dropout", {"low": 0.0, "high": 0.5, "log": True}),
        "low is 0.0. With `log: true` it must be above 0.",
    ),
    "half a range": (tried("build.dropout", {"low": 0.0}), "build.dropout.high: missing."),
    "range with a step": (
        tried("build.dropout", {**RATE, "step": 1}),
        "space.build.dropout.step: unknown key. Known here: low, high, log.",
    ),
    "grid of a range": ({"search": "grid"}, "learning_rate is a range, and `search: grid` tries"),
    "grid of a million": (
        {"search": "grid", **tried("fit.seed", list(range(1000)))}
        | {"space": {"fit.seed": list(range(1000)), "fit.batch_size": list(range(1, 1001))}},
        "the grid has 1,000,000 combinations, and trials is 6.",
    ),
    "one rung": ({"halving": [3]}, "sweeps.fashion.halving: got [3], expected a list with content"),
    "rungs go down": ({"halving": [9, 3]}, "halving is [9, 3]. Expected each number above the"),
    "two say the epochs": (
        {"halving": [3, 9], **tried("fit.epochs", [1, 2])},
        "halving sets the epochs. Take fit.epochs out of the space.",
    ),
    "a schedule has a length": (
        {"halving": [3, 9], **tried("fit.schedule", ["constant", "cosine"])},
        "with fit.schedule cosine the learning rate depends on its length",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_its_place_and_what_to_do(tmp_path, mistake):
    how, says = MISTAKES[mistake]
    project = put_sweep(new_project(tmp_path / "project"), "fashion", **{**USUAL, **how})
    with pytest.raises(UserError) as error:
        sweeps.read(project, "fashion")
    assert says in str(error.value)
    assert str(error.value).startswith("params.yaml: sweeps.fashion")


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ("[1]", r"params.yaml: sweeps: got \[1\], expected a section with keys."),
        ("tpe", "params.yaml: sweeps: got 'tpe', expected a section with keys."),
        ("{fasion: 1}", r"sweeps.fasion: no pipeline has this name. Did you mean `fashion`\?"),
        ("{fashion: null}", "params.yaml: sweeps.fashion: got null, expected a section with keys."),
    ],
)
def test_what_is_no_section_of_a_pipeline_is_refused(tmp_path, there, says):
    project = new_project(tmp_path / "project", PARAMS.replace("sweeps: {}", f"sweeps: {there}"))
    with pytest.raises(UserError, match=says):
        sweeps.read(project, "fashion")


@pytest.mark.parametrize("workers", ["0", "-1", "65"])
def test_a_wrong_number_of_workers_is_refused_before_anything_is_written(capsys, workers):
    with pytest.raises(SystemExit):
        main(["linear", "--workers", workers])
    assert f"--workers is {workers}, expected 1 to 64" in capsys.readouterr().err


def test_without_validation_rows_only_the_training_is_measured(tmp_path):
    project = put_sweep(new_project(tmp_path / "project"), "linear", **USUAL)
    with pytest.raises(UserError, match=r"does not measure. Expected loss, mae."):
        sweeps.read(project, "linear")


@pytest.mark.parametrize(
    ("key", "kind"), [("fit.batch_size", int), ("compile.learning_rate", float)]
)
def test_whole_bounds_of_a_parameter_that_takes_any_number_are_no_whole_numbers(
    tmp_path, key, kind
):
    how = tried(key, {"low": 1, "high": 10, "log": False})
    project = put_sweep(new_project(tmp_path / "project"), "fashion", **{**USUAL, **how})
    domain = sweeps.read(project, "fashion").space[key]
    assert (domain.low, type(domain.low), type(domain.high)) == (1, kind, kind)


def test_trials_with_the_same_values_are_all_known(tmp_path):
    """The plan of a finished sweep says that none needs a training."""
    how = tried("fit.batch_size", [8, 16]) | {"search": "random", "round": 3}
    project = put_sweep(new_project(tmp_path / "project"), "fashion", **{**USUAL, **how})
    sweep = sweeps.read(project, "fashion")
    found = Result("done", 0.5, 1, 1, found=True)
    assert rounds.known(project, sweep, lambda _: found) == sweep.params.trials == 6
    assert rounds.known(project, sweep, lambda _: None) == 0


def test_the_lines_of_a_sweep_count_each_trial_with_the_same_values(tmp_path, caplog):
    how = tried("fit.batch_size", [8, 16]) | {"search": "random", "round": 3}
    project = put_sweep(new_project(tmp_path / "project"), "fashion", **{**USUAL, **how})
    sweep, result = sweeps.read(project, "fashion"), Result("done", 0.5, 1, 1, found=True)
    lines = Lines(sweep)

    def run(trials):
        for trial in trials:
            lines.ended(trial, result, 0.0)
        return [result] * len(trials)

    with caplog.at_level("INFO", "flows"):
        rounds.run(project, sweep, run)
        lines.tell_known()
    assert "known already: 6 of 6 trials" in caplog.text
    assert lines.so_far()[1].startswith("trial 6 of 6")


def test_keys_of_several_families_are_allowed_together(tmp_path):
    space = {"build.family": ["mlp", "cnn"], "build.filters": [[2], [4]], "build.hidden": [[8]]}
    project = put_sweep(new_project(tmp_path / "project"), "fashion", **{**USUAL, "space": space})
    found = sweeps.read(project, "fashion")
    assert found.used("mlp") == ["build.family", "build.hidden"]
    assert found.used("cnn") == list(space)
    sections = found.sections({"build.family": "cnn", "build.filters": [4]})
    assert sections["build"]["head"] == "average", "the family's own defaults"


def test_a_family_without_defaults_takes_its_keys_from_the_space(tmp_path):
    space = {"build.family": ["function"], "build.function": ["models.example:residual"]}
    project = put_sweep(new_project(tmp_path / "project"), "fashion", **{**USUAL, "space": space})
    assert sweeps.read(project, "fashion").used("function") == list(space)

    space = {"build.family": ["function"], "fit.batch_size": [8]}
    put_sweep(project, "fashion", **{**USUAL, "space": space})
    with pytest.raises(UserError, match=r"sweeps.fashion.space.build.function: missing"):
        sweeps.read(project, "fashion")


@pytest.mark.parametrize("name", ["fashion", "fashion-cnn", "linear"])
def test_a_proposal_can_be_read_and_taken_out_again_and_no_other_byte_changes(tmp_path, name):
    project = new_project(tmp_path / "project")
    values = space.propose(project.read(name))
    longer = edit.with_sweep(PARAMS, name, space.lines(name, values), values)
    assert not [line for line in longer.splitlines() if "#" in line and len(line) > 100]
    textfile.write(project.params_file, longer)
    found = sweeps.read(project, name)
    assert json.loads(found.params.model_dump_json()) == values

    other = "linear" if name == "fashion" else "fashion"
    put_sweep(project, other, objective="loss")
    assert sweeps.names(project) == [name, other]
    remove(project, other)
    remove(project, name)
    assert project.params_file.read_text() == edit.without(edit.without(PARAMS, other), name)


@pytest.mark.parametrize("there", ["sweeps: {}\n\n", "sweeps:\n\n", ""])
def test_a_sweep_can_be_added_whatever_is_there(tmp_path, there):
    text = PARAMS.replace("sweeps: {}\n\n", there)
    project = put_sweep(new_project(tmp_path / "project", text), "fashion", **USUAL)
    assert sweeps.names(project) == ["fashion"]
    assert project.params_file.read_text().endswith(PARAMS[PARAMS.index("\npipelines:") :])
