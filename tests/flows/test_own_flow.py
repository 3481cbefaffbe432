"""A flow of a user's own that takes steps from this project."""

from __future__ import annotations

import httpx
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.server import progress
from tasks.core.step import watchers

OWN = """
from prefect import flow

from flows.pipeline import load, normalize


@flow
def prepare():
    load("linear")
    normalize("linear")


state = prepare(return_state=True)
print("it ended", state.name)
"""


def test_a_flow_of_ones_own_runs_the_steps_that_it_names_and_no_other(workspaces, prefect_server):
    workspace = workspaces("own", PREFECT_API_URL=prefect_server)
    (workspace.path / "own.py").write_text(OWN)
    assert "it ended Completed" in workspace.run("python", "-m", "own")

    made = {file.name for file in (workspace.path / "data" / "linear").iterdir()}
    assert {"raw.npz", "normalized.npz", "schema.json"} <= made
    assert "samples.png" not in made
    stages = ("load@linear", "normalize@linear")
    assert "up to date" in workspace.dvc("status", *stages)


def test_a_step_tells_its_progress_to_the_server_that_a_profile_of_prefect_names(
    prefect_server, monkeypatch
):
    @flow
    def mine() -> None:
        with progress.shown("by_profile"):
            for tell in watchers:
                tell(0.25, "a quarter")

    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with temporary_settings({PREFECT_API_URL: prefect_server}):
        mine()

    asked = {"artifacts": {"key": {"any_": ["by-profile-progress"]}}}
    (found,) = httpx.post(f"{prefect_server}/artifacts/filter", json=asked).json()
    assert (found["data"], found["description"]) == (25, "a quarter")
