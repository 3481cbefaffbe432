"""The run cache asked for other parameters than those of `params.yaml`: what a trial needs.

DVC finds an earlier run of a stage by a key that is made from its command, parameters and inputs.
Here the key is made with a trial's parameters, so that a trial needs no copy of the project and no
`dvc.lock`, and is found or recorded in milliseconds. What is recorded is what `dvc repro` records.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.fs import localfs
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import dump_yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from ruamel.yaml import YAML, YAMLError

from flows.memory import lock
from flows.memory.local import is_kept
from flows.memory.lock import Used
from flows.memory.plan import pipeline_stages
from flows.memory.repository import repository
from flows.project.folder import Project
from tasks.core.folder import md5
from tasks.core.step import UserError

Entry = dict[str, Any]  # a stage as dvc.lock and the run cache have it
LARGE = 2**20  # bytes
UNKNOWN = HashInfo("md5", "0" * 32)


class Recall:
    """The stages of a pipeline, whose code and data stay as they are while a sweep runs.

    Args:
        project: the project; its DVC cache is asked.
        pipeline: its name in `params.yaml`.
        steps: that a trial runs, in their order.
    """

    def __init__(self, project: Project, pipeline: str, steps: tuple[str, ...]) -> None:
        self.pipeline = pipeline
        with repository(project) as repo:
            stages = {
                stage.name.partition("@")[0]: stage for stage in pipeline_stages(repo, pipeline)
            }
            self.forms = {step: _form(stages[step]) for step in steps}
            self.objects = repo.cache.local
            self.entries = Path(repo.stage_cache.cache_dir)
        self.turn = threading.Lock()

    def wanted(self, step: str, sections: dict[str, Any], known: dict[str, str]) -> Entry:
        """A stage's entry without what it writes.

        Args:
            step: its name.
            sections: of the pipeline, with the trial's parameters.
            known: the MD5 of each file that the steps before it wrote, by its path from the root.
        """
        entry = deepcopy(self.forms[step])
        for dep in entry["deps"]:
            dep["md5"] = known.get(dep["path"], dep["md5"])
        (asked,) = entry["params"].values()
        for key in asked:
            asked[key] = lock.parameter(sections, f"@{self.pipeline}", key)
        return entry

    @staticmethod
    def key(wanted: Entry) -> str:
        """The key of the run cache: the same for the same stage, parameters and inputs."""
        return _get_cache_hash(deepcopy(wanted), key=True)

    def find(self, wanted: Entry) -> Entry | None:
        """The newest run that DVC remembers, if its outputs are kept and whole."""
        folder = self._folder(wanted)
        there = list(folder.glob("*")) if folder.is_dir() else []
        for file in sorted(there, key=lambda each: each.stat().st_mtime, reverse=True)[:1]:
            entry = read(file)
            if entry and all(self._whole(out) for out in entry["outs"]):
                return entry
        return None

    def _whole(self, out: Entry) -> bool:
        """Whether the cache has an output; a large one is compared when it is restored."""
        if out.get("size", 0) > LARGE:
            return self.object(out).is_file()
        return is_kept(self.object(out), out["md5"], out["path"])

    def object(self, out: Entry) -> Path:
        """Where the cache keeps an output."""
        return Path(self.objects.oid_to_path(out["md5"]))

    def record(self, wanted: Entry, root: Path, used: Used) -> Entry:
        """Take what a step wrote into the cache, and remember its run.

        Args:
            wanted: the stage's entry.
            root: the folder that the outputs' paths start from.
            used: what the step was made from.

        Raises:
            UserError: that is not what the entry says: a file was changed meanwhile.
        """
        wrong = lock.wrong(Project(root), f"@{self.pipeline}", wanted, used)
        if wrong:
            raise UserError(f"{', '.join(wrong)} changed while a trial was running. Run again.")

        entry = deepcopy(wanted)
        for out in entry["outs"]:
            out |= {"md5": md5(root / out["path"]), "size": (root / out["path"]).stat().st_size}
        with self.turn:
            paths = [str(root / out["path"]) for out in entry["outs"]]
            self.objects.add(paths, localfs, [out["md5"] for out in entry["outs"]])
            self._write(wanted, entry)
        return entry

    def packed(self, entries: Iterable[Entry]) -> dict[str, bytes]:
        """The content of all outputs, by its MD5: for a machine that has none of it."""
        return {
            out["md5"]: self.object(out).read_bytes() for entry in entries for out in entry["outs"]
        }

    def adopt(self, entry: Entry, contents: dict[str, bytes]) -> None:
        """Take a run of another machine into the cache, as if it had been here.

        Raises:
            UserError: a content is not what the entry says.
        """
        for out in entry["outs"]:
            content = contents[out["md5"]]
            if hashlib.md5(content).hexdigest() != out["md5"]:
                raise UserError(f"{out['path']} was damaged on its way from another machine.")
            with self.turn, tempfile.TemporaryDirectory(dir=self.objects.path) as folder:
                part = Path(folder, "part")
                part.write_bytes(content)
                self.objects.add(str(part), localfs, out["md5"])
        with self.turn:
            self._write(entry, entry)

    def _write(self, wanted: Entry, entry: Entry) -> None:
        name = _get_cache_hash(entry)
        part = self.entries / f".part.{name}.{os.getpid()}"  # not in the folder: DVC would take it
        self.entries.mkdir(parents=True, exist_ok=True)
        dump_yaml(str(part), entry)
        folder = self._folder(wanted)
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(part, folder / name)

    def _folder(self, wanted: Entry) -> Path:
        key = self.key(wanted)
        return self.entries / key[:2] / key


def _form(stage) -> Entry:
    """A stage's entry as the project has its code and data now; what steps write is not known."""
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            dep.hash_info = HashInfo("params", dict.fromkeys(dep.params))
            continue
        made = dep.def_path.startswith("data/")
        # Of a folder, the meta would bring the MD5 of dvc.lock back.
        dep.hash_info, dep.meta = UNKNOWN if made else dep.get_hash(), Meta()
    for out in stage.outs:
        out.hash_info, out.meta = UNKNOWN, Meta()
    return json.loads(json.dumps(to_single_stage_lockfile(stage)))


def read(file: Path) -> Entry | None:
    """An entry of the run cache, from its file; None if that is damaged: its name is its hash."""
    try:
        entry = YAML(typ="safe").load(file)
        return entry if _get_cache_hash(entry) == file.name else None
    except (OSError, YAMLError, ValueError, TypeError):
        return None
