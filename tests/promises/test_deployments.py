"""Deployments, as a person uses them from Prefect's UI: the same requests, without the browser."""

from __future__ import annotations

import re

import httpx
import pytest

from flows.project.folder import Project
from tests.support.own import put_csv, table
from tests.support.served import NEVER, Served, eventually
from tests.support.webhook import receiver


@pytest.fixture(scope="module")
def served(workspaces):
    made = Served(workspaces("served", trained=True, home=True))
    made.workspace.set(linear__fit__epochs=300)
    put_csv(
        made.workspace.path / "data/own/in.csv",
        *table(30, target=lambda row: ("ripe", "raw")[row % 2]),
    )
    made.workspace.run("python", "-m", "flows", "new", "mine", "data/own/in.csv")
    made.workspace.run("git", "commit", "-qam", "Longer, and one more pipeline")
    with made.serving():
        yield made


def test_every_pipeline_is_offered_also_a_new_one(served):
    pipelines = Project(served.workspace.path).pipelines()
    assert {"fashion", "mine"} <= set(pipelines)
    kinds = ("", "-experiment", "-predict")
    assert served.deployments() == {f"{name}{kind}" for name in pipelines for kind in kinds}


def test_a_pipeline_is_offered_and_its_values_are_shown_as_soon_as_params_yaml_has_them(served):
    served.workspace.run("python", "-m", "flows", "new", "soon", "data/own/in.csv")
    served.workspace.set(linear__fit__epochs=301)
    eventually(lambda: {"soon", "soon-experiment"} <= served.deployments())

    def shown() -> str:
        schema = served.deployment("linear-experiment")["parameter_openapi_schema"]
        return schema["definitions"]["fit_parameters"]["properties"]["epochs"]["description"]

    eventually(lambda: shown().startswith("Now 301. "))
    served.workspace.run("python", "-m", "flows", "remove", "soon")
    served.workspace.set(linear__fit__epochs=300)
    eventually(lambda: not {"soon", "soon-experiment"} & served.deployments())


def test_what_a_person_set_survives_a_restart_of_the_worker_and_a_removed_pipeline_goes(served):
    before = served.deployment("fashion-cnn")
    (schedule,) = before["schedules"]
    place = f"deployments/{before['id']}"
    changed = {"active": True, "schedule": {"cron": "30 6 * * 1", "timezone": "UTC"}}
    served.patch(f"{place}/schedules/{schedule['id']}", changed)
    parameters = {"pipeline": "fashion-cnn", "force": True}
    served.patch(place, {"parameters": parameters})
    served.workspace.run("python", "-m", "flows", "new", "gone", "data/own/in.csv")
    eventually(lambda: {"gone", "gone-experiment"} <= served.deployments())

    served.end_work()
    served.workspace.run("python", "-m", "flows", "remove", "gone")
    served.begin_work()
    assert not {"gone", "gone-experiment"} & served.deployments()
    after = served.deployment("fashion-cnn")
    (kept,) = after["schedules"]
    assert (after["id"], kept["id"]) == (before["id"], schedule["id"])
    assert (kept["schedule"]["cron"], kept["active"]) == ("30 6 * * 1", True)
    assert after["parameters"] == parameters
    served.patch(f"{place}/schedules/{schedule['id']}", {"active": False})


def test_the_form_is_typed_and_described(served):
    plain = served.deployment("fashion")["parameter_openapi_schema"]
    assert set(plain["properties"]) == {"pipeline", "force"}
    schema = served.deployment("fashion-experiment")["parameter_openapi_schema"]
    assert schema["properties"]["force"]["type"] == "boolean"
    assert all(
        schema["properties"][name]["description"] for name in ("pipeline", "force", "changes")
    )
    fit = schema["definitions"]["fit_parameters"]["properties"]
    assert fit["epochs"]["type"] == "integer"
    assert fit["epochs"]["exclusiveMinimum"] == 0
    assert fit["epochs"]["description"].startswith("Now 1. Times that the training sees every row")


def test_a_run_shows_its_steps_its_pictures_and_a_report(served):
    run = served.run("linear")
    assert served.ended(run)["name"] == "Completed"
    assert len(served.steps(run)) == 8
    artifacts = served.artifacts(run)
    pictures = (
        "samples",
        "model",
        "learning-curve",
        "predictions",
        "calibration",
        "mistakes",
    )
    assert set(artifacts) == {
        f"linear-{name}" for name in (*pictures, "metrics", "checks", "report", "progress")
    }
    for name in pictures:
        assert len(artifacts[f"linear-{name}"]["data"]) < 100_000
    assert artifacts["linear-progress"]["data"] == 100
    report = artifacts["linear-report"]["data"]
    assert report.count("data:image/png;base64,") == len(pictures)
    assert artifacts["linear-checks"]["data"] in report
    assert "- **duplicates across train and test** warning: 6 of 6 test rows have" in report
    for name in ("metrics", "report", "learning-curve"):
        assert "passed, test_mae" in artifacts[f"linear-{name}"]["description"]
    assert artifacts["linear-checks"]["description"].startswith("1 of 10 checks warn: duplicates")
    assert "| train 5 | 10 | test 5 | 10 |" in report
    commit = served.workspace.run("git", "rev-parse", "HEAD").strip()
    data = re.search(
        r"raw.npz\n *hash: md5\n *md5: (\w+)", (served.workspace.path / "dvc.lock").read_text()
    )[1]
    for text in (commit, data, "| fit.epochs | 300 |", "duration", "| test_mse |"):
        assert text in report
    lines = served.lines(run)
    assert any("epoch 300/300" in line for line in lines)
    assert len([line for line in lines if line.startswith("evaluate  ")]) == 1
    assert not [line for line in lines if "Finished in state" in line and "evaluate" in line]
    assert served.get(f"flow_runs/{run}")["name"].startswith("linear: passed, test_mae ")


def test_new_rows_are_answered_and_shown(served):
    put_csv(served.workspace.path / "new.csv", "0", "10")
    run = served.run("linear-predict", path="new.csv", to="answers.csv")
    assert served.ended(run)["message"] == "2 rows"
    shown = served.artifacts(run)["linear-answers"]["data"]
    assert "| from | predicted |" in shown
    assert "| row 2 | " in shown
    assert shown.count("data:image/png;base64,") == 1  # how the answers are distributed
    answers = (served.workspace.path / "answers.csv").read_text()
    assert answers.startswith("from,predicted\nrow 1,")


def test_a_run_that_finds_nothing_changed_says_so(served):
    run = served.run("linear")
    state = served.ended(run)
    assert state["message"].startswith("nothing has changed: passed, test_mae")
    assert {step["name"] for step in served.steps(run).values()} == {"Cached"}


def test_a_pipeline_on_ones_own_data_is_offered_and_runs_also_as_an_experiment(served):
    run = served.run("mine")
    assert served.ended(run)["name"] == "Completed"
    for name in ("metrics", "report"):
        assert re.search(r"\| ripe \| [01]\.?\d* \|", served.artifacts(run)[f"mine-{name}"]["data"])
    run = served.run(
        "mine-experiment", changes={"build": {"family": "linear"}, "fit": {"epochs": 2}}
    )
    assert served.ended(run)["name"] == "Completed", served.state(run)["message"]
    assert (
        "<<: *mlp" in (served.workspace.path / "params.yaml").read_text().partition("\n  mine:")[2]
    )


def test_other_parameters_become_an_experiment_and_leave_params_yaml_alone(served):
    before = (served.workspace.path / "params.yaml").read_bytes(), served.workspace.bytes("linear")
    endless = served.run("linear-experiment", changes={"fit": {"epochs": NEVER}})
    served.artifact(endless, "linear-experiment-progress")
    # Beside it: trials do not wait for each other.
    chosen = {"fit": {"epochs": 5}, "compile": {"learning_rate": 0.02}}
    run = served.run("linear-experiment", changes=chosen)
    assert served.ended(run, 300)["name"] == "Completed"
    assert "linear-experiment-progress" in served.artifacts(run)  # not the pipeline's own
    assert any("recording the experiment" in line for line in served.lines(run))
    assert served.state(endless)["type"] == "RUNNING"
    served.cancel(endless)
    assert served.ended(endless)["type"] == "CANCELLED"

    assert (
        (served.workspace.path / "params.yaml").read_bytes(),
        served.workspace.bytes("linear"),
    ) == before
    name = served.get(f"flow_runs/{run}")["name"]
    title = f"linear epochs 5, learning_rate 0.02: linear-{run[:8]}: passed, test_mae "
    assert name.startswith(title)

    assert f"linear-{run[:8]}" in served.workspace.dvc("exp", "show", "--json")
    said = served.workspace.dvc("exp", "apply", f"linear-{run[:8]}", code=255)
    assert "data/fashion-cnn" in said  # was never made here; the rest is adopted
    assert "data/linear" not in said
    assert "epochs: 5" in (served.workspace.path / "params.yaml").read_text()
    assert "didn't change" in served.workspace.dvc("repro", "evaluate@linear")
    served.workspace.run("git", "checkout", "-q", "params.yaml")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fit": {"epochs": -1}}, "epochs"),
        ({"fit": {"epochs": "many"}}, "epochs"),
        ({"fit": {"epoch": 1}}, "epoch"),
        ({"compile": {"optimizer": "adamm"}}, "adamm"),
    ],
)
def test_a_wrong_value_is_refused_before_a_run_exists(served, changes, says):
    with pytest.raises(httpx.HTTPStatusError) as refused:
        served.run("linear-experiment", changes=changes)
    assert says in refused.value.response.text


def test_a_schedule_is_turned_off_after_failures_in_a_row_and_each_is_told(served):
    deployment = served.deployment("linear")
    (schedule,) = deployment["schedules"]
    place = f"deployments/{deployment['id']}"
    served.workspace.set(linear__build__output_units=3, linear__run__pause_after=2)
    every = {"active": True, "schedule": {"interval": 10, "timezone": "UTC"}}
    served.patch(f"{place}/schedules/{schedule['id']}", every)

    def is_off() -> bool:
        return not served.deployment("linear")["schedules"][0]["active"]

    with receiver() as (url, heard):
        served.workspace.run("python", "-m", "flows", "notify", url)
        eventually(is_off, 300)
        # Not after 15 minutes, as Prefect would tell of a run that its scheduler has made.
        eventually(lambda: "schedule turned off after 2 failures" in str(heard), 60)
        served.workspace.run("python", "-m", "flows", "notify", "--off")
    assert "Action failed" not in served.said()
    query = {"flow_runs": {"name": {"like_": "schedule turned off after 2 failures"}}}
    (last,) = served.post("flow_runs/filter", query)
    assert last["state"]["name"] == "Failed"
    assert "build.output_units" in last["state"]["message"]
    assert "build: Dense(3, auto) cannot work" in last["name"]
    assert not [line for line in served.lines(last["id"]) if "Traceback" in line]
    served.workspace.set(linear__build__output_units="auto", linear__run__pause_after=3)
    nightly = {"active": False, "schedule": {"cron": "0 3 * * *", "timezone": "UTC"}}
    served.patch(f"{place}/schedules/{schedule['id']}", nightly)
    eventually(lambda: not unfinished_runs(served), 200)


def unfinished_runs(served) -> list:
    types = ["RUNNING", "PENDING", "SCHEDULED", "CANCELLING"]
    return served.post("flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": types}}}})


def test_the_command_line_does_the_same_also_if_the_model_does_not_pass(served):
    command = ("prefect", "deployment", "run", "pipeline/linear-experiment", "--watch", "-p")
    env = {"PREFECT_API_URL": served.url}
    before = served.runs()
    chosen = 'changes={"fit": {"epochs": 7}, "evaluate": {"max_mse": 1e-9}}'
    served.workspace.run(*command, chosen, **env)
    (run,) = served.runs() - before
    state = served.state(run)
    assert (state["type"], state["name"]) == ("COMPLETED", "NotPassed")
    assert "NOT passed" in served.get(f"flow_runs/{run}")["name"]

    said = served.workspace.run(*command, 'changes={"fit": {"epochs": 0}}', code=1, **env)
    assert "epochs" in said
