"""What a machine knows, by DVC's remote on to the next one: results, and all remembered runs.

`dvc push --run-cache` sends the notes of all runs, but only the files of the last one; and it sends
each note every time. Here a note goes once, after the files that it names, trials' included.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dvc.config import NoRemoteError
from dvc.exceptions import DvcException
from dvc.fs import HTTPFileSystem, localfs
from dvc.output import Output
from dvc.repo import Repo
from dvc_data.hashfile.db import get_index
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.transfer import TransferResult
from dvc_objects.fs import generic

from flows.memory.local import is_kept
from flows.memory.outputs import members
from flows.memory.recall import Entry, read
from flows.memory.repository import repository
from flows.project.folder import Project
from flows.project.steps import SWEEP, graph
from flows.project.tracked import lacking
from tasks.core.step import UserError, log

NO_REMOTE = (
    "There is no DVC remote. Name one: dvc remote add -d shared PLACE. PLACE is a folder, "
    "ssh://USER@HOST/PATH or s3://BUCKET/PATH."
)
AGAIN = (
    "The others are in their places. What is damaged at the remote must be deleted there; then who "
    "has it can `push` it again."
)


class Moved(NamedTuple):
    """How much went over."""

    files: int
    runs: int


def push(project: Project) -> Moved:
    """Send to DVC's remote what it lacks of all results and of all runs that DVC remembers.

    Raises:
        UserError: there is no remote, it cannot be used, or not all files arrived.
    """
    _tell_what_is_not_looked_at(project)
    with repository(project) as repo:
        remote = _Remote(repo)
        lacking = {name: read(remote.here / name) for name in remote.known(there=False)}
        wanted = {*_recorded(repo), *_objects(filter(None, lacking.values()))}
        objects = _with_members(repo, wanted)
        _drop_damaged(repo, objects - remote.has(objects))
        entries = _whole(repo, lacking)
        sent = _here(repo, _with_members(repo, {*_recorded(repo), *_objects(entries.values())}))
        folders = {each for each in sent if each.isdir}
        remote.look_again()
        # A folder goes last: for DVC, a remote that has it has all of its files.
        moved = [repo.cloud.push(sent - folders), repo.cloud.push(folders)]
        files = _all(moved, "Run again: what has arrived stays.")
        remote.send(entries)
        _tell_what_is_nowhere(repo, remote)
    return Moved(files, len(entries))


def pull(project: Project) -> Moved:
    """Take from DVC's remote what is lacking here, and put this commit's results in their places.

    Raises:
        UserError: there is no remote, it cannot be used, or not all files arrived.
    """
    _tell_what_is_not_looked_at(project)
    with (
        repository(project) as repo,
        tempfile.TemporaryDirectory(dir=repo.tmp_dir) as folder,  # on the disk of the notes
    ):
        remote, notes = _Remote(repo), Path(folder)
        _drop_damaged(repo, _with_members(repo, _recorded(repo)))
        names = remote.fetch(notes)
        lacking = {name: read(notes / name) for name in names}
        wanted = {*_recorded(repo), *_objects(filter(None, lacking.values()))}
        remote.look_again()
        moved = [repo.cloud.pull(wanted - _here(repo, wanted), odb=remote.objects)]
        inside = _with_members(repo, wanted)
        moved.append(repo.cloud.pull(inside - _here(repo, inside), odb=remote.objects))
        entries = _whole(repo, lacking)
        for name in entries:
            (remote.here / name).parent.mkdir(parents=True, exist_ok=True)
            (notes / name).replace(remote.here / name)
        repo.checkout(allow_missing=True)
        files = _all(moved, AGAIN)
        _tell_what_is_nowhere(repo, remote)
    return Moved(files, len(entries))


def _tell_what_is_not_looked_at(project: Project) -> None:
    """Exports and sweeps are in a graph of their own, which a sparse checkout may not have."""
    if said := lacking(project, graph(SWEEP)):
        log.warning("exports, cards and sweeps are left out. %s", said)


class _Remote:
    """The notes of runs at DVC's remote, and those here."""

    def __init__(self, repo: Repo) -> None:
        self.here = Path(repo.stage_cache.cache_dir)
        try:
            place = repo.cloud.get_remote_odb(None, "push", hash_name="md5-dos2unix")
            self.objects = repo.cloud.get_remote_odb(None, "push", hash_name="md5")
            self.objects.verify = True  # what comes is what was asked for
        except NoRemoteError:
            raise UserError(NO_REMOTE) from None
        except ImportError as error:  # the kind's package
            raise UserError(f"DVC's remote: {error}. Install it with pip.") from None
        if isinstance(place.fs, HTTPFileSystem):
            raise UserError("DVC cannot list what an HTTP remote has: use SSH, S3 or a folder.")
        self.place, self.fs = place, place.fs
        self.path = self.fs.join(place.path, "runs")
        with self._plain_errors():
            self.sizes = self._listed()

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except DvcException:
            raise
        except Exception as error:  # of the library of each kind of remote
            raise UserError(
                f"DVC's remote {self.fs.unstrip_protocol(self.place.path)} cannot be used: "
                f"{error or type(error).__name__}. Check its address and your key."
            ) from None

    def _listed(self) -> dict[str, int]:
        if not self.fs.exists(self.path):
            return {}
        files = list(self.fs.find(self.path))
        names = (self.fs.relpath(file, self.path) for file in files)
        return dict(zip(names, self.fs.sizes(files), strict=True))

    def has(self, objects: set[HashInfo]) -> set[HashInfo]:
        """Those of the objects that are at the remote."""
        names = {each.value: each for each in objects}
        with self._plain_errors():
            return {names[found] for found in self.objects.oids_exist(list(names))}

    def look_again(self) -> None:
        """DVC remembers which folders a remote has, and then looks for none of their files."""
        get_index(self.objects).clear()

    def known(self, there: bool) -> list[str]:
        """The names of notes that one side has, and the other not, or not whole."""
        here = {
            file.relative_to(self.here).as_posix(): file.stat().st_size
            for file in self.here.glob("*/*/*")
        }
        ours, theirs = (self.sizes, here) if there else (here, self.sizes)
        return [name for name, size in ours.items() if theirs.get(name) != size]

    def send(self, names: Iterable[str]) -> None:
        """Copy notes to the remote."""
        names = list(names)
        theirs = [self.fs.join(self.path, *name.split("/")) for name in names]
        with self._plain_errors():
            generic.copy(localfs, [str(self.here / name) for name in names], self.fs, theirs)

    def fetch(self, folder: Path) -> list[str]:
        """Copy the notes that are lacking here into a folder; their names."""
        names = self.known(there=True)
        theirs = [self.fs.join(self.path, *name.split("/")) for name in names]
        with self._plain_errors():
            generic.copy(self.fs, theirs, localfs, [str(folder / name) for name in names])
        return names


def _outs(repo: Repo) -> list[Output]:
    """The results in dvc.lock that DVC keeps, and the data that were given to it."""
    return [out for out in repo.index.outs if out.use_cache and out.hash_info]


def _recorded(repo: Repo) -> set[HashInfo]:
    return {out.hash_info for out in _outs(repo)}


def _tell_what_is_nowhere(repo: Repo, remote: _Remote) -> None:
    """A clone's dvc.lock names all that was ever recorded, made there or not."""
    files = {out: _with_members(repo, {out.hash_info}) for out in _outs(repo)}
    recorded = set().union(*files.values())
    gone = recorded - _here(repo, recorded)
    gone -= remote.has(gone)
    places = {Path(out.fs_path).parent for out in files if files[out] & gone}
    if places:
        names = sorted(place.relative_to(repo.root_dir).as_posix() for place in places)
        log.warning("neither here nor at the remote: what dvc.lock records in %s", ", ".join(names))


def _drop_damaged(repo: Repo, objects: set[HashInfo]) -> None:
    """Delete those of DVC's cache that are not what their names say."""
    for each in objects:
        is_kept(Path(repo.cache.local.oid_to_path(each.value)), each.value, each.value)


def _objects(entries: Iterable[Entry]) -> set[HashInfo]:
    return {HashInfo("md5", out["md5"]) for entry in entries for out in entry["outs"]}


def _with_members(repo: Repo, objects: set[HashInfo]) -> set[HashInfo]:
    """The same, and the files of each folder."""
    inside = (members(repo, each.value) for each in objects if each.isdir)
    return objects.union(HashInfo("md5", each) for found in inside for each in found.values())


def _here(repo: Repo, objects: set[HashInfo]) -> set[HashInfo]:
    return {each for each in objects if repo.cache.local.exists(each.value)}


def _whole(repo: Repo, entries: dict[str, Entry | None]) -> dict[str, Entry]:
    """Those that can be read, and whose files are all here."""
    return {
        name: entry
        for name, entry in entries.items()
        if entry and (files := _with_members(repo, _objects([entry]))) == _here(repo, files)
    }


def _all(moved: list[TransferResult], advice: str) -> int:
    """How many files went over.

    Raises:
        UserError: not all did.
    """
    failed = {str(each.value) for part in moved for each in part.failed}
    if failed:
        names = ", ".join(sorted(failed)[:3])
        count = f"{len(failed)} file{'s' * (len(failed) > 1)}"
        raise UserError(f"{count} did not get through: {names}. {advice}")
    return sum(len(part.transferred) for part in moved)
