"""Which model is in use, and which were: git tags, written by GTO, read by git.

`fashion@v0.0.2` names the commit of a model that was judged; `fashion#champion#3` makes a version
the champion. Both are annotated: the message of a tag is the verdict.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML, YAMLError

from flows.project import git
from flows.project.folder import Project
from tasks.core.step import UserError, log

STAGE = "champion"
# In GTO's grammar `!` takes a tag back.
NAME = re.compile(
    r"(?P<name>[^#@]+)(@(?P<version>v\d+\.\d+\.\d+)|#(?P<stage>[^#!]+))(?P<back>!?)(#(?P<count>\d+))?"
)
FIELDS = (
    *("refname:strip=2", "objecttype", "taggerdate:unix", "taggername"),
    *("*objecttype", "*objectname", "contents"),
)
GTOS = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
CLOCK = 120  # seconds that the clocks of two machines may differ


class Event(NamedTuple):
    """A version that became the champion, or was judged and did not."""

    version: str
    commit: str
    when: int  # seconds since 1970
    who: str
    says: str  # the first line of the tag's message
    verdict: dict[str, Any]  # the other lines
    tag: str


class Register(NamedTuple):
    """All that the tags say of a pipeline."""

    versions: dict[str, Event]  # judged
    champions: list[Event]  # in order of time; the same version may be there again
    stack: list[Event]  # those that were not taken back

    @property
    def champion(self) -> Event | None:
        return self.stack[-1] if self.stack else None

    @property
    def before(self) -> Event | None:
        """The champion before the present one."""
        others = [each for each in self.stack if each.version != self.stack[-1].version]
        return others[-1] if others else None

    def version_of(self, commit: str, model: str | None) -> str | None:
        """The last version that is of a commit, or is the very model in another one."""
        found = (
            version
            for version, each in reversed(self.versions.items())
            if each.commit == commit or (model and each.verdict.get("model") == model)
        )
        return next(found, None)

    def judged_on(self, rows: str, but: str | None) -> int:
        """How many versions, but for one, were judged on the same test rows."""
        others = [each for version, each in self.versions.items() if version != but]
        return sum(each.verdict.get("test_rows") == rows for each in others)


def read(project: Project, pipeline: str) -> Register:
    """The versions and the champions of a pipeline, as GTO counts them.

    Raises:
        UserError: a champion is no version: without it, any model would be the first champion.
    """
    name = _name(project, pipeline)
    versions: dict[str, Event] = {}
    champions: list[Event] = []
    stack: list[Event] = []
    tags = [each for each in _tags(project) if each[0]["name"] == name]
    _check_whole(tags)
    for found, event in sorted(tags, key=lambda each: (each[1].when, each[1].tag)):
        if found["stage"] not in (None, STAGE):
            continue
        if found["stage"] and found["back"]:
            stack = [each for each in stack if each.commit != event.commit]
        elif found["stage"]:
            champions.append(event)
            stack.append(event)
        elif found["back"]:
            versions.pop(found["version"], None)
        else:
            versions[found["version"]] = event._replace(version=found["version"])

    of_commit = {event.commit: event.version for event in versions.values()}

    def named(events: list[Event]) -> list[Event]:
        known = [each for each in events if each.commit in of_commit]
        return [each._replace(version=of_commit[each.commit]) for each in known]

    return Register(versions, named(champions), named(stack))


def _check_whole(tags: list[tuple[re.Match, Event]]) -> None:
    """Refuse the tags of a pipeline if some of them are not here, or name something else."""
    of_version = {event.commit for found, event in tags if found["version"]}
    for found, event in tags:
        if not event.commit or (found["stage"] == STAGE and event.commit not in of_version):
            raise UserError(
                f"The tag {event.tag} names no commit that is a version. A tag was moved or "
                "deleted, or has not been fetched. `git fetch --tags --force` brings those of the "
                f"remote; `git tag -d {event.tag!r}` deletes this one, as if it had never been."
            )


def _tags(project: Project) -> list[tuple[re.Match, Event]]:
    """GTO's tags; a lightweight one says neither when nor who, and GTO passes over it."""
    end = secrets.token_hex(16)  # nobody's message has it
    shown = "%00".join(f"%({field})" for field in FIELDS) + end
    listed = git.run(project, "for-each-ref", "refs/tags", f"--format={shown}")
    listed = listed.encode("utf-8", "replace").decode()  # a message may be of any encoding
    found = []
    for line in filter(str.strip, listed.split(end)):
        tag, kind, when, who, of, commit, message = line.lstrip("\n").split("\0")
        commit = commit if of == "commit" else ""
        match = NAME.fullmatch(tag)
        if match and kind == "tag":
            says, _, rest = message.partition("\n")
            found.append((match, Event("", commit, int(when or 0), who, says, _parsed(rest), tag)))
    return found


def _parsed(text: str) -> dict[str, Any]:
    """The verdict in a tag's message; somebody may have written the message by hand."""
    try:
        found = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _name(project: Project, pipeline: str) -> str:
    """What GTO calls the model: with the project's folder, if the repository is larger."""
    prefix = git.run(project, "rev-parse", "--show-prefix").rstrip("/")
    return f"{prefix}={pipeline}" if prefix else pipeline


def check_name(pipeline: str) -> None:
    """Refuse a name that GTO does not take.

    Raises:
        UserError: it has other letters.
    """
    if not GTOS.fullmatch(pipeline):
        raise UserError(
            f"A git tag cannot be made from `{pipeline}`: only English letters, digits, - and _ "
            "may be in it, the last two not at its ends. Rename the pipeline in params.yaml."
        )


def register(project: Project, pipeline: str, commit: str, says: str, verdict: dict) -> str:
    """Make a commit a version, with its verdict.

    Returns:
        The version, such as v0.0.2.
    """
    name, message = _artifact(project, pipeline), _message(says, verdict)
    return _gto(project, "register", name, ref=commit, message=message).version


def assign(project: Project, pipeline: str, version: str, says: str, verdict: dict) -> None:
    """Make a version the champion."""
    _wait_for_the_clock(project, pipeline)
    how = {"version": version, "message": _message(says, verdict), "force": True}
    _gto(project, "assign", _artifact(project, pipeline), stage=STAGE, **how)


def step_back(project: Project, pipeline: str, now: Event, before: Event, says: str) -> None:
    """Make the champion before the present one the champion again.

    Two tags: GTO takes a champion for replaced only if that was taken back, and DVC goes by the
    last tag. Killed between the two, the one before is the champion already.
    """
    _wait_for_the_clock(project, pipeline)
    how = {"version": now.version, "message": f"{says}\n", "stage": STAGE}
    _gto(project, "unassign", _artifact(project, pipeline), **how)
    assign(project, pipeline, before.version, says, before.verdict)


def _artifact(project: Project, pipeline: str) -> str:
    return _name(project, pipeline).replace("=", ":")


def _gto(project: Project, function: str, name: str, **how: Any) -> Any:
    from gto import api  # here: takes half a second to import
    from gto.exceptions import GTOException
    from scmrepo.exceptions import SCMError

    top = Path(git.run(project, "rev-parse", "--show-toplevel"))
    try:
        return getattr(api, function)(top, name, **how)
    except (GTOException, SCMError) as error:
        raise UserError(
            f"git could not make the tag: {error}. `git show TAG` says what that one is; if it is "
            "nobody's, `git tag -d TAG` takes it away."
        ) from None


def _message(says: str, verdict: dict[str, Any]) -> str:
    # As JSON: to YAML, the digest 12e34 without quotes is a number.
    lines = [f"{key}: {json.dumps(value)}" for key, value in verdict.items()]
    return "\n".join([says, "", *lines])


def _wait_for_the_clock(project: Project, pipeline: str) -> None:
    """Let the next tag be later than the last one: GTO goes by their seconds.

    Raises:
        UserError: the last tag is from the future.
    """
    name = _name(project, pipeline)
    tags = [event for found, event in _tags(project) if found["name"] == name and found["stage"]]
    if not tags:
        return
    last = max(tags, key=lambda event: event.when)
    early = last.when - time.time() + 1
    if early > CLOCK:
        raise UserError(
            f"The tag {last.tag} is from the future: the clock of this machine, or of the one that "
            "made it, is wrong. Set it right, and run again."
        )
    if early > 2:
        log.info("waiting %.0f s: by the clock of another machine, the last tag is of then", early)
    time.sleep(max(0, early))
