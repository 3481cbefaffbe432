"""What a sweep shows in Prefect's UI: its table, its picture, and the winner."""

from __future__ import annotations

from collections.abc import Iterator

from prefect.artifacts import create_markdown_artifact

from flows.engine.rounds import Table
from flows.project.folder import Project
from flows.server.markdown import picture, short, table, text
from flows.server.process import answers
from flows.server.report import key
from tasks.sweeps.table import PICTURE, word

MOST = 100  # rows in a page


def report(project: Project, found: Table) -> None:
    """Write the artifact of a sweep. Its key stays the same, so it has a history in the UI."""
    if not answers():
        return
    name = found.sweep.name
    create_markdown_artifact(
        "\n\n".join(_parts(project, found)),
        key=key(name, "sweep"),
        description=f"Sweep of {name}: {found.so_far()}",
    )


def _parts(project: Project, found: Table) -> Iterator[str]:
    name = found.sweep.name
    yield f"# Sweep of {text(name)}"
    yield f"{text(found.so_far())}: trial {found.ranked[0]}"
    gains = [f"- {text(line)}" for line in found.gains]
    yield "## The best trial\n\n" + ("\n".join(gains) or "What params.yaml has.")
    yield f"`python -m flows sweep {name} --apply` writes it into params.yaml."
    yield picture(project.data(name) / PICTURE, "Sweep")
    yield "## Trials, the best first\n\n" + _trials(found)


def _trials(found: Table) -> str:
    keys = list(found.sweep.space)
    ranked = [*found.ranked, *(n for n in found.rows if n not in found.ranked)][:MOST]
    rows = []
    for number in ranked:
        trial, result = found.rows[number]
        tried = [word(trial.values[k]) if k in trial.values else "" for k in keys]
        rows.append([number, result.says or short(result.value), *tried])
    short_keys = [each.partition(".")[2] for each in keys]
    return table(["trial", found.sweep.params.objective, *short_keys], rows)
