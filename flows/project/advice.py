"""What a person may change after a training, by what its epochs have shown."""

from __future__ import annotations

import csv

from flows.project.folder import Project
from tasks.core.digits import digits

CLEARLY = 1.1  # times the lowest val_loss: if that of the checkpoint is higher, it is overfitted


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
