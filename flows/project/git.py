"""git: the one place that calls it."""

from __future__ import annotations

import os
import subprocess
import textwrap

from flows.project.folder import Project
from tasks.core.step import UserError

ENGLISH = {"LC_ALL": "C"}  # what it says is read, and shown among sentences in English
WIDEST = 80  # of a command in a message: one may name a thousand commits


def run(project: Project, *command: str, text: str = "", **env: str) -> str:
    """What a command of git prints in the project's folder, without the last line break.

    A name of a file that is not UTF-8 leads to that file all the same.

    Args:
        text: for the command to read.
        env: variables for its environment.

    Raises:
        UserError: it failed, or there is no git.
    """
    return os.fsdecode(_run(project, command, text, env)).removesuffix("\n")


def said(project: Project, *command: str) -> str:
    """The same; nothing where there is no git, no repository or no commit."""
    try:
        return run(project, *command)
    except UserError:
        return ""


def file(project: Project, commit: str, path: str) -> bytes | None:
    """What a file has in a commit, or in git's index, which is ""; None if it is not there.

    Args:
        path: from the project's folder.
    """
    try:
        return _run(project, ("cat-file", "blob", f"{commit}:./{path}"))
    except UserError:
        return None


def _run(
    project: Project, command: tuple[str, ...], text: str = "", env: dict[str, str] | None = None
) -> bytes:
    try:
        done = subprocess.run(
            ["git", *command],
            cwd=project.root,
            env={**os.environ, **ENGLISH, **(env or {})},
            input=os.fsencode(text),
            capture_output=True,
        )
    except FileNotFoundError:
        raise UserError("git is needed here, and there is none. Install it.") from None
    if done.returncode and (done.stderr or done.returncode != 1):  # a silent 1 is a "no"
        why = os.fsdecode(done.stderr or done.stdout).strip()
        shown = textwrap.shorten(f"git {' '.join(command)}", WIDEST, placeholder=" ...")
        raise UserError(f"`{shown}` failed: {why}")
    return done.stdout
