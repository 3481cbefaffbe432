"""Promises 1 to 3: two drivers, one graph, one memory, the same bytes."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

STAGES = ("visualize@linear", "evaluate@linear")


@pytest.fixture(scope="module")
def pair(workspaces, prefect_server):
    """The same project twice: one is run by the flow, the other by DVC."""
    return workspaces("flow", PREFECT_API_URL=prefect_server), workspaces("dvc")


def both(pair) -> str:
    """Run both drivers; whatever they did, they agree to the byte. Returns what the flow said."""
    by_flow, by_dvc = pair
    with ThreadPoolExecutor() as at_once:
        flow = at_once.submit(by_flow.flow, "linear")
        repro = at_once.submit(by_dvc.dvc, "repro", *STAGES)
        said = flow.result()
        repro.result()
    assert by_flow.bytes("linear") == by_dvc.bytes("linear")
    assert (by_flow.path / "dvc.lock").read_bytes() == (by_dvc.path / "dvc.lock").read_bytes()
    return said


def outcomes(said: str) -> dict[str, str]:
    """Step: what the flow's line says of it."""
    lines = (line.split() for line in said.splitlines())
    known = ("ran", "cached", "restored", "failed", "stopped")
    return {words[0]: words[1] for words in lines if len(words) > 1 and words[1] in known}


def made_elsewhere(workspace) -> None:
    """Let environment.json name another processor."""
    file = workspace.path / "data/linear/environment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "cpu": ["none"]}))


def clean(workspace) -> bool:
    return "up to date" in workspace.dvc("status", *STAGES)


def test_both_drivers_write_the_same_bytes_through_changes_there_and_back(pair):
    by_flow, by_dvc = pair

    # From nothing: everything runs.
    said = outcomes(both(pair))
    assert len(said) == 8
    assert set(said.values()) == {"ran"}
    first = by_flow.bytes("linear")

    # Nothing to do: for either driver, after either.
    assert clean(by_flow)
    assert clean(by_dvc)
    assert "Running stage" not in by_flow.dvc("repro", *STAGES)
    assert set(
        outcomes(by_dvc.flow("linear", PREFECT_API_URL=by_flow.env["PREFECT_API_URL"])).values()
    ) == {"cached"}
    assert by_flow.bytes("linear") == by_dvc.bytes("linear") == first

    # A change runs what depends on it, and no more; it is noted where the new bytes were made.
    for workspace in pair:
        workspace.set(linear__compile__learning_rate=0.02)
        made_elsewhere(workspace)
    said = outcomes(both(pair))
    assert {step for step, outcome in said.items() if outcome == "ran"} == {
        "compile",
        "fit",
        "reload_best",
        "evaluate",
    }
    second = by_flow.bytes("linear")
    assert second != first
    noted = "data/linear/environment.json"
    assert second[noted] == first[noted]

    # Back again: nothing runs, the old bytes are there.
    for workspace in pair:
        workspace.set(linear__compile__learning_rate=0.01)
    said = outcomes(both(pair))
    assert "ran" not in said.values()
    assert said["fit"] == "restored"
    assert by_flow.bytes("linear") == first

    # Crossed over: what one driver has trained, the other restores, in the same workspace.
    by_flow.set(linear__compile__learning_rate=0.02)
    assert "Running stage" not in by_flow.dvc("repro", *STAGES).replace("Stage", "")
    assert by_flow.bytes("linear") == second


def test_force_runs_what_has_not_changed_and_changes_no_byte(pair):
    by_flow, _ = pair
    file = by_flow.path / "data/linear/environment.json"
    content = file.read_bytes()
    made_elsewhere(by_flow)  # so the recorded bytes; and they come out here as well
    before = by_flow.bytes("linear")
    assert set(outcomes(by_flow.flow("linear", "--force")).values()) == {"ran"}
    assert by_flow.bytes("linear") == before
    assert clean(by_flow)
    file.write_bytes(content)


def test_a_missing_output_is_restored_and_a_changed_one_is_put_right(pair):
    by_flow, _ = pair
    before = by_flow.bytes("linear")
    (by_flow.path / "data/linear/model.keras").unlink()
    (by_flow.path / "data/linear/metrics.json").write_text("{}\n")
    said = outcomes(by_flow.flow("linear"))
    assert "ran" not in said.values()
    assert (said["reload_best"], said["evaluate"]) == ("restored", "restored")
    assert by_flow.bytes("linear") == before


def test_a_changed_helper_runs_the_steps_that_import_it_and_no_other(pair):
    by_flow, _ = pair
    helper = by_flow.path / "tasks/pictures/style.py"
    helper.write_text(helper.read_text() + "\n# changed\n")
    said = outcomes(by_flow.flow("linear"))
    assert {step for step, outcome in said.items() if outcome == "ran"} == {
        "visualize",
        "build",
        "evaluate",
    }


def test_the_plan_names_old_and_new_value_and_tells_what_is_cached(pair):
    _, by_dvc = pair
    by_dvc.set(linear__compile__learning_rate=0.02, linear__fit__epochs=4)
    plan = by_dvc.flow("linear", "--plan")
    lines = {line.split()[0]: line for line in plan.splitlines() if line.split()}
    assert "linear.compile.learning_rate: 0.01 -> 0.02" in lines["compile"]
    assert "restore" in lines["compile"]  # trained with 0.02 before
    assert "linear.fit.epochs: 3 -> 4" in plan
    assert " run " in lines["fit"]
    assert "skip" in lines["load"]
    by_dvc.set(linear__compile__learning_rate=0.01, linear__fit__epochs=3)
    assert "run" not in by_dvc.flow("linear", "--plan").split()


def test_the_plan_imports_neither_tensorflow_nor_prefect(pair):
    code = (
        "import sys; from flows.__main__ import main; main(['plan', 'linear'])\n"
        "print([m for m in ('tensorflow', 'prefect') if m in sys.modules])"
    )
    assert pair[1].run("python", "-c", code).splitlines()[-1] == "[]"


def test_data_that_was_shared_through_a_remote_is_not_looked_for_again(pair, tmp_path):
    by_flow, _ = pair
    by_flow.dvc("remote", "add", "-d", "shared", str(tmp_path))
    by_flow.dvc("push", "load@linear")
    before = (by_flow.path / "data/linear/raw.npz").read_bytes()
    for folder in (".dvc/cache", "data/linear"):
        shutil.rmtree(by_flow.path / folder)
    assert "from DVC's remote" in by_flow.dvc("repro", "load@linear")
    assert (by_flow.path / "data/linear/raw.npz").read_bytes() == before
