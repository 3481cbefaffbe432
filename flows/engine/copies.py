"""Copies of the project in `.dvc/tmp/trials`, removed at their end or by the next run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.engine.processes import hold
from flows.memory.local import settle
from flows.project import git
from flows.project.folder import Project
from tasks.core.step import UserError

COMMIT = "git add -A && git commit -m Begin"
AUTHOR = {"user.name": "keras-flows", "user.email": "keras-flows@localhost"}
PATIENCE = 20  # tenths of a second


@contextmanager
def clone(project: Project, name: str) -> Iterator[Project]:
    """The last commit in a folder of its own, which is removed at the end.

    The folder is on the project's file system, so that files can be linked; and as deep as the
    project, so that a path such as `../data` leads to no other file of this machine.

    Raises:
        UserError: there is no git repository, or the project is not in its last commit.
    """
    top = top_of_git(project)
    with _place(project, name) as place:
        copy = Project(_in(place, project.root))
        how = ("-q", "--shared", "--origin", "origin")  # a user's git may call it otherwise
        git.run(project, "clone", *how, str(top), str(_in(place, top)))
        for key, value in author(project).items():
            git.run(copy, "config", key, value)
        settle(copy)
        yield copy


def author(project: Project) -> dict[str, str]:
    """Who makes the commits of experiments: as git is told, or as `AUTHOR` has it."""
    asked = ("config", "--default")
    return {key: git.run(project, *asked, name, "--get", key) for key, name in AUTHOR.items()}


def top_of_git(project: Project) -> Path:
    """The top folder of the git repository, which may be larger than the project."""
    try:
        top = git.run(project, "rev-parse", "--show-toplevel")
        git.run(project, "cat-file", "-e", "HEAD:./dvc.yaml")
    except UserError as error:
        if "not a git repository" in str(error):
            command = f"git init && {COMMIT}"
        elif "HEAD" in str(error):
            command = COMMIT
        else:
            raise
        raise UserError(
            f"This starts from the last commit, but no commit has the project. Type: {command}"
        ) from None
    return Path(top)


@contextmanager
def _place(project: Project, name: str) -> Iterator[Path]:
    """A path for a copy, which is known to be in use as long as this process lives."""
    trials = _trials(project)
    place, mark = trials / name, trials / f"{name}.lock"
    trials.mkdir(parents=True, exist_ok=True)
    with _turn(trials):
        held = open(mark, "w")  # noqa: SIM115 # until the copy is gone
        hold(held)

    with held:
        try:
            yield place
        finally:
            _remove(place, mark)


def remove_left(project: Project) -> None:
    """Remove the copies whose process was killed."""
    trials = _trials(project)
    if not trials.is_dir():
        return
    with _turn(trials):
        for mark in trials.glob("*.lock"):
            with open(mark) as held:
                if hold(held, without=False):  # else it may be in use
                    _remove(mark.with_suffix(""), mark)


def at_work(project: Project) -> list[str]:
    """The names of the copies that are in use, after `remove_left`."""
    return sorted(mark.stem for mark in _trials(project).glob("*.lock"))


def _remove(place: Path, mark: Path) -> None:
    """Remove a copy, though a process that ends may still write there, as a witness does.

    What stays even so keeps its mark, so that the next run tries again.
    """
    for _ in range(PATIENCE):
        shutil.rmtree(place, ignore_errors=True)
        if not place.exists():
            mark.unlink(missing_ok=True)
            return
        time.sleep(0.1)


@contextmanager
def _turn(trials: Path) -> Iterator[None]:
    """One process at a time: a mark that is not locked yet looks like that of a killed one."""
    with open(trials / "turn", "w") as file:
        hold(file, wait=True)
        yield


def _trials(project: Project) -> Path:
    return project.root / ".dvc" / "tmp" / "trials"


def _in(place: Path, path: Path) -> Path:
    return place.joinpath(*path.parts[1:])


class Bringing:
    """Gives a copy the data that the last commit lacks: what git ignores, and what lies outside.

    A link stays a link, and what it leads to comes with it.

    Args:
        only_outside: whether what lies in the repository stays as the last commit has it.
    """

    def __init__(self, project: Project, copy: Project, only_outside: bool = False) -> None:
        self.project, self.copy, self.only_outside = project, copy, only_outside
        self.top = top_of_git(project)
        self.links: set[Path] = set()  # that were followed: they may lead in a circle

    def bring(self, path: str) -> None:
        """Bring a file or a folder, as `load.path` has it."""
        if not os.path.isabs(path):  # else both read the same place
            self._bring(Path(os.path.normpath(self.project.root / path)))

    def _bring(self, here: Path) -> None:
        for part in [*reversed(here.parents), here]:
            if part.is_symlink() and not self.project.root.is_relative_to(part):
                self._bring_link(part, here.relative_to(part))
                return
        self._bring_tree(here)

    def _bring_link(self, link: Path, below: Path) -> None:
        target = Path(os.readlink(link))
        there = self.counterpart(link)
        if not (there.is_symlink() or self.only_outside):
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(target)
        if link / below not in self.links and not target.is_absolute():
            self.links.add(link / below)
            self._bring(Path(os.path.normpath(link.parent / target / below)))

    def _bring_tree(self, here: Path) -> None:
        there = self.counterpart(here)
        if here.is_symlink():
            self._bring_link(here, Path())
        elif not here.is_relative_to(self.top):
            self._point(there, here)
        elif here.is_dir():
            for entry in here.iterdir():
                self._bring_tree(entry)
        elif here.is_file() and not (there.exists() or self.only_outside):
            link_or_copy(here, there)

    def _point(self, there: Path, here: Path) -> None:
        """Data outside the repository are read where they are."""
        if here.exists() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(here)

    def counterpart(self, here: Path) -> Path:
        """The path in the copy; also of what lies beside the project."""
        relative = os.path.relpath(here, self.project.root)
        return Path(os.path.normpath(self.copy.root / relative))


def link_or_copy(here: Path, there: Path) -> None:
    """The same file, where the file system can; data may be large, and a step only reads them."""
    there.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(here, there)
    except OSError:
        shutil.copy2(here, there)


def dvc(project: Project, *arguments: str) -> str:
    """What a command of DVC prints.

    Raises:
        UserError: it failed.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True)
    if done.returncode:
        why = (done.stderr or done.stdout).strip()
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {why}")
    return done.stdout
