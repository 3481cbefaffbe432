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


def both(pair, *begin: str) -> str:
    """Run both drivers; whatever they did, they agree to the byte. Returns what the flow said.

    Args:
        begin: a program that starts DVC.
    """
    by_flow, by_dvc = pair
    with ThreadPoolExecutor() as at_once:
        flow = at_once.submit(by_flow.flow, "linear")
        repro = at_once.submit(by_dvc.run, *begin, "dvc", "repro", *STAGES)
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


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> dict[str, str]:
    """Variables with which a command runs elsewhere: it takes its h5py for another version."""
    place = tmp_path_factory.mktemp("elsewhere")
    (place / "h5py-0.0.dist-info").mkdir()
    (place / "h5py-0.0.dist-info/METADATA").write_text("Name: h5py\nVersion: 0.0\n")
    return {"PYTHONPATH": str(place)}


def h5py_of(workspace) -> str:
    """The version that environment.json has."""
    noted = json.loads((workspace.path / "data/linear/environment.json").read_text())
    return noted["versions"]["h5py"]


def clean(workspace) -> bool:
    return "up to date" in workspace.dvc("status", *STAGES)


def test_both_drivers_write_the_same_bytes_through_changes_there_and_back(pair):
    by_flow, by_dvc = pair

    # From nothing: everything runs. By `env` no step begins warm, and the bytes are the same.
    said = outcomes(both(pair, "env"))
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

    # A change runs what depends on it, and no more.
    for workspace in pair:
        workspace.set(linear__compile__learning_rate=0.02, linear__fit__threads=3)
    said = outcomes(both(pair))
    assert {step for step, outcome in said.items() if outcome == "ran"} == {
        "compile",
        "fit",
        "reload_best",
        "evaluate",
    }
    second = by_flow.bytes("linear")
    assert second != first

    # Back again: nothing runs, the old bytes are there.
    for workspace in pair:
        workspace.set(linear__compile__learning_rate=0.01, linear__fit__threads=2)
    said = outcomes(both(pair))
    assert "ran" not in said.values()
    assert said["fit"] == "restored"
    assert by_flow.bytes("linear") == first

    # Crossed over: what one driver has trained, the other restores, in the same workspace.
    by_flow.set(linear__compile__learning_rate=0.02, linear__fit__threads=3)
    assert "Running stage" not in by_flow.dvc("repro", *STAGES).replace("Stage", "")
    assert by_flow.bytes("linear") == second


def test_force_runs_what_has_not_changed_and_changes_no_byte(pair, elsewhere):
    by_flow, _ = pair
    before = by_flow.bytes("linear")
    assert set(outcomes(by_flow.flow("linear", "--force", **elsewhere)).values()) == {"ran"}
    assert by_flow.bytes("linear") == before
    assert clean(by_flow)


def fit_by_either(pair, number: int, **env: str):
    """Bring `fit` up to date, in the first workspace by the flow, in the second by DVC."""
    workspace = pair[number]
    if number == 0:
        workspace.flow("linear", **env)
    else:
        workspace.dvc("repro", "fit@linear", **env)
    return workspace


@pytest.mark.parametrize("number", [0, 1], ids=["flow", "dvc"])
def test_where_the_weights_were_made_comes_and_goes_with_them(pair, elsewhere, number):
    before = pair[number].bytes("linear")
    pair[number].set(linear__fit__epochs=5)
    assert h5py_of(fit_by_either(pair, number, **elsewhere)) == "0.0"
    pair[number].set(linear__fit__epochs=3)
    assert fit_by_either(pair, number, **elsewhere).bytes("linear") == before


@pytest.mark.parametrize("number", [0, 1], ids=["flow", "dvc"])
def test_the_same_weights_made_elsewhere_leave_git_as_it_is(pair, elsewhere, number):
    workspace, before = pair[number], pair[number].bytes("linear")
    workspace.run("git", "add", "data/linear")
    cache = workspace.path / ".dvc/cache"
    cache.rename(cache.with_name("kept"))  # as in a clone
    (workspace.path / "data/linear/best.weights.h5").unlink()

    assert fit_by_either(pair, number, **elsewhere).bytes("linear") == before
    shutil.copytree(cache.with_name("kept"), cache, dirs_exist_ok=True)


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
    assert " compile.learning_rate: 0.01 -> 0.02" in lines["compile"]
    assert "restore" in lines["compile"]  # trained with 0.02 before
    assert " fit.epochs: 3 -> 4" in plan
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
