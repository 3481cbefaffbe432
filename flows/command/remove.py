"""Take a pipeline out of params.yaml; what it made stays."""

from __future__ import annotations

import shlex

from flows.command.help import command_line
from flows.command.terminal import plain_errors
from flows.memory import champions
from flows.project import artifacts, edit, textfile
from flows.project.folder import Project
from tasks.core.step import UserError

EXAMPLE = """\
example:
  python -m flows remove digits

Its section in params.yaml is removed, and its export's entry in dvc.yaml; nothing else is changed.
Its results stay in data/digits until you delete them, and its champion in git's tags."""
PARTS = ("sweeps", "release")  # of params.yaml, that may name it too


def main(arguments: list[str]) -> int:
    parser = command_line("remove", __doc__, EXAMPLE)
    parser.add_argument("name", help="of the pipeline, as params.yaml has it")
    options = parser.parse_args(arguments)

    project = Project.here()
    with plain_errors() as end:
        files = remove(project, options.name)
        print(told(project, options.name, files))
    return end.code


def remove(project: Project, name: str) -> list[str]:
    """Take a pipeline out of params.yaml, with its sweep and its release; other bytes stay.

    Returns:
        The files that were changed: params.yaml, and dvc.yaml if it named an export.

    Raises:
        UserError: there is no such pipeline, or it cannot be taken out by itself. Nothing was
            written.
    """

    def shorter(text: str) -> str:
        for part in PARTS:
            if name in (edit.content(text).get(part) or {}):
                text = edit.without(text, name, part)
        return edit.without(text, name)

    textfile.change(project.params_file, shorter)
    return [edit.FILE] + ["dvc.yaml"] * artifacts.remove(project, name)


def told(project: Project, name: str, files: list[str]) -> str:
    """What a person sees: what is left of the pipeline, and how to delete it."""
    done = f"{name} is no longer in {' and '.join(files)}."
    if champion := _champion(project, name):
        done += f" Its champion {champion} stays in git's tags: `git tag --list '{name}[@#]*'`."
    if not project.data(name).is_dir():
        return done
    folder = shlex.quote(f"data/{name}")
    return f"{done} What it made is still there. To delete it:\nrm -r {folder}"


def _champion(project: Project, name: str) -> str | None:
    """The version in use; None if there is none, or no git."""
    try:
        champion = champions.read(project, name).champion
    except (UserError, OSError):
        return None
    return champion.version if champion else None
