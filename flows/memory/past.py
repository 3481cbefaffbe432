"""What a commit has recorded, and the bytes of it from DVC's cache or its remote.

`python -m flows.memory.past fashion` says where the champion's export is, which it brings.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.hash_info import HashInfo
from ruamel.yaml import YAML

from flows.memory import champions, lock
from flows.memory.local import is_kept
from flows.memory.lock import digest
from flows.memory.outputs import members
from flows.memory.repository import repository
from flows.project import git
from flows.project.folder import Project
from tasks.core.step import UserError, log

LOCKS = ("dvc.lock", "release/dvc.lock")


def outputs(project: Project, commit: str) -> dict[str, str]:
    """The MD5 of every output that a commit has recorded, by its path from the root."""
    found: dict[str, str] = {}
    for name in LOCKS:
        text = _shown(project, commit, name)
        stages = (YAML(typ="safe").load(text) or {}).get("stages", {})
        outs = (out for each in stages.values() for out in each.get("outs", []))
        found |= {out["path"]: out["md5"] for out in outs}
    return found


def _shown(project: Project, commit: str, name: str) -> bytes:
    """A file of a commit; empty if it has none."""
    if not git.said(project, "cat-file", "-t", commit):
        raise UserError(
            f"This clone does not have the commit {commit[:10]}. `git fetch --unshallow` or "
            "`git fetch --tags` brings it."
        )
    return git.file(project, commit, name) or b""


def bring(project: Project, commit: str, path: str, place: Path) -> None:
    """Put an output of a commit somewhere else, from DVC's cache or its remote.

    Args:
        path: of a file or a folder, from the project's root.
        place: the new path.

    Raises:
        UserError: neither has it.
    """
    recorded = outputs(project, commit).get(path)
    with repository(project) as repo:
        kept = _kept(repo, recorded) if recorded else None
        files = {"": kept}
        if kept and recorded and recorded.endswith(".dir"):
            inside = members(repo, recorded)
            files = {name: _kept(repo, each) for name, each in inside.items()}

    if not all(files.values()):
        raise UserError(
            f"{path} of the commit {commit[:10]} is not in DVC's cache, nor in its remote. Ask who "
            f"has it for `dvc push`; or make it again: `git checkout {commit[:10]}`, train, and "
            "`git switch -`."
        )
    for name, file in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place / name)  # type: ignore[arg-type] # none is None


def _kept(repo: Repo, digest: str) -> Path | None:
    """A file of DVC's cache, fetched if it was not there or damaged; None if nobody has it."""
    path = Path(repo.cache.local.oid_to_path(digest))
    if not is_kept(path, digest, digest) and repo.config["core"].get("remote"):
        try:
            repo.cloud.pull([HashInfo("md5", digest)])
        except (DvcException, OSError) as error:
            log.warning("DVC's remote is away: %s", error)
    return path if is_kept(path, digest, digest) else None


def champion(project: Project, pipeline: str) -> Project:
    """The champion's export in a folder of its own with its records: a project to serve from.

    Raises:
        UserError: there is no champion, or nobody has its export.
    """
    now = champions.read(project, pipeline).champion
    if now is None:
        raise UserError(
            f"{pipeline} has no champion. `python -m flows promote {pipeline}` makes one."
        )
    name = f"{pipeline}-{now.commit}"
    there = Project(project.root / ".dvc" / "tmp" / "champions" / name)
    export = f"data/{pipeline}/export"
    if there.root.is_dir():
        if digest(there.root / export) == lock.outputs(there).get(export):
            return there
        shutil.rmtree(there.root, ignore_errors=True)  # it was damaged

    part = Project(there.root.with_name(f".part.{name}.{os.getpid()}"))
    try:
        for file in (*LOCKS, f"data/{pipeline}/metrics.json"):
            (part.root / file).parent.mkdir(parents=True, exist_ok=True)
            (part.root / file).write_bytes(_shown(project, now.commit, file))
        for output in ("export", "raw.npz"):
            place = part.data(pipeline) / output
            bring(project, now.commit, f"data/{pipeline}/{output}", place)
        os.replace(part.root, there.root)
    except OSError:
        if not there.root.is_dir():  # another process was as fast
            raise
    finally:
        shutil.rmtree(part.root, ignore_errors=True)
    return there


if __name__ == "__main__":
    try:
        print(champion(Project.here(), sys.argv[1]).root)
    except UserError as error:
        sys.exit(str(error))
