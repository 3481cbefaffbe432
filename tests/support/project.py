"""A project of one file: a copy of params.yaml, to add pipelines to and to take them out."""

from __future__ import annotations

from pathlib import Path

from flows.project.folder import Project

PARAMS = Project.here().params_file.read_text(encoding="utf-8")


def new_project(root: Path, params: str = PARAMS) -> Project:
    root.mkdir(parents=True)
    made = Project(root)
    made.params_file.write_bytes(params.encode())
    return made
