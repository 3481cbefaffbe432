"""A stage brought up to date by DVC's own `reproduce`: left, restored, or run and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from dvc.exceptions import ReproductionError
from dvc.repo import Repo
from dvc.rwlock import RWLockFileFormatError

from flows.memory.lock import Used
from flows.memory.outputs import drop_damaged, put_back
from flows.memory.patches import restored, steps_run_here
from flows.memory.records import check_record, check_restored
from flows.memory.repository import Busy, Frozen, others_may, repository, stage_of, target
from flows.project.folder import Project
from flows.project.steps import RELEASE, STEPS, SWEEP, graph
from flows.project.tracked import check_here

OURS = (*STEPS, *RELEASE, SWEEP)
UNCHANGED, RESTORED, RUN = "unchanged", "restored", "run"


def reproduce(
    project: Project, address: str, function: Callable[[], Used], force: bool = False
) -> str:
    """Leave a stage as it is, restore its outputs, or run `function` and record what it wrote.

    Args:
        address: DVC's name of the stage, such as `fit@fashion`.
        function: runs the step, and says what it was made from.
        force: whether to run it in any case.

    Returns:
        `unchanged`, `restored` or `run`.

    Raises:
        UserError: another process is at work on the same files; DVC cannot read or record; or it
            recorded something else than what the step was made from.
        Exception: whatever `function` raises. The outputs of before are back then.
    """
    check_here(project, graph(address.partition("@")[0]))
    try:
        return _brought(project, address, function, force)
    except (Busy, Frozen):  # the outputs are those of the other run, or stayed
        raise
    except BaseException:
        put_back(project, address)
        raise


def _brought(project: Project, address: str, function: Callable[[], Used], force: bool) -> str:
    used: list[Used] = []

    def run() -> None:
        with others_may():
            used.append(function())

    restored()  # of another stage, in a run that failed
    with repository(project) as repo:
        _bring_data(repo, stage_of(repo, project, address))
        with steps_run_here(run):
            done = _by_dvc(repo, target(project, address), force)
            if not used and drop_damaged(repo, project, address, restored=bool(done)):
                done = _by_dvc(repo, target(project, address), force)

    if used:
        check_record(project, address, used[0])
        return RUN
    before = restored()
    if before:
        check_restored(project, address, before)
    return RESTORED if done else UNCHANGED


def _bring_data(repo: Repo, stage) -> None:
    """Let DVC look after data that it keeps (`dvc add`), or that a stage of the user's makes."""
    if not stage.name.startswith("load@"):  # the step that reads them
        return
    others = [s for s in repo.index.stages if getattr(s, "name", "").partition("@")[0] not in OURS]
    if not others:  # a graph takes longer
        return
    before = repo.index.graph.successors(stage)
    for other in set(before).intersection(others):
        repo.reproduce(other.addressing)


def _by_dvc(repo: Repo, target: str, force: bool) -> list:
    try:
        return repo.reproduce(target, single_item=True, force=force)
    except ReproductionError as error:
        file = Path(repo.tmp_dir, "rwlock")
        if not isinstance(error.__cause__, RWLockFileFormatError) and _is_json(file):
            raise
        # A kill left half of it. DVC edits it under a lock of its own: no live run is writing it.
        file.unlink(missing_ok=True)
        return repo.reproduce(target, single_item=True, force=force)


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:  # of the text, or of its bytes
        return False
    return True
