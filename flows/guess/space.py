"""Proposes a sweep: which parameters of a pipeline to try, and between which values."""

from __future__ import annotations

from typing import Any

from flows.guess.section import commented, word
from flows.project.sweeps import Params

FACTOR = 10  # below and above the learning rate that is there
TRIALS, ROUND = 24, 4
# Why a parameter is tried.
REASONS = {
    "compile.learning_rate": "too small learns slowly, too large not at all",
    "build.hidden": "more units can learn more, and overfit more",
    "build.filters": "more filters can learn more, and take longer",
    "build.dropout": "against overfitting",
    "fit.batch_size": "smaller batches learn more in an epoch, and take longer",
    "fit.schedule": "a learning rate that falls often ends lower",
}


def propose(chosen: Any) -> dict[str, Any]:
    """The values of a sweep to begin with.

    Args:
        chosen: the parameters of the pipeline, as `Project.read` has them.
    """
    validated = chosen.normalize.validation != "none"
    return {
        "trials": TRIALS,
        "round": ROUND,
        "seed": 0,
        "search": "tpe",
        "objective": "val_loss" if validated else "loss",
        "halving": None,
        "space": _space(chosen),
    }


def _space(chosen: Any) -> dict[str, Any]:
    rate, size = chosen.compile.learning_rate, chosen.fit.batch_size
    low, high = (float(f"{value:.1g}") for value in (rate / FACTOR, rate * FACTOR))
    space: dict[str, Any] = {"compile.learning_rate": {"low": low, "high": high, "log": True}}
    for key in ("hidden", "filters"):
        if units := getattr(chosen.build, key, None):
            half = [max(1, each // 2) for each in units]
            space[f"build.{key}"] = [half, units, [2 * each for each in units]]
    if getattr(chosen.build, "dropout", None) is not None and len(space) > 1:
        space["build.dropout"] = {"low": 0.0, "high": 0.5, "log": False}
    space["fit.batch_size"] = sorted({max(1, size // 2), size, 2 * size})
    space["fit.schedule"] = ["constant", "cosine", "one_cycle"]
    return space


def lines(name: str, values: dict[str, Any]) -> list[str]:
    """The sweep as YAML, with what each key means.

    Args:
        name: of the pipeline.
        values: see `propose`.
    """
    written = [f"  {name}:"]
    for key, value in values.items():
        if key != "space":
            meaning = (Params.model_fields[key].description or "").partition(". ")[0].rstrip(".")
            comment = meaning[0].lower() + meaning[1:]
            written += commented(f"    {key}: {word(value)}", comment)
    written.append("    space:")
    for key, value in values["space"].items():
        written += commented(f"      {key}: {_flow(value)}", REASONS[key])
    return written


def _flow(value: Any) -> str:
    """A list or a mapping in one line, without quotes where they are not needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {word(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(each) for each in value) + "]"
    return word(value)
