"""Whatever is killed and damaged, at whatever moment: no wrong result is taken for right.

`make soak` does it 500 times. A round is a command drawn by chance, killed by chance; between two
rounds a bit of a file is turned over by chance.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from flows.memory import lock
from flows.project.folder import Project
from tasks.core.folder import md5
from tests.support.own import put_csv, table
from tests.support.wrong import turn_a_bit

ROUNDS = int(os.environ.get("ROUNDS", "4"))
AT_ONCE = 1 if ROUNDS < 10 else 2  # `pytest -n 2`
# Seconds before a kill: about what the command takes here.
LONGEST = {"flow": 20, "dvc": 25, "trial": 25, "new": 4, "remove": 2}
REPRO = ["dvc", "repro", "visualize@linear", "evaluate@linear"]
TRIAL = """
from flows.pipeline import run_pipeline
run_pipeline("linear", changes={"fit": {"epochs": 40}}, return_state=True)
"""
COMMANDS = {
    "flow": ["python", "-m", "flows", "train", "linear"],
    "dvc": REPRO,
    "trial": ["python", "-c", TRIAL],
    "new": ["python", "-m", "flows", "new", "more", "in.csv", "--target", "y"],
    "remove": ["python", "-m", "flows", "remove", "more"],
}
FILES = [
    "data/linear/*.*",
    ".dvc/cache/files/md5/*/*",
    ".dvc/tmp/rwlock",
    "data/linear/.resume/*.npz",
]


@pytest.mark.parametrize("worker", range(AT_ONCE))
def test_what_is_killed_and_damaged_never_becomes_a_wrong_result(
    worker, workspaces, prefect_server
):
    workspace = workspaces(f"soak-{worker}", PREFECT_API_URL=prefect_server)
    put_csv(workspace.path / "in.csv", *table(40))
    workspace.set(linear__fit__epochs=2000, linear__run__save_every=0.1)
    workspace.run(*COMMANDS["flow"])
    workspace.run("git", "add", "-A")
    workspace.run("git", "commit", "-q", "-m", "Begin")
    whole = workspace.bytes("linear")
    project = Project(workspace.path)
    sections = project.sections("linear")

    unseen: set[str] = set()  # outputs that `dvc repro` may have restored from a rotten cache
    draw, told = random.Random(worker), dict.fromkeys([*COMMANDS, "killed", "refused"], 0)
    for _ in range(ROUNDS):
        for _ in range(draw.randrange(3)):
            damage(draw, workspace.path)
        name = draw.choice(list(COMMANDS))
        told[name] += 1
        done, said = once(workspace, COMMANDS[name], draw.uniform(0.1, LONGEST[name]))
        told["killed"] += done is None
        told["refused"] += bool(done)
        unseen |= rotten(project)
        assert project.sections("linear") == sections
        if name in ("flow", "dvc") and done == 0:
            now = workspace.bytes("linear")
            differs = {path for path, _ in now.items() ^ whole.items()}
            missing = sorted(whole.keys() - now.keys())
            unseen = unseen if name == "dvc" else set()  # the flow looks at what it restores
            assert differs <= unseen, (missing, said)

    mend(workspace)
    assert workspace.bytes("linear") == whole
    assert not list(workspace.path.glob(".dvc/tmp/used/*.json"))
    print(json.dumps(told))


def once(workspace, command: list[str], seconds: float) -> tuple[int | None, str]:
    """The exit code of a command, None if it was killed; and what it said."""
    process = workspace.start(*command)
    try:
        said = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, process.communicate()[0]
    assert "Traceback" not in said or command[0] == "dvc", said
    return process.returncode, said


def rotten(project: Project) -> set[str]:
    """The outputs that are damaged in DVC's cache: `dvc repro` restores them without a look."""
    kept = project.root / ".dvc/cache/files/md5"
    outputs = {name: kept / oid[:2] / oid[2:] for name, oid in lock.outputs(project).items()}
    return {
        name
        for name, file in outputs.items()
        if file.is_file() and md5(file) != file.parent.name + file.name
    }


def mend(workspace) -> None:
    """What a person does in the end, by docs/recovery.md: the flow, until all is well."""
    for _ in range(4):
        if once(workspace, COMMANDS["flow"], 200)[0] == 0:
            break
        workspace.run("git", "checkout", "-q", "HEAD", "dvc.lock")
    workspace.run(*REPRO)


def damage(draw: random.Random, root: Path) -> None:
    """Turn over a bit of a file; its mode stays, as DVC goes by it."""
    files = sorted(path for each in FILES for path in root.glob(each) if path.is_file())
    if files:
        turn_a_bit(draw.choice(files), draw)


def test_a_cached_result_is_that_of_its_inputs(workspaces):
    """The check of the check: a wrong record is seen."""
    workspace = workspaces("check")
    workspace.run("dvc", "repro", "load@linear")
    project = Project(workspace.path)
    entry = lock.stages(project)["load@linear"]
    used = lock.Used(project.sections("linear"), {})
    assert lock.wrong(project, "load@linear", entry, used) == []
    used.sections["load"]["source"] = "idx"
    assert lock.wrong(project, "load@linear", entry, used)
