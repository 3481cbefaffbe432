"""What DVC keeps and nothing needs: old experiments, and objects of the cache."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo, lock_repo
from dvc.repo.experiments.refs import ExpRefInfo
from dvc.repo.experiments.utils import exp_refs, remove_exp_refs
from dvc.scm import NoSCM
from dvc_data.hashfile.gc import gc
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from flows.memory.local import cache
from flows.memory.patches import holds
from flows.memory.repository import repository
from flows.project import git
from flows.project.folder import Project
from tasks.core.step import UserError

HASH = r"[0-9a-f]{32}(\.dir)?"  # as dvc.lock has it
NAMED = (":(top)*dvc.lock", ":(top)*.dvc")  # wherever the project was in its repository
COMMITS = 1000  # in one command


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
        remove_exp_refs(self.repo.scm, self.old)

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
        file = Path(repo.tmp_dir, "rwlock")
        written, noted = file.stat().st_mtime, json.loads(file.read_text(encoding="utf-8"))
        holders = [*noted.get("write", {}).values()]
        holders += [each for readers in noted.get("read", {}).values() for each in readers]
        for holder in holders:
            if holds(holder, written):
                raise UserError(f"`{holder['cmd']}` is at work here. Wait until it has ended.")


def _made(repo: Repo, ref: ExpRefInfo) -> float:
    return repo.scm.resolve_commit(repo.scm.get_ref(str(ref))).commit_time


def _used(repo: Repo, experiments: list[ExpRefInfo], since: float, tips: bool) -> set[HashInfo]:
    """The objects that the files of now, late runs, experiments or commits name."""
    found = repo.used_objs(used_run_cache=_late_runs(repo, since))
    if not isinstance(repo.scm, NoSCM):
        revisions = [repo.scm.get_ref(str(ref)) for ref in experiments] + _commits(repo, tips)
        found[None] = found[None] | _named_in(repo, revisions)
    used = set().union(*found.values()) | _late_objects(repo, since)
    return used | _inside(repo, used)


def _commits(repo: Repo, tips: bool) -> list[str]:
    if tips:
        places = ("refs/heads", "refs/tags", "refs/remotes", "refs/stash")
        return ["HEAD", *_git(repo, "for-each-ref", "--format=%(objectname)", *places)]
    stashes = _git(repo, "for-each-ref", "--format=%(refname)", "refs/stash")
    older = _git(repo, "rev-list", "--walk-reflogs", *stashes) if stashes else []
    return [*_git(repo, "rev-list", "--exclude=refs/exps/*", "--all", "HEAD"), *older]


def _named_in(repo: Repo, revisions: list[str]) -> set[HashInfo]:
    """Every hash in what DVC wrote into commits.

    DVC itself would read all of dvc.yaml in each commit, for seconds, and fail on one that it
    cannot read.
    """
    found: set[str] = set()
    for first in range(0, len(revisions), COMMITS):
        some = revisions[first : first + COMMITS]
        words = _git(repo, "grep", "-ohE", HASH, *some, "--", *NAMED)
        # The user's configuration of git may put colors, or the number of the line, before them.
        found |= {each.group() for word in words for each in re.finditer(HASH, word)}
    return {HashInfo("md5", name) for name in found}


def _git(repo: Repo, *command: str) -> list[str]:
    return git.run(Project(Path(repo.root_dir)), *command).split()


def _inside(repo: Repo, used: set[HashInfo]) -> set[HashInfo]:
    """The files in the folders that are needed."""
    store = repo.cache.local
    folders = [each for each in used if each.isdir and store.exists(each.value)]
    return {entry for folder in folders for _, _, entry in Tree.load(store, folder)}


def _late_runs(repo: Repo, since: float) -> list[tuple[str, str]]:
    """The entries of the run cache that were made later: a key and a value of each."""
    entries = Path(repo.stage_cache.cache_dir).glob("*/*/*")
    return [(file.parent.name, file.name) for file in entries if file.stat().st_mtime >= since]


def _late_objects(repo: Repo, since: float) -> set[HashInfo]:
    """Those that were made later, such as data of a `dvc add` that was done again."""
    store = repo.cache.local
    late = (name for name in store.all() if os.path.getmtime(store.oid_to_path(name)) >= since)
    return {HashInfo("md5", name) for name in late}


def _sizes(repo: Repo) -> dict[str, int]:
    store = repo.cache.local
    return {name: os.path.getsize(store.oid_to_path(name)) for name in store.all()}
