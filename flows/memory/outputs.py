"""The outputs of a stage: put back, fetched from the remote, and dropped where damaged."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.serialize import to_single_stage_lockfile

from flows.memory import lock
from flows.memory.local import is_kept
from flows.memory.repository import repository, stage_of
from flows.project import git
from flows.project.folder import Project
from tasks.core.folder import md5
from tasks.core.step import UserError, log


def members(repo: Repo, digest: str) -> dict[str, str]:
    """The files of a folder by their paths in it, each with its MD5; none if DVC's cache lacks it.

    Args:
        digest: of the folder, or of a file, which has none.
    """
    listed = Path(repo.cache.local.oid_to_path(digest))
    if not digest.endswith(".dir") or not is_kept(listed, digest, digest):
        return {}
    return {each["relpath"]: each["md5"] for each in json.loads(listed.read_bytes())}


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


def drop_changed(project: Project, address: str) -> None:
    """See to it that the next run restores what a stage wrote, or makes it again."""
    for out in lock.stages(project)[address]["outs"]:
        file = project.root / out["path"]
        if file.is_file() and md5(file) != out["md5"]:
            drop(project, file)


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
            log.warning("%s: DVC's remote `%s` lacks it, or is away: %s", address, remote, error)
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
        log.warning("the earlier outputs are not back yet; the next run restores them: %s", error)


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
        for out in stage.outs:
            if not out.use_cache:
                _unlink(Path(out.fs_path))


def _unlink(file: Path) -> None:
    """With `cache.type: symlink` DVC brings a link; committed, it leads to nothing in a clone."""
    if file.is_symlink():
        part = file.with_name(f".part.{file.name}")
        part.write_bytes(file.read_bytes())
        os.replace(part, file)


def _from_git(project: Project, out) -> None:
    """An output that is in git comes with a clone; DVC's cache does not.

    Git may have that of another run: then it is not what the record says.
    """
    content = git.file(project, "", out.def_path)
    if content is None:
        return
    if not out.hash_info or hashlib.md5(content).hexdigest() == out.hash_info.value:
        Path(out.fs_path).write_bytes(content)


def drop_damaged(repo: Repo, project: Project, address: str, restored: bool) -> bool:
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
