"""What a commit has recorded, and the bytes of it from DVC's cache or its remote."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from dvc.exceptions import DvcException
from dvc_data.hashfile.hash_info import HashInfo
from ruamel.yaml import YAML

from flows.memory.repo import repository
from flows.project.folder import Project
from tasks.core.step import UserError


def outputs(project: Project, commit: str) -> dict[str, str]:
    """The MD5 of every output in the `dvc.lock` of a commit, by its path from the root."""
    command = ["git", "show", f"{commit}:./dvc.lock"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"This clone does not have the commit {commit[:10]}, or it has no dvc.lock: "
            f"{done.stderr.strip()}. `git fetch --unshallow` brings all commits."
        )
    recorded = YAML(typ="safe").load(done.stdout)["stages"].values()
    return {out["path"]: out["md5"] for stage in recorded for out in stage.get("outs", [])}


def bring(project: Project, commit: str, path: str, place: Path) -> None:
    """Put a file of a commit somewhere else, from DVC's cache or its remote.

    Args:
        path: of the file, from the project's root.
        place: the new path.

    Raises:
        UserError: neither has it.
    """
    digest = outputs(project, commit).get(path)
    with repository(project) as repo:
        kept = Path(repo.cache.local.oid_to_path(digest)) if digest else None
        if kept and not kept.is_file() and repo.config["core"].get("remote"):
            try:
                repo.cloud.pull([HashInfo("md5", digest)])
            except (DvcException, OSError):
                kept = None
    if kept is None or not kept.is_file():
        raise UserError(
            f"{path} of the commit {commit[:10]} is not in DVC's cache, nor in its remote. Ask who "
            f"has it for `dvc push`; or make it again: `git checkout {commit[:10]}`, train, and "
            "`git switch -`."
        )
    shutil.copyfile(kept, place)
