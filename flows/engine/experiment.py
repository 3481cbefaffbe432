"""A trial with other parameters: in a copy of the project, recorded as a DVC experiment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, CommentedMap, RoundTripRepresenter

from flows.project.folder import Project
from flows.project.steps import step
from tasks.core.step import UserError

Changes = dict[str, dict[str, Any]]  # {"fit": {"epochs": 3}}


@contextmanager
def workspace(project: Project, pipeline: str, changes: Changes) -> Iterator[Project]:
    """A copy of the project with other parameters of one pipeline, and the same DVC cache.

    The copy is the last commit with what was edited since. It is removed at the end.

    Args:
        pipeline: its name in `params.yaml`.
        changes: values by section and key.
    """
    with tempfile.TemporaryDirectory(prefix=f"{pipeline}-", ignore_cleanup_errors=True) as folder:
        copy = Project(Path(folder, "project"))
        _call(project.root, "git", "clone", "-q", "--shared", str(project.root), str(copy.root))
        _copy_edited(project, copy)
        _share_cache(project, copy)
        _edit(copy, pipeline, changes)
        _link_data(project, copy, pipeline)
        yield copy


def _copy_edited(project: Project, copy: Project) -> None:
    """Files that were changed, added or deleted since the last commit."""
    options = ("-z", "--modified", "--others", "--exclude-standard")
    listed = _call(project.root, "git", "ls-files", *options)
    for name in filter(None, listed.split("\0")):
        here, there = project.root / name, copy.root / name
        there.unlink(missing_ok=True)
        if here.is_file():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(here, there)


def _share_cache(project: Project, copy: Project) -> None:
    local = project.root / ".dvc" / "config.local"
    if local.is_file():
        shutil.copy(local, copy.root / ".dvc")
    cache = _dvc(project, "cache", "dir").strip()
    _dvc(copy, "cache", "dir", "--local", cache)


def _edit(copy: Project, pipeline: str, changes: Changes) -> None:
    """Write the changes into params.yaml; every other line stays as it is."""
    yaml = YAML()
    yaml.Representer, yaml.default_flow_style = _Null, None
    yaml.preserve_quotes, yaml.width = True, 4096

    content = yaml.load(copy.params_file)
    sections = content["pipelines"][pipeline]
    for name, values in changes.items():
        sections[name] = _changed(name, sections[name], values, content.get("defaults") or {})
    yaml.dump(content, copy.params_file)


def _changed(name: str, section: CommentedMap, values: dict, defaults: dict) -> CommentedMap:
    """A section with other values. Another source or family begins with its own defaults."""
    tag = step(name).tag
    kind = values.get(tag) if tag else None
    if kind is None or kind == section.get(tag):
        section.update(values)
        return section

    model = step(name).section(kind)
    known = set(model.model_fields) if model else set(section)
    kept = {key: value for key, value in section.items() if key in known}
    return CommentedMap({**kept, **defaults.get(kind, {}), **values})


class _Null(RoundTripRepresenter):
    """Writes null as a word; ruamel's own leaves the value empty."""


_Null.add_representer(
    type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _link_data(project: Project, copy: Project, pipeline: str) -> None:
    """Data that git leaves out are read where they are."""
    section = YAML(typ="safe").load(copy.params_file)["pipelines"][pipeline]
    path = section["load"].get("path", ".")
    there = copy.root / path
    if not there.exists() and (project.root / path).exists():
        there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to(project.root / path)


def save(copy: Project, name: str, stages: list[str]) -> None:
    """Record the stages of a copy as a DVC experiment of the project that it was copied from."""
    _dvc(copy, "exp", "save", "--name", name, *stages)
    _call(copy.root, "git", "push", "-q", "origin", "refs/exps/*:refs/exps/*")


def _dvc(project: Project, *arguments: str) -> str:
    return _call(project.root, sys.executable, "-m", "dvc", *arguments)


def _call(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        why = (done.stderr or done.stdout).strip()
        raise UserError(f"`{' '.join(command)}` failed: {why}")
    return done.stdout
