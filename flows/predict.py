"""A trained model's answers to new rows: for the command `predict`, and for Python.

from flows.predict import predict
answers = predict("fashion", "photos")
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from flows.engine.environment import pin
from flows.engine.step import folder_of
from flows.memory.lock import as_recorded, outdated, stages
from flows.project.folder import Project
from tasks.core.folder import Damaged, Folder
from tasks.core.step import UserError, readable
from tasks.sources.base import New, Place

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tasks.drift.watch import Watch


def predict(
    pipeline: str,
    data: str | Path,
    project: Project | None = None,
    exported: bool = False,
) -> pd.DataFrame:
    """The answers to all rows of some data.

    Args:
        pipeline: its name in `params.yaml`; it must have been trained.
        data: a file or a folder of the kind that the pipeline was trained on, or one image.
        project: this one, unless told otherwise.
        exported: whether the exported model is asked, which needs no TensorFlow. Its answers are
            those of the trained model but for the last digits.

    Returns:
        A row for each row of the data: `from`, `predicted`; for classes `confidence` and the
        second and third choice; `actual`, if the data has labels.

    Raises:
        UserError: there is no model, or the data are no rows for it.
    """
    import pandas as pd  # here: it takes a second to import

    parts = answers(project or Project.here(), pipeline, place_of(Path(data)), exported=exported)
    return pd.concat([part.told for part in parts], ignore_index=True)


def place_of(data: Path) -> Place:
    """Some data, which messages call as a person does."""
    return Place(data.absolute(), data.as_posix())


Ask = Callable[["np.ndarray"], "np.ndarray"]  # from rows to the outputs of the model


class Part(NamedTuple):
    """The answers to some rows, and the rows as they were read."""

    told: pd.DataFrame
    rows: New


def answers(
    project: Project,
    pipeline: str,
    place: Place,
    watch: Watch | None = None,
    exported: bool = False,
) -> Iterator[Part]:
    """The same, some rows at a time, in memory that does not grow with the data.

    Args:
        watch: compares the rows with the validation rows; this function warns of what differs.
    """
    chosen = project.read(pipeline)
    folder = folder_of(project, pipeline)
    check_trained(project, pipeline)
    if exported:
        _check_exported(project, pipeline)
    if not place.path.exists():
        raise UserError(f"There is no {place}. Expected a file or a folder with new rows.")

    from tasks.answers import reading, telling  # here: pandas takes a second to import
    from tasks.drift.watch import Watch

    try:
        schema = folder.read_json("schema.json")
        rows = reading.read(place, schema, folder, scale=not exported)
        first = next(rows)  # what is wrong with the data is said at once
        ask = _exported(folder, chosen) if exported else _trained(folder, chosen)
    except Damaged as damaged:
        raise UserError(f"{damaged} Run `python -m flows train {pipeline}`.") from None

    watch = watch or Watch()
    watch.begin(folder, schema, ask)
    if exported:
        watch.unable = "the exported model takes rows before scaling"
    for x, part in _all(first, rows):
        output = ask(x)
        watch.add(x, output)
        yield Part(telling.told(output, part, schema), part)
    watch.end()


def _trained(folder: Folder, chosen: Any) -> Ask:
    pin("evaluate", chosen)
    from tasks.answers import asking  # here: TensorFlow takes seconds to import

    return partial(asking.ask, asking.load(folder))


def _exported(folder: Folder, chosen: Any) -> Ask:
    from tasks.exports import FORMATS
    from tasks.release import export

    module = FORMATS[folder.read_json(export.PROOF)["format"]]
    return module.open(folder.path / export.FOLDER / module.NAME, chosen.fit.threads).ask


def _all(first, rest):
    yield first
    yield from rest


class Summary:
    """What all answers are together; of a regression it keeps each number, 4 bytes."""

    def __init__(self) -> None:
        from tasks.answers.score import Score  # here: pandas takes a second to import

        self.score = Score()
        self.first: Part | None = None
        self.rows, self.classes = 0, Counter[str]()
        self.numbers: list[np.ndarray] = []

    def add(self, part: Part) -> None:
        told = part.told
        self.first = self.first or part
        self.rows += len(told)
        if "confidence" in told:
            self.classes.update(told["predicted"].tolist())
        else:
            self.numbers.append(told["predicted"].to_numpy())
        self.score.add(told)

    def lines(self) -> list[str]:
        """How many rows of each class, then the score if there are labels."""
        score, rows = self.score, f"{self.rows:,} row{'s' * (self.rows != 1)}"
        said = ", ".join(f"{name} {count:,}" for name, count in self.classes.most_common(10))
        found = [readable(f"{rows}: {said}" if said else rows)]
        if score.rows and self.classes:
            share = f"{score.right:,} of {score.rows:,}"
            found.append(f"accuracy {score.right / score.rows:.4f}: {share} are right")
        elif score.rows:
            found.append(f"mean squared error {score.squares / score.rows:.4g}")
        if score.unknown:
            found.append(f"{score.unknown:,} rows have a label that the training did not see")
        return found


class AnswersFile:
    """A CSV file of answers: it has its name when it is whole.

    Args:
        path: of the file, or `-` for standard output.
        rows: what is answered, which the file must not replace.
    """

    def __init__(self, path: str | Path, rows: Place) -> None:
        self.path, self.rows, self.head = Path(path), rows, True

    @contextmanager
    def open(self) -> Iterator[AnswersFile]:
        """Around the calls of `add`.

        Raises:
            UserError: it cannot be written there.
        """
        if self.path.name == "-":
            self.file: IO = sys.stdout
            yield self
            return
        self._check()
        part = self.path.with_name(f".part.{self.path.name}")
        try:
            with self._refusing():
                self.file = open(part, "w", encoding="utf-8", newline="")  # noqa: SIM115
            with self.file:
                yield self
            os.replace(part, self.path)
        finally:
            with suppress(OSError):  # it was never made
                part.unlink()

    def _check(self) -> None:
        folder = self.path.parent
        if not folder.absolute().is_dir():
            raise UserError(f"--to {self.path}: there is no folder {folder}. Make it first.")
        if self.path.is_dir():
            raise UserError(f"--to {self.path} is a folder. Expected a name for a CSV file.")
        if self.path.resolve() == self.rows.path.resolve():
            raise UserError(f"--to {self.path} is the file with the rows. Take another name.")

    def add(self, told: pd.DataFrame) -> None:
        with self._refusing():
            told.to_csv(self.file, index=False, header=self.head, lineterminator="\n")
        self.head = False

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """A full disk, or a place where nothing can be written, in one line."""
        try:
            yield
        except BrokenPipeError:  # nobody reads standard output any more
            raise
        except OSError as error:
            raise UserError(f"--to {self.path}: {error.strerror}. Nothing was written.") from None


def check_trained(project: Project, pipeline: str) -> None:
    """Refuse a model that was not trained, or that belongs to other rows than schema.json."""
    file = project.data(pipeline) / "model.keras"
    if f"evaluate@{pipeline}" not in stages(project) or not file.is_file():
        raise UserError(
            f"{pipeline} has no trained model here. Run `python -m flows train {pipeline}`, or "
            f"`dvc pull evaluate@{pipeline}` if a colleague has shared it."
        )

    if newer := outdated(project, f"evaluate@{pipeline}"):
        raise UserError(
            f"{newer[0]} is newer than the rest of {pipeline}: a run was not finished. Run "
            f"`python -m flows train {pipeline}`."
        )


def _check_exported(project: Project, pipeline: str) -> None:
    if not is_exported(project, pipeline):
        raise UserError(
            f"{pipeline} has no exported model that is up to date. Run "
            f"`python -m flows export {pipeline}`."
        )


def is_exported(project: Project, pipeline: str) -> bool:
    """Whether the exported model is there as it was proved, and that of the model of now."""
    address = f"export@{pipeline}"
    return not outdated(project, address) and as_recorded(project, address)
