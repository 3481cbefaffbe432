"""What DVC keeps and nothing needs: old experiments, and objects of the cache."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo, lock_repo
from dvc.repo.experiments.refs import ExpRefInfo
from dvc.repo.experiments.utils import exp_refs
from dvc.scm import NoSCM
from dvc_data.hashfile.gc import gc
from dvc_data.hashfile.hash_info import HashInfo

from flows.engine.processes import lives
from flows.memory.local import cache
from flows.memory.repo import repository
from flows.project.folder import Project
from tasks.core.step import UserError


@dataclass
class Kept:
    """What DVC keeps in this project, and which of it nothing needs.

    Args:
        repo: DVC's view of the project, locked.
        experiments: all that there are.
        old: those of them that were made too long ago.
        used: the objects that are needed.
        sizes: of every object in the cache, in bytes, by its hash.
    """

    repo: Repo
    experiments: list[ExpRefInfo]
    old: list[ExpRefInfo]
    used: set[HashInfo]
    sizes: dict[str, int]

    @property
    def unneeded(self) -> dict[str, int]:
        """The sizes of the objects that nothing needs."""
        needed = {each.value for each in self.used}
        return {name: size for name, size in self.sizes.items() if name not in needed}

    def remove_experiments(self) -> None:
        self.repo.experiments.remove([str(ref) for ref in self.old])

    def remove_objects(self) -> None:
        gc(self.repo.cache.local, self.used)


@contextmanager
def kept(project: Project, since: float, tips: bool) -> Iterator[Kept]:
    """Look at what DVC keeps, and let no other command of DVC change it meanwhile.

    Args:
        since: what was made later is kept, in seconds since 1970.
        tips: whether the newest commit of each branch and each tag needs its results, and an older
            commit does not.

    Raises:
        UserError: a step is at work.
    """
    with repository(project) as repo, lock_repo(repo):
        _refuse_if_busy(repo)
        known = [] if isinstance(repo.scm, NoSCM) else list(exp_refs(repo.scm))
        old = [ref for ref in known if _made(repo, ref) < since]
        used = _used(repo, [ref for ref in known if ref not in old], since, tips)
        yield Kept(repo, known, old, used, _sizes(repo) if _own(project) else {})


def _own(project: Project) -> bool:
    """Whether the cache is this project's alone; others may need what this one does not."""
    return cache(project).resolve().is_relative_to(project.root.resolve())


def _refuse_if_busy(repo: Repo) -> None:
    """While a step of a `dvc repro` runs, DVC notes it in a file; its lock is free then."""
    with suppress(FileNotFoundError, ValueError):
        noted = json.loads(Path(repo.tmp_dir, "rwlock").read_text(encoding="utf-8"))
        holders = [*noted.get("write", {}).values()]
        holders += [each for readers in noted.get("read", {}).values() for each in readers]
        for holder in holders:
            if lives(holder["pid"]):
                raise UserError(f"`{holder['cmd']}` is at work here. Wait until it has ended.")


def _made(repo: Repo, ref: ExpRefInfo) -> float:
    return repo.scm.resolve_commit(repo.scm.get_ref(str(ref))).commit_time


def _used(repo: Repo, experiments: list[ExpRefInfo], since: float, tips: bool) -> set[HashInfo]:
    """The objects that the files of now, commits, experiments or late runs have as outputs."""
    revisions = [repo.scm.get_ref(str(ref)) for ref in experiments]
    which = {"all_branches": True, "all_tags": True} if tips else {"all_commits": True}
    if isinstance(repo.scm, NoSCM):
        which = {}
    found = repo.used_objs(revs=revisions, used_run_cache=_late_runs(repo, since), **which)
    return set().union(*found.values())


def _late_runs(repo: Repo, since: float) -> list[tuple[str, str]]:
    """The entries of the run cache that were made later: a key and a value of each."""
    entries = Path(repo.stage_cache.cache_dir).glob("*/*/*")
    return [(file.parent.name, file.name) for file in entries if file.stat().st_mtime >= since]


def _sizes(repo: Repo) -> dict[str, int]:
    store = repo.cache.local
    return {name: os.path.getsize(store.oid_to_path(name)) for name in store.all()}
