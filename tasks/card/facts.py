"""What is known of a trained pipeline, from the files of its steps."""

from __future__ import annotations

import csv
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from tasks.core.folder import Folder, md5


class Facts(NamedTuple):
    """The contents of the files that a card is made from."""

    name: str  # of the pipeline
    schema: dict[str, Any]
    metrics: dict[str, Any]
    checks: list[dict[str, Any]]  # that for near-duplicates last
    classes: list[dict[str, str]]  # a row for each; none for a regression
    epochs: int
    environment: dict[str, Any]
    proof: dict[str, Any]  # of the export
    sections: dict[str, dict[str, Any]]  # of params.yaml
    data: str  # the MD5 of raw.npz, by which DVC knows it

    @property
    def regression(self) -> bool:
        return self.schema["labels"] == "regression"

    @property
    def image(self) -> bool:
        return len(self.schema["input_shape"]) > 1

    @property
    def score(self) -> str:
        """The name of the score by which a model passes."""
        return "mse" if self.regression else "accuracy"


def known(folder: Folder) -> Facts:
    """Read them all."""
    with folder.reading("history.csv") as path, open(path, newline="") as file:
        epochs = len(list(csv.DictReader(file)))
    with folder.reading("classes.csv") as path, open(path, encoding="utf-8", newline="") as file:
        classes = list(csv.DictReader(file))

    name = folder.path.name
    params = YAML(typ="safe").load(folder.root / "params.yaml")
    return Facts(
        name=name,
        schema=folder.read_json("schema.json"),
        metrics=folder.read_json("metrics.json"),
        checks=[*folder.read_json("checks.json"), folder.read_json("near_duplicates.json")],
        classes=classes,
        epochs=epochs,
        environment=folder.read_json("environment.json"),
        proof=folder.read_json("proof.json"),
        sections=params["pipelines"][name],
        data=md5(folder.read("raw.npz")),
    )
