"""New rows watched on their way through the model, and compared with the validation rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.folder import Folder
from tasks.core.step import log
from tasks.drift import findings, validation
from tasks.drift.findings import Finding
from tasks.drift.series import names, values
from tasks.drift.validation import ROWS
from tasks.rows.scaling import Scaling

FEWEST = 30  # rows that say something of their distribution
TOLD = 3  # differences in the log


class Sample:
    """Rows drawn at random from a stream of unknown length, each as likely as any other."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.keys = np.empty(0)
        self.values: np.ndarray | None = None

    def enters(self, rows: int) -> np.ndarray:
        """The places of those of the next rows that become part of it: these have low keys."""
        keys = np.concatenate([self.keys, self.random.random(rows)])
        kept = np.arange(len(keys))
        if len(keys) > ROWS:
            kept = np.sort(np.argpartition(keys, ROWS)[:ROWS])

        before = len(self.keys)
        self.keys, self.stay = keys[kept], kept[kept < before]
        return kept[len(self.stay) :] - before

    def add(self, values: np.ndarray) -> None:
        """The values of the rows that `enters` has named, which may push others out."""
        if self.values is not None:
            values = np.concatenate([self.values[self.stay], values])
        self.values = values


class Watch:
    """Compares new rows with the validation rows, in memory that does not grow with them."""

    def __init__(self) -> None:
        self.sample, self.rows = Sample(), 0
        self.found: list[Finding] = []
        self.unable = ""  # why nothing was compared

    def begin(self, folder: Folder, schema: dict[str, Any], scales: bool = False) -> None:
        """Before the first rows.

        Args:
            folder: the pipeline's folder.
            schema: the content of `schema.json`.
            scales: whether the model takes rows before scaling, and so are those of `add`.

        Raises:
            Damaged: the numbers of the validation rows are not what was recorded.
        """
        self.schema, self.scales = schema, scales
        self.folder, self.series = folder, names(schema)
        found = validation.read(folder)
        self.absent = found is None
        self.before = np.empty((0, len(self.series))) if found is None else found

    def add(self, x: np.ndarray, output: np.ndarray) -> None:
        """Some new rows, and the model's output for them."""
        self.rows += len(x)
        some = self.sample.enters(len(x))
        if len(some):
            self.sample.add(values(self._scaled(x[some]), output[some], self.schema))

    def end(self) -> None:
        """Compare, and warn of what differs."""
        self.unable = self._why_not()
        if self.unable:
            return

        assert self.sample.values is not None
        self.found = findings.compare(self.sample.values, self.before, self.series)
        for says in self.sure[:TOLD]:
            log.warning("%s", says)
        if len(self.sure) > TOLD:
            log.warning("drift: %d more differences", len(self.sure) - TOLD)

    def _why_not(self) -> str:
        if self.rows < FEWEST:
            rows = f"{self.rows} row{'s are' if self.rows > 1 else ' is'}"
            return f"{rows} too few to compare with the validation rows: {FEWEST} are needed"
        if self.absent:
            file, name = self.folder.shown(validation.NAME), self.folder.path.name
            found = f"{file} is not here: `python -m flows train {name}` makes it"
            log.warning("drift: not looked for, as %s", found)
            return found
        if len(self.before) < FEWEST:
            rows = f"{len(self.before)} validation rows"
            return f"{rows} are too few to compare with: {FEWEST} are needed"
        return ""

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        """As the validation rows are: a bit more or less would be a difference."""
        return Scaling.from_json(self.schema["scaling"]).apply(rows) if self.scales else rows

    @property
    def sure(self) -> list[str]:
        """The differences, each in a sentence."""
        some = [each for each in self.found if each.p < findings.LEVEL]
        return [f"drift: {each.says} (p {each.p:.2g})" for each in some]

    @property
    def alarm(self) -> bool:
        return findings.alarm(self.found)

    def write(self, answers: Path) -> str:
        """Write `NAME.drift.json` beside a file of answers; and a picture, if the rows differ.

        Returns:
            Whether there is drift, or why that was not looked for, and where the file is.
        """
        place, stem = _Beside(answers.absolute().parent), answers.stem
        data, picture = (f"{stem}.drift.{ending}" for ending in ("json", "png"))
        content = findings.as_json(self.found, self.rows, len(self.before))
        place.write_json(data, content | {"unable": self.unable})
        (place.path / picture).unlink(missing_ok=True)  # of other rows
        if self.unable:
            return f"not looked for, as {self.unable}"
        if not self.alarm:
            return f"none found: {answers.with_name(data)}"

        from tasks.drift.picture import Samples, draw  # here: Matplotlib takes a second to import

        assert self.sample.values is not None
        draw(place, picture, Samples(self.series, self.sample.values, self.before), self.found)
        return f"the rows differ: {answers.with_name(picture)}"


class _Beside(Folder):
    """A user's folder, which may be the root of the system."""

    def __init__(self, path: Path) -> None:
        self.path = self.root = path
        self.recorded, self.used = {}, {}
