"""What the worker offers in Prefect's UI, and what it leaves as a person set it."""

from __future__ import annotations

import shutil

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.batch_predict import run_predict
from flows.command import worker
from flows.command.worker import api, tell
from flows.pipeline import run_pipeline
from flows.project.edit import without
from flows.project.folder import Project
from flows.project.textfile import text_of, write
from flows.promote import promote_model
from flows.server import lost
from flows.server.deployments import register
from flows.sweep import run_sweep
from tests.support.swept import put_sweep

SHIPPED = Project.here()


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("http://first:4200", "http://first:4200/api"),
        ("http://first:4200/", "http://first:4200/api"),
        ("http://first:4200/api", "http://first:4200/api"),
        ("https://team.example/prefect/api/", "https://team.example/prefect/api"),
    ],
)
def test_a_server_is_named_by_its_page_or_its_api(given, asked):
    assert api(given) == asked


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], ["a", "b"], "offered in the UI: a, b\n"),
        (["a", "b"], ["a", "b", "c"], "offered in the UI: c\n"),
        (["a", "b"], ["b"], "offered no more: a\n"),
        (["a"], ["a"], "params.yaml was edited: the forms show its values\n"),
    ],
)
def test_only_what_is_new_or_gone_is_told(before, after, said, capsys):
    tell(before, after)
    assert capsys.readouterr().out == said


@pytest.fixture
def offer(tmp_path, prefect_server):
    """Register the deployments of a project of its own, as a start of the worker does."""
    project = Project(tmp_path)
    shutil.copy(SHIPPED.params_file, project.params_file)

    def start() -> list[str]:
        with temporary_settings({PREFECT_API_URL: prefect_server}):
            return register(project, run_pipeline, run_predict, run_sweep, promote_model)

    start.project = project
    yield start

    write(project.params_file, "pipelines: {}\n")
    start()  # takes them all away again


def test_what_the_server_did_not_take_is_offered_again(tmp_path, monkeypatch):
    class Taken(BaseException):
        """Ends the loop."""

    answers = iter([ConnectionError("away"), Taken()])

    def offer() -> None:
        raise next(answers)

    monkeypatch.setattr(worker, "EVERY", 0)
    project = Project(tmp_path)
    shutil.copy(SHIPPED.params_file, project.params_file)
    with pytest.raises(Taken):
        worker._offer_again(project, None, offer)


ENTRYPOINT = "flows/pipeline.py:run_pipeline"


def read(server: str, name: str, flow: str = "pipeline") -> dict:
    return httpx.get(f"{server}/deployments/name/{flow}/{name}").raise_for_status().json()


def test_each_pipeline_is_offered_once_and_for_trials_with_a_schedule_that_is_off(
    offer, prefect_server
):
    names = offer()
    kinds = ("", "-experiment", "-predict")
    assert names == [f"{name}{kind}" for name in SHIPPED.pipelines() for kind in kinds]

    fashion = read(prefect_server, "fashion")
    assert fashion["description"].startswith("60,000 + 10,000 gray images")
    (schedule,) = fashion["schedules"]
    assert (schedule["schedule"]["cron"], schedule["active"]) == ("0 3 * * *", False)
    assert fashion["parameters"] == {"pipeline": "fashion"}
    assert fashion["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert not read(prefect_server, "fashion-experiment")["schedules"]

    predict = read(prefect_server, "fashion-predict", "predict")
    assert predict["entrypoint"] == "flows/batch_predict.py:run_predict"
    assert set(predict["parameter_openapi_schema"]["properties"]) == {"pipeline", "path", "to"}
    assert predict["parameter_openapi_schema"]["required"] == ["pipeline", "path"]


def test_what_a_person_set_in_the_ui_survives_the_next_start(offer, prefect_server):
    offer()
    before = read(prefect_server, "linear")
    (schedule,) = before["schedules"]
    place = f"{prefect_server}/deployments/{before['id']}"

    # The switch, the time, a parameter and the pause button.
    changed = {"active": True, "schedule": {"cron": "30 6 * * 1", "timezone": "Europe/Berlin"}}
    httpx.patch(f"{place}/schedules/{schedule['id']}", json=changed).raise_for_status()
    form = {
        "parameters": {"pipeline": "linear", "force": True},
        "description": "Ours",
        "tags": ["nightly"],
        "job_variables": {"env": {"TF_NUM_INTRAOP_THREADS": "1"}},
        "concurrency_limit": 2,
    }
    httpx.patch(place, json=form).raise_for_status()
    edited = read(prefect_server, "linear")
    httpx.post(f"{place}/pause_deployment").raise_for_status()

    offer()
    after = read(prefect_server, "linear")
    (kept,) = after["schedules"]
    assert (after["id"], kept["id"]) == (before["id"], schedule["id"])
    assert (kept["schedule"]["cron"], kept["active"]) == ("30 6 * * 1", True)
    assert kept["schedule"]["timezone"] == "Europe/Berlin"
    assert after["paused"]
    for key in ("parameters", "description", "tags", "job_variables"):
        assert after[key] == form[key]
    limits = edited["global_concurrency_limit"], after["global_concurrency_limit"]
    assert [each["limit"] for each in limits] == [2, 2]
    assert after["work_pool_name"] == "keras-flows"


def test_a_schedule_that_a_person_deleted_does_not_come_back(offer, prefect_server):
    offer()
    deployment = read(prefect_server, "linear")
    (schedule,) = deployment["schedules"]
    place = f"{prefect_server}/deployments/{deployment['id']}/schedules/{schedule['id']}"
    httpx.delete(place).raise_for_status()
    offer()
    assert read(prefect_server, "linear")["schedules"] == []


def test_a_deployment_whose_pipeline_is_gone_is_taken_away_and_no_other(offer, prefect_server):
    offer()
    other = Project(offer.project.root / "other")  # another project on the same server
    settings = temporary_settings({PREFECT_API_URL: prefect_server})
    with settings, get_client(sync_client=True) as client:
        flow = client.create_flow(run_pipeline)
        options = {"entrypoint": ENTRYPOINT, "parameters": {"pipeline": "linear"}}
        client.create_deployment(flow, "theirs", path=str(other.root), **options)
        elsewhere = f"another-machine:{offer.project.root}"
        client.create_deployment(flow, "elsewhere", path=elsewhere, **options)
        owner = read(prefect_server, "fashion")["path"]
        options["parameters"] = {"pipeline": "fashion"}
        client.create_deployment(flow, "a-copy", path=owner, **options)

    file = offer.project.params_file
    write(file, without(text_of(file), "linear"))
    assert "linear" not in offer()
    for name in ("pipeline/linear", "pipeline/linear-experiment", "predict/linear-predict"):
        assert httpx.get(f"{prefect_server}/deployments/name/{name}").status_code == 404
    for name in ("theirs", "elsewhere", "a-copy"):
        assert read(prefect_server, name)["id"]


def test_a_run_that_waits_ends_with_its_pipeline(offer, prefect_server):
    offer()
    place = f"{prefect_server}/deployments/{read(prefect_server, 'linear')['id']}"
    run = httpx.post(f"{place}/create_flow_run", json={}).raise_for_status().json()

    file = offer.project.params_file
    write(file, without(text_of(file), "linear"))
    offer()
    state = httpx.get(f"{prefect_server}/flow_runs/{run['id']}").json()["state"]
    assert state["type"] == "CANCELLED"
    assert state["message"] == "its pipeline is no longer in params.yaml"


def test_the_form_follows_the_code_at_each_start(offer, prefect_server):
    offer()
    place = f"{prefect_server}/deployments/{read(prefect_server, 'linear')['id']}"
    old = {"parameter_openapi_schema": {}, "entrypoint": "flows/old.py:run"}
    httpx.patch(place, json=old).raise_for_status()
    offer()
    after = read(prefect_server, "linear")
    assert "force" in after["parameter_openapi_schema"]["properties"]
    assert after["entrypoint"] == ENTRYPOINT


def test_a_deployment_names_no_folder_of_one_machine(offer, prefect_server):
    offer()
    (step,) = read(prefect_server, "linear")["pull_steps"]
    (options,) = step.values()
    assert options == {"directory": "{{ $KERAS_FLOWS_ROOT }}"}


def test_a_start_that_changes_nothing_leaves_the_deployments_alone(offer, prefect_server):
    offer()
    before = read(prefect_server, "linear")
    offer()
    assert read(prefect_server, "linear")["updated"] == before["updated"]


def test_a_sweep_is_offered_as_long_as_params_yaml_has_it(offer, prefect_server):
    assert "linear-sweep" not in offer()
    put_sweep(offer.project)
    assert "linear-sweep" in offer()
    place = f"{prefect_server}/deployments/name/sweep/linear-sweep"
    found = httpx.get(place).raise_for_status().json()
    assert found["parameters"] == {"pipeline": "linear"}
    assert set(found["parameter_openapi_schema"]["properties"]) == {
        "pipeline",
        "workers",
        "apply",
        "on",
    }

    text = text_of(offer.project.params_file)
    write(offer.project.params_file, without(text, "linear", "sweeps"))
    assert "linear-sweep" not in offer()
    assert httpx.get(place).status_code == 404


def test_a_promotion_is_offered_as_long_as_the_pipeline_is_released(offer, prefect_server):
    assert "linear-promote" not in offer()
    text = text_of(offer.project.params_file)
    entry = "release:\n  linear: {promote: {level: 0.05, margin: 0, must: better}}\n"
    write(offer.project.params_file, text.replace("release: {}\n", entry))
    assert "linear-promote" in offer()
    found = read(prefect_server, "linear-promote", "promote")
    assert found["entrypoint"] == "flows/promote.py:promote_model"
    assert set(found["parameter_openapi_schema"]["properties"]) == {"pipeline", "back"}
    assert found["concurrency_options"]["collision_strategy"] == "ENQUEUE"

    write(offer.project.params_file, text)
    assert "linear-promote" not in offer()


def test_the_server_looks_after_runs_once_and_as_a_person_has_set_it(prefect_server):
    settings = temporary_settings({PREFECT_API_URL: prefect_server})
    with settings, get_client(sync_client=True) as client:
        lost.watch()
        (made,) = client.read_automations_by_name(lost.NAME)
        assert made.enabled
        place = {"id": made.id}
        client.request("PATCH", "/automations/{id}", path_params=place, json={"enabled": False})
        lost.watch()
        (kept,) = client.read_automations_by_name(lost.NAME)
        assert (kept.id, kept.enabled) == (made.id, False)
        client.delete_automation(kept.id)
