"""What would happen to each step now, and why, foretold without running anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from dvc.dependency import ParamsDependency
from dvc.dvcfile import load_file
from dvc.repo import Repo
from dvc.repo.index import Index
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta

from flows.memory import reasons
from flows.memory.repository import refuse_frozen, repository
from flows.memory.reproduce import RESTORED, RUN, UNCHANGED
from flows.project.folder import Project
from flows.project.params import NONE
from flows.project.steps import STEPS
from tasks.core.step import UserError

AWAY = "not made here yet"
IF_CHANGED = "if changed"  # run, if a step before it writes something else than last time


@dataclass(frozen=True)
class Plan:
    """One step of a pipeline as `dvc.yaml` has it, what would happen to it now, and why."""

    step: str
    address: str  # DVC's name: step@pipeline
    after: tuple[str, ...]  # the steps whose outputs it reads
    action: str
    reasons: tuple[str, ...]


# The outputs that will change: their hashes, where they are known before the run.
Coming = dict[str, HashInfo | None]


@dataclass
class Inputs:
    """What is known of a stage's inputs, given what will have happened before it."""

    parameters: list[str] = field(default_factory=list)  # that changed, each with its values
    missing: list[str] = field(default_factory=list)  # files
    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)  # that may change before
    command: bool = False  # whether that in dvc.yaml changed
    complete: bool = True  # whether every input's hash is known

    def reasons(self, address: str) -> list[str]:
        """Each a reason to run."""
        found = list(self.parameters)
        for word in ("missing", "changed", "new"):
            found += reasons.files(getattr(self, word), address, word)
        return found + ["the command in dvc.yaml changed"] * self.command


def plan(project: Project, pipeline: str, force: bool = False, locked: bool = True) -> list[Plan]:
    """The steps of a pipeline in an order that works, with what a run would do to each, and why.

    Args:
        pipeline: its name in `params.yaml`.
        force: whether all steps are to run.
        locked: whether DVC's lock is held meanwhile, so that no other run changes anything.
    """
    with repository(project) as repo, repo.lock if locked else nullcontext():
        coming: Coming = {}
        # Of this pipeline alone: DVC would need minutes for those of two thousand.
        stages = pipeline_stages(repo, pipeline)
        graph = Index(repo, stages=stages).graph
        plans = []

        for stage in _in_order(stages, graph):
            action, because = _judge(repo, stage, coming, force)
            before = {up.name.partition("@")[0] for up in graph.successors(stage)}
            step = stage.name.partition("@")[0]
            plans.append(Plan(step, stage.name, tuple(sorted(before)), action, tuple(because)))
        return plans


def pipeline_stages(repo: Repo, pipeline: str) -> list:
    """The eight stages of a pipeline, without those of all others."""
    known = load_file(repo, os.path.join(repo.root_dir, "dvc.yaml")).stages
    names = [f"{step}@{pipeline}" for step in STEPS]
    missing = sorted(name for name in names if name not in known)
    if missing:
        raise UserError(
            f"dvc.yaml has no stage {', '.join(missing)}. `git checkout dvc.yaml` brings it back."
        )
    for name in names:
        refuse_frozen(known[name])
    return [known[name] for name in names]


def _in_order(stages: list, graph) -> Iterator:
    """The stages of a pipeline, each after those whose outputs it reads."""
    todo = set(stages)
    while todo:
        stage = next(s for s in stages if s in todo and todo.isdisjoint(graph.successors(s)))
        todo.remove(stage)
        yield stage


def _judge(repo: Repo, stage, coming: Coming, force: bool) -> tuple[str, list[str]]:
    """What would happen to a stage, and why; notes in `coming` what it will write."""
    new = not any(dep.hash_info for dep in stage.deps)
    inputs = _inputs(stage, coming)
    changes = inputs.reasons(stage.name)
    outputs = _outputs(stage)

    # The decision table.
    if force:
        action, because = RUN, ["--force"]
    elif changes or outputs:
        entry = _entry(repo, stage, inputs, bool(changes))
        action = RESTORED if entry else RUN
        because = ["it has not run yet"] if new else changes or outputs
    elif inputs.complete:
        action, because = UNCHANGED, []
    else:
        action, because = IF_CHANGED, [reasons.listed(inputs.awaited, stage.name)]

    if action == RESTORED:
        coming.update({out.fs_path: out.hash_info for out in entry.outs})
    elif action != UNCHANGED:
        coming.update(dict.fromkeys((out.fs_path for out in stage.outs), None))
    return action, because


def _inputs(stage, coming: Coming) -> Inputs:
    """Compare each dependency with what `dvc.lock` has of it.

    The stage's dependencies get the hashes of now: the key of the run cache is made from them. The
    stage is of a repository that is opened for the plan alone.
    """
    found = Inputs()
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            now = _params(dep, found, stage.name)
        elif dep.fs_path in coming:
            now = _upstream(dep, coming[dep.fs_path], found)
        else:
            now = _file(dep, found)

        if now is None:
            found.complete = False
        else:
            dep.hash_info, dep.meta = now, Meta()

    found.command = stage.changed_stage()
    return found


def _params(dep: ParamsDependency, found: Inputs, address: str) -> HashInfo:
    old, new = dep.hash_info.value or {}, dep.read_params()
    for key in dep.params:
        before, after = old.get(key, NONE), new.get(key, NONE)
        if before != after:
            found.parameters += reasons.parameter(key, before, after, address)
    return HashInfo("params", new)


def _upstream(dep, coming: HashInfo | None, found: Inputs) -> HashInfo | None:
    """A file that a step before this one writes."""
    if coming is None:
        found.awaited.append(dep.def_path)
    elif coming != dep.hash_info:
        found.changed.append(dep.def_path)
    return coming


def _file(dep, found: Inputs) -> HashInfo | None:
    now = dep.get_hash() if dep.exists else None
    if now is None:
        found.missing.append(dep.def_path)
    elif now != dep.hash_info:
        (found.changed if dep.hash_info else found.new).append(dep.def_path)
    return now


def _outputs(stage) -> list[str]:
    """What is wrong with a stage's outputs."""
    missing = [out.def_path for out in stage.outs if not out.exists]
    if missing and not any(out.exists for out in stage.outs if out.use_cache):
        return [AWAY]  # as in a clone, to which git brings the others
    edited = [out.def_path for out in stage.outs if out.exists and out.workspace_status()]
    return [
        *reasons.files(missing, stage.name, "missing"),
        *reasons.files(edited, stage.name, "changed since it was written"),
    ]


def _entry(repo: Repo, stage, inputs: Inputs, changed: bool):
    """A stage whose outputs are those of now in DVC's cache; None if it must run."""
    if not inputs.complete:
        return None
    entry = _newest(repo, stage) if changed else to_single_stage_lockfile(stage)
    if entry is None:
        return None
    cached = repo.stage_cache._create_stage(entry, wdir=stage.wdir)
    return cached if cached.outs_cached() else None


def _newest(repo: Repo, stage) -> dict | None:
    """The newest entry of the run cache for a stage's inputs, also for inputs still to come."""
    key = _get_cache_hash(to_single_stage_lockfile(stage), key=True)
    entries = Path(repo.stage_cache._get_cache_dir(key)).glob("*")
    newest = max(entries, key=lambda entry: entry.stat().st_mtime, default=None)
    return repo.stage_cache._load_cache(key, newest.name) if newest else None
