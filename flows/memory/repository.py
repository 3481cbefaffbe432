"""DVC's view of the project, opened for one operation; and its errors, as messages of ours."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dvc.exceptions import CacheLinkError, CollectCacheError, DvcException, ReproductionError
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.stage.exceptions import MissingDataSource
from dvc.utils.serialize import ParseError, YAMLFileCorruptedError
from dvc.utils.strictyaml import YAMLValidationError
from dvc_data.hashfile.build import IgnoreInCollectedDirError
from dvc_objects.errors import ObjectFormatError

from flows.memory import patches  # noqa: F401  # before DVC is used
from flows.memory.local import settle, site
from flows.project.folder import Project
from flows.project.steps import graph
from flows.project.tracked import lacking
from tasks.core.step import UserError

OBJECTS = os.path.join("files", "md5")  # in DVC's cache


class Busy(UserError):
    """Another process is at work on the same files."""


class Frozen(UserError):
    """DVC does not run a stage, and records what lies there as made from what there is."""


_one_at_a_time = threading.Lock()  # DVC operations in this process


@contextmanager
def repository(project: Project) -> Iterator[Repo]:
    """DVC's view of the project, fresh: files may have changed since the last one."""
    with _one_at_a_time:
        try:
            settle(project)
            _drop_links_to_nothing(project)
            with closing(Repo(str(project.root), _wait_for_lock=True)) as repo:
                yield repo
        except sqlite3.OperationalError as error:  # as a full disk is told
            raise UserError(f"DVC's database cannot be used: {error}. Is the disk full?") from None
        except sqlite3.DatabaseError as error:  # of files that DVC knows: a cache
            shutil.rmtree(site(project), ignore_errors=True)
            raise UserError(f"DVC's database was damaged ({error}). Run again.") from None
        except ObjectFormatError as error:  # DVC has deleted it by now
            raise UserError(f"DVC's cache was damaged: {error}. Run again.") from None
        except MemoryError:
            raise UserError("There is not enough memory for DVC. Run again with more.") from None
        except (DvcException, OSError, IgnoreInCollectedDirError) as error:
            raise _plain(error, project) from None


def _drop_links_to_nothing(project: Project) -> None:
    """With `cache.type: symlink`, an output may be a link to an object that is gone.

    DVC fails on it; without it, the output is brought back or made again.
    """
    for pattern in ("data/*/*", "data/*/export/*"):
        for file in project.root.glob(pattern):
            if file.is_symlink() and not file.exists() and OBJECTS in os.readlink(file):
                file.unlink(missing_ok=True)


@contextmanager
def others_may() -> Iterator[None]:
    """Let other operations happen within this one, as a step runs."""
    _one_at_a_time.release()
    try:
        yield
    finally:
        _one_at_a_time.acquire()


def target(project: Project, address: str) -> str:
    """A stage's address as DVC takes it, from wherever the process is."""
    return f"{os.path.relpath(project.root / graph(address.partition('@')[0]))}:{address}"


def stage_of(repo: Repo, project: Project, address: str):
    """A stage by its address.

    Raises:
        Frozen: its result may be that of other parameters.
    """
    (stage,) = repo.stage.collect(target(project, address))
    refuse_frozen(stage)
    return stage


def refuse_frozen(stage) -> None:
    if stage.frozen:
        file = os.path.relpath(stage.path, stage.repo.root_dir)
        name = stage.name.partition("@")[0]
        raise Frozen(
            f"{file}: {name} has `frozen: true`, so its result may be that of other parameters. "
            "Take that line out."
        )


def _plain(error: Exception, project: Project) -> Exception:
    """DVC's error, or the system's, as one of ours that says what to do."""
    while isinstance(error, ReproductionError) and error.__cause__:
        error = error.__cause__

    if isinstance(error, FileNotFoundError) and error.filename:
        name = Path(error.filename)
        shown = name.relative_to(project.root) if name.is_relative_to(project.root) else name
        return UserError(
            lacking(project, error.filename)
            or f"There is no {shown}. Bring it back; or, if load.path names it, correct that in "
            "params.yaml."
        )
    if isinstance(error, IgnoreInCollectedDirError):
        place = str(error).partition(": ")[2]
        return UserError(
            f"{place} has a .dvcignore, which DVC does not allow inside data. Move its lines to "
            "the project's .dvcignore."
        )
    if isinstance(error, OSError):
        return UserError(f"{error}. Nothing was recorded. Fix this and run again.")
    if isinstance(error, LockError):
        says = f"Another run is at work here. {error}".partition("\n\nIf there are no")[0]
        return Busy(says)
    if isinstance(error, DvcException):
        return UserError(_advice(error, project))
    return error


def _advice(error: DvcException, project: Project) -> str:
    unreadable = isinstance(error, ParseError | YAMLValidationError | YAMLFileCorruptedError)
    if unreadable and "dvc.lock" in str(error):
        return (
            "dvc.lock cannot be read: damaged, or both versions of a merge. `git checkout HEAD "
            "dvc.lock` brings the last commit's back; what was made since is in DVC's cache."
        )
    if "'release/dvc.yaml'" in str(error):
        return "params.yaml needs a section `release:`. Write `release: {}` above `pipelines:`."
    if "unlocked lock" in str(error):
        return "DVC's folder .dvc/tmp was deleted meanwhile. Nothing was recorded. Run again."
    if isinstance(error, MissingDataSource):
        data = str(error).partition(": ")[2].replace(",", "")  # all that it says
        kept = f"There is no {data}. DVC keeps it: `dvc pull {data}` brings it."
        return lacking(project, data) or kept
    if isinstance(error.__cause__, CollectCacheError):  # of a folder without its list of files
        return f"DVC: {error.__cause__}. `dvc pull` brings it, or `dvc commit` makes it anew."
    if isinstance(error, CacheLinkError):
        return (
            "DVC could not put files into their places. Is the disk full, or the folder "
            f"read-only? {error}"
        )
    return f"DVC: {error}"
