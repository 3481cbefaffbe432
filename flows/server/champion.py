"""The champions of a pipeline in Prefect's UI: an artifact whose versions are the promotions."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact

from flows.engine.history import Line, lines
from flows.project.folder import Project
from flows.server.markdown import short, table, text
from flows.server.process import answers
from flows.server.report import key

HEAD = ("version", "", "since", "commit", "score", "why")


def report(project: Project, pipeline: str) -> None:
    """Write the artifact `champion-NAME`: every version, its score and its verdict."""
    if not answers():
        return
    found = lines(project, pipeline)
    now = next((line for line in found if line.champion), None)
    title = f"{now.version}: {now.says}" if now else "no champion"
    markdown = f"# {text(pipeline)}: {text(title)}\n\n{table(HEAD, map(_cells, found))}"
    create_markdown_artifact(markdown, key=key("champion", pipeline), description=title)


def _cells(line: Line) -> tuple[str, ...]:
    return (line.version, line.word, line.since, line.commit[:10], short(line.score), line.says)
