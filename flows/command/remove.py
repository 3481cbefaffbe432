"""Take a pipeline out of params.yaml; what it made stays."""

from __future__ import annotations

import argparse
import shlex
import sys

from flows.command.help import Help
from flows.project import artifacts, edit
from flows.project.folder import Project
from tasks.core.step import UserError

EXAMPLE = """\
example:
  python -m flows remove digits

Its section is removed from params.yaml, and nothing else is changed. Its results stay in
data/digits until you delete them."""
PARTS = ("sweeps", "release")  # of params.yaml, that may name it too


def main(arguments: list[str]) -> int:
    """Parse the command line, take the pipeline out, and say what is left of it.

    Returns:
        The exit code: 0, or 1 if nothing was taken out.
    """
    parser = argparse.ArgumentParser(
        prog="python -m flows remove",
        description=(__doc__ or "").partition("\n")[0],
        epilog=EXAMPLE,
        formatter_class=Help,
    )
    parser.add_argument("name", help="of the pipeline, as params.yaml has it")
    options = parser.parse_args(arguments)

    project = Project.here()
    try:
        remove(project, options.name)
    except (UserError, OSError) as error:
        print(f"error {error}", file=sys.stderr)
        return 1
    print(told(project, options.name))
    return 0


def remove(project: Project, name: str) -> None:
    """Take a pipeline out of params.yaml, with its sweep and its release; other bytes stay.

    Raises:
        UserError: there is no such pipeline, or it cannot be taken out by itself. Nothing was
            written.
    """

    def shorter(text: str) -> str:
        for part in PARTS:
            if name in (edit.content(text).get(part) or {}):
                text = edit.without(text, name, part)
        return edit.without(text, name)

    edit.change(project.params_file, shorter)
    artifacts.remove(project, name)


def told(project: Project, name: str) -> str:
    """What a person sees: what is left of the pipeline, and how to delete it."""
    done = f"{name} is no longer in {edit.FILE}."
    if not project.data(name).is_dir():
        return done
    folder = shlex.quote(f"data/{name}")
    return f"{done} What it made is still there. To delete it:\nrm -r {folder}"
