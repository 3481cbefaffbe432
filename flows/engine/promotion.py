"""A model becomes the champion, if it is shown to be better on the same test rows."""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flows.engine.copies import top_of_git
from flows.engine.environment import pin
from flows.engine.processes import hold
from flows.engine.readiness import check_tags, last_commit, ready
from flows.engine.step import folder_of
from flows.memory import champions, past
from flows.memory.champions import Event, Register
from flows.memory.lock import outputs
from flows.project.folder import Project
from tasks.core.arrays import read_arrays
from tasks.core.folder import Folder
from tasks.core.step import UserError, log
from tasks.gate import paired
from tasks.gate.paired import Verdict
from tasks.gate.rule import Rule
from tasks.scores.criterion import nothing_learned

FIRST, ALREADY = "the first champion", "it is the champion already"
WORDS = {
    ("better", True): "better",
    ("better", False): "not shown to be better",
    ("not_worse", True): "not worse",
    ("not_worse", False): "perhaps worse",
}
NAMES = ("class_names", "feature_names", "words")  # in raw.npz, where the data have them
OF_A_MODEL = ("model.keras", "schema.json")  # what it needs to be asked


class Outcome(NamedTuple):
    """How a promotion ended."""

    version: str
    promoted: bool
    says: str


def promote(project: Project, pipeline: str) -> Outcome:
    """Judge the model of the last commit, and make it the champion if it is shown to be better.

    Killed at any moment, there is the old champion or the new one: the last thing is one git tag.

    Raises:
        UserError: the model cannot be judged, or may not leave the project: all that is in the
            way. No tag was made.
    """
    with _alone(project, pipeline):
        rule, commit = ready(project, pipeline)
        known = champions.read(project, pipeline)
        version = known.version_of(commit, _model(project, pipeline))
        if version and known.champion and known.champion.version == version:
            return Outcome(version, False, ALREADY)

        says, better, facts = _judge(project, pipeline, known, version, rule)
        if last_commit(project, pipeline) != commit:
            raise UserError("Another commit was checked out meanwhile. Run again.")
        version = version or champions.register(project, pipeline, commit, says, facts)
        if better:
            champions.assign(project, pipeline, version, says, facts)
        return Outcome(version, better, says)


def _model(project: Project, pipeline: str) -> str:
    """A digest of all that decides an answer: the model, and how rows are read and scaled."""
    recorded = outputs(project)
    parts = [recorded.get(f"data/{pipeline}/{name}", "") for name in OF_A_MODEL]
    return hashlib.md5("".join(parts).encode()).hexdigest()


def _judge(
    project: Project, pipeline: str, known: Register, version: str | None, rule: Rule
) -> tuple[str, bool, dict[str, Any]]:
    """What is said of the model, whether it is to be the champion, and the facts for its tag."""
    folder = folder_of(project, pipeline)
    rows = _test_rows(folder)
    judged = known.judged_on(rows, but=version)
    if version:
        log.info("this model was judged before, as %s", version)
    if judged:
        others = "1 other version was" if judged == 1 else f"{judged} other versions were"
        log.info("%s judged on these test rows", others)
    if useless := nothing_learned(folder.read_json("metrics.json")):
        log.warning("%s", useless)
    model = _model(project, pipeline)
    facts = {"test_rows": rows, "judged_before": judged, "model": model}
    if known.champion is None:
        return FIRST, True, {"score": _score(folder), **facts}

    verdict = _against(project, pipeline, known.champion, folder, rule)
    says = f"{WORDS[rule.must, verdict.better]} than {known.champion.version}: {verdict.says}"
    return says, verdict.better, _facts(verdict, known.champion) | facts


def back(project: Project, pipeline: str) -> Outcome:
    """Make the champion before the present one the champion again.

    Raises:
        UserError: there is none.
    """
    with _alone(project, pipeline):
        now, before = the_last_two(project, pipeline)
        says = f"back from {now.version}"
        champions.step_back(project, pipeline, now, before, says)
        return Outcome(before.version, True, says)


def the_last_two(project: Project, pipeline: str) -> tuple[Event, Event]:
    """The champion and the one before it.

    Raises:
        UserError: there are no two, or this clone may lack their tags.
    """
    check_tags(project, pipeline)
    known = champions.read(project, pipeline)
    if known.before is None or known.champion is None:
        there = f"{known.champion.version} is the first" if known.champion else "there is none yet"
        raise UserError(f"{pipeline} has no champion before the present one: {there}.")
    return known.champion, known.before


@contextmanager
def _alone(project: Project, pipeline: str) -> Iterator[None]:
    """One promotion of a pipeline at a time."""
    top_of_git(project)
    champions.check_name(pipeline)
    project.read(pipeline)
    place = project.data(pipeline) / ".resume"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "promote.lock", "w") as file:
        if not hold(file):
            raise UserError(f"Another promotion of {pipeline} is at work. Wait until it has ended.")
        yield


def _against(
    project: Project, pipeline: str, champion: Event, folder: Folder, rule: Rule
) -> Verdict:
    """The verdict on the model that is here, beside the champion."""
    actual, new = _answers(folder.read("predictions.csv"))
    with tempfile.TemporaryDirectory() as place:
        theirs = Folder(Path(place, "data", pipeline))
        theirs.path.mkdir(parents=True)
        if champion.verdict.get("test_rows") == _test_rows(folder):
            _bring(project, pipeline, champion, theirs, "predictions.csv")
            said = _answers(theirs.read("predictions.csv"))[1]
        else:
            said = _ask_again(project, pipeline, champion, theirs, folder)

    if folder.read_json("schema.json")["labels"] != "regression":
        return paired.of_classes(actual, new, said, rule)
    targets, ours, others = np.array([actual, new, said], dtype=np.float64)
    return paired.of_regression(targets, ours, others, rule)


def _ask_again(
    project: Project, pipeline: str, champion: Event, theirs: Folder, folder: Folder
) -> list[str]:
    log.info("other test rows than those of %s, so it is asked again", champion.version)
    _bring(project, pipeline, champion, theirs, *OF_A_MODEL)
    pin("evaluate", project.read(pipeline))
    from tasks.gate import again  # here: TensorFlow takes seconds to import

    return again.answers(theirs, folder).tolist()


def _bring(project: Project, pipeline: str, champion: Event, theirs: Folder, *names: str) -> None:
    for name in names:
        path = f"data/{pipeline}/{name}"
        past.bring(project, champion.commit, path, theirs.path / name)


def _answers(path: Path) -> tuple[list[str], list[str]]:
    """The columns `actual` and `predicted`."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["actual"] for row in rows], [row["predicted"] for row in rows]


def _test_rows(folder: Folder) -> str:
    """A digest of the test rows and their labels, and of what their numbers stand for."""
    digest = hashlib.md5()
    found = read_arrays(folder, "raw.npz", "x_test", "y_test", optional=NAMES)
    for array in (each for each in found if each is not None):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _score(folder: Folder) -> float:
    metrics = folder.read_json("metrics.json")
    return metrics.get("test_accuracy", metrics.get("test_mse"))


def _facts(verdict: Verdict, champion: Event) -> dict[str, Any]:
    return {
        "against": champion.version,
        "score": verdict.score,
        "score_of_champion": verdict.champions,
        "p": verdict.p,
        "rows": verdict.rows,
    }
