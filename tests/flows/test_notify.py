"""`python -m flows notify`: what a webhook hears of, from a real server of Prefect's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.batch_predict import run_predict
from tests.support.served import eventually
from tests.support.webhook import receiver

NOTIFY = ("python", "-m", "flows", "notify")


# States of ours and of Prefect.
TOLD = {
    "Failed": StateType.FAILED,
    "Crashed": StateType.CRASHED,
    "TimedOut": StateType.FAILED,
    "NotPassed": StateType.COMPLETED,
    "NotBetter": StateType.FAILED,
    "Drift": StateType.COMPLETED,
    "Promoted": StateType.COMPLETED,
}


@contextmanager
def client(workspace) -> Iterator[SyncPrefectClient]:
    with (
        temporary_settings({PREFECT_API_URL: workspace.env["PREFECT_API_URL"]}),
        get_client(sync_client=True) as server,
    ):
        yield server


def ended(server: SyncPrefectClient, name: str, kind: StateType) -> None:
    """A run of a flow of ours that ends in a state."""
    run = server.create_flow_run(run_predict, parameters={"pipeline": "fashion"})
    state = State(type=kind, name=name, message=f"why {name}")
    server.set_flow_run_state(run.id, state, force=True)


@pytest.fixture(scope="module")
def workspace(workspaces, prefect_server):
    return workspaces("notified", PREFECT_API_URL=prefect_server)


def test_a_failed_run_is_told_once_in_words_until_nobody_is_told(workspace):
    with receiver() as (url, heard):
        said = workspace.run(*NOTIFY, url)
        assert "A message was sent to try it." in said
        assert heard.pop()["text"].startswith("keras-flows\nYou are told of failed runs")
        workspace.run(*NOTIFY, url)  # again: in place of the first
        heard.clear()

        # As a schedule does it; the command says it before there is a run.
        code = "from flows.promote import promote_model; promote_model('linear', return_state=True)"
        workspace.run("python", "-c", code)
        eventually(lambda: heard, 60)
        (message,) = heard
        first, second, third = message["text"].splitlines()
        assert first == "linear: Failed"
        assert second.startswith("params.yaml: release has no entry `linear`.")
        assert third.startswith("linear is not up to date: ")

        with client(workspace) as server:
            for name, kind in TOLD.items():
                ended(server, name, kind)
            ended(server, "Completed", StateType.COMPLETED)
            ended(server, "Cancelled", StateType.CANCELLED)
        eventually(lambda: len(heard) > len(TOLD), 60)
        told = [text.splitlines()[:2] for text in sorted(each["text"] for each in heard[1:])]
        assert told == [[f"fashion: {name}", f"why {name}"] for name in sorted(TOLD)]

        assert "Nobody is told any more" in workspace.run(*NOTIFY, "--off")
        assert "Nobody was told" in workspace.run(*NOTIFY, "--off")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/x", "ftp://example.org/x is not an address. Expected one such as"),
        ("hooks.example.org", "hooks.example.org is not an address."),
        ("http://127.0.0.1:9/secret", "did not take a message: "),
        (404, "The webhook at 127.0.0.1 did not take a message: Client error '404 Not Found'"),
    ],
)
def test_a_webhook_that_does_not_answer_is_one_line(workspace, url, says):
    with receiver(url if isinstance(url, int) else 200) as (other, _):
        said = workspace.run(*NOTIFY, other if isinstance(url, int) else url, code=1)
    assert says in " ".join(said.split())
    assert "secret" not in said
    assert "Traceback" not in said
