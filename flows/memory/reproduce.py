"""A stage brought up to date by DVC's own `reproduce`: left, restored, or run and recorded."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.exceptions import CacheLinkError, DvcException, ReproductionError
from dvc.fs import localfs
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.rwlock import RWLockFileCorruptedError
from dvc.stage.cache import _get_cache_hash
from dvc.stage.exceptions import MissingDataSource
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import ParseError, YAMLFileCorruptedError
from dvc.utils.strictyaml import YAMLValidationError
from dvc_data.hashfile.build import IgnoreInCollectedDirError
from dvc_data.hashfile.hash_info import HashInfo

from flows.memory import lock
from flows.memory.local import settle
from flows.memory.lock import Used
from flows.memory.patches import restored, steps_run_here
from flows.project.folder import Project
from flows.project.steps import RELEASE, STEPS, SWEEP, graph
from tasks.core.folder import md5
from tasks.core.step import UserError, log

OURS = (*STEPS, *RELEASE, SWEEP)
UNCHANGED, RESTORED, RUN = "unchanged", "restored", "run"

_one_at_a_time = threading.Lock()  # DVC operations in this process; while a step runs, others may


@contextmanager
def repository(project: Project) -> Iterator[Repo]:
    """DVC's view of the project, fresh: files may have changed since the last one."""
    with _one_at_a_time:
        try:
            settle(project)
            with closing(Repo(str(project.root), _wait_for_lock=True)) as repo:
                yield repo
        except sqlite3.DatabaseError as error:  # of files that DVC knows: a cache
            shutil.rmtree(repo.site_cache_dir, ignore_errors=True)
            raise UserError(f"DVC's database was damaged ({error}). Run again.") from None
        except (DvcException, OSError, IgnoreInCollectedDirError) as error:
            raise _plain(error, project) from None


def _plain(error: Exception, project: Project) -> Exception:
    """DVC's error, or the system's, as one of ours that says what to do."""
    while isinstance(error, ReproductionError) and error.__cause__:
        error = error.__cause__

    if isinstance(error, FileNotFoundError) and error.filename:
        name = Path(error.filename)
        shown = name.relative_to(project.root) if name.is_relative_to(project.root) else name
        return UserError(
            f"There is no {shown}. Bring it back; or, if load.path names it, correct that in "
            "params.yaml."
        )
    if isinstance(error, IgnoreInCollectedDirError):
        place = str(error).partition(": ")[2]
        return UserError(
            f"{place} has a .dvcignore, which DVC does not allow inside data. Move its lines to "
            "the project's .dvcignore."
        )
    if isinstance(error, OSError):
        return UserError(f"{error}. Nothing was recorded. Fix this and run again.")
    if isinstance(error, DvcException):
        return UserError(_advice(error))
    return error


def _advice(error: DvcException) -> str:
    if isinstance(error, LockError):
        return f"Another run is at work here. {error}".partition("\n\nIf there are no")[0]

    unreadable = isinstance(error, ParseError | YAMLValidationError | YAMLFileCorruptedError)
    if unreadable and "dvc.lock" in str(error):
        return (
            "dvc.lock cannot be read: damaged, or both versions of a merge. `git checkout HEAD "
            "dvc.lock` brings the last commit's back; what was made since is in DVC's cache."
        )
    if "'release/dvc.yaml'" in str(error):
        return "params.yaml needs a section `release:`. Write `release: {}` above `pipelines:`."
    if isinstance(error, MissingDataSource):
        data = str(error).partition(": ")[2].replace(",", "")  # all that it says
        return f"There is no {data}. DVC keeps it: `dvc pull {data}` brings it."
    if isinstance(error, CacheLinkError):
        return (
            "DVC could not put files into their places. Is the disk full, or the folder "
            f"read-only? {error}"
        )
    return f"DVC: {error}"


def target(project: Project, address: str) -> str:
    """A stage's address as DVC takes it, from wherever the process is."""
    return f"{os.path.relpath(project.root / graph(address.partition('@')[0]))}:{address}"


def stage_of(repo: Repo, project: Project, address: str):
    (stage,) = repo.stage.collect(target(project, address))
    return stage


def bring_up_to_date(
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
    try:
        return _brought(project, address, function, force)
    except BaseException:
        put_back(project, address)
        raise


def _brought(project: Project, address: str, function: Callable[[], Used], force: bool) -> str:
    used: list[Used] = []

    def run() -> None:
        _one_at_a_time.release()
        try:
            used.append(function())
        finally:
            _one_at_a_time.acquire()

    restored()  # of another stage, in a run that failed
    with repository(project) as repo:
        _bring_data(repo, project, address)
        with steps_run_here(run):
            done = _reproduce(repo, target(project, address), force)
            if not used and _drop_damaged(repo, project, address, restored=bool(done)):
                done = _reproduce(repo, target(project, address), force)

    if used:
        check_record(project, address, used[0])
        return RUN
    before = restored()
    if before:
        _check_restored(project, address, before)
    return RESTORED if done else UNCHANGED


def _bring_data(repo: Repo, project: Project, address: str) -> None:
    """Let DVC look after data that it keeps (`dvc add`), or that a stage of the user's makes."""
    if not address.startswith("load@"):  # the step that reads them
        return
    others = [s for s in repo.index.stages if getattr(s, "name", "").partition("@")[0] not in OURS]
    if not others:  # a graph takes longer
        return
    before = repo.index.graph.successors(stage_of(repo, project, address))
    for stage in set(before).intersection(others):
        repo.reproduce(stage.addressing)


def _reproduce(repo: Repo, target: str, force: bool) -> list:
    try:
        return repo.reproduce(target, single_item=True, force=force)
    except ReproductionError as error:
        if not isinstance(error.__cause__, RWLockFileCorruptedError):
            raise
        # A kill left half of it. DVC edits it under a lock of its own: no live run is writing it.
        Path(repo.tmp_dir, "rwlock").unlink(missing_ok=True)
        return repo.reproduce(target, single_item=True, force=force)


def _drop_damaged(repo: Repo, project: Project, address: str, restored: bool) -> bool:
    """Compare outputs with their hashes, as DVC does not; delete the damaged, in its cache too.

    Args:
        restored: just now. Else those that no step reads: a killed run may have restored them.
    """
    read = {dep["path"] for each in lock.stages(project).values() for dep in each.get("deps", [])}
    damaged = [
        out
        for out in stage_of(repo, project, address).outs
        if restored or Path(out.fs_path).relative_to(project.root).as_posix() not in read
        if lock.digest(Path(out.fs_path)) != out.hash_info.value
    ]
    for out in damaged:
        log.warning("%s was damaged in DVC's cache: it is made again", out.def_path)
        kept = [entry for _, _, entry in out.get_obj()] if out.isdir() else []
        for each in (*kept, out.hash_info):
            Path(repo.cache.local.oid_to_path(each.value)).unlink(missing_ok=True)
        out.remove()
    return bool(damaged)


def check_record(project: Project, address: str, used: Used) -> None:
    """Compare what was recorded of a step with what it was made from.

    Between the end of a step and its record, a file may change: DVC then records the new one. Such
    a record is taken back, from `dvc.lock` and from the run cache.

    Raises:
        UserError: it was.
    """
    if lock.fits(project, address, used):
        return

    with repository(project) as repo, repo.lock:
        stage = stage_of(repo, project, address)
        entry = to_single_stage_lockfile(stage)
        wrong = lock.wrong(project, address, entry, _as_seen(repo, stage, used))
        if not wrong:
            return
        _take_back(repo, stage, entry)
        _correct_hashes(repo, used)
    raise UserError(
        f"{', '.join(wrong)} changed between the end of {address} and its record, so the record "
        "was taken back. Run again."
    )


def _check_restored(project: Project, address: str, before: dict[str, Any]) -> None:
    """The same for outputs that came from the cache, and for what they were made from."""
    with repository(project) as repo, repo.lock:
        stage = stage_of(repo, project, address)
        entry = to_single_stage_lockfile(stage)
        if _inputs(entry) == _inputs(before):
            return
        _take_back(repo, stage, entry)
    raise UserError(
        f"The inputs of {address} changed while its outputs came from DVC's cache, so nothing was "
        "recorded. Run again."
    )


def _inputs(entry: dict[str, Any]) -> tuple:
    files = [(dep["path"], dep.get("md5")) for dep in entry.get("deps", [])]
    return files, entry.get("params")


def _take_back(repo: Repo, stage, entry: dict[str, Any]) -> None:
    value, key = _get_cache_hash(entry), _get_cache_hash(entry, key=True)
    kept = Path(repo.stage_cache._get_cache_path(key, value))
    kept.unlink(missing_ok=True)
    with suppress(OSError):  # other entries may be there; DVC fails on an empty folder
        kept.parent.rmdir()
    stage.dvcfile._lockfile.remove_stage(stage)


def _as_seen(repo: Repo, stage, used: Used) -> Used:
    """What was used, without the files that DVC ignores."""
    seen = [
        Path(file)
        for dep in stage.deps
        if not isinstance(dep, ParamsDependency)
        for file in (repo.dvcignore.find(dep.fs, dep.fs_path) if dep.isdir() else [dep.fs_path])
    ]
    return Used(used.sections, {file: used.files[file] for file in seen if file in used.files})


def _correct_hashes(repo: Repo, used: Used) -> None:
    """DVC knows a file by its size and time; tell it what is in those that were read."""
    for file, digest in used.files.items():
        if file.is_file() and md5(file) == digest:
            repo.state.save(str(file), localfs, HashInfo("md5", digest))


def drop(project: Project, file: Path) -> str:
    """See to it that the next run restores a damaged output, or makes it again.

    Returns:
        What was done, in one sentence.
    """
    digest = lock.outputs(project).get(file.relative_to(project.root).as_posix())
    with repository(project) as repo:
        kept = Path(repo.cache.local.oid_to_path(digest)) if digest else None
        if kept and kept.is_file() and md5(kept) == digest != md5(file):
            os.utime(file)  # then DVC looks into it, and finds that it is not what it wrote
            return "DVC restores it."
        for path in filter(None, (file, kept)):
            path.unlink(missing_ok=True)
    return "It was deleted, here and in DVC's cache, and is made again."


def fetch(project: Project, address: str) -> bool:
    """Get a stage's recorded outputs from DVC's default remote, if they fit the inputs of now.

    Returns:
        Whether the outputs are in their places now.
    """
    with repository(project) as repo:
        stage = stage_of(repo, project, address)
        remote = repo.config["core"].get("remote")
        if not remote or stage.changed_stage() or any(dep.status() for dep in stage.deps):
            return False

        try:
            for objects in stage.get_used_objs().values():
                repo.cloud.pull(objects)
            for out in stage.outs:
                out.checkout(force=True)
        except (DvcException, OSError) as error:
            log.warning("DVC's remote `%s` does not have it, or is away: %s", remote, error)
            return False
        return True


def put_back(project: Project, address: str) -> None:
    """Restore what `dvc.lock` records of a stage, as far as it is kept.

    DVC takes outputs away before a step runs; a step that fails must not cost them. Where that
    does not work, as on a full disk, the next run does it: only a line says so.
    """
    try:
        _put_back(project, address)
    except UserError as error:
        log.warning("the outputs of before are not back yet; the next run restores them: %s", error)


def _put_back(project: Project, address: str) -> None:
    with repository(project) as repo:
        stage = stage_of(repo, project, address)
        if not all(out.hash_info for out in stage.outs):
            for out in stage.outs:  # DVC has taken away what git has of them
                if not out.exists:
                    _from_git(project, out)
            return

        entry = to_single_stage_lockfile(stage)
        for out in repo.stage_cache._create_stage(entry, wdir=stage.wdir).outs:
            if not out.changed_cache():
                out.checkout(force=True)
            elif not out.exists:
                _from_git(project, out)


def _from_git(project: Project, out) -> None:
    """An output that is in git comes with a clone; DVC's cache does not.

    Git may have that of another run: then it is not what the record says.
    """
    command = ["git", "show", f":./{out.def_path}"]
    done = subprocess.run(command, cwd=project.root, capture_output=True)
    fits = not out.hash_info or hashlib.md5(done.stdout).hexdigest() == out.hash_info.value
    if done.returncode == 0 and fits:
        Path(out.fs_path).write_bytes(done.stdout)
