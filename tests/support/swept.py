"""Tiny sweeps of `linear`: trials that take a fraction of a second."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from flows.project import edit, textfile
from flows.project.folder import Project

SPACE = {
    "compile.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
    "fit.batch_size": [2, 3, 6],
}
SWEEP: dict[str, Any] = {
    "trials": 6,
    "round": 3,
    "seed": 0,
    "search": "tpe",
    "objective": "loss",
    "halving": None,
    "space": SPACE,
}


def put_sweep(project: Project, name: str = "linear", **how: Any) -> Project:
    """Write a sweep into params.yaml, in place of the one that is there."""
    values = {**SWEEP, **how}
    text = textfile.text_of(project.params_file)
    if name in (edit.content(text).get("sweeps") or {}):
        text = edit.without(text, name, "sweeps")
    # JSON is YAML, and no key of it needs a line of its own.
    lines = [f"  {name}:", *(f"    {key}: {json.dumps(value)}" for key, value in values.items())]
    textfile.write(project.params_file, edit.with_sweep(text, name, lines, values))
    return project


def trained(project: Project, name: str = "linear") -> list[str]:
    """The digest of a trial for each `fit` of a sweep that came to its end."""
    return [digest for digest, anything in _fits(project, name)]


def trained_to_the_end(project: Project, name: str = "linear") -> list[str]:
    """The same without those that had nothing left to train.

    They were killed while their outputs were recorded, and continued after the last epoch.
    """
    return [digest for digest, anything in _fits(project, name) if anything]


def _fits(project: Project, name: str) -> Iterator[tuple[str, bool]]:
    """The digest of each trial, and whether anything was left to train."""
    logs = (project.root / ".dvc/tmp/sweeps" / name).glob("worker-*.log")
    begins = ""
    for line in (line for log in logs for line in log.read_text(encoding="utf-8").splitlines()):
        if said := re.match(r"continuing in epoch (\d+)", line):
            begins = said[1]
        elif said := re.match(r"fit (\w+) [\d.]+ s (\d+) epoch", line):
            yield said[1], begins != str(int(said[2]) + 1)
            begins = ""
