"""What is exchanged in DVC: eleven places, each with its reason. And DVC is silent."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import dvc.dvcfile
import dvc.rwlock
import dvc.stage.run
import psutil
from dvc.dvcfile import Lockfile
from dvc.stage import PipelineStage, create_stage
from dvc.stage.cache import StageCache, _get_stage_hash
from dvc.stage.loader import StageLoader
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import _common as serialize
from dvc.utils.serialize import _yaml as yaml
from dvc_data.hashfile import build
from dvc_data.hashfile.cache import DiskError
from dvc_data.hashfile.state import LocalFileSystem, State, _checksum

from tasks.core.folder import check_regular

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


_load_lock = Lockfile._load
_locks: dict[str, tuple[str, bytes]] = {}  # by its path: what a dvc.lock has, and what it means


def _load_lock_once(self: Lockfile, **options) -> tuple[Any, str]:
    """DVC reads dvc.lock three times for a step; YAML of some hundred stages takes a second."""
    with suppress(OSError, ValueError):
        text, meaning = _locks.get(self.path, ("", b""))
        if text and Path(self.path).read_text(encoding="utf-8") == text:
            return pickle.loads(meaning), text
    data, text = _load_lock(self, **options)
    _locks[self.path] = text, pickle.dumps(data)
    return data, text


_modify = yaml.modify_yaml


def _modify_lock(path, fs=None) -> AbstractContextManager[dict[str, Any]]:
    """DVC reads a file for its comments, which dvc.lock has not, and writes all for one stage."""
    if os.path.basename(path) != "dvc.lock":
        return _modify(path, fs)
    return serialize._modify_data(path, yaml.parse_yaml, _dump_lock, fs=fs)


def _dump_lock(data: dict[str, Any], file: TextIO) -> None:
    yaml._dump({name: value for name, value in data.items() if name != "stages"}, file)
    file.write("stages:\n")
    for name, stage in data["stages"].items():
        file.write(_lines(name, pickle.dumps(stage)))


@lru_cache(1000)
def _lines(name: str, stage: bytes) -> str:
    """A stage, as dvc.lock has it."""
    return yaml.dumps_yaml({"stages": {name: pickle.loads(stage)}}).partition("\n")[2]


_restore = StageCache.restore


def _restore_and_remember(self: StageCache, stage, *arguments, **options) -> None:
    """Remember what the outputs were made from: DVC looks anew before it records them."""
    _restore(self, stage, *arguments, **options)
    _here.restored = to_single_stage_lockfile(stage)


def restored() -> dict[str, Any] | None:
    """The record of what was restored last in this thread, or None; asked once."""
    found = getattr(_here, "restored", None)
    _here.restored = None
    return found


def _newest_entry(self: StageCache, stage) -> dict | None:
    """DVC takes what another process writes there for an entry, and deletes it as it is not whole.

    A kill may leave a folder without an entry, on which DVC fails.
    """
    key = _get_stage_hash(stage)
    if not key:
        return None
    folder = Path(self._get_cache_dir(key))
    entries = {file: _written(file) for file in folder.glob("[!.]*")}
    if entries:
        return self._load_cache(key, max(entries, key=entries.__getitem__).name)

    if self.repo.lock.is_locked:  # nobody else is about to write one
        with suppress(OSError):  # it is not there, or not empty
            folder.rmdir()
    return None


def _written(file: Path) -> int:
    with suppress(FileNotFoundError):  # taken back, just now
        return file.stat().st_mtime_ns
    return 0


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


def _save_entries(self: State, items, fs) -> None:
    """DVC knows a file by number, size and time, which a program can set back: add its ctime."""
    if not isinstance(fs, LocalFileSystem):
        return
    lines = []
    for path, found, known in items:
        with suppress(FileNotFoundError):
            info = known or fs.info(path)
            entry = {
                "version": self.HASH_VERSION,
                "checksum": _checksum(info),
                "size": info["size"],
                "hash_info": found.to_dict(),
                "ctime": info.get("created"),  # DVC alone does not write it, and passes over it
            }
            lines.append((path, json.dumps(entry)))
    self.hashes.set_many(lines)


def _save_entry(self: State, path, fs, hash_info, info=None) -> None:
    _save_entries(self, [(path, hash_info, info)], fs)


_hash_file = build.hash_file


def _hash_what_has_an_end(path, fs, *arguments, **options):
    """DVC would wait for ever for what a pipe has, or a device that always has more."""
    if isinstance(fs, LocalFileSystem):
        check_regular(Path(path), os.path.relpath(path))
    return _hash_file(path, fs, *arguments, **options)


_load_entry_of_state = State._get


def _entry_if_same(self: State, path: str, raw: str, info: dict):
    same = json.loads(raw).get("ctime") == info.get("created")
    return _load_entry_of_state(self, path, raw, info) if same else None


_open_state = State.__init__


def _open_or_begin_anew(self: State, root_dir=None, tmp_dir=None, ignore=None) -> None:
    """DVC's database of the files that it knows is a cache: a damaged one is made anew."""
    try:
        _open_state(self, root_dir, tmp_dir, ignore)
    except (sqlite3.DatabaseError, DiskError):
        shutil.rmtree(tmp_dir)
        _open_state(self, root_dir, tmp_dir, ignore)


_check_holders = dvc.rwlock._check_blockers


def _check_living_holders(tmp_dir, lock, info, *, mode, waiters) -> None:
    """Forget the dead; one's number may be that of a process which began after the list."""
    with suppress(FileNotFoundError):
        written = os.stat(os.path.join(tmp_dir, dvc.rwlock.RWLOCK_FILE)).st_mtime
        for path, holders in list(lock[mode].items()):
            if isinstance(holders, list):
                holders[:] = [each for each in holders if holds(each, written)]
            elif not holds(holders, written):
                del lock[mode][path]
    _check_holders(tmp_dir, lock, info, mode=mode, waiters=waiters)


def holds(holder: dict, written: float) -> bool:
    """Whether a process that DVC noted in its list of locks lives.

    Args:
        holder: its number and its command, as the list has them.
        written: when the list was, in seconds since 1970; the number may be another's since.
    """
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(holder["pid"])
        # A clock that was set since lets it seem younger: it is known by its command, too.
        return process.create_time() <= written + 1 or _is_of(process, holder["cmd"])
    return False


def _is_of(process: psutil.Process, command: str) -> bool:
    """Whether a process has the arguments of a command, whose program DVC notes otherwise."""
    arguments = command.split()[1:]
    return bool(arguments) and " ".join(process.cmdline()).split()[-len(arguments) :] == arguments


dvc.stage.run.cmd_run = _run
dvc.dvcfile.modify_yaml = _modify_lock
dvc.rwlock._check_blockers = _check_living_holders
Lockfile._load = _load_lock_once  # type: ignore[method-assign]
serialize._dump_data = _write_whole
build.hash_file = _hash_what_has_an_end
StageCache._load = _newest_entry
StageCache.restore = _restore_and_remember
StageCache._create_stage = _stage_of_entry
State.__init__ = _open_or_begin_anew  # type: ignore[method-assign]
State.save, State.save_many, State._get = _save_entry, _save_entries, _entry_if_same
# Its lines and its progress bars, which ask for the same level, would break into those of a run:
# it writes a line and its end one after the other. What stops a run is an exception.
for name in ("dvc", "dvc_data", "dvc_objects"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
