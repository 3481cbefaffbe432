"""`dvc.lock` as it is written down: read without DVC, which takes half a second to import.

There are two: that of the steps, and that of what follows them, in `release/`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from flows.project import git
from flows.project.folder import Project
from flows.project.params import NONE, differences
from flows.project.steps import STEPS
from tasks.core.folder import Identity, identity, md5
from tasks.core.step import UserError

Stages = dict[str, dict[str, Any]]


class TakenBack(UserError):
    """A record was not of what the step was made from, and is gone."""


@dataclass
class Used:
    """What a step was made from.

    Args:
        sections: of its pipeline, as params.yaml had them.
        files: the MD5 of each file, by its absolute path.
    """

    sections: dict[str, Any]
    files: dict[Path, str]

    def digest(self, path: Path) -> str | None:
        """The MD5 of a file, or of a folder as DVC makes it; None if it was not used."""
        if path in self.files:
            return self.files[path]
        folder = f"{path}{os.sep}"  # as text: `file.parents` costs each trial a tenth of a second
        inside = {file: md5 for file, md5 in self.files.items() if str(file).startswith(folder)}
        return digest_of_folder(path, inside) if inside else None


def digest_of_folder(path: Path, files: dict[Path, str]) -> str:
    """As DVC makes it of the files' names and MD5s."""
    found = sorted((file.relative_to(path).as_posix(), digest) for file, digest in files.items())
    listed = [{"md5": digest, "relpath": name} for name, digest in found]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


_read: dict[Path, tuple[Identity, Stages]] = {}


def stages(project: Project) -> Stages:
    """What is recorded of each stage, by its address; none of a `dvc.lock` that cannot be read."""
    return _recorded(project.root / "dvc.lock") | _recorded(project.root / "release" / "dvc.lock")


def _recorded(file: Path) -> Stages:
    now = identity(file)
    if _read.get(file, ((0,), {}))[0] != now:
        _read[file] = now, _stages(file)
    return _read[file][1]


def _stages(file: Path) -> Stages:
    try:
        found = YAML(typ="safe").load(file)["stages"]
        return {address: stage for address, stage in found.items() if _is_whole(stage)}
    except (OSError, YAMLError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # DVC says what is wrong with it


def _is_whole(stage: Any) -> bool:
    """Whether a stage has all that it needs: of a file that a kill cut, the last one may not."""
    outs = stage.get("outs") if isinstance(stage, dict) else None
    files = [*stage.get("deps", []), *outs] if outs else []
    return bool(outs) and all(
        isinstance(file, dict) and {"path", "md5"} <= {*file} for file in files
    )


def lost(project: Project) -> list[str]:
    """Stages of the last commit's `dvc.lock` that are in it no more, of pipelines that are there.

    `dvc repro` writes it in place: a kill may leave the first half of it, which can be read.
    """
    there, known = _recorded(project.root / "dvc.lock"), project.pipelines()
    unreadable = not there and (project.root / "dvc.lock").is_file()
    if unreadable:  # DVC says what is wrong with it
        return []
    recorded = (git.file(project, "HEAD", "dvc.lock") or b"").decode()
    names = re.findall(r"^  (\S+@\S+):$", recorded, re.MULTILINE)
    return [name for name in names if name not in there and name.partition("@")[2] in known]


def outputs(project: Project) -> dict[str, str]:
    """The recorded MD5 of every output, by its path from the root."""
    return {out["path"]: out["md5"] for stage in stages(project).values() for out in stage["outs"]}


def outdated(project: Project, address: str) -> list[str]:
    """The inputs of a stage that were made anew since it was recorded."""
    made = outputs(project)
    deps = stages(project).get(address, {}).get("deps", [])
    return [dep["path"] for dep in deps if made.get(dep["path"], dep["md5"]) != dep["md5"]]


def as_recorded(project: Project, address: str, but: Path | None = None) -> bool:
    """Whether all outputs of a step, or all but one, have the bytes that `dvc.lock` records."""
    outs = stages(project).get(address, {}).get("outs", [])
    files = {project.root / out["path"]: out["md5"] for out in outs}
    files.pop(but, None)  # type: ignore[arg-type] # None is no key
    return bool(files) and all(digest(file) == files[file] for file in files)


def digest(path: Path) -> str | None:
    """The MD5 of a file, or of a folder as DVC makes it; None if it is not there."""
    if path.is_dir():
        files = (file for file in path.rglob("*") if file.is_file())
        return digest_of_folder(path, {file: md5(file) for file in files})
    return md5(path) if path.is_file() else None


def fits(project: Project, address: str, used: Used) -> bool:
    """Whether the record of a step, if there is one, says what the step was made from."""
    recorded = stages(project).get(address)
    return recorded is None or not wrong(project, address, recorded, used)


def wrong(project: Project, address: str, recorded: dict[str, Any], used: Used) -> list[str]:
    """What a stage's record says otherwise than what the step was made from.

    Args:
        recorded: the stage's entry in `dvc.lock`.
    """
    found = []
    for dep in recorded.get("deps", []):
        digest = used.digest(Path(os.path.normpath(project.root / dep["path"])))
        if digest not in (None, dep["md5"]):
            found.append(dep["path"])

    for key, value in recorded.get("params", {}).get("params.yaml", {}).items():
        before = parameter(used.sections, address, key)
        found += differences(key, before, value) if before != value else []
    return found


def edited(project: Project, pipeline: str) -> list[str]:
    """What was changed in params.yaml since the results were made, such as `fit.epochs: 3 -> 5`."""
    sections, found = project.sections(pipeline), []
    for step in STEPS:
        address = f"{step}@{pipeline}"
        recorded = stages(project).get(address, {}).get("params", {}).get("params.yaml", {})
        for key, before in recorded.items():
            now = parameter(sections, address, key)
            name = key.removeprefix(f"pipelines.{pipeline}.")
            found += differences(name, before, now) if before != now else []
    return list(dict.fromkeys(found))


def parameter(sections: dict[str, Any], address: str, key: str) -> Any:
    """A parameter of a stage by its name such as `pipelines.fashion.fit.epochs`, or NONE."""
    value: Any = sections
    for name in key.removeprefix(f"pipelines.{address.partition('@')[2]}.").split("."):
        value = value.get(name, NONE) if isinstance(value, dict) else NONE
    return value
