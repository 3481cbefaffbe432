"""What Prefect's UI offers of each pipeline: runs, trials, new rows, its sweep, its promotion.

Any worker of the pool can run them, each in its own clone: a deployment names no folder of one.

What a person set in the UI stays as they set it. A deployment that exists keeps all that the UI's
forms can change; only what says how to start the flow follows the project.
"""

from __future__ import annotations

import platform
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled
from ruamel.yaml import YAML

from flows.project import form, sweeps
from flows.project.folder import Project
from flows.server.markdown import text
from flows.server.settings import LOGGERS
from tasks.core.step import UserError

POOL = "keras-flows"
ROOT = "KERAS_FLOWS_ROOT"  # the environment variable by which a worker tells its runs their folder
# Two runs of a pipeline work in the same folder: the next one waits. A trial has its own copy.
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_options": {"collision_strategy": "ENQUEUE"}}
# Off until someone turns it on in the UI.
NIGHTLY = CronSchedule(cron="0 3 * * *", timezone="UTC")
PAGE = 200  # deployments that the server sends at once


def register(project: Project, train: Flow, predict: Flow, sweep: Flow, promote: Flow) -> list[str]:
    """Make the deployments of all pipelines, and take away those whose pipeline is gone.

    Args:
        project: its pipelines are offered, and run in its folder.
        train, predict, sweep, promote: the flows, whose arguments become the forms.

    Returns:
        The names of the deployments.
    """
    wanted: dict[str, tuple[Flow, dict[str, Any], dict[str, Any]]] = {}
    swept, released = sweeps.names(project), project.releases()

    def offer(
        pipeline: str, kind: str, flow: Flow, asks: dict[str, Any], about: str, **first: Any
    ) -> None:
        start = _start(project, flow, asks)
        wanted[pipeline + kind] = flow, _at_first(pipeline, about) | first, start

    for pipeline, about in _pipelines(project).items():
        nightly = DeploymentScheduleCreate(schedule=NIGHTLY, active=False)
        offer(pipeline, "", train, _form(train), about, schedules=[nightly], **ONE_AT_A_TIME)
        trial = _form_of_trials(project, train, pipeline)
        says = f"{about}: with other parameters. Each run becomes a DVC experiment."
        offer(pipeline, "-experiment", train, trial, says)
        says = f"{about}: answers to new rows, by the model that was trained last."
        offer(pipeline, "-predict", predict, _form(predict), says)
        if pipeline in swept:
            says = f"{about}: a sweep of its parameters, which goes on where it was stopped."
            offer(pipeline, "-sweep", sweep, _form(sweep), says, **ONE_AT_A_TIME)
        if pipeline in released:
            says = f"{about}: the last commit becomes the champion, if it is better."
            offer(pipeline, "-promote", promote, _form(promote), says, **ONE_AT_A_TIME)

    with get_client(sync_client=True) as client:
        _pool(client)
        every = project.pipelines()
        names = {train: every, predict: every, sweep: swept, promote: list(released)}
        ids = {flow.name: client.create_flow(flow) for flow in names}
        for name, (flow, first, start) in wanted.items():
            _create_or_update(client, ids[flow.name], flow, name, first, start)
        for flow, there in names.items():
            _remove_gone(client, ids[flow.name], flow, project, there)
    return list(wanted)


def _pipelines(project: Project) -> dict[str, str]:
    """The pipelines, and what the comment behind the name of each says."""
    names = project.pipelines()  # refuses a file that is not YAML
    sections = YAML().load(project.params_file).get("pipelines")
    abouts = {}
    for name in names:
        behind = sections.ca.items.get(name) or [None] * 3
        comment = behind[2].value if behind[2] else ""
        abouts[name] = comment.partition("\n")[0].strip("# ") or name
    return abouts


def _pool(client: SyncPrefectClient) -> None:
    """The work pool: created once, then left as a person set it."""
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def _form(flow: Flow) -> dict[str, Any]:
    """The form of a run with the parameters of params.yaml."""
    schema = flow.parameters.model_dump(exclude_unset=True)
    asked = {name: each for name, each in schema["properties"].items() if name != "changes"}
    return schema | {"properties": asked, "definitions": {}}


def _form_of_trials(project: Project, flow: Flow, pipeline: str) -> dict[str, Any]:
    """The form of an experiment: the keys of the pipeline, and their values."""
    schema = flow.parameters.model_dump(exclude_unset=True)
    try:
        return schema | {"definitions": form.definitions(project.read(pipeline))}
    except UserError:  # a run says what is wrong
        return schema


def _entrypoint(flow: Flow) -> str:
    """Where a worker finds the flow, from the project's folder."""
    return f"{flow.fn.__module__.replace('.', '/')}.py:{flow.fn.__name__}"


def _start(project: Project, flow: Flow, schema: dict[str, Any]) -> dict[str, Any]:
    """How the flow is started, and its form: what no person sets."""
    directory = {"directory": f"{{{{ ${ROOT} }}}}"}  # each worker's own
    return {
        "entrypoint": _entrypoint(flow),
        "path": _owner(project),
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": directory}],
        "parameter_openapi_schema": schema,
    }


def _owner(project: Project) -> str:
    """Who offered a deployment last, and so takes it away when its pipeline is gone.

    Prefect shows it as the path, and does not read it where there are pull steps.
    """
    return f"{platform.node()}:{project.root}"


def _at_first(pipeline: str, about: str) -> dict[str, Any]:
    """What a person may change in the UI."""
    env = {"PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(LOGGERS)}
    return {
        "description": text(about),
        "parameters": {"pipeline": pipeline},
        # By default Prefect starts three processes for a run, one after the other.
        "job_variables": {"env": env, "command": "python -m prefect.engine"},
        "work_pool_name": POOL,
        "enforce_parameter_schema": True,
    }


def _create_or_update(
    client: SyncPrefectClient,
    flow_id: UUID,
    flow: Flow,
    name: str,
    first: dict[str, Any],
    start: dict[str, Any],
) -> None:
    try:
        found = client.read_deployment_by_name(f"{flow.name}/{name}").model_dump(mode="json")
    except ObjectNotFound:
        client.create_deployment(flow_id, name, **first, **start)
        return

    changed = {key: value for key, value in start.items() if found[key] != value}
    if changed:  # each change makes Prefect plan the scheduled runs anew
        # Not by the client's `update_deployment`, which does not know the schema of the form.
        place = {"id": found["id"]}
        client.request("PATCH", "/deployments/{id}", path_params=place, json=changed)


def _remove_gone(
    client: SyncPrefectClient, flow_id: UUID, flow: Flow, project: Project, names: list[str]
) -> None:
    """Take away this clone's deployments of a flow for pipelines that params.yaml has no more.

    A copy that a person made in the UI stays as long as its pipeline. Another project, and a clone
    with other pipelines on another machine, may use the same server.
    """
    here = {"path": _owner(project), "entrypoint": _entrypoint(flow)}
    for found in _deployments(client, flow_id):
        ours = all(getattr(found, key) == value for key, value in here.items())
        if ours and found.parameters.get("pipeline") not in names:
            _cancel_waiting(client, found.id)
            client.delete_deployment(found.id)


def _cancel_waiting(client: SyncPrefectClient, deployment: UUID) -> None:
    """End the runs that wait for their turn: a worker could not start them any more."""
    waiting = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
    )
    gone: State[Any] = Cancelled(message="its pipeline is no longer in params.yaml")
    for run in client.read_flow_runs(flow_run_filter=waiting):
        client.set_flow_run_state(run.id, gone, force=True)


def _deployments(client: SyncPrefectClient, flow_id: UUID) -> list:
    """Every deployment of the flow."""
    of_the_flow = FlowFilter(id=FlowFilterId(any_=[flow_id]))
    found: list = []
    while len(found) % PAGE == 0:
        page = client.read_deployments(flow_filter=of_the_flow, limit=PAGE, offset=len(found))
        found += page
        if not page:
            break
    return found
