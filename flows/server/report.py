"""What a run shows in Prefect's UI: its numbers and pictures, each an artifact, and one report."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey

from flows.project import git
from flows.project.advice import doubts, findings
from flows.project.folder import Project
from flows.server.markdown import listed, picture, short, table, text
from flows.server.process import answers
from tasks.pictures import titles

MOST_ROWS = 100  # of a check, in a page
PAIRS = "near_duplicates.png"
# The scores that are said in one line.
SCORES = (
    "accuracy",
    "accuracy_without_leaked",
    "mae",
    "mse",
    "mse_without_leaked",
    "r2",
)
MISSED = "NOT passed"  # how a verdict begins, if the model does not reach what is asked of it
PASSED = {True: ["passed"], False: [MISSED], None: []}


class Run(NamedTuple):
    """What is known of a run when it ends."""

    before: dict  # the metrics of the run before
    steps: list[tuple[str, str, str]]  # name, state and message of each
    seconds: float
    data: str  # the hash that DVC has of raw.npz


def metrics(project: Project, pipeline: str) -> dict[str, Any]:
    """What `evaluate` wrote last; nothing if it has not run yet."""
    try:
        return _read_json(project.data(pipeline) / "metrics.json")
    except (FileNotFoundError, ValueError):
        return {}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def passed(project: Project, pipeline: str) -> bool | None:
    """Whether the model reaches what `evaluate` asks for; None if that is nothing."""
    return metrics(project, pipeline).get("passed")


def verdict(project: Project, pipeline: str) -> str:
    """The scores in one line: first the one to choose a model by, on the validation rows.

    Those of the test rows have their 95% interval, if there is one.
    """
    found = metrics(project, pipeline)
    parts = list(PASSED[found.get("passed")])
    if "val_loss" in found:
        parts.append(f"val_loss {short(found['val_loss'])}")
    for score in SCORES:
        name = f"test_{score}"
        if name in found:
            parts.append(f"{name} {short(found[name])}{_interval(found, name)}")
    return ", ".join(parts)


def _interval(found: dict, name: str) -> str:
    if f"{name}_low" not in found:
        return ""
    return f" ({short(found[f'{name}_low'])} to {short(found[f'{name}_high'])})"


def report(project: Project, pipeline: str, run: Run, name: str) -> None:
    """Write the artifacts of a run.

    Args:
        project: this one, or the copy in which an experiment ran.
        pipeline: its name in `params.yaml`.
        run: what is known of it.
        name: the artifacts' keys begin with it, so that each has a history in the UI.
    """
    if not answers():
        return
    folder, result = project.data(pipeline), verdict(project, pipeline)
    checked, reached = findings(project, pipeline), metrics(project, pipeline)

    scores = _compared(reached, run.before) + _classes(folder)
    _write(name, "metrics", result, scores)
    checks = _checks(checked)
    _write(name, "checks", _warnings(checked), checks)

    parts = [f"# {text(pipeline)}", scores]
    parts += [text(each) for each in doubts(project, pipeline, reached)]
    for file, title in titles(_read_json(folder / "schema.json")["labels"]).items():
        if file == PAIRS and not checked[-1]["rows"]:
            continue  # there is no picture in it, but a sentence, which is among the checks
        drawn = picture(folder / file, title)
        _write(name, file.removesuffix(".png"), f"{title}: {result}", drawn)
        parts.append(f"## {text(title)}\n\n{drawn}")

    parts += [f"## Checks of the data\n\n{checks}", *_origin(project, pipeline, run)]
    _write(name, "report", f"All of this run: {result}", "\n\n".join(parts))


def page(pipeline: str) -> str:
    """The path of the newest report's page in Prefect's UI; that of all artifacts without one."""
    if not answers():
        return "artifacts"
    of_it = ArtifactCollectionFilter(
        key=ArtifactCollectionFilterKey(any_=[key(pipeline, "report")])
    )
    with get_client(sync_client=True) as client:
        found = client.read_latest_artifacts(artifact_filter=of_it)
    return f"artifacts/artifact/{found[0].latest_id}" if found else "artifacts"


def _write(name: str, part: str, title: str, markdown: str) -> None:
    create_markdown_artifact(markdown, key=key(name, part), description=title)


def key(pipeline: str, name: str) -> str:
    """An artifact's key, as Prefect takes it: small English letters, digits and dashes."""
    return re.sub("[^a-z0-9-]", "-", f"{pipeline}-{name}".lower())


def _classes(folder: Path) -> str:
    """The scores of each class as a table; nothing for a regression."""
    with open(folder / "classes.csv", encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return f"\n\n{table(head, rows)}" if rows else ""


def _compared(now: dict, before: dict) -> str:
    """The metrics of this run, beside those of the last one if there is one."""
    if not before:
        return table(("metric", "this run"), [(k, short(v)) for k, v in _flat(now).items()])

    rows, old = [], _flat(before)
    for name, value in _flat(now).items():
        last = old.get(name)
        numbers = isinstance(value, float | int) and isinstance(last, float | int)
        change = f"{value - last:+.4g}" if numbers and not isinstance(value, bool) else ""
        rows.append((name, short(value), short(last), change))
    return table(("metric", "this run", "last run", "difference"), rows)


def _flat(numbers: dict) -> dict:
    """Each number by a name of its own: answers of `predict`, scores of baselines, too."""
    found = {}
    for name, value in numbers.items():
        if not isinstance(value, dict):
            found[name] = value
        elif name == "predict":
            found |= {f"y at x = {x}": y for x, y in value.items()}
        else:
            found |= {f"{name}: {key}": each for key, each in _flat(value).items()}
    return found


def _warnings(found: list[dict]) -> str:
    """The checks that found something, in one line."""
    warned = [each["check"] for each in found if each["result"] == "warning"]
    return f"{len(warned)} of {len(found)} checks warn: {', '.join(warned)}" if warned else "all ok"


def _checks(found: list[dict]) -> str:
    """The checks of the data, warnings first, then the rows that they name."""
    found = sorted(found, key=lambda each: each["result"] != "warning")
    parts = [listed((each["check"], each["result"], each["says"]) for each in found)]
    parts += [_rows(each) for each in found if each.get("rows")]
    return "\n\n".join(parts)


def _rows(check: dict) -> str:
    rows = check["rows"]
    cells = [[short(value) for value in row.values()] for row in rows[:MOST_ROWS]]
    more = ""
    if len(rows) > MOST_ROWS:
        more = f"\n\nThe first {MOST_ROWS}; more are in checks.json."
    return f"**{text(check['check'])}**\n\n{table(rows[0], cells)}{more}"


def _origin(project: Project, pipeline: str, run: Run) -> Iterator[str]:
    """Where the result comes from: data, commit, steps, parameters."""
    # No tag: those of champions name another pipeline's model.
    asked = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    origin = {
        "data (DVC's hash of raw.npz)": run.data,
        "commit": git.said(project, *asked),
        "duration": f"{run.seconds:.0f} s",
    }
    yield "## Where it comes from\n\n" + table(("", ""), origin.items())
    yield "## Steps\n\n" + listed(run.steps)

    sections = project.read(pipeline).model_dump()
    settings = [
        (f"{name}.{key}", value) for name, keys in sections.items() for key, value in keys.items()
    ]
    yield "## Parameters\n\n" + table(("parameter", "value"), settings)
