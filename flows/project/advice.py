"""Why a training's scores may say less than they seem to, and what a person may change."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

from flows.project.folder import Project
from tasks.core.digits import digits
from tasks.scores.criterion import nothing_learned

CLEARLY = 1.1  # times the lowest val_loss: if that of the checkpoint is higher, it is overfitted


def findings(project: Project, pipeline: str) -> list[dict[str, Any]]:
    """What the checks of the data found, that for near-duplicates last."""
    checks, near_duplicates = (
        json.loads((project.data(pipeline) / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("checks", "near_duplicates")
    )
    return [*checks, near_duplicates]


def doubts(project: Project, pipeline: str, metrics: dict[str, Any]) -> Iterator[str]:
    """A sentence for each, whatever ran: a step that is cached does not say it again.

    Args:
        project: this one, or the copy in which an experiment ran.
        pipeline: its name in `params.yaml`.
        metrics: the content of its `metrics.json`.
    """
    for each in findings(project, pipeline):
        if each["result"] == "warning":
            yield f"{each['check']}: {each['says']}"
    yield from filter(None, (nothing_learned(metrics), advice(project, pipeline)))


def advice(project: Project, pipeline: str) -> str:
    """A line if `monitor: loss` has kept an epoch that is clearly overfitted; else nothing."""
    params = project.read(pipeline)
    if params.fit.monitor != "loss" or params.normalize.validation in ("none", "test"):
        return ""

    with open(project.data(pipeline) / "history.csv", encoding="utf-8", newline="") as file:
        epochs = list(csv.DictReader(file))
    kept = [epoch for epoch in epochs if epoch["checkpoint"] == "1"][-1]
    best = min(epochs, key=lambda epoch: float(epoch["val_loss"]))
    reached, lowest = float(kept["val_loss"]), float(best["val_loss"])
    if not reached > CLEARLY * lowest:
        return ""
    return (
        f"val_loss was {digits(lowest)} in epoch {best['epoch']}, and {digits(reached)} in the one "
        f"that was kept, {kept['epoch']}: overfitting. Try fit.monitor: val_loss"
    )
