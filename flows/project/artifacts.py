"""The part `artifacts:` of dvc.yaml: what `dvc artifacts get` finds by a pipeline's name.

DVC has no loop for it, so each exported pipeline has an entry of its own. Other bytes stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flows.project import textfile
from flows.project.folder import Project

# The head of the part, and its entries.
PART = re.compile(r"^artifacts:[ \t]*(?:{})?\n((?:  .*\n)*)", re.MULTILINE)
ENTRY = "  {0}:\n    path: data/{0}/export\n    type: model\n"


def add(project: Project, pipeline: str) -> None:
    """Let DVC find the export of a pipeline."""
    _change(project, lambda entries: entries + ENTRY.format(pipeline), pipeline, there=False)


def remove(project: Project, pipeline: str) -> bool:
    """Take the entry of a pipeline out; whether there was one."""
    return _change(project, lambda entries: _entry(pipeline).sub("", entries), pipeline, there=True)


def _entry(pipeline: str) -> re.Pattern[str]:
    return re.compile(rf"^  {re.escape(pipeline)}:\n(?:    .*\n)*", re.MULTILINE)


def _change(project: Project, changed: Callable[[str], str], pipeline: str, there: bool) -> bool:
    """Change the entries, if that of the pipeline is there or not, as it is expected to be.

    Returns:
        Whether dvc.yaml has changed.
    """

    def other(text: str) -> str:
        part = PART.search(text)
        if part is None or bool(_entry(pipeline).search(part[1])) != there:
            return text
        entries = changed(part[1])
        head = "artifacts:" if entries else "artifacts: {}"  # DVC reads it: a mapping
        return f"{text[: part.start()]}{head}\n{entries}{text[part.end() :]}"

    file = project.root / "dvc.yaml"
    if not file.is_file():
        return False
    before = file.read_bytes()
    textfile.change(file, other)
    return file.read_bytes() != before
