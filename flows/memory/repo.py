"""DVC, which decides whether a step runs. The only module that imports it; two others run a command of it.

`dvc.repo.Repo` mirrors the commands, is undocumented and may change: its version is pinned, and a test compares the
flow with `dvc repro` byte for byte. A step is brought up to date by DVC's own `reproduce`, so that what it checks,
restores, records and locks is what `dvc repro` checks, restores, records and locks. One thing is exchanged: where DVC
would start the stage's command, the step runs in this process, where TensorFlow is already imported.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dvc.stage.run
from dvc.dependency import ParamsDependency
from dvc.exceptions import CacheLinkError, DvcException, ReproductionError
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.rwlock import RWLockFileCorruptedError
from dvc.stage.cache import StageCache, _get_cache_hash, _get_stage_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import ParseError, YAMLFileCorruptedError
from dvc.utils.serialize import _common as serialize
from dvc.utils.strictyaml import YAMLValidationError
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta

from flows.project.params import NONE, STEPS, differences
from tasks.core.step import UserError, log

# What happens to a step.
UNCHANGED, RESTORED, RUN, IF_CHANGED = "unchanged", "restored", "run", "if changed"


@dataclass(frozen=True)
class Plan:
    """One step of a pipeline as `dvc.yaml` has it, what would happen to it now, and why."""

    step: str
    address: str  # DVC's name: step@pipeline
    description: str
    after: tuple[str, ...]  # the steps whose outputs it reads
    action: str
    reasons: tuple[str, ...]


_one_at_a_time = threading.Lock()  # DVC operations in this process; while a step runs, others may
_running = threading.local()


def _run_here(stage, dry=False, run_env=None) -> None:
    _one_at_a_time.release()
    try:
        _running.started = True
        _running.function()
    finally:
        _one_at_a_time.acquire()


def _dump_whole(path, data, dumper, fs=None, **options) -> None:
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as file:
        dumper(data, file, **options)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


_load_entry = StageCache._load


def _load_entry_if_any(self: StageCache, stage) -> dict | None:
    if key := _get_stage_hash(stage):
        with suppress(OSError):  # it is not there, or not empty
            os.rmdir(self._get_cache_dir(key))
    return _load_entry(self, stage)


dvc.stage.run.cmd_run = _run_here
StageCache._load = _load_entry_if_any  # a kill may leave a folder without its entry, for which DVC has no word
serialize._dump_data = _dump_whole  # DVC writes dvc.lock in its place: a kill would leave half of it
logging.getLogger("dvc").setLevel(logging.WARNING)  # each "Updating lock file" would be a line in the terminal


@contextmanager
def _repository() -> Iterator[Repo]:
    """DVC's view of the project, fresh: files may have changed since the last one. Its errors become ours."""
    with _one_at_a_time:
        try:
            with closing(Repo(_wait_for_lock=True)) as repo:
                yield repo
        except (DvcException, OSError) as error:
            while isinstance(error, ReproductionError) and error.__cause__:
                error = error.__cause__
            if isinstance(error, FileNotFoundError) and error.filename:
                name = Path(error.filename)
                name = name.relative_to(Path.cwd()) if name.is_relative_to(Path.cwd()) else name
                raise UserError(
                    f"There is no {name}. Bring it back; or, if load.path names it, correct that in params.yaml."
                ) from None
            if isinstance(error, OSError):
                raise UserError(f"{error}. Nothing was recorded; run again when that is mended.") from None
            if not isinstance(error, DvcException):
                raise error from None
            raise UserError(_advice(error)) from None


def _advice(error: DvcException) -> str:
    if isinstance(error, LockError):
        return f"Another run is at work here. {error}".partition("\n\nIf there are no")[0]
    if isinstance(error, ParseError | YAMLValidationError | YAMLFileCorruptedError) and "dvc.lock" in str(error):
        return (
            "dvc.lock cannot be read: `git checkout dvc.lock` brings it back, and what was made since is in the cache."
        )
    if isinstance(error, CacheLinkError):
        return f"DVC could not put files into their places. Is the disk full, or the folder read-only? {error}"
    return f"DVC: {error}"


def bring_up_to_date(address: str, function: Callable[[], Any], force: bool = False) -> str:
    """Leave a stage as it is, restore its outputs from the cache, or run `function` and record what it wrote.

    Returns:
        `unchanged`, `restored` or `run`.

    Raises:
        UserError: another process is at work on the same files, or DVC cannot read or record something.
        Exception: whatever `function` raises.
    """
    _running.function, _running.started = function, False
    with _repository() as repo:
        done = _reproduce(repo, address, force)
        if done and not _running.started and _drop_damaged(repo, address):
            done = _reproduce(repo, address, force)
    return RUN if _running.started else RESTORED if done else UNCHANGED


def _reproduce(repo: Repo, address: str, force: bool) -> list:
    try:
        return repo.reproduce(address, single_item=True, force=force)
    except ReproductionError as error:
        if not isinstance(error.__cause__, RWLockFileCorruptedError):
            raise
        # A kill left half of it. DVC edits it under a lock of its own: no live run is just about to.
        Path(repo.tmp_dir, "rwlock").unlink(missing_ok=True)
        return repo.reproduce(address, single_item=True, force=force)


def _drop_damaged(repo: Repo, address: str) -> bool:
    """Read what came from the cache, which DVC does not; take away what is not what it should be, there and here."""
    (stage,) = repo.stage.collect(address)
    damaged = [out for out in stage.outs if _md5(out.fs_path) != out.hash_info.value]
    for out in damaged:
        log.warning("%s was damaged in DVC's cache: it is made again", out)
        for path in (out.fs_path, repo.cache.local.oid_to_path(out.hash_info.value)):
            Path(path).unlink(missing_ok=True)
    return bool(damaged)


def _md5(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def fetch(address: str) -> bool:
    """Get a stage's recorded outputs from DVC's default remote, if there is one and they belong to the inputs of now.

    Returns:
        Whether the outputs are in their places now.
    """
    with _repository() as repo:
        (stage,) = repo.stage.collect(address)
        remote = repo.config["core"].get("remote")
        if not remote or stage.changed_stage() or any(dep.status() for dep in stage.deps):
            return False
        try:
            for objects in stage.get_used_objs().values():
                repo.cloud.pull(objects)
            for out in stage.outs:
                out.checkout(force=True)
        except (DvcException, OSError) as error:
            log.warning("DVC's remote `%s` has not got it, or cannot be reached: %s", remote, error)
            return False
        return True


def recorded(address: str) -> list[str]:
    """The hashes that `dvc.lock` has of a stage's outputs."""
    with _repository() as repo:
        (stage,) = repo.stage.collect(address)
        return [str(out.hash_info.value) for out in stage.outs]


def put_back(address: str) -> None:
    """Restore what `dvc.lock` records of a stage, as far as it is kept: DVC takes it away before a step runs."""
    with _repository() as repo:
        (stage,) = repo.stage.collect(address)
        if not all(out.hash_info for out in stage.outs):
            return
        for out in repo.stage_cache._create_stage(to_single_stage_lockfile(stage), wdir=stage.wdir).outs:
            if not out.changed_cache():
                out.checkout(force=True)
            elif not out.exists:  # an output that is in git comes with a clone; the cache does not
                kept = subprocess.run(["git", "show", f":{out.def_path}"], capture_output=True)
                if hashlib.md5(kept.stdout).hexdigest() == out.hash_info.value:
                    Path(out.fs_path).write_bytes(kept.stdout)


def plan(pipeline: str, force: bool = False, locked: bool = True) -> list[Plan]:
    """The steps of a pipeline in an order that works, with what `bring_up_to_date` would do to each, and why.

    Args:
        pipeline: a section of `params.yaml`.
        force: whether all steps are to run.
        locked: whether DVC's lock is held meanwhile. Then no other run changes anything, nor can one begin.
    """
    with _repository() as repo, repo.lock if locked else nullcontext():
        order, plans = repo.index.graph, []
        stages = [stage for stage in repo.index.stages if stage.addressing.endswith(f"@{pipeline}")]
        missing = {f"{step}@{pipeline}" for step in STEPS} - {stage.addressing for stage in stages}
        if missing:
            raise UserError(
                f"dvc.yaml has no stage {', '.join(sorted(missing))}. Write `{pipeline}` into its list of "
                "pipelines and into what load reads, or `git checkout dvc.yaml`."
            )
        known: dict[str, HashInfo | None] = {}  # outputs that will change: what they will be, if that can be told
        done: set = set()
        while len(done) < len(stages):
            stage = next(s for s in stages if s not in done and done.issuperset(order.successors(s)))
            done.add(stage)
            action, reasons = _judge(repo, stage, known, force)
            plans.append(
                Plan(
                    step=stage.addressing.partition("@")[0],
                    address=stage.addressing,
                    description=stage.short_description() or "",
                    after=tuple(sorted(up.addressing.partition("@")[0] for up in order.successors(stage))),
                    action=action,
                    reasons=tuple(reasons),
                )
            )
        return plans


def _judge(repo: Repo, stage, known: dict[str, HashInfo | None], force: bool) -> tuple[str, list[str]]:
    """What would happen to one stage, given what will have happened before it; notes in `known` what it will write."""
    inputs, waits, unsure = [], [], False
    new = not any(dep.hash_info for dep in stage.deps)
    for dep in stage.deps:
        before = dep.hash_info
        if isinstance(dep, ParamsDependency):
            now = HashInfo("params", dep.read_params())
            old, values = before.value or {}, now.value
            keys = (key for key in dep.params if old.get(key, ...) != values.get(key, ...))
            inputs += [line for key in keys for line in differences(key, old.get(key, NONE), values.get(key, NONE))]
        elif dep.fs_path in known:
            now = known[dep.fs_path]
            if now is None:
                unsure = True
                waits.append(str(dep))
            elif now != before:
                inputs.append(f"{dep} will be another")
        else:
            now = dep.get_hash() if dep.exists else None
            unsure = unsure or now is None
            if now != before:
                inputs.append(f"{dep} {'is missing' if not now else 'changed' if before else 'is new'}")
        if now is not None:
            dep.hash_info, dep.meta = now, Meta()  # what dvc.lock has of the file would come first
    if stage.changed_stage():
        inputs.append("the command in dvc.yaml changed")
    missing = [str(out) for out in stage.outs if not out.exists]
    edited = [str(out) for out in stage.outs if out.exists and out.workspace_status()]
    outputs = [f"{word}: {_some(files)}" for word, files in (("missing", missing), ("changed", edited)) if files]
    waits = [f"made again before it: {_some(waits)}"] if waits else []

    if force:
        action, reasons = RUN, ["--force"]
    elif not (inputs or outputs):
        action, reasons = (IF_CHANGED, waits) if unsure else (UNCHANGED, [])
    else:
        reasons = ["never recorded before"] if new else (inputs or outputs) + waits
        entry = None if unsure else to_single_stage_lockfile(stage) if not inputs else _cached(repo, stage)
        if entry:
            cached = repo.stage_cache._create_stage(entry, wdir=stage.wdir)
            if cached.outs_cached():
                known.update({out.fs_path: out.hash_info for out in cached.outs})
                return RESTORED, reasons
        action = RUN
    if action != UNCHANGED:
        known.update(dict.fromkeys((out.fs_path for out in stage.outs), None))
    return action, reasons


def _some(files: list[str]) -> str:
    return ", ".join(files) if len(files) < 3 else f"{files[0]} and {len(files) - 1} more"


def _cached(repo: Repo, stage) -> dict | None:
    """The newest entry of the run cache for a stage's inputs: what DVC finds, also when they are not here yet."""
    key = _get_cache_hash(to_single_stage_lockfile(stage), key=True)
    entries = Path(repo.stage_cache._get_cache_dir(key)).glob("*")
    newest = max(entries, key=lambda entry: entry.stat().st_mtime, default=None)
    return repo.stage_cache._load_cache(key, newest.name) if newest else None
