"""The real Fashion-MNIST, through the real loader: one epoch of a small network."""

from __future__ import annotations

import json

import numpy as np


def test_one_epoch_of_a_small_network_learns_the_real_data(workspaces, prefect_server):
    workspace = workspaces("fashion", PREFECT_API_URL=prefect_server)
    said = workspace.flow("fashion")
    assert "60,000 training and 10,000 test rows from" in said
    assert "min 0, max 255 before; min 0, max 1 after" in said

    folder = workspace.path / "data" / "fashion"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["passed"] is True
    assert metrics["test_accuracy"] > 0.75
    with np.load(folder / "normalized.npz") as data:
        assert data["x_train"].shape == (50_000, 28, 28)
        assert np.bincount(data["y_val"]).tolist() == [1000] * 10
    lines = (folder / "predictions.csv").read_text().splitlines()
    assert len(lines) == 1 + 10_000

    for command in (
        ["metrics", "show"],
        ["plots", "show", "--out", "plots"],
        ["params", "diff"],
        ["exp", "show", "--json"],
    ):
        workspace.dvc(*command)
    page = (workspace.path / "plots" / "index.html").read_text()
    assert "val_loss" in page
    assert "Ankle boot" in page
