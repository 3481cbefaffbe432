"""The end of a run: the scores first, then where everything is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import rich
from rich.text import Text

from flows.command.terminal import ORANGE, RED, say
from flows.predict import is_exported
from flows.project.advice import doubts
from flows.project.folder import Project
from tasks.core.digits import digits
from tasks.core.folder import Folder
from tasks.pictures import titles
from tasks.scores.criterion import sentence

WIDTH = 13  # of the words at the left


def show(project: Project, pipeline: str, report: str, is_served: bool) -> None:
    """Print the scores and the places of the model, the report and the pictures.

    Args:
        project: this one.
        pipeline: its name in `params.yaml`.
        report: the address of the run's report.
        is_served: whether it can be opened now.
    """
    folder = Folder(project.data(pipeline))
    metrics = folder.read_json("metrics.json")
    said = sentence(metrics, project.read(pipeline).evaluate)
    say(Text(f"\n{said}", RED if metrics.get("passed") is False else "bold"))
    for line in _more_scores(metrics):
        say(Text(line))
    for line in doubts(project, pipeline, metrics):
        say(Text(f"  {line}", ORANGE), 2)
    say(Text())

    place = f"data/{pipeline}"
    rows = {"model": f"{place}/model.keras", "scores": f"{place}/metrics.json"}
    rows["predictions"] = f"{place}/predictions.csv"
    if pipeline in project.releases():
        older = f"older than the model: python -m flows export {pipeline}"
        rows["export"] = f"{place}/export" if is_exported(project, pipeline) else older
    for name, where in rows.items():
        say(Text(f"{name:{WIDTH}}{where}"), WIDTH)
    say(Text("report" if is_served else f"{'report':{WIDTH}}start `make ui`, then open"))
    rich.get_console().print(Text(f"  {report}"), soft_wrap=True)  # whole, to be clicked on
    say(Text("pictures"))
    pictures = _pictures(folder, metrics)
    width = 2 + len(place) + 1 + max(map(len, pictures)) + 2
    for file, title in pictures.items():
        say(Text(f"{f'  {place}/{file}':{width}}{title}"), width)


def _more_scores(metrics: dict[str, Any]) -> Iterator[str]:
    """What the checkpoint reached on the validation rows, and the answers of `predict`."""
    known = {name: value for name, value in metrics.items() if name.startswith("val_")}
    validation = [f"{name} {digits(value)}" for name, value in known.items()]
    if validation:
        yield f"{', '.join(validation)} in epoch {metrics['best_epoch']}: choose models by these"
    for x, y in metrics.get("predict", {}).items():
        yield f"predicted for x = {x}: y = {digits(y)}"


def _pictures(folder: Folder, metrics: dict[str, Any]) -> dict[str, str]:
    """The title of each picture that shows something."""
    found = titles(folder.read_json("schema.json")["labels"])
    if not folder.read_json("near_duplicates.json")["count"]:
        del found["near_duplicates.png"]
    if metrics.get("test_accuracy") == 1:
        del found["mistakes.png"]
    return found
