"""What Prefect's UI offers: for each pipeline of `params.yaml` a deployment, and one for trials.

What a person set in the UI stays as they set it: an existing deployment keeps its schedules, its
parameters and whether it is paused.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    WorkPoolCreate,
)
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from flows.project.folder import Project

POOL = "keras-flows"
TAG = "keras-flows"
ENTRYPOINT = "flows/pipeline.py:run_pipeline"
# Two runs of a pipeline work in the same folder: the next one waits. A trial has its own copy.
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_options": {"collision_strategy": "ENQUEUE"}}
# Off until someone turns it on in the UI.
NIGHTLY = CronSchedule(cron="0 3 * * *", timezone="UTC")


def register(project: Project, flow: Flow) -> list[str]:
    """Make the deployments of all pipelines, and take away those whose pipeline is gone.

    Returns:
        The names of the deployments.
    """
    wanted = {}
    for pipeline in project.pipelines():
        wanted[pipeline] = _fields(project, flow, f"{pipeline}, as params.yaml has it.")
        about = f"{pipeline} with other parameters. Each run becomes a DVC experiment."
        wanted[f"{pipeline}-experiment"] = _fields(project, flow, about)

    with get_client(sync_client=True) as client:
        _pool(client)
        flow_id = client.create_flow(flow)
        for name, fields in wanted.items():
            _create_or_update(client, flow_id, flow, name, fields)
        _remove_others(project, client, set(wanted))
    return list(wanted)


def _pool(client: SyncPrefectClient) -> None:
    """The work pool: created once, then left as a person set it."""
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def _fields(project: Project, flow: Flow, description: str) -> dict[str, Any]:
    """What follows from the project, and no person sets."""
    directory = {"directory": str(project.root)}
    return {
        "description": f"{description} Nothing runs that has not changed.",
        "entrypoint": ENTRYPOINT,
        "path": str(project.root),
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": directory}],
        "parameter_openapi_schema": flow.parameters.model_dump(exclude_unset=True),
        "work_pool_name": POOL,
        "tags": [TAG],
        "enforce_parameter_schema": True,
    }


def _create_or_update(
    client: SyncPrefectClient, flow_id, flow: Flow, name: str, fields: dict[str, Any]
) -> None:
    try:
        existing = client.read_deployment_by_name(f"{flow.name}/{name}")
    except ObjectNotFound:
        client.create_deployment(flow_id, name, **fields, **_at_first(name))
    else:
        # Not the client's `update_deployment`, which does not know the schema of the form.
        client.request("PATCH", "/deployments/{id}", path_params={"id": existing.id}, json=fields)


def _at_first(name: str) -> dict[str, Any]:
    """What a person may change in the UI."""
    # The steps' lines reach the run's log.
    env = {"PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks"}
    first = {
        "parameters": {"pipeline": name.removesuffix("-experiment")},
        "job_variables": {"env": env},
    }
    if not name.endswith("-experiment"):
        first |= ONE_AT_A_TIME
        first["schedules"] = [DeploymentScheduleCreate(schedule=NIGHTLY, active=False)]
    return first


def _remove_others(project: Project, client: SyncPrefectClient, wanted: set[str]) -> None:
    """Only what this project has made goes: another one may use the same server."""
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    for deployment in client.read_deployments(deployment_filter=ours):
        if deployment.path == str(project.root) and deployment.name not in wanted:
            client.delete_deployment(deployment.id)
