"""`.dvc/config.local`: what DVC must know of this place, kept true when the project is moved.

`make install` writes it by `python -m flows.memory.local`, and so does every run: the command
`dvc` then finds the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from configobj import ConfigObj, ConfigObjError  # what DVC reads and writes the file with
from dvc.config import Config

from flows.project.folder import Project
from tasks.core.folder import md5
from tasks.core.step import UserError, log


def settle(project: Project) -> None:
    """Keep DVC's state inside the project, and let DVC work where there is no git.

    The state holds pickles, and DVC loads them. By default it is below /var/tmp, where every user
    of this machine may write. DVC takes a relative path from the current directory; an absolute
    one cannot be in git.

    Raises:
        UserError: the state is another user's.
    """
    folder = project.root / ".dvc"
    if not folder.is_dir():
        return
    _make_private(site(project))

    in_git = any((place / ".git").exists() for place in (project.root, *project.root.parents))
    wanted = {"site_cache_dir": str(site(project)), "no_scm": None if in_git else "true"}
    with suppress(ConfigObjError):  # DVC says what is wrong with the file
        _write(folder / "config.local", "core", wanted)


def site(project: Project) -> Path:
    """Where DVC's state is."""
    return project.root / ".dvc" / "tmp" / "site"


def share(project: Project, copy: Project) -> None:
    """Let a copy of the project use the same remotes and the same cache."""
    ours, theirs = (each.root / ".dvc" / "config.local" for each in (project, copy))
    if ours.is_file():
        shutil.copy(ours, theirs)
    settle(copy)
    _write(theirs, "cache", {"dir": str(cache(project))})


def cache(project: Project) -> Path:
    """The folder of DVC's cache: in the project, or where its configuration says."""
    folder = project.root / ".dvc"
    return Path(Config(str(folder))["cache"].get("dir") or folder / "cache")


def drop_damaged(project: Project, made: Iterable[Path]) -> None:
    """Delete objects of DVC's cache that are not what their names say.

    If an output is in the cache already, DVC puts that object into its place, unread.

    Args:
        made: files that a step has just written.
    """
    objects = cache(project) / "files" / "md5"
    for file in made:
        with suppress(FileNotFoundError):  # of a step beside this one, or dropped by it
            digest = md5(file)
            name = file.relative_to(project.root).as_posix()
            is_kept(objects / digest[:2] / digest[2:], digest, name)


def is_kept(place: Path, digest: str, name: str) -> bool:
    """Whether DVC's cache has an object; a damaged one is deleted.

    Args:
        place: of the object.
        digest: the MD5 that it is called by.
        name: what a warning calls it.
    """
    if place.is_file() and md5(place) != digest.removesuffix(".dir"):
        log.warning("%s was damaged in DVC's cache, and was deleted there", name)
        place.unlink()
    return place.is_file()


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if os.geteuid() not in (0, found.st_uid):
        raise UserError(
            "Another user works in this clone, and some of its files are private. Make a clone of "
            "your own: `git clone`. Both may use one cache: `dvc cache dir PLACE`."
        )
    if found.st_mode & 0o077:  # DVC makes it for everybody, if it comes first
        folder.chmod(0o700)


def _write(file: Path, section: str, wanted: dict[str, str | None]) -> None:
    """Change some keys of a section, where they differ; None takes a key out."""
    config = ConfigObj(str(file), encoding="utf-8", indent_type="    ")
    keys = config.setdefault(section, {})
    if all(keys.get(key) == value for key, value in wanted.items()):
        return

    for key, value in wanted.items():
        keys[key] = value
        if value is None:
            del keys[key]
    part = file.parent / "tmp" / f"{file.name}.{os.getpid()}"  # which git ignores: it has secrets
    try:
        with open(part, "wb") as opened:
            config.write(opened)
        if file.is_file():  # it may hold the password of a remote
            shutil.copymode(file, part)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    settle(Project.here())
