"""What git has and is not here, as after `rm`, or in a sparse checkout: how it comes back."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from flows.project import git
from flows.project.folder import Project
from tasks.core.step import UserError


def check_here(project: Project, path: str) -> None:
    """Refuse to go on without a file or a folder that the last commit has.

    Args:
        path: absolute, or from the project's folder.

    Raises:
        UserError: git has it, and it is not here.
    """
    if said := lacking(project, path):
        raise UserError(said)


def lacking(project: Project, path: str) -> str | None:
    """What to say of a path that is not here, though the last commit has it; None of others."""
    place = Path(os.path.relpath(project.root / path, project.root))
    if (project.root / place).exists() or ".." in place.parts:
        return None
    if not git.said(project, "ls-tree", "HEAD", "--", place.as_posix()):
        return None

    name = shlex.quote(place.as_posix())
    listed = git.said(project, "ls-files", "-t", "--", place.as_posix()).splitlines()
    if not any(line.startswith("S ") for line in listed):
        return f"There is no {place.as_posix()}. git has it: `git checkout HEAD -- {name}`."
    folder = place if any(line != f"S {place.as_posix()}" for line in listed) else place.parent
    return (
        f"There is no {place.as_posix()}: this checkout is sparse. To have it: "
        f"`git sparse-checkout add {shlex.quote(folder.as_posix())}`."
    )
