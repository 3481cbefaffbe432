"""Whether a model may be judged: all that is in the way of a promotion, said at once."""

from __future__ import annotations

from typing import Any

from flows.engine import release
from flows.engine.step import folder_of
from flows.memory.lock import as_recorded
from flows.memory.outputs import drop_changed
from flows.project import git
from flows.project.folder import Project
from tasks.core.step import UserError
from tasks.gate.rule import Rule, check_rule

BRANCHES = ("refs/heads", "refs/remotes")


def ready(project: Project, pipeline: str) -> tuple[Rule, str]:
    """The rule and the commit of a promotion, if nothing is in its way.

    Raises:
        UserError: all that is.
    """
    found: list[Any] = []
    ways: list[str] = []
    checks = check_tags, _check_recorded, _check_passed, release.check_exported
    for look in (_rule, last_commit, *checks):
        try:
            found.append(look(project, pipeline))
        except UserError as error:
            ways.append(str(error))
    if ways:
        raise UserError("\n".join(dict.fromkeys(ways)))
    rule, commit, *_ = found
    return rule, commit


def _rule(project: Project, pipeline: str) -> Rule:
    rule = project.release(pipeline).promote
    if rule is None:
        raise UserError(
            f"params.yaml does not say what a new {pipeline} must show. Add under `release:`, "
            f"`{pipeline}:`  promote: {{level: 0.05, margin: 0, must: better}}"
        )
    check_rule(rule, pipeline)
    return rule


def last_commit(project: Project, pipeline: str) -> str:
    """The last commit, which must be all that is here, and on a branch."""
    # Whatever the user's configuration shows.
    asked = ("status", "--porcelain", "--untracked-files=normal", "--", ".")
    changed = [line[3:] for line in git.run(project, *asked).splitlines()]
    changed += [name for name in _unwatched(project) if name not in changed]
    changed += _ignored(project)
    if changed:
        names = ", ".join(changed[:3])
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UserError(
            f"Not committed: {names}{more}. A champion is a commit: `git add` and `git commit` "
            "them, or put them away with `git stash -u`."
        )
    commit = git.run(project, "rev-parse", "HEAD")
    if not git.run(project, "for-each-ref", "--contains", commit, *BRANCHES):
        raise UserError(
            "This commit is on no branch, so nobody would find it. Make one: `git switch -c NAME`."
        )
    return commit


def _unwatched(project: Project) -> list[str]:
    """Files that git is told not to look at, and that are not what the last commit has."""
    listed = git.run(project, "ls-files", "-v", "-z").split("\0")
    hidden = [line[2:] for line in listed if line and (line[0].islower() or line[0] == "S")]
    found = []
    for name in hidden:
        if (project.root / name).is_file():  # else it is of a part that is not checked out
            now = git.run(project, "hash-object", "--", name)
            then = git.run(project, "rev-parse", f"HEAD:./{name}")
            found += [name] * (now != then)
    return found


def _ignored(project: Project) -> list[str]:
    """Code that git has been told to ignore: no commit has it."""
    asked = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--")
    names = git.run(project, *asked, "models", "tasks", "flows").split("\0")
    return [name for name in names if name.endswith(".py")]


def check_tags(project: Project, pipeline: str) -> None:
    """Refuse a clone that may lack tags: there the champion may seem to be another, or none."""
    shallow = git.run(project, "rev-parse", "--is-shallow-repository") == "true"
    options = git.said(project, "config", "--get-regexp", r"^remote\..*\.tagopt$")
    if shallow or "--no-tags" in options:
        how = "--tags --unshallow" if shallow else "--tags"
        raise UserError(
            f"This clone may lack tags, which name the champions. Fetch them: `git fetch {how}`."
        )


def _check_recorded(project: Project, pipeline: str) -> None:
    """The model is made from what is here, and is what was recorded."""
    release.check_current(project, pipeline)
    for step in ("normalize", "reload_best", "evaluate"):
        if not as_recorded(project, f"{step}@{pipeline}"):
            drop_changed(project, f"{step}@{pipeline}")
            raise UserError(
                f"An output of {step} is not what dvc.lock records. Run `python -m flows train "
                f"{pipeline}`: it brings it back."
            )


def _check_passed(project: Project, pipeline: str) -> None:
    passed = folder_of(project, pipeline).read_json("metrics.json").get("passed")
    if passed is None:
        raise UserError(
            f"params.yaml asks nothing of {pipeline}: set evaluate.min_accuracy (for a "
            "regression min_r2, max_mae or max_mse) to what a model must reach, such as "
            "`min_accuracy: 0.8`, and train again."
        )
    if not passed:
        raise UserError(f"The model of {pipeline} did NOT pass, so it cannot become the champion.")
