"""A trial with other parameters: in a copy of the project, recorded as a DVC experiment."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from flows.engine.copies import Bringing, clone
from flows.memory.local import share
from flows.memory.lock import digest, edited, outputs
from flows.project import git, params, textfile
from flows.project.changes import Changes, text_with
from flows.project.folder import Project
from tasks.core.step import UserError
from tasks.families.own_code import FOLDER

REF = re.compile(r"refs/exps/../[0-9a-f]{38}/(.+)")  # of a DVC experiment, below its commit's hash

UNTRIED = ("evaluate", "run")  # sections that change no score: what is asked of a model stays


@contextmanager
def workspace(project: Project, name: str, pipeline: str, changes: Changes) -> Iterator[Project]:
    """A copy of the project with other parameters of one pipeline, and the same DVC cache.

    The copy is the working tree as it is: changed or deleted, staged or not, new, and the data
    whether git has them or not. It is removed at the end.

    Args:
        name: of the experiment.
        pipeline: its name in `params.yaml`.
        changes: values by section and key.
    """
    with clone(project, name) as copy:
        staged = git.run(project, "write-tree")
        git.run(copy, "read-tree", "--reset", "-u", staged)
        _copy(project, copy, _listed(project, "ls-files"))  # git may be told not to see an edit
        share(project, copy)
        textfile.write(
            copy.params_file, text_with(textfile.text_of(copy.params_file), pipeline, changes)
        )
        copy.read(pipeline)  # refuses values that do not go together

        path = YAML(typ="safe").load(copy.params_file)["pipelines"][pipeline]["load"]["path"]
        for place in (path, FOLDER):  # git may ignore files of both
            Bringing(project, copy).bring(place)
        untracked = _listed(project, "ls-files", "--others", "--exclude-standard")
        _copy(project, copy, [name for name in untracked if not (copy.root / name).exists()])
        yield copy


def _listed(project: Project, command: str, *more: str) -> list[str]:
    """The files, from the project's folder, that a command of git lists."""
    return [name for name in git.run(project, command, "-z", *more).split("\0") if name]


def _copy(project: Project, copy: Project, names: list[str]) -> None:
    """Make files of the copy what they are in the project; what is not there is removed."""
    for name in names:
        here, there = project.root / name, copy.root / name
        if there.is_dir() and not there.is_symlink():  # a submodule, to git a file; see `Bringing`
            continue
        there.unlink(missing_ok=True)
        with suppress(OSError):  # a folder stays that is not empty
            os.removedirs(there.parent)
        if here.is_symlink() or here.is_file():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(here, there, follow_symlinks=False)


def save(copy: Project, name: str, pipeline: str) -> None:
    """Record a pipeline of a copy as a DVC experiment of the project that it was copied from.

    The project gets it by one push: as a whole, or not at all. `dvc exp save` makes the same
    commit in seconds, most of them to import what it does not need.
    """
    ours = ("dvc.lock", f"data/{pipeline}")
    new = _listed(copy, "ls-files", "--others", "--exclude-standard", *ours)
    git.run(copy, "add", "--update", ".")
    if new:
        git.run(copy, "add", "--", *new)

    head, tree = git.run(copy, "rev-parse", "HEAD"), git.run(copy, "write-tree")
    said = ("-m", f"dvc: commit experiment {name}")
    commit = git.run(copy, "commit-tree", "-p", head, *said, tree)
    saved = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    git.run(copy, "push", "-q", "origin", f"{commit}:{saved}")


class Result(NamedTuple):
    """What a pipeline was trained with, and what came of it."""

    sections: dict[str, Any]  # of params.yaml, without `run`, which changes no result
    metrics: dict[str, Any]  # nothing if it was not trained
    history: str = ""  # the content of history.csv
    data: str = ""  # the MD5 of raw.npz


def results(project: Project, pipeline: str) -> dict[str, Result]:
    """The DVC experiments that trained a pipeline otherwise than the commit they start from."""
    listed = git.run(project, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    found = {}
    for name, ref in ((match[1], match[0]) for match in map(REF.fullmatch, listed) if match):
        result = _result(project, ref, pipeline)
        if result.metrics and result != _result(project, f"{ref}^", pipeline):
            found[name] = result
    return found


def result_here(project: Project, pipeline: str) -> Result:
    """The same of the project's folder as it is now; no scores if they are of other parameters."""
    files = [project.data(pipeline) / name for name in ("metrics.json", "history.csv")]
    metrics, history = (
        file.read_text(encoding="utf-8") if file.is_file() else "" for file in files
    )
    text = project.params_file.read_text(encoding="utf-8")
    lock = project.root / "dvc.lock"
    recorded = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    found = _parsed(text, metrics or "{}", history, recorded, pipeline)
    return found._replace(metrics={}) if _were_edited(project, pipeline) else found


def _were_edited(project: Project, pipeline: str) -> bool:
    """Whether params.yaml says something else than what the steps have used, or the scores do."""
    scores = f"data/{pipeline}/metrics.json"
    if outputs(project).get(scores) not in (None, digest(project.root / scores)):
        return True
    return bool(edited(project, pipeline))


def _result(project: Project, commit: str, pipeline: str) -> Result:
    try:
        data = f"data/{pipeline}"
        files = ("params.yaml", f"{data}/metrics.json", f"{data}/history.csv", "dvc.lock")
        text, metrics, history, recorded = (
            git.run(project, "cat-file", "blob", f"{commit}:./{file}") for file in files
        )
        return _parsed(text, metrics, history, recorded, pipeline)
    except (UserError, ValueError):  # it has no such files, or damaged ones
        return Result({}, {})


def _parsed(text: str, metrics: str, history: str, recorded: str, pipeline: str) -> Result:
    sections = params.pipelines(text).get(pipeline) or {}
    others = {key: sections[key] for key in sections if key not in UNTRIED}
    path = re.escape(f"data/{pipeline}/raw.npz")
    raw = re.search(rf"path: {path}\n\s+hash: md5\n\s+md5: (\w+)", recorded)
    return Result(others, json.loads(metrics), history, raw[1] if raw else "")
