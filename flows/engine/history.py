"""What was the champion when, and why, and which models were judged and did not become it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from flows.memory import champions
from flows.project.folder import Project


class Line(NamedTuple):
    """A promotion, or a model that was judged and not promoted."""

    version: str
    champion: bool  # whether it is the champion now
    promoted: bool
    since: str  # in UTC, to the minute
    commit: str
    who: str
    score: float | None
    says: str

    @property
    def word(self) -> str:
        if self.champion:
            return "champion"
        return "was champion" if self.promoted else "judged"


def lines(project: Project, pipeline: str) -> list[Line]:
    """All that the tags say, the newest first."""
    known = champions.read(project, pipeline)
    now = known.champion.tag if known.champion else ""
    promoted = {event.version for event in known.champions}
    judged = [each for each in known.versions.values() if each.version not in promoted]
    events = sorted([*known.champions, *judged], key=lambda each: each.when, reverse=True)
    return [
        Line(
            version=event.version,
            champion=event.tag == now,
            promoted=event.version in promoted,
            since=f"{datetime.fromtimestamp(event.when, UTC):%Y-%m-%d %H:%M}",
            commit=event.commit,
            who=event.who,
            score=_score(event, known.versions[event.version]),
            says=event.says,
        )
        for event in events
    ]


def _score(*events: champions.Event) -> float | None:
    """A step back was not judged again: its version was."""
    return next((each.verdict["score"] for each in events if "score" in each.verdict), None)
