"""What DVC recorded of a stage, compared with what the stage was made from; else taken back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.fs import localfs
from dvc.repo import Repo
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.hash_info import HashInfo

from flows.memory import lock
from flows.memory.lock import TakenBack, Used
from flows.memory.repository import repository, stage_of
from flows.project.folder import Project
from tasks.core.folder import md5
from tasks.core.step import UserError


def check_record(project: Project, address: str, used: Used) -> None:
    """Compare what was recorded of a step with what it was made from.

    Between the end of a step and its record, a file may change: DVC then records the new one. Such
    a record is taken back, from `dvc.lock` and from the run cache.

    Raises:
        TakenBack: it was.
        UserError: DVC cannot read or write, so nothing was compared.
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
    raise TakenBack(
        f"{', '.join(wrong)} changed between the end of {address} and its record, so the record "
        "was taken back. Run again."
    )


def check_restored(project: Project, address: str, before: dict[str, Any]) -> None:
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
