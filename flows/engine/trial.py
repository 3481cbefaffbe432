"""One trial of a sweep: its steps found in DVC's memory, or run in a folder of its own.

The folder is a project of one pipeline, `.dvc/tmp/sweeps/NAME/DIGEST`, and stays as long as the
trial has not ended: a training that was killed resumes there.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from flows.engine import step as engine
from flows.engine.apart import Apart, Died
from flows.engine.processes import hold
from flows.memory import lock
from flows.memory.recall import Entry, Recall
from flows.memory.reproduce import reproduce
from flows.project.folder import Project
from flows.project.sweeps import STEPS, Sweep
from tasks.core.folder import Folder, Identity, identity, md5
from tasks.core.step import Stopped, TimedOut, UserError, log, stopping
from tasks.families.own_code import FOLDER

DONE, FAILED = "done", "failed"
BEFORE = ("load", "normalize")  # the same for all trials: run in the project itself
DEATHS = 3  # of the process of a step that makes no progress, until its trial counts as failed
NOTE = "failed.json"
Trained = tuple[str, int | None]  # the digest of a trial, and its epochs


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Args:
        number: counted from 1.
        values: by key, such as `fit.batch_size`.
        epochs: of the training, if the sweep says it.
        goes_on: whether it may be trained for more epochs later.
        times: how many trials of its round have its values; it is run for all of them.
    """

    number: int
    values: dict[str, Any]
    epochs: int | None = None
    goes_on: bool = False
    times: int = 1

    @property
    def all_values(self) -> dict[str, Any]:
        """With the epochs, if the sweep says them."""
        return self.values if self.epochs is None else {**self.values, "fit.epochs": self.epochs}

    @property
    def digest(self) -> str:
        """The same for the same values."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def trained(self) -> Trained:
        """The same for the same training: with halving, values are trained for several lengths."""
        return self.digest, self.epochs


class Result(NamedTuple):
    """What came of a trial: of the epoch of its checkpoint, or why there is none."""

    state: str
    value: float | None = None
    best_epoch: int | None = None
    epochs: int | None = None
    says: str = ""
    found: bool = False  # whether DVC had all of it


class Trials:
    """Runs the trials of a sweep, also several at once.

    Args:
        project: the project, in which the rows are normalized.
        sweep: what is tried.
    """

    def __init__(self, project: Project, sweep: Sweep) -> None:
        self.project, self.sweep = project, sweep
        self.recall = Recall(project, sweep.name, STEPS)
        recorded = lock.stages(project)
        outs = [out for name in BEFORE for out in recorded[f"{name}@{sweep.name}"]["outs"]]
        self.rows = {out["path"]: out["md5"] for out in outs}
        self.entries: dict[Trained, dict[str, Entry]] = {}  # by the step

    def run(self, trial: Trial, apart: Apart) -> Result:
        """Find what DVC has of a trial; run the rest.

        Args:
            apart: where it runs. Nobody else uses it meanwhile.

        Raises:
            Outside: a full disk, or a file that was changed.
            Stopped: it was asked to stop; it resumes when it is run again.
        """
        if found := self.find(trial):
            return found._replace(found=True)
        apart.stopped = False  # by the trial before
        try:
            self._make(trial, apart)
        except engine.Outside:
            raise
        except OSError as error:
            raise engine.Outside(
                f"{error}. Fix this and run again: what was trained is kept."
            ) from None
        except TimedOut as late:
            return Result(FAILED, says=str(late).partition(":")[0])
        except UserError as error:
            return Result(FAILED, says=_line(error))
        self._clear(trial)
        return self.find(trial) or Result(FAILED, says="DVC's cache has lost it")

    def find(self, trial: Trial) -> Result | None:
        """What is known of a trial; None if something of it was not run yet."""
        sections, known, entries = self.sections(trial), dict(self.rows), {}
        for name in STEPS:
            wanted = self.recall.wanted(name, sections, known)
            entry = self.recall.find(wanted)
            if entry is None:
                said = _noted(self._place(trial), self.recall.key(wanted))
                return Result(FAILED, says=said) if said else None
            entries[name] = entry
            known |= {out["path"]: out["md5"] for out in entry["outs"]}
        self.entries[trial.trained] = entries
        return self._result(entries["fit"])

    def sections(self, trial: Trial) -> dict[str, Any]:
        """Those of the pipeline, as params.yaml would have them."""
        return self.sweep.sections(trial.all_values)

    def _make(self, trial: Trial, apart: Apart) -> None:
        """Run the steps of a trial that DVC does not have."""
        sections, known = self.sections(trial), dict(self.rows)
        place = self._place(trial)
        for name in STEPS:
            wanted = self.recall.wanted(name, sections, known)
            entry = self.recall.find(wanted)
            if entry is None:
                self._prepare(place, trial, wanted, known, sections)
                try:
                    used = _run(apart, place, name, self.sweep.name)
                except UserError as error:
                    if type(error) is UserError:  # it would be the same again
                        _note(place, self.recall.key(wanted), _line(error))
                    raise
                entry = self._recorded(wanted, place, used)
            known |= {out["path"]: out["md5"] for out in entry["outs"]}

    def _recorded(self, wanted: Entry, place: Project, used: lock.Used) -> Entry:
        try:
            return self.recall.record(wanted, place.root, used)
        except UserError as error:
            raise engine.Outside(str(error)) from None

    def _place(self, trial: Trial) -> Project:
        return Project(folder(self.project, self.sweep.name) / trial.digest)

    def _prepare(
        self,
        place: Project,
        trial: Trial,
        wanted: Entry,
        known: dict[str, str],
        sections: dict[str, Any],
    ) -> None:
        """Give a step its parameters and inputs; what a killed one has left stays."""
        data = place.data(self.sweep.name)
        data.mkdir(parents=True, exist_ok=True)
        run = {**sections["run"], "keep_state": trial.goes_on}
        whole = {"pipelines": {self.sweep.name: {**sections, "run": run}}}
        place.params_file.write_text(json.dumps(whole), encoding="utf-8")
        _link(place.root / FOLDER, self.project.root / FOLDER)

        for path in (dep["path"] for dep in wanted["deps"] if dep["path"].startswith("data/")):
            if path not in self.rows:
                # A copy: another process may record the same file, and so touch the cache's.
                (place.root / path).unlink(missing_ok=True)
                shutil.copyfile(self.recall.object({"md5": known[path]}), place.root / path)
                continue
            there = self.project.root / path
            if not there.is_file() or md5(there) != known[path]:
                raise engine.Outside(f"{path} changed while the sweep was running. Run again.")
            _link(place.root / path, there)

    def tidy(self, rows: Iterable[tuple[Trial, Result]]) -> None:
        """Remove the folders of all trials; that a trial fails stays known."""
        noted = {trial.digest for trial, result in rows if result.state == FAILED}
        for place in folder(self.project, self.sweep.name).iterdir():
            if place.is_dir() and place.name not in noted:
                shutil.rmtree(place, ignore_errors=True)

    def _clear(self, trial: Trial) -> None:
        """Remove what a trial needed; if it may go on, not its state."""
        place = self._place(trial).root
        if not trial.goes_on:
            shutil.rmtree(place, ignore_errors=True)

    def _result(self, fit: Entry) -> Result:
        (out,) = (each for each in fit["outs"] if each["path"].endswith("/history.csv"))
        with open(self.recall.object(out), encoding="utf-8", newline="") as file:
            history = list(csv.DictReader(file))
        best = [row for row in history if row["checkpoint"] == "1"][-1]
        value = float(best[self.sweep.params.objective])
        if not math.isfinite(value):
            return Result(FAILED, says=f"{self.sweep.params.objective} is {value}")
        return Result(DONE, value, int(best["epoch"]), len(history))


def prepare(project: Project, name: str) -> None:
    """Bring the steps up to date that all trials of a pipeline share; one process at a time."""
    place = folder(project, name)
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "prepare.lock", "w", encoding="utf-8") as held:
        hold(held, wait=True)
        for step in BEFORE:

            def function(step: str = step) -> lock.Used:
                return engine.run(project, step, name)[1]

            reproduce(project, f"{step}@{name}", function)


def folder(project: Project, name: str) -> Path:
    """Where the trials of a pipeline's sweep are, as long as they have not ended."""
    return project.root / ".dvc" / "tmp" / "sweeps" / name


def _note(place: Project, key: str, says: str) -> None:
    """Remember that a step fails with these parameters: a sweep is asked for again."""
    shutil.rmtree(place.root)
    place.root.mkdir()
    said = json.dumps({"key": key, "says": says})
    (place.root / NOTE).write_text(said, encoding="utf-8")


def _noted(place: Project, key: str) -> str:
    """Why a step fails with these parameters, if that is known."""
    try:
        noted = json.loads((place.root / NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none, or a kill left half of it
        return ""
    return noted["says"] if noted["key"] == key else ""


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _run(apart: Apart, place: Project, step: str, pipeline: str) -> lock.Used:
    """Run a step, again if its process was killed: it then resumes."""
    saved, deaths = _saved(place, pipeline), 0
    while deaths < DEATHS:
        if stopping.is_set() or apart.stopped:
            raise Stopped(f"stopped before {step}")
        try:
            return apart.run(place, step, pipeline)
        except Died as died:
            if apart.stopped:  # as it began, when nothing told it to end well
                raise Stopped(f"stopped before {step}") from None
            log.warning("the process of a trial ended (%s): it is started again", died)
        before, saved = saved, _saved(place, pipeline)
        deaths = deaths + 1 if saved == before else 1
    raise engine.ShortOfMemory(f"its process ended {DEATHS} times: memory is short, or {apart.log}")


def _saved(place: Project, pipeline: str) -> Identity:
    """The state that a training has saved last: another one, if it has made progress."""
    return identity(Folder(place.data(pipeline)).scratch("fit.npz"))


def _link(there: Path, here: Path) -> None:
    there.unlink(missing_ok=True)
    os.symlink(here, there)
