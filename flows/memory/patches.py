"""What is exchanged in DVC: four places, each with its reason."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dvc.stage.run
from dvc.stage import PipelineStage, create_stage
from dvc.stage.cache import StageCache, _get_stage_hash
from dvc.stage.loader import StageLoader
from dvc.utils.serialize import _common as serialize

_here = threading.local()


@contextmanager
def steps_run_here(function: Callable[[], Any]) -> Iterator[None]:
    """In this thread, call `function` where DVC would start a stage's command.

    The process has imported TensorFlow already; another one would need seconds for it.
    """
    _here.function = function
    try:
        yield
    finally:
        del _here.function


_start_command = dvc.stage.run.cmd_run


def _run(stage, dry=False, run_env=None) -> None:
    function = getattr(_here, "function", None)
    if function is None:
        _start_command(stage, dry, run_env)
    else:
        function()


def _write_whole(path, data, dumper, fs=None, **options) -> None:
    """DVC writes dvc.lock in place: a kill would leave half of it."""
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as file:
        dumper(data, file, **options)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


_load_entry = StageCache._load


def _load_if_any(self: StageCache, stage) -> dict | None:
    """A kill may leave a folder of the run cache without its entry, on which DVC fails."""
    if key := _get_stage_hash(stage):
        with suppress(OSError):  # it is not there, or not empty
            os.rmdir(self._get_cache_dir(key))
    return _load_entry(self, stage)


def _stage_of_entry(self: StageCache, entry: dict, wdir: str | None = None) -> PipelineStage:
    """DVC looks for dvc.yaml in the current directory, which may be another than the project's."""
    stage = create_stage(
        PipelineStage,
        repo=self.repo,
        path=os.path.join(self.repo.root_dir, "dvc.yaml"),
        cmd=entry["cmd"],
        wdir=wdir or self.repo.root_dir,
        outs=[out["path"] for out in entry["outs"]],
    )
    StageLoader.fill_from_lock(stage, entry)
    return stage


dvc.stage.run.cmd_run = _run
serialize._dump_data = _write_whole
StageCache._load = _load_if_any
StageCache._create_stage = _stage_of_entry
# Each "Updating lock file" would be a line in the terminal.
logging.getLogger("dvc").setLevel(logging.WARNING)
