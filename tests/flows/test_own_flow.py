"""A flow of a user's own that takes steps from this project."""

from __future__ import annotations

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
