"""The exported file of a pipeline, checked against DVC's records, and what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from flows.inference.example import example
from flows.memory.lock import digest, stages
from flows.project.folder import Project
from tasks.answers.choices import best
from tasks.answers.sent import Reader, Rows
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.exports import litert, onnx
from tasks.exports.base import Model as Exported
from tasks.rows.outputs import probabilities

FORMATS = (litert, onnx)  # that need no TensorFlow
SCORES = ("test_accuracy", "test_mae", "test_mse")  # that are shown, if there are any


@dataclass(frozen=True)
class Model:
    """A model that answers.

    Args:
        name: of the pipeline.
        version: DVC's MD5 of the export, as in release/dvc.lock.
        schema: the content of its `schema.json`.
        folder: of the pipeline.
        asked: the opened file.
        score: on the test rows, by its name.
    """

    name: str
    version: str
    schema: dict[str, Any]
    folder: Path
    asked: Exported
    score: dict[str, float]

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.schema, Folder(self.folder))

    @cached_property
    def example(self) -> Any:
        """A test row, as somebody would send it."""
        return example(self.folder / "raw.npz", self.schema)

    @property
    def class_names(self) -> list[str]:
        """Of a regression, none."""
        return self.schema["class_names"]

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
        UserError: there is none; or it is not what DVC recorded.
    """
    again = f"Run `python -m flows export {pipeline}`."
    recorded = stages(project).get(f"export@{pipeline}")
    folder = Folder(project.data(pipeline) / "export")
    if recorded is None or not folder.path.is_dir():
        raise UserError(f"{pipeline} has no exported model here. {again}")

    (version,) = {out["md5"] for out in recorded["outs"] if out["path"].endswith("/export")}
    shown = folder.path.relative_to(project.root).as_posix()
    if digest(folder.path) != version:
        raise UserError(f"{shown} is not what release/dvc.lock records. {again}")
    schema = folder.read_json("schema.json")
    asked = _opened(folder, again)
    if digest(folder.path) != version:
        raise UserError(f"{shown} changed while it was read. Try again.")

    score = _score(project, pipeline, recorded)
    return Model(
        pipeline, version.removesuffix(".dir"), schema, project.data(pipeline), asked, score
    )


def _opened(folder: Folder, again: str) -> Exported:
    """The exported file, asked once: the first call is the slowest."""
    for module in FORMATS:
        if (folder.path / module.NAME).is_file():
            asked = module.open(folder.read(module.NAME))
            asked.ask(np.zeros((1, *asked.shape)))
            return asked
    raise UserError(f"{folder.path.name} has no LiteRT or ONNX file. Set the format. {again}")


def _score(project: Project, pipeline: str, exported: dict[str, Any]) -> dict[str, float]:
    """The score on the test rows by its name; none if it is not of the model that was exported."""
    judged = stages(project).get(f"evaluate@{pipeline}", {"deps": [], "outs": []})
    model = f"data/{pipeline}/model.keras"
    of = [_md5(stage["deps"], model) for stage in (judged, exported)]
    file = project.data(pipeline) / "metrics.json"
    known = _md5(judged["outs"], f"data/{pipeline}/metrics.json")
    if of[0] is None or of[0] != of[1] or digest(file) != known:
        return {}
    metrics = json.loads(file.read_text(encoding="utf-8"))
    return {name: metrics[name] for name in SCORES if metrics.get(name) is not None}


def _md5(listed: list[dict[str, Any]], path: str) -> str | None:
    return next((each["md5"] for each in listed if each["path"] == path), None)
