"""What Prefect tells a webhook: failures, models that do not pass, drift, new champions.

A block and an automation of Prefect's own, which its UI shows and where a person can change them.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import httpx
from prefect.automations import AutomationCore
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict

from flows.server.runs import DRIFT, FLOW, NOT_BETTER, NOT_PASSED, PROMOTED, SWEEP
from tasks.core.step import UserError

NAME = "keras-flows"  # of the block and of the automation
FLOWS = [FLOW, SWEEP, "predict", "promote"]
# The states of runs that somebody wants to hear of.
STATES = ("Failed", "Crashed", "TimedOut", NOT_PASSED, NOT_BETTER, DRIFT, PROMOTED)
SUBJECT = "{{ flow_run.parameters.pipeline }}: {{ flow_run.state.name }}"
FIRST = "You are told of failed runs, models that do not pass, drift and new champions from now on."
BODY = "{{ flow_run.state.message }}\n{{ flow_run|ui_url or '' }}"  # some servers have no UI


def tell(url: str) -> None:
    """Let a webhook hear of them, in place of one that did.

    Raises:
        UserError: the address is none, or does not take a message. Nothing was changed.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise UserError(f"{url} is not an address. Expected one such as https://hooks.example/abc.")
    _try(url)
    _block(url).save(NAME, overwrite=True)
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(NAME, "custom-webhook")
        _remove_automations(client)
        client.create_automation(_automation(document.id))


def stop() -> bool:
    """Tell nobody any more.

    Returns:
        Whether somebody was told before.
    """
    with get_client(sync_client=True) as client:
        there = _remove_automations(client)
        try:
            document = client.read_block_document_by_name(NAME, "custom-webhook")
        except ObjectNotFound:
            return there
        client.delete_block_document(document.id)
    return True


def _key(url: str) -> str:
    """Where a service looks for the text: Slack, Mattermost, Teams and others in `text`."""
    return "content" if (urlsplit(url).hostname or "").endswith("discord.com") else "text"


def _block(url: str) -> CustomWebhookNotificationBlock:
    return CustomWebhookNotificationBlock(
        name=NAME,
        url="{{url}}",
        secrets=SecretDict({"url": url}),  # whoever knows it can write there: it is kept encrypted
        json_data={_key(url): "{{subject}}\n{{body}}"},
        headers=None,
        cookies=None,
    )


def _try(url: str) -> None:
    try:
        _block(url).notify(FIRST, subject=NAME)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0].replace(url, "it")
        raise UserError(
            f"The webhook at {urlsplit(url).hostname} did not take a message: {why}. Check the "
            "address. Nothing was changed."
        ) from None


def _remove_automations(client: SyncPrefectClient) -> bool:
    there = client.read_automations_by_name(NAME)
    for each in there:
        client.delete_automation(each.id)
    return bool(there)


def _automation(block) -> AutomationCore:
    return AutomationCore(
        name=NAME,
        description="Made by `python -m flows notify`.",
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}" for state in STATES},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": FLOWS}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[SendNotification(block_document_id=block, subject=SUBJECT, body=BODY)],
    )
