"""Runs that no machine holds any more: Prefect's server ends them, whatever machine they were on.

A run tells the server twice a minute that it lives. An automation, which the UI shows, makes one
that has fallen silent `Crashed`. One that was only slow still ends as it ends.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.automations import AutomationCore
from prefect.client.orchestration import get_client
from prefect.client.schemas import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.server.notices import STATES

NAME = "keras-flows: runs that no machine holds"
BEAT = "prefect.flow-run.heartbeat"  # every 30 s, Prefect's shortest: see settings.py
SILENCE = timedelta(seconds=45)
ENDS = {"Completed", "Cancelled", *STATES}
SAYS = "no machine holds it any more: its process was killed, or its machine has gone"


def watch() -> None:
    """Let the server look after all runs. What a person has changed in the automation stays."""
    with get_client(sync_client=True) as client:
        if not client.read_automations_by_name(NAME):
            client.create_automation(_automation())


def _automation() -> AutomationCore:
    return AutomationCore(
        name=NAME,
        description="Made by `python -m flows worker`.",
        trigger=EventTrigger(
            after={BEAT},
            expect={BEAT, *(f"prefect.flow-run.{state}" for state in ENDS)},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=SAYS, force=False)
        ],
    )
