"""The exported file of a pipeline, checked against DVC's records, and what it answers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from flows.inference.example import example
from flows.memory.lock import exported
from flows.project.folder import Project
from tasks.answers.choices import best, probabilities
from tasks.answers.sent import Reader, Rows
from tasks.core.folder import Damaged, Folder
from tasks.core.step import UserError
from tasks.exports import litert
from tasks.exports.base import Model as Exported

FILE = f"export/{litert.NAME}"
SCORES = ("test_accuracy", "test_mae", "test_mse")  # the first that metrics.json has is shown


@dataclass(frozen=True)
class Model:
    """A model that answers.

    Args:
        name: of the pipeline.
        version: DVC's MD5 of the exported file.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.
        asked: the opened file.
    """

    name: str
    version: str
    schema: dict[str, Any]
    folder: Folder
    asked: Exported

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.schema, self.folder)

    @cached_property
    def example(self) -> Any:
        """A test row, as somebody would send it."""
        return example(self.folder.path / "raw.npz", self.schema)

    @property
    def class_names(self) -> list[str]:
        """Of a regression, none."""
        return self.schema["class_names"]

    @cached_property
    def score(self) -> dict[str, float]:
        """The score on the test rows by its name; none if it is another model's."""
        metrics = {}
        if "metrics.json" in self.folder.recorded:
            with suppress(UserError):
                metrics = self.folder.read_json("metrics.json")
        return {name: metrics[name] for name in SCORES if metrics.get(name) is not None}

    def answers(self, rows: Rows, output: np.ndarray) -> list[dict[str, Any]]:
        """An answer for each row, as JSON has it."""
        if not self.class_names:
            values = output.reshape(-1).tolist()
            told = [{"predicted": value} for value in values]
        else:
            told = self._classes(output)
        return [{"row": place} | each for place, each in zip(rows.places, told, strict=True)]

    def _classes(self, output: np.ndarray) -> list[dict[str, Any]]:
        names = self.class_names
        chosen, chances = (each.tolist() for each in best(probabilities(output)))
        return [
            {
                "predicted": names[classes[0]],
                "confidence": confidences[0],
                "best": [
                    {"class": names[number], "confidence": confidence}
                    for number, confidence in zip(classes, confidences, strict=True)
                ],
            }
            for classes, confidences in zip(chosen, chances, strict=True)
        ]


def load(project: Project, pipeline: str) -> Model:
    """The model of a pipeline as it was exported.

    Raises:
        UserError: there is none; or a file is not the one that DVC recorded.
    """
    recorded = exported(project, pipeline, FILE)
    again = f"Run `python -m flows export {pipeline}`."
    if recorded is None:
        raise UserError(f"{pipeline} has no exported model here. {again}")
    folder = Folder(project.data(pipeline), recorded)
    try:
        schema = folder.read_json("schema.json")
        with folder.reading(FILE) as path:
            asked = litert.open(path)
            asked.ask(np.zeros((1, *asked.shape)))  # the first call is the slowest
    except Damaged as damaged:
        raise UserError(f"{damaged} {again}") from None
    if changed := folder.changed():
        raise UserError(f"{folder.shown(changed[0])} changed while it was read. Try again.")
    return Model(pipeline, recorded[FILE], schema, folder, asked)
