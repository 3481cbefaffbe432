"""What a run shows in Prefect's UI: pictures and numbers, each an artifact, and one report."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from flows.project.folder import Project
from flows.server.process import answers
from tasks.pictures import titles

LARGEST = 70_000  # bytes of a picture in a page, whose text is then below 100 KB
MOST_ROWS = 100  # of a check, in a page
SCORES = (
    "loss",
    "accuracy",
    "accuracy_without_leaked",
    "mae",
    "mse",
    "mse_without_leaked",
    "r2",
)  # said in one line


def metrics(project: Project, pipeline: str) -> dict:
    """What `evaluate` wrote last; nothing if it has not run yet."""
    try:
        return _read_json(project.data(pipeline) / "metrics.json")
    except (FileNotFoundError, ValueError):
        return {}


def _read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def verdict(project: Project, pipeline: str) -> str:
    """The scores in one line, with the 95% interval of the one that has it."""
    found = metrics(project, pipeline)
    parts = {True: ["passed"], False: ["NOT passed"], None: []}[found.get("passed")]
    for name in (f"test_{score}" for score in SCORES):
        if name in found:
            ends = [
                _short(found[f"{name}_{end}"])
                for end in ("low", "high")
                if f"{name}_{end}" in found
            ]
            parts.append(
                f"{name} {_short(found[name])}" + (f" ({' to '.join(ends)})" if ends else "")
            )
    return ", ".join(parts)


def _classes(folder: Path) -> str:
    """The numbers of each class as a table; nothing of a regression."""
    with open(folder / "classes.csv", encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return f"\n\n{_table(head, rows)}" if rows else ""


def report(
    project: Project,
    pipeline: str,
    before: dict,
    steps: list[tuple[str, str, str]],
    seconds: float,
    data: str,
) -> None:
    """The pictures and the numbers of a run, each as an artifact, and one that holds them all.

    Args:
        pipeline: a section of `params.yaml`.
        before: the metrics of the run before.
        steps: name, state and message of each step.
        seconds: that the run took.
        data: the hash that DVC has of the data.
    """
    if not answers():
        return
    table = _compared(metrics(project, pipeline), before) + _classes(project.data(pipeline))
    _write(
        pipeline, "metrics", f"Metrics of {pipeline}, and what changed since the last run", table
    )
    looked_at = _checks(project.data(pipeline))
    _write(pipeline, "checks", f"What was looked at in the data of {pipeline}", looked_at)
    parts = [f"# {pipeline}", table]
    schema = _read_json(project.data(pipeline) / "schema.json")
    for name, title in titles(schema["labels"]).items():
        picture = _picture(project.data(pipeline) / name, title)
        _write(
            pipeline, name.removesuffix(".png").replace("_", "-"), f"{title} ({pipeline})", picture
        )
        parts.append(f"## {title}\n\n{picture}")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"],
        cwd=project.root,
        capture_output=True,
        text=True,
    )
    origin = {
        "data (DVC's hash of raw.npz)": data,
        "commit": commit.stdout.strip(),
        "duration": f"{seconds:.0f} s",
    }
    chosen = project.read(pipeline).model_dump()
    settings = [
        (f"{name}.{key}", value)
        for name, section in chosen.items()
        for key, value in section.items()
    ]
    parts += [
        f"## Checks of the data\n\n{looked_at}",
        "## Where it comes from\n\n" + _table(("", ""), origin.items()),
        "## Steps\n\n" + _table(("step", "state", ""), steps),
        "## Parameters\n\n" + _table(("parameter", "value"), settings),
    ]
    _write(pipeline, "report", f"All about this run of {pipeline}", "\n\n".join(parts))


def _write(pipeline: str, name: str, title: str, markdown: str) -> None:
    create_markdown_artifact(markdown, key=key(pipeline, name), description=title)


def key(pipeline: str, name: str) -> str:
    return f"{pipeline}-{name}".lower().replace("_", "-")


def _picture(path: Path, title: str) -> str:
    """For a page: photographs as JPEG, as large PNG files would slow it."""
    content, kind = path.read_bytes(), "png"
    for quality in (85, 60, 35, 10):
        if len(content) <= LARGEST:
            break
        from PIL import Image  # here: few pictures need it

        smaller, kind = io.BytesIO(), "jpeg"
        Image.open(path).convert("RGB").save(smaller, format="jpeg", quality=quality)
        content = smaller.getvalue()
    return f"![{title}](data:image/{kind};base64,{base64.b64encode(content).decode()})"


def _checks(folder: Path) -> str:
    """What normalize and visualize looked at: what they say of it, warnings first, then the rows that they name."""
    found = [*_read_json(folder / "checks.json"), _read_json(folder / "near_duplicates.json")]
    found.sort(key=lambda each: each["result"] != "warning")
    parts = [
        _table(
            ("check", "result", "found"),
            ((each["check"], each["result"], each["says"]) for each in found),
        )
    ]
    for each in found:
        if each.get("rows"):
            rows = [[_short(value) for value in row.values()] for row in each["rows"][:MOST_ROWS]]
            more = (
                f"\n\nThe first {MOST_ROWS}; more are in checks.json."
                if len(each["rows"]) > MOST_ROWS
                else ""
            )
            parts.append(f"**{each['check']}**\n\n{_table(each['rows'][0], rows)}{more}")
    return "\n\n".join(parts)


def _compared(now: dict, before: dict) -> str:
    rows = []
    for name, value in _flat(now).items():
        old = _flat(before).get(name)
        number = isinstance(value, float | int) and not isinstance(value, bool)
        difference = f"{value - old:+.4g}" if number and isinstance(old, float | int) else ""
        rows.append((name, _short(value), _short(old), difference))
    return _table(("metric", "this run", "last run", "difference"), rows)


def _flat(numbers: dict) -> dict:
    """The answers of `predict` one by one."""
    points = {f"y at x = {x}": y for x, y in numbers.get("predict", {}).items()}
    return {name: value for name, value in numbers.items() if name != "predict"} | points


def _short(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
